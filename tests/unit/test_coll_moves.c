/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Collectives that move data without changing it: each algorithm, 1 to 17 ranks, blocks of no bytes
 * to several rendezvous, plain and with gaps, in place and not, blocking and not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "coll/coll.h"
#include "coll/select.h"
#include "p2p/p2p.h"
#include "ranks.h"

#define GAP (-77)

static const int counts[] = { 0, 1, 5, 700, 9000 };
#define COUNTS (sizeof(counts) / sizeof(counts[0]))

/* Elements are ints, `step` ints apart; what lies between must stay GAP. */
struct work {
    struct cpi_comm world;
    struct cpi_type *type;
    int step;
    bool nonblocking, in_place;
    int size, rank, root;
    int *send, *recv; /* room for size blocks of count elements */
    size_t room;
};

static int
value_of(int from, int to, int i)
{
    return from * 1000003 + to * 10007 + i;
}

static void
clear(struct work *w)
{
    for (size_t i = 0; i < w->room; i++)
        w->send[i] = w->recv[i] = GAP;
}

static void
put_block(struct work *w, int *base, int place, int count, int from, int to)
{
    for (int i = 0; i < count; i++)
        base[(place + i) * w->step] = value_of(from, to, i);
}

static void
expect_block(struct work *w, const int *base, int place, int count, int from, int to)
{
    for (int i = 0; i < count; i++) {
        RANK_CHECK(base[(place + i) * w->step] == value_of(from, to, i));
        for (int k = 1; k < w->step; k++)
            RANK_CHECK(base[(place + i) * w->step + k] == GAP);
    }
}

static void
done(int error, struct cpi_request **request_p)
{
    RANK_CHECK(error == CPMP_OK);
    if (!*request_p)
        return;
    cpi_p2p_wait(*request_p);
    RANK_CHECK((*request_p)->status.error == CPMP_OK);
    cpi_request_free(*request_p);
    *request_p = NULL;
}

#define RUN(call)                                                                                  \
    do {                                                                                           \
        struct cpi_request *request_ = NULL, **slot = w->nonblocking ? &request_ : NULL;           \
        done(call, &request_);                                                                     \
    } while (0)

static void
check_bcast(struct work *w, int count)
{
    clear(w);
    if (w->rank == w->root)
        put_block(w, w->recv, 0, count, w->root, 0);
    RUN(cpi_coll_bcast(w->recv, (size_t)count, w->type, w->root, &w->world, slot));
    expect_block(w, w->recv, 0, count, w->root, 0);
}

static void
check_gather(struct work *w, int count)
{
    bool at_root = w->rank == w->root, in_place = at_root && w->in_place;

    clear(w);
    put_block(w, w->send, 0, count, w->rank, 0);
    if (in_place)
        put_block(w, w->recv, w->rank * count, count, w->rank, 0);
    RUN(cpi_coll_gather(in_place ? CPI_IN_PLACE : w->send, (size_t)count, w->type,
                        at_root ? w->recv : NULL, (size_t)count, w->type, w->root, &w->world,
                        slot));
    for (int i = 0; i < w->size && at_root; i++)
        expect_block(w, w->recv, i * count, count, i, 0);
}

static void
check_scatter(struct work *w, int count)
{
    bool at_root = w->rank == w->root, in_place = at_root && w->in_place;

    clear(w);
    for (int i = 0; i < w->size && at_root; i++)
        put_block(w, w->send, i * count, count, w->root, i);
    RUN(cpi_coll_scatter(at_root ? w->send : NULL, (size_t)count, w->type,
                         in_place ? CPI_IN_PLACE : w->recv, (size_t)count, w->type, w->root,
                         &w->world, slot));
    if (!in_place)
        expect_block(w, w->recv, 0, count, w->root, w->rank);
}

static void
check_allgather(struct work *w, int count)
{
    clear(w);
    put_block(w, w->send, 0, count, w->rank, 0);
    if (w->in_place)
        put_block(w, w->recv, w->rank * count, count, w->rank, 0);
    RUN(cpi_coll_allgather(w->in_place ? CPI_IN_PLACE : w->send, (size_t)count, w->type, w->recv,
                           (size_t)count, w->type, &w->world, slot));
    for (int i = 0; i < w->size; i++)
        expect_block(w, w->recv, i * count, count, i, 0);
}

static void
check_alltoall(struct work *w, int count)
{
    clear(w);
    for (int i = 0; i < w->size; i++)
        put_block(w, w->in_place ? w->recv : w->send, i * count, count, w->rank, i);
    RUN(cpi_coll_alltoall(w->in_place ? CPI_IN_PLACE : w->send, (size_t)count, w->type, w->recv,
                          (size_t)count, w->type, &w->world, slot));
    for (int i = 0; i < w->size; i++)
        expect_block(w, w->recv, i * count, count, i, w->rank);
}

/* Uneven blocks, some empty, laid out backwards so that places matter. */
struct uneven {
    int counts[32], places[32], bytes[32];
    struct cpi_type *types[32];
};

static int
uneven_count(int from, int to, int count)
{
    return (from + 2 * to) % 3 == 0 ? 0 : count / (1 + (from * to) % 4);
}

static void
make_uneven(struct work *w, struct uneven *u, int count, bool by_source, bool alike)
{
    for (int i = 0; i < w->size; i++) {
        u->counts[i] = uneven_count(by_source ? i : w->rank, by_source ? w->rank : i, count);
        if (alike)
            u->counts[i] = uneven_count(i, i, count);
        u->places[i] = (w->size - 1 - i) * count;
        u->bytes[i] = u->places[i] * w->step * (int)sizeof(int);
        u->types[i] = w->type;
    }
}

static void
check_gatherv(struct work *w, int count)
{
    struct uneven u;
    bool at_root = w->rank == w->root, in_place = at_root && w->in_place;

    make_uneven(w, &u, count, true, true);
    clear(w);
    put_block(w, w->send, 0, u.counts[w->rank], w->rank, 0);
    if (in_place)
        put_block(w, w->recv, u.places[w->rank], u.counts[w->rank], w->rank, 0);
    RUN(cpi_coll_gatherv(in_place ? CPI_IN_PLACE : w->send, (size_t)u.counts[w->rank], w->type,
                         w->recv, at_root ? u.counts : NULL, at_root ? u.places : NULL, w->type,
                         w->root, &w->world, slot));
    for (int i = 0; i < w->size && at_root; i++)
        expect_block(w, w->recv, u.places[i], u.counts[i], i, 0);

    clear(w);
    for (int i = 0; i < w->size && at_root; i++)
        put_block(w, w->send, u.places[i], u.counts[i], w->root, i);
    RUN(cpi_coll_scatterv(w->send, at_root ? u.counts : NULL, at_root ? u.places : NULL, w->type,
                          in_place ? CPI_IN_PLACE : w->recv, (size_t)u.counts[w->rank], w->type,
                          w->root, &w->world, slot));
    if (!in_place)
        expect_block(w, w->recv, 0, u.counts[w->rank], w->root, w->rank);
}

static void
check_allgatherv(struct work *w, int count)
{
    struct uneven u;

    make_uneven(w, &u, count, true, true);
    clear(w);
    put_block(w, w->send, 0, u.counts[w->rank], w->rank, 0);
    if (w->in_place)
        put_block(w, w->recv, u.places[w->rank], u.counts[w->rank], w->rank, 0);
    RUN(cpi_coll_allgatherv(w->in_place ? CPI_IN_PLACE : w->send, (size_t)u.counts[w->rank],
                            w->type, w->recv, u.counts, u.places, w->type, &w->world, slot));
    for (int i = 0; i < w->size; i++)
        expect_block(w, w->recv, u.places[i], u.counts[i], i, 0);
}

static void
check_alltoallv(struct work *w, int count)
{
    struct uneven out, in;

    make_uneven(w, &out, count, false, false);
    make_uneven(w, &in, count, true, false);
    for (int form = 0; form < 2; form++) {
        clear(w);
        for (int i = 0; i < w->size; i++)
            put_block(w, w->send, out.places[i], out.counts[i], w->rank, i);
        if (form == 0)
            RUN(cpi_coll_alltoallv(w->send, out.counts, out.places, w->type, w->recv, in.counts,
                                   in.places, w->type, &w->world, slot));
        else
            RUN(cpi_coll_alltoallw(w->send, out.counts, out.bytes, out.types, w->recv, in.counts,
                                   in.bytes, in.types, &w->world, slot));
        for (int i = 0; i < w->size; i++)
            expect_block(w, w->recv, in.places[i], in.counts[i], i, w->rank);
    }
}

/* In place the blocks that two ranks exchange must be of the same size. */
static void
check_alltoallv_in_place(struct work *w, int count)
{
    struct uneven u;

    make_uneven(w, &u, count, true, false);
    for (int i = 0; i < w->size; i++)
        u.counts[i] = (i + w->rank) % 3 * count / 2;
    clear(w);
    for (int i = 0; i < w->size; i++)
        put_block(w, w->recv, u.places[i], u.counts[i], w->rank, i);
    RUN(cpi_coll_alltoallv(CPI_IN_PLACE, NULL, NULL, NULL, w->recv, u.counts, u.places, w->type,
                           &w->world, slot));
    for (int i = 0; i < w->size; i++)
        expect_block(w, w->recv, u.places[i], u.counts[i], i, w->rank);
}

static bool
force(int index)
{
    bool any = false;

    for (int kind = CPI_COLL_BCAST; kind <= CPI_COLL_ALLTOALLV; kind++)
        any |= cpi_coll_force((enum cpi_coll_kind)kind, index);
    return any;
}

static void
check_all(struct work *w, int count)
{
    w->room = (size_t)(w->size * (count + 1) * w->step);
    w->send = malloc(w->room * sizeof(int));
    w->recv = malloc(w->room * sizeof(int));
    RANK_CHECK(w->send && w->recv);
    for (int index = -2; index < 0 || force(index); index++) {
        w->root = (count + index + 2) % w->size;
        w->nonblocking = index & 1;
        w->in_place = !w->in_place;
        check_bcast(w, count);
        check_gather(w, count);
        check_scatter(w, count);
        check_allgather(w, count);
        check_alltoall(w, count);
        check_gatherv(w, count);
        check_allgatherv(w, count);
        check_alltoallv(w, count);
        check_alltoallv_in_place(w, count);
    }
    force(-1);
    free(w->send);
    free(w->recv);
}

static void
move_rank(void *arg)
{
    struct work w = { 0 };
    struct cpi_type *sparse;

    (void)arg;
    RANK_CHECK(cpi_comm_init_world(&w.world) == CPMP_OK);
    RANK_CHECK(cpi_type_resized(cpi_type_of_prim(CPI_PRIM_INT32), 0, 12, &sparse) == CPMP_OK);
    w.size = w.world.size;
    w.rank = w.world.rank;
    for (size_t c = 0; c < COUNTS; c++) {
        w.type = cpi_type_of_prim(CPI_PRIM_INT32), w.step = 1;
        check_all(&w, counts[c]);
        w.type = sparse, w.step = 3;
        check_all(&w, counts[c] > 700 ? 2000 : counts[c]);
    }
    cpi_type_put(sparse);
    cpi_comm_release(&w.world);
    RANK_CHECK(cpi_request_count() == 0);
}

static void
blocks_arrive_where_they_belong(void **state)
{
    (void)state;
    for (uint32_t ranks = 1; ranks <= 17; ranks += ranks < 9 ? 1 : 4)
        assert_int_equal(ranks_run(ranks, 2, move_rank, NULL), 0);
}

/* Several under way at once in one communicator, ended in another order than begun; datatype,
 * operation and communicator given up meanwhile. */
static void
overlap_rank(void *arg)
{
    struct cpi_comm world, *twin;
    struct cpi_request *requests[3];
    struct cpi_type *pair;
    int one[2] = { 1, 2 }, sum[2], sums[2], root[2];

    (void)arg;
    RANK_CHECK(cpi_comm_init_world(&world) == CPMP_OK);
    RANK_CHECK(cpi_comm_dup(&world, &twin) == CPMP_OK);
    RANK_CHECK(cpi_type_contiguous(2, cpi_type_of_prim(CPI_PRIM_INT32), &pair) == CPMP_OK);
    root[0] = world.rank == 0 ? 41 : 0, root[1] = world.rank == 0 ? 42 : 0;
    RANK_CHECK(cpi_coll_allreduce(one, sum, 2, cpi_type_of_prim(CPI_PRIM_INT32),
                                  cpi_op_of_kind(CPI_OP_SUM), twin, &requests[0]) == CPMP_OK);
    RANK_CHECK(cpi_coll_bcast(root, 1, pair, 0, twin, &requests[1]) == CPMP_OK);
    RANK_CHECK(cpi_coll_scan(one, sums, 2, cpi_type_of_prim(CPI_PRIM_INT32),
                             cpi_op_of_kind(CPI_OP_SUM), twin, &requests[2]) == CPMP_OK);
    cpi_type_put(pair);
    cpi_comm_put(twin);
    for (int i = 2; i >= 0; i--)
        done(CPMP_OK, &requests[i]);
    RANK_CHECK(sum[0] == world.size && sum[1] == 2 * world.size);
    RANK_CHECK(sums[0] == world.rank + 1 && root[0] == 41 && root[1] == 42);
    cpi_comm_release(&world);
}

static void
nonblocking_ones_overlap_and_keep_what_they_need(void **state)
{
    (void)state;
    for (uint32_t ranks = 1; ranks <= 9; ranks += 2)
        assert_int_equal(ranks_run(ranks, 2, overlap_rank, NULL), 0);
}

/* Nobody leaves a barrier before the last one has come: a counter in shared memory tells. */
static void
barrier_rank(void *arg)
{
    _Atomic int *arrived = arg;
    struct cpi_comm world;

    RANK_CHECK(cpi_comm_init_world(&world) == CPMP_OK);
    for (int round = 1; round <= 50; round++) {
        struct cpi_request *request = NULL;

        atomic_fetch_add(arrived, 1);
        done(cpi_coll_barrier(&world, round % 2 ? NULL : &request), &request);
        RANK_CHECK(atomic_load(arrived) >= round * world.size);
    }
    cpi_comm_release(&world);
}

static void
nobody_leaves_a_barrier_early(void **state)
{
    (void)state;
    for (uint32_t ranks = 1; ranks <= 17; ranks++) {
        int fd = cpi_memfd_make("arrived", 4096);
        void *arrived = cpi_memfd_map(fd, 4096);

        assert_non_null(arrived);
        assert_int_equal(ranks_run(ranks, 2, barrier_rank, arrived), 0);
        cpi_memory_unmap(arrived, 4096);
        close(fd);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_leaves_a_barrier_early),
        cmocka_unit_test(blocks_arrive_where_they_belong),
        cmocka_unit_test(nonblocking_ones_overlap_and_keep_what_they_need),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
