/* SPDX-License-Identifier: BSD-3-Clause */
/* Groups and communicators: algebra, split by color and key, contexts that keep messages apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "comm/comm.h"
#include "p2p/p2p.h"
#include "ranks.h"

static void
send_value(struct cpi_comm *comm, int dest, int value)
{
    struct cpi_payload p = {.base = &value, .bytes = sizeof(value)};
    RANK_CHECK(cpi_p2p_send(&p, cpi_comm_to_world(comm, dest), comm->context, 1,
                            CPI_SEND_STANDARD) == CPMP_OK);
}

static int
recv_value(struct cpi_comm *comm, int source)
{
    int value = -1;
    struct cpi_payload p = {.base = &value, .bytes = sizeof(value)};
    RANK_CHECK(cpi_p2p_recv(&p, cpi_comm_to_world(comm, source), comm->context, 1, NULL) ==
               CPMP_OK);
    return value;
}

static void
split_rank(void *arg)
{
    (void)arg;
    struct cpi_comm world, *half, *twin, *none;

    RANK_CHECK(cpi_comm_init_world(&world) == CPMP_OK);
    int color = world.rank % 2;
    RANK_CHECK(cpi_comm_split(&world, color, -world.rank, &half) == CPMP_OK);
    RANK_CHECK(half->size == (world.size + !color) / 2);
    RANK_CHECK(half->group->world_ranks[half->rank] == world.rank);
    for (int i = 1; i < half->size; i++)  /* by falling world rank, as the keys say */
        RANK_CHECK(half->group->world_ranks[i] == half->group->world_ranks[i - 1] - 2);
    RANK_CHECK(cpi_comm_dup(half, &twin) == CPMP_OK);
    RANK_CHECK(twin->context != half->context && twin->context != world.context);
    if (half->size > 1) {
        if (half->rank == 0) {
            send_value(twin, 1, 100);
            send_value(half, 1, 200);
        } else if (half->rank == 1) {
            RANK_CHECK(recv_value(half, 0) == 200);
            RANK_CHECK(recv_value(twin, 0) == 100);
        }
    }
    RANK_CHECK(cpi_comm_split(&world, world.rank == 0 ? CPI_UNDEFINED : 5, 0, &none) == CPMP_OK);
    RANK_CHECK((none == NULL) == (world.rank == 0));
    uint32_t context = twin->context;
    if (none != NULL)
        cpi_comm_put(none);
    cpi_comm_put(twin);
    RANK_CHECK(cpi_comm_dup(half, &twin) == CPMP_OK);
    RANK_CHECK(twin->context <= context + 2);  /* freed contexts are used again */
    cpi_comm_put(twin);
    cpi_comm_put(half);
    cpi_comm_release(&world);
}

static void
create_rank(void *arg)
{
    (void)arg;
    struct cpi_comm world, *made;
    struct cpi_group *group;
    int members[] = {2, 0};

    RANK_CHECK(cpi_comm_init_world(&world) == CPMP_OK);
    RANK_CHECK(cpi_group_include(world.group, 2, members, &group) == CPMP_OK);
    RANK_CHECK(cpi_comm_create(&world, group, &made) == CPMP_OK);
    RANK_CHECK((made == NULL) == (world.rank != 0 && world.rank != 2));
    if (made != NULL) {
        RANK_CHECK(made->rank == (world.rank == 2 ? 0 : 1));
        RANK_CHECK(cpi_comm_from_world(made, 2) == 0 && cpi_comm_from_world(made, 0) == 1);
        cpi_comm_put(made);
        RANK_CHECK(cpi_comm_create_group(&world, group, 4, &made) == CPMP_OK && made->size == 2);
        cpi_comm_put(made);
    }
    cpi_group_put(group);
    cpi_comm_release(&world);
}

static void
algebra_rank(void *arg)
{
    (void)arg;
    int a_ranks[] = {0, 1, 2, 3}, b_ranks[] = {3, 4, 1}, out[3], names[] = {2, 0};
    struct cpi_group *a, *b, *c;

    RANK_CHECK(cpi_group_make(4, a_ranks, &a) == CPMP_OK);
    RANK_CHECK(cpi_group_make(3, b_ranks, &b) == CPMP_OK);
    RANK_CHECK(cpi_group_union(a, b, &c) == CPMP_OK && c->size == 5 && c->world_ranks[4] == 4);
    cpi_group_put(c);
    RANK_CHECK(cpi_group_intersection(a, b, &c) == CPMP_OK && c->size == 2);
    RANK_CHECK(c->world_ranks[0] == 1 && c->world_ranks[1] == 3);
    cpi_group_put(c);
    RANK_CHECK(cpi_group_difference(a, b, &c) == CPMP_OK && c->size == 2 && c->world_ranks[1] == 2);
    RANK_CHECK(cpi_group_compare(a, c) == 3 && cpi_group_compare(a, a) == 0);
    cpi_group_put(c);
    RANK_CHECK(cpi_group_exclude(a, 2, names, &c) == CPMP_OK);
    RANK_CHECK(c->size == 2 && c->world_ranks[0] == 1 && c->world_ranks[1] == 3);
    cpi_group_put(c);
    RANK_CHECK(cpi_group_translate(b, 3, (int[]){0, 1, 2}, a, out) == CPMP_OK);
    RANK_CHECK(out[0] == 3 && out[1] == CPI_UNDEFINED && out[2] == 1);
    RANK_CHECK(cpi_group_include(a, 2, (int[]){1, 1}, &c) == CPMP_ERANK);
    RANK_CHECK(cpi_group_include(a, 1, (int[]){4}, &c) == CPMP_ERANK);
    cpi_group_put(a);
    cpi_group_put(b);
}

static void
split_groups_by_color_and_key(void **state)
{
    (void)state;
    for (uint32_t ranks = 1; ranks <= 9; ranks++)
        assert_int_equal(ranks_run(ranks, 2, split_rank, NULL), 0);
}

static void
create_gives_members_a_communicator_and_others_none(void **state)
{
    (void)state;
    assert_int_equal(ranks_run(5, 2, create_rank, NULL), 0);
}

static void
group_algebra_keeps_mpi_order(void **state)
{
    (void)state;
    assert_int_equal(ranks_run(5, 2, algebra_rank, NULL), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split_groups_by_color_and_key),
        cmocka_unit_test(create_gives_members_a_communicator_and_others_none),
        cmocka_unit_test(group_algebra_keeps_mpi_order),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
