/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Short collectives through shared slots: long random sequences of all kinds, with ranks that
 * dawdle at random, in several communicators that come and go. Every result is checked, so a slot
 * that is written to before its readers are done, or read before it is written, shows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "coll/coll.h"
#include "coll/slots_round.h"
#include "ranks.h"

#define ROUNDS    1500
#define WORDS_MAX 12

struct job {
    int rounds;
    unsigned kinds; /* so many of `steps` are drawn from */
    unsigned shift; /* the first of them */
};

static uint64_t
mix(uint64_t x)
{
    x ^= x >> 33, x *= 0xff51afd7ed558ccdu;
    x ^= x >> 33, x *= 0xc4ceb9fe1a85ec53u;
    return x ^ x >> 33;
}

/* What rank `rank` brings to round `round`. */
static int64_t
value_of(uint64_t round, int rank, int i)
{
    return (int64_t)(mix(round * 1009 + (uint64_t)rank * 31 + (uint64_t)i) >> 20);
}

static void
dawdle(uint64_t round, int rank)
{
    uint64_t luck = mix(round * 77 + (uint64_t)rank * 13 + 5) % 16;

    if (luck < 3)
        cpi_yield();
    for (volatile uint64_t i = 0; luck > 13 && i < (luck - 13) * 4000; i++)
        ;
}

struct step {
    struct cpi_comm *comm;
    uint64_t round;
    int root, count;
    int64_t in[WORDS_MAX * 32], out[WORDS_MAX * 32];
};

static struct cpi_type *
word(void)
{
    return cpi_type_of_prim(CPI_PRIM_INT64);
}

static void
step_barrier(struct step *s)
{
    RANK_CHECK(cpi_coll_barrier(s->comm, NULL) == CPMP_OK);
}

static void
step_bcast(struct step *s)
{
    for (int i = 0; i < s->count; i++)
        s->out[i] = s->comm->rank == s->root ? value_of(s->round, s->root, i) : 0;
    RANK_CHECK(cpi_coll_bcast(s->out, (size_t)s->count, word(), s->root, s->comm, NULL) == CPMP_OK);
    for (int i = 0; i < s->count; i++)
        RANK_CHECK(s->out[i] == value_of(s->round, s->root, i));
}

static int64_t
sum_to(struct step *s, int ranks, int i)
{
    int64_t sum = 0;

    for (int r = 0; r < ranks; r++)
        sum += value_of(s->round, r, i);
    return sum;
}

static void
step_reduce(struct step *s)
{
    RANK_CHECK(cpi_coll_reduce(s->in, s->out, (size_t)s->count, word(), cpi_op_of_kind(CPI_OP_SUM),
                               s->root, s->comm, NULL) == CPMP_OK);
    for (int i = 0; i < s->count && s->comm->rank == s->root; i++)
        RANK_CHECK(s->out[i] == sum_to(s, s->comm->size, i));
}

static void
step_allreduce(struct step *s)
{
    RANK_CHECK(cpi_coll_allreduce(s->in, s->out, (size_t)s->count, word(),
                                  cpi_op_of_kind(CPI_OP_SUM), s->comm, NULL) == CPMP_OK);
    for (int i = 0; i < s->count; i++)
        RANK_CHECK(s->out[i] == sum_to(s, s->comm->size, i));
}

static void
step_scan(struct step *s)
{
    RANK_CHECK(cpi_coll_scan(s->in, s->out, (size_t)s->count, word(), cpi_op_of_kind(CPI_OP_SUM),
                             s->comm, NULL) == CPMP_OK);
    for (int i = 0; i < s->count; i++)
        RANK_CHECK(s->out[i] == sum_to(s, s->comm->rank + 1, i));
}

static void
step_gather(struct step *s)
{
    RANK_CHECK(cpi_coll_gather(s->in, (size_t)s->count, word(), s->out, (size_t)s->count, word(),
                               s->root, s->comm, NULL) == CPMP_OK);
    for (int r = 0; r < s->comm->size && s->comm->rank == s->root; r++)
        for (int i = 0; i < s->count; i++)
            RANK_CHECK(s->out[r * s->count + i] == value_of(s->round, r, i));
}

static void
step_allgather(struct step *s)
{
    RANK_CHECK(cpi_coll_allgather(s->in, (size_t)s->count, word(), s->out, (size_t)s->count, word(),
                                  s->comm, NULL) == CPMP_OK);
    for (int r = 0; r < s->comm->size; r++)
        for (int i = 0; i < s->count; i++)
            RANK_CHECK(s->out[r * s->count + i] == value_of(s->round, r, i));
}

static void
step_alltoall(struct step *s)
{
    int size = s->comm->size;

    for (int r = 0; r < size; r++)
        s->in[r] = value_of(s->round, s->comm->rank, r);
    RANK_CHECK(cpi_coll_alltoall(s->in, 1, word(), s->out, 1, word(), s->comm, NULL) == CPMP_OK);
    for (int r = 0; r < size; r++)
        RANK_CHECK(s->out[r] == value_of(s->round, r, s->comm->rank));
}

static void (*const steps[])(struct step *) = {
    step_bcast, step_reduce, step_barrier, step_allreduce, step_gather, step_allgather,
    step_scan, step_alltoall,
};

static void
run_step(struct cpi_comm *comm, uint64_t round, const struct job *job)
{
    struct step s = { .comm = comm, .round = round };
    uint64_t luck = mix(round + 99);

    /* now and then one root for a while: its short broadcasts share a slot */
    s.root = (int)(round & 64 ? round / 16 : luck % 1000) % comm->size;
    s.count = 1 + (int)(luck / 1000 % WORDS_MAX);
    for (int i = 0; i < s.count; i++)
        s.in[i] = value_of(round, comm->rank, i);
    dawdle(round, comm->rank);
    steps[job->shift + luck / 65536 % job->kinds](&s);
}

static void
sequence_rank(void *arg)
{
    const struct job *job = arg;
    struct cpi_comm world;

    RANK_CHECK(cpi_comm_init_world(&world) == CPMP_OK);
    for (int round = 0; round < job->rounds; round++)
        run_step(&world, (uint64_t)round, job);
    if (world.size > 1)
        RANK_CHECK(world.coll && cpi_slots_of(&world));
    cpi_comm_release(&world);
}

static void
random_sequences_give_every_rank_its_result(void **state)
{
    struct job all = { .rounds = ROUNDS, .kinds = 8 };

    (void)state;
    for (uint32_t ranks = 1; ranks <= 17; ranks += ranks < 5 ? 1 : 4)
        for (int cores = 0; cores < 2; cores++)
            assert_int_equal(ranks_run(ranks, cores, sequence_rank, &all), 0);
}

/* The kinds of rounds that ranks leave at different times, alone and two and two. */
static void
rooted_rounds_never_overtake_each_other(void **state)
{
    static const struct job jobs[] = { { 3000, 1, 0 }, { 3000, 1, 1 }, { 3000, 2, 0 },
                                       { 3000, 2, 1 }, { 3000, 4, 0 }, { 3000, 2, 4 } };

    (void)state;
    for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++)
        assert_int_equal(ranks_run(i % 2 ? 7 : 3, i < 3, sequence_rank,
                                   (void *)(uintptr_t)&jobs[i]), 0);
}

/* Communicators of changing members use the same context ids, some freed late by some. */
static void
reuse_rank(void *arg)
{
    const struct job *job = arg;
    struct cpi_comm world, *late = NULL;
    int with_slots = 0;

    RANK_CHECK(cpi_comm_init_world(&world) == CPMP_OK);
    for (int round = 0; round < job->rounds; round++) {
        int color = (int)(mix((uint64_t)(round * 64 + world.rank)) % 3);
        struct cpi_comm *part;

        RANK_CHECK(cpi_comm_split(&world, color, 0, &part) == CPMP_OK);
        for (uint64_t i = 0; i < 5; i++)
            run_step(part, (uint64_t)round * 8 + i + (uint64_t)color * 7919, job);
        with_slots += cpi_slots_of(part) != NULL;
        if (late)
            cpi_comm_put(late);
        late = round % 4 == 0 ? part : NULL;
        if (!late)
            cpi_comm_put(part);
    }
    if (late)
        cpi_comm_put(late);
    if (world.size > 4)
        RANK_CHECK(with_slots > 0);
    cpi_comm_release(&world);
}

static void
context_ids_are_used_again_safely(void **state)
{
    struct job all = { .rounds = 200, .kinds = 8 };

    (void)state;
    for (uint32_t ranks = 2; ranks <= 10; ranks += 4)
        assert_int_equal(ranks_run(ranks, 2, reuse_rank, &all), 0);
}

/* The same members again and again, each communicator freed before the next one: each has slots. */
static void
again_rank(void *arg)
{
    const struct job *job = arg;
    struct cpi_comm world;

    RANK_CHECK(cpi_comm_init_world(&world) == CPMP_OK);
    for (int round = 0; round < job->rounds; round++) {
        struct cpi_comm *copy;

        RANK_CHECK(cpi_comm_dup(&world, &copy) == CPMP_OK);
        dawdle((uint64_t)round, world.rank);
        run_step(copy, (uint64_t)round, job);
        RANK_CHECK(cpi_slots_of(copy) != NULL);
        cpi_comm_put(copy);
    }
    cpi_comm_release(&world);
}

static void
communicators_of_the_same_members_keep_their_slots(void **state)
{
    struct job all = { .rounds = 300, .kinds = 8 };

    (void)state;
    for (uint32_t ranks = 2; ranks <= 8; ranks += 3)
        assert_int_equal(ranks_run(ranks, 2, again_rank, &all), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_sequences_give_every_rank_its_result),
        cmocka_unit_test(rooted_rounds_never_overtake_each_other),
        cmocka_unit_test(context_ids_are_used_again_safely),
        cmocka_unit_test(communicators_of_the_same_members_keep_their_slots),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
