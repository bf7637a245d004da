/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "exec/map.h"

/* Options as a command line would have made them. */
static void
options_make(struct exec_options *options, struct exec_program *programs, size_t count,
             const uint32_t *weights, uint32_t peers)
{
    memset(options, 0, sizeof(*options));
    options->programs = programs;
    options->programs_count = count;
    options->peers = peers;
    for (uint32_t i = 0; i < peers; i++)
        options->weights[i] = weights != NULL ? weights[i] : 1;
}

static void
map_expect(const struct exec_options *options, uint32_t cores, const char *expected)
{
    struct exec_map map;
    struct text error = {0}, seen = {0};

    assert_int_equal(0, exec_map_init(&map, options, cores, &error));
    for (uint32_t i = 0; i < map.ranks; i++)
        text_print(&seen, "%u", map.places[i].peer);
    assert_string_equal(expected, text_string(&seen));
    exec_map_release(&map);
    text_release(&seen);
    text_release(&error);
}

static void
map_refuse(const struct exec_options *options, const char *word)
{
    struct exec_map map;
    struct text error = {0};

    assert_int_equal(-1, exec_map_init(&map, options, 2, &error));
    if (strstr(text_string(&error), word) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", text_string(&error), word);
    exec_map_release(&map);
    text_release(&error);
}

static void
equal_peers_get_blocks(void **state)
{
    struct exec_program program = {.ranks = 5};
    struct exec_options options;

    (void)state;
    options_make(&options, &program, 1, NULL, 2);
    map_expect(&options, 2, "00011");
    options.map_by = EXEC_MAP_BY_NODE;
    map_expect(&options, 2, "01010");
    program.ranks = 1;
    map_expect(&options, 2, "0");
}

static void
unequal_peers_get_ranks_in_proportion(void **state)
{
    static const uint32_t weights[] = {4, 2, 1};
    struct exec_program program = {.ranks = 7};
    struct exec_options options;

    (void)state;
    options_make(&options, &program, 1, weights, 3);
    map_expect(&options, 2, "0000112");
    options.map_by = EXEC_MAP_BY_NODE;
    map_expect(&options, 2, "0120100");
    program.ranks = 14;
    options.map_by = EXEC_MAP_BY_SLOT;
    map_expect(&options, 2, "00000000111122");
}

static void
no_number_means_a_rank_for_each_core(void **state)
{
    struct exec_program program = {.ranks = 0};
    struct exec_options options;

    (void)state;
    options_make(&options, &program, 1, NULL, 1);
    map_expect(&options, 3, "000");
    options.per_peer = 2;
    options.peers = 2;
    options.weights[1] = 1;
    map_expect(&options, 3, "0011");
}

static void
a_number_for_each_peer_is_kept_to(void **state)
{
    struct exec_program program = {.ranks = 3};
    struct exec_options options;

    (void)state;
    options_make(&options, &program, 1, NULL, 2);
    options.per_peer = 2;
    map_expect(&options, 8, "001");
    program.ranks = 5;
    map_refuse(&options, "-N 2");
}

static void
programs_follow_each_other(void **state)
{
    struct exec_program programs[] = {{.ranks = 1}, {.ranks = 3}};
    struct exec_options options;
    struct exec_map map;
    struct text error = {0};

    (void)state;
    options_make(&options, programs, 2, NULL, 2);
    assert_int_equal(0, exec_map_init(&map, &options, 2, &error));
    assert_int_equal(4, map.ranks);
    assert_int_equal(0, map.places[0].program);
    for (int i = 1; i < 4; i++)
        assert_int_equal(1, map.places[i].program);
    exec_map_release(&map);
}

static void
limits_are_told_with_a_way_out(void **state)
{
    struct exec_program program = {.ranks = 100000};
    struct exec_options options;

    (void)state;
    options_make(&options, &program, 1, NULL, 1);
    map_refuse(&options, "65536");
    program.ranks = 1025;
    map_refuse(&options, "--peers");
    program.ranks = 4;
    options.stdin_rank = 4;
    map_refuse(&options, "0 to 3");
}

static void
shares_sum_to_the_machine(void **state)
{
    static const uint32_t weights[] = {4, 2, 1}, tiny[] = {1000, 1};
    uint32_t millicores[3];

    (void)state;
    exec_map_shares(weights, 3, 2, millicores);
    assert_int_equal(1142, millicores[0]);
    assert_int_equal(571, millicores[1]);
    assert_int_equal(285, millicores[2]);
    exec_map_shares(tiny, 2, 1, millicores);
    assert_int_equal(1, millicores[1] > 0);
}

static void
any_number_on_any_pool_is_placed_whole(void **state)
{
    uint32_t weights[EXEC_PEERS_MAX];
    struct exec_program program;
    struct exec_options options;

    (void)state;
    for (uint32_t peers = 1; peers <= 9; peers++) {
        for (uint32_t i = 0; i < peers; i++)
            weights[i] = 1 + i * 7 % 5;
        for (program.ranks = 1; program.ranks < 60; program.ranks++) {
            struct exec_map map;
            struct text error = {0};
            options_make(&options, &program, 1, weights, peers);
            options.map_by = program.ranks % 2 ? EXEC_MAP_BY_NODE : EXEC_MAP_BY_SLOT;
            assert_int_equal(0, exec_map_init(&map, &options, 4, &error));
            exec_map_check(&map);
            exec_map_release(&map);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_peers_get_blocks),
        cmocka_unit_test(unequal_peers_get_ranks_in_proportion),
        cmocka_unit_test(no_number_means_a_rank_for_each_core),
        cmocka_unit_test(a_number_for_each_peer_is_kept_to),
        cmocka_unit_test(programs_follow_each_other),
        cmocka_unit_test(limits_are_told_with_a_way_out),
        cmocka_unit_test(shares_sum_to_the_machine),
        cmocka_unit_test(any_number_on_any_pool_is_placed_whole),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
