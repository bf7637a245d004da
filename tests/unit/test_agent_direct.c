/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Long messages past the rings: agents that copy out of the memory of one rank and into another's.
 * The ranks are children of their agents here, as in a job.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agents.h"
#include "plat/plat.h"
#include "process/reach.h"

#define LONGEST (2u * CPI_CARGO_MAX + 12345u)

typedef void rank_fn(struct agents_rank *rank);

static rank_fn *bodies[2];  /* of rank 0 on peer 0, of rank 1 on peer 1 */
static uint64_t cookie = 0x1234567812345678ull;
static unsigned char bytes_of_rank[8][LONGEST];

/* --- ranks --- */

static void
direct_ask(struct agents_rank *rank, enum cpi_frame_kind kind, uint64_t handle, uint64_t length,
           struct cpi_frame_direct direct)
{
    size_t payload_bytes = kind == CPI_FRAME_REACH ? 0 : sizeof(direct);
    struct cpi_frame *frame = agents_begin(rank, CPI_RANK_AGENT, kind, payload_bytes);

    frame->handle = handle;
    frame->length = length;
    memcpy(frame + 1, &direct, payload_bytes);
    agents_push(rank, frame, payload_bytes);
}

static void
memory_offer(struct agents_rank *rank)
{
    struct cpi_rank_block *block = &rank->segment->ranks[rank->local];
    uint64_t end_ns = cpi_clock_ns() + AGENTS_LIMIT_S * 1000000000ull;

    atomic_store(&block->pid, (uint32_t)getpid());
    block->cookie_address = (uintptr_t)&cookie;
    block->cookie = cookie;
    direct_ask(rank, CPI_FRAME_REACH, 0, 0, (struct cpi_frame_direct){.rank = 0});
    while (atomic_load(&block->reached) == 0) {
        AGENTS_REQUIRE(cpi_clock_ns() < end_ns);
        cpi_yield();
    }
}

static void
land(struct agents_rank *rank, uint64_t handle, const void *address, uint64_t length)
{
    direct_ask(rank, CPI_FRAME_LAND, handle, length, (struct cpi_frame_direct){
        .address = (uintptr_t)address, .rank = 0});
}

static void
haul(struct agents_rank *rank, uint64_t handle, const void *address, uint64_t length)
{
    direct_ask(rank, CPI_FRAME_HAUL, handle, length, (struct cpi_frame_direct){
        .address = (uintptr_t)address, .rank = 1, .other = handle + 100});
}

/* Waits for the end of message `handle`: 0 or the errno that the agent tells. */
static int
moved_await(struct agents_rank *rank, uint64_t handle, uint64_t length)
{
    const struct cpi_frame *frame = agents_next(rank);
    int error = frame->tag;

    AGENTS_REQUIRE(frame->kind == CPI_FRAME_MOVED && frame->source == CPI_RANK_AGENT);
    AGENTS_REQUIRE(frame->handle == handle && frame->length == length);
    agents_take(rank, frame);
    return error;
}

/* One rank tells the other, over the rings, that it may go on. */
static void
word_send(struct agents_rank *rank, uint32_t dest)
{
    agents_push(rank, agents_begin(rank, dest, CPI_FRAME_EAGER, 0), 0);
}

static void
word_await(struct agents_rank *rank)
{
    const struct cpi_frame *frame = agents_next(rank);

    AGENTS_REQUIRE(frame->kind == CPI_FRAME_EAGER);
    agents_take(rank, frame);
}

static void
rank_run(struct agents *agents, uint32_t peer, struct router *router)
{
    struct agents_rank rank;

    (void)router;
    if (bodies[peer] == NULL || agents_fork() != 0)
        return;
    agents_rank_init(&rank, agents, peer);
    bodies[peer](&rank);
    atomic_fetch_sub(&agents->shared->host.awake, 1);
    atomic_fetch_add(&agents->shared->words[0], 1);
    _exit(0);  /* the agent's connections are the agent's to close */
}

/* Runs both ranks to their end; counts and losses are then in `agents`. */
static void
ranks_run(struct agents *agents, rank_fn *zero, rank_fn *one)
{
    uint64_t end_ns = cpi_clock_ns() + AGENTS_LIMIT_S * 1000000000ull;

    bodies[0] = zero;
    bodies[1] = one;
    agents_make(agents, 2, 1);
    agents->agent_setup = rank_run;
    agents_start(agents);
    while (atomic_load(&agents->shared->words[0]) < (zero != NULL) + (uint64_t)(one != NULL)) {
        assert_true(cpi_clock_ns() < end_ns);
        cpi_yield();
    }
}

/* --- messages --- */

static const uint32_t sizes[] = {1, 47, 32768, CPI_CARGO_MAX - 1, CPI_CARGO_MAX, CPI_CARGO_MAX + 1,
                                 LONGEST - 1, LONGEST};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static unsigned char
byte_at(size_t message, size_t i)
{
    return (unsigned char)((i >> 16) * 31 + (i >> 8) * 7 + i + message);
}

static void
sends_all_sizes(struct agents_rank *rank)
{
    memory_offer(rank);
    word_await(rank);
    for (size_t m = 0; m < SIZES; m++)
        for (size_t i = 0; i < sizes[m]; i++)
            bytes_of_rank[m][i] = byte_at(m, i);
    for (size_t m = 0; m < SIZES; m++)
        haul(rank, m, bytes_of_rank[m], sizes[m]);
    for (size_t m = 0; m < SIZES; m++)
        AGENTS_REQUIRE(moved_await(rank, m, sizes[m]) == 0);
}

static void
takes_all_sizes(struct agents_rank *rank)
{
    memory_offer(rank);
    for (size_t m = 0; m < SIZES; m++)
        land(rank, 100 + m, bytes_of_rank[m], sizes[m]);
    word_send(rank, 0);
    for (size_t m = 0; m < SIZES; m++) {
        AGENTS_REQUIRE(moved_await(rank, 100 + m, sizes[m]) == 0);
        for (size_t i = 0; i < LONGEST; i++)
            AGENTS_REQUIRE(bytes_of_rank[m][i] == (i < sizes[m] ? byte_at(m, i) : 0));
    }
}

static void
messages_land_whole_and_nowhere_else(void **state)
{
    struct agents agents;

    (void)state;
    ranks_run(&agents, sends_all_sizes, takes_all_sizes);
    assert_int_equal(0, agents_stop(&agents));
    assert_int_equal(0, agents.shared->counts[0].frames_dropped +
                            agents.shared->counts[1].frames_dropped);
    agents_free(&agents);
}

/* --- memory that is not there --- */

static void
sends_from_nowhere_then_well(struct agents_rank *rank)
{
    memory_offer(rank);
    word_await(rank);
    haul(rank, 1, (void *)4096, 100);
    AGENTS_REQUIRE(moved_await(rank, 1, 100) == EFAULT);
    haul(rank, 2, bytes_of_rank[0], LONGEST);
    AGENTS_REQUIRE(moved_await(rank, 2, LONGEST) == 0);
    word_send(rank, 1);
}

static void
takes_to_nowhere(struct agents_rank *rank)
{
    memory_offer(rank);
    land(rank, 101, bytes_of_rank[0], 100);
    land(rank, 102, (void *)4096, LONGEST);
    word_send(rank, 0);
    AGENTS_REQUIRE(moved_await(rank, 102, LONGEST) == EFAULT);
    word_await(rank);  /* comes after the last cargo, of which nothing more is told */
}

static void
memory_that_is_not_the_ranks_is_told(void **state)
{
    struct agents agents;

    (void)state;
    ranks_run(&agents, sends_from_nowhere_then_well, takes_to_nowhere);
    assert_int_equal(0, agents.shared->lost[0] + agents.shared->lost[1]);
    assert_int_equal(0, agents_stop(&agents));
    agents_free(&agents);
}

/* --- cargo without a place --- */

static void
takes_its_landing_back(struct agents_rank *rank)
{
    memory_offer(rank);
    land(rank, 101, bytes_of_rank[0], 1000);
    land(rank, 101, NULL, 0);
    word_send(rank, 0);
}

static void
takes_too_little(struct agents_rank *rank)
{
    memory_offer(rank);
    land(rank, 101, bytes_of_rank[0], 999);
    word_send(rank, 0);
}

static void
sends_one(struct agents_rank *rank)
{
    memory_offer(rank);
    word_await(rank);
    haul(rank, 1, bytes_of_rank[0], 1000);
    AGENTS_REQUIRE(moved_await(rank, 1, 1000) == 0);
}

static void
cargo_without_its_place_ends_the_connection(void **state)
{
    static rank_fn *const takers[] = {takes_its_landing_back, takes_too_little};
    struct agents agents;

    (void)state;
    for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++) {
        ranks_run(&agents, sends_one, takers[i]);
        agents_await(&agents.shared->lost[1], 1);
        assert_int_equal(0, agents_stop(&agents));
        agents_free(&agents);
    }
}

/* --- ranks that ask for what can't be --- */

static void
hauls_out_of_reach(struct agents_rank *rank)
{
    haul(rank, 1, bytes_of_rank[0], 1000);
}

static void
lands_out_of_reach(struct agents_rank *rank)
{
    land(rank, 1, bytes_of_rank[0], 1000);
}

static void
lies_about_its_memory(struct agents_rank *rank)
{
    struct cpi_rank_block *block = &rank->segment->ranks[rank->local];

    atomic_store(&block->pid, (uint32_t)getpid());
    block->cookie_address = (uintptr_t)&cookie;
    block->cookie = cookie + 1;
    direct_ask(rank, CPI_FRAME_REACH, 0, 0, (struct cpi_frame_direct){.rank = 0});
    haul(rank, 1, bytes_of_rank[0], 1000);
}

static void
hauls_nothing(struct agents_rank *rank)
{
    memory_offer(rank);
    haul(rank, 1, bytes_of_rank[0], 0);
}

static void
hauls_to(struct agents_rank *rank, uint32_t dest)
{
    memory_offer(rank);
    direct_ask(rank, CPI_FRAME_HAUL, 1, 1000, (struct cpi_frame_direct){
        .address = (uintptr_t)bytes_of_rank[0], .rank = dest});
}

static void
hauls_to_itself(struct agents_rank *rank)
{
    hauls_to(rank, 0);
}

static void
hauls_to_nobody(struct agents_rank *rank)
{
    hauls_to(rank, 2);
}

static void
lands_too_often(struct agents_rank *rank)
{
    memory_offer(rank);
    for (uint64_t i = 0; i <= CPI_DIRECT_MAX; i++)
        direct_ask(rank, CPI_FRAME_LAND, i, 1000, (struct cpi_frame_direct){
            .address = (uintptr_t)bytes_of_rank[0], .rank = 1});
}

static void
a_rank_that_asks_for_what_cannot_be_is_told_on(void **state)
{
    static rank_fn *const wrongs[] = {hauls_out_of_reach, lands_out_of_reach,
                                      lies_about_its_memory, hauls_nothing, hauls_to_itself,
                                      hauls_to_nobody, lands_too_often};
    struct agents agents;

    (void)state;
    for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        ranks_run(&agents, wrongs[i], NULL);
        agents_await(&agents.shared->faulty[0], 1);
        assert_int_equal(0, agents.shared->lost[0] + agents.shared->lost[1]);
        assert_int_equal(0, agents_stop(&agents));
        agents_free(&agents);
    }
}

/* --- who is reached --- */

static void
only_a_living_descendant_is_in_reach(void **state)
{
    struct reach reach;
    uint64_t seen = 0, written = 7;
    int status;

    (void)state;
    pid_t child = agents_fork();
    if (child == 0)
        for (;;)
            pause();
    assert_false(reach_open(&reach, getpid(), (uintptr_t)&cookie, cookie));
    assert_false(reach_open(&reach, getppid(), (uintptr_t)&cookie, cookie));
    assert_false(reach_open(&reach, 0, (uintptr_t)&cookie, cookie));
    assert_false(reach_open(&reach, child, (uintptr_t)&cookie, cookie + 1));
    assert_false(reach_open(&reach, child, 4096, 0));
    assert_int_equal(ESRCH, reach_read(&reach, (uintptr_t)&cookie, &seen, sizeof(seen)));
    assert_true(reach_open(&reach, child, (uintptr_t)&cookie, cookie));
    assert_int_equal(0, reach_write(&reach, (uintptr_t)&cookie, &written, sizeof(written)));
    assert_int_equal(0, reach_read(&reach, (uintptr_t)&cookie, &seen, sizeof(seen)));
    assert_int_equal(7, seen);
    assert_int_equal(EFAULT, reach_read(&reach, 4096, &seen, sizeof(seen)));
    kill(child, SIGKILL);
    assert_int_equal(child, waitpid(child, &status, 0));
    assert_int_equal(ESRCH, reach_read(&reach, (uintptr_t)&cookie, &seen, sizeof(seen)));
    assert_int_equal(ESRCH, reach_write(&reach, (uintptr_t)&cookie, &seen, sizeof(seen)));
    reach_close(&reach);
    reach_close(&reach);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_land_whole_and_nowhere_else),
        cmocka_unit_test(memory_that_is_not_the_ranks_is_told),
        cmocka_unit_test(cargo_without_its_place_ends_the_connection),
        cmocka_unit_test(a_rank_that_asks_for_what_cannot_be_is_told_on),
        cmocka_unit_test(only_a_living_descendant_is_in_reach),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
