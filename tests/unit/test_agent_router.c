/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The router between real rings and real connections: agents and ranks are processes (agents.h). A
 * wake that is lost shows as a test that hangs until the limit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agents.h"
#include "link/address.h"
#include "plat/plat.h"

#define WORD_GO   0
#define WORD_DONE 1

typedef void rank_fn(struct agents_rank *rank);

static pid_t
rank_start(struct agents *agents, uint32_t world_rank, rank_fn *fn)
{
    struct agents_rank rank;
    pid_t pid = agents_fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        agents_rank_init(&rank, agents, world_rank);
        fn(&rank);
        atomic_fetch_sub(&agents->shared->host.awake, 1);
        exit(0);
    }
    return pid;
}

static void
expect_success(pid_t pid)
{
    int status;

    assert_int_equal(pid, waitpid(pid, &status, 0));
    assert_int_equal(0, status);
}

static void
word_await(_Atomic uint64_t *word, uint64_t least)
{
    uint64_t end_ns = cpi_clock_ns() + AGENTS_LIMIT_S * 1000000000ull;

    while (atomic_load(word) < least) {
        AGENTS_REQUIRE(cpi_clock_ns() < end_ns);
        cpi_yield();
    }
}

/* --- frames whose bytes follow from source, destination and number --- */

static uint64_t
mix(uint64_t value)
{
    value += 0x9e3779b97f4a7c15ull;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ull;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebull;
    return value ^ (value >> 31);
}

static uint64_t
frame_seed(uint32_t source, uint32_t dest, uint64_t sequence)
{
    return mix(sequence ^ (uint64_t)source << 40 ^ (uint64_t)dest << 52);
}

/* Mostly short, some as long as a ring takes. */
static size_t
payload_bytes(uint64_t seed, size_t ring_bytes)
{
    size_t most = cpi_ring_frame_max(ring_bytes) - sizeof(struct cpi_frame);

    return seed % 8 == 0 ? mix(seed) % (most + 1) : seed % 300;
}

static void
payload_fill(char *bytes, size_t count, uint64_t seed)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = (char)(seed >> (i % 8 * 8)) + (char)(i / 8);
}

static void
payload_require(const char *bytes, size_t count, uint64_t seed)
{
    for (size_t i = 0; i < count; i++)
        AGENTS_REQUIRE(bytes[i] == (char)((char)(seed >> (i % 8 * 8)) + (char)(i / 8)));
}

/* Sends the next frame to `dest`; false when there is no room. */
static bool
send_next(struct agents_rank *rank, uint32_t dest)
{
    uint64_t seed = frame_seed(rank->rank, dest, rank->sent[dest] + 1);
    size_t bytes = payload_bytes(seed, rank->segment->header->ring_bytes);
    struct cpi_frame *frame = agents_try(rank, dest, CPI_FRAME_EAGER, bytes);

    if (frame == NULL)
        return false;
    payload_fill((char *)(frame + 1), bytes, seed);
    agents_push(rank, frame, bytes);
    return true;
}

static uint64_t
out_position(struct agents_rank *rank)
{
    return cpi_segment_ring(rank->segment, rank->agents->local, rank->local)->tail;
}

/* Takes a frame and holds it against what its source must have sent. */
static void
take_next(struct agents_rank *rank, const struct cpi_frame *frame, uint64_t *got)
{
    uint32_t source = frame->source;
    uint64_t seed = frame_seed(source, rank->rank, got[source] + 1);

    AGENTS_REQUIRE(frame->kind == CPI_FRAME_EAGER && frame->dest == rank->rank);
    AGENTS_REQUIRE(source < rank->agents->peers * rank->agents->local);
    AGENTS_REQUIRE(frame->sequence == ++got[source]);
    AGENTS_REQUIRE(cpi_frame_payload_bytes(frame) ==
                   payload_bytes(seed, rank->segment->header->ring_bytes));
    payload_require((const char *)(frame + 1), cpi_frame_payload_bytes(frame), seed);
    agents_take(rank, frame);
}

/* --- order --- */

#define EACH 1500u

/* Sends EACH frames to every other rank, in an order of its own, and takes as many. */
static void
talks_to_all(struct agents_rank *rank)
{
    uint32_t world = rank->agents->peers * rank->agents->local;
    uint64_t got[AGENTS_MAX * 64] = {0}, turn = rank->rank;
    uint32_t left_out = EACH * (world - 1), left_in = left_out;

    while (left_out > 0 || left_in > 0) {
        uint32_t dest = (uint32_t)(mix(turn) % world);
        bool mine = left_out > 0 && dest != rank->rank && rank->sent[dest] < EACH;
        bool room = mine && send_next(rank, dest);
        const struct cpi_frame *frame = agents_peek(rank);
        left_out -= room;
        turn += room || !mine;
        if (frame != NULL) {
            take_next(rank, frame, got);
            left_in--;
        } else if (mine && !room) {
            agents_rest(rank, cpi_ring_frame_max(rank->segment->header->ring_bytes));
        } else if (left_out == 0 && left_in > 0) {
            agents_rest(rank, 0);
        }
    }
}

static void
frames_arrive_whole_and_in_order(void **state)
{
    enum { PEERS = 3, LOCAL = 3 };
    struct agents agents;
    pid_t pids[PEERS * LOCAL];
    uint64_t out = 0, in = 0;

    (void)state;
    agents_make(&agents, PEERS, LOCAL);
    agents_start(&agents);
    for (uint32_t i = 0; i < PEERS * LOCAL; i++)
        pids[i] = rank_start(&agents, i, talks_to_all);
    for (uint32_t i = 0; i < PEERS * LOCAL; i++)
        expect_success(pids[i]);
    assert_int_equal(0, agents_stop(&agents));
    for (uint32_t peer = 0; peer < PEERS; peer++) {
        out += agents.shared->counts[peer].frames_out;
        in += agents.shared->counts[peer].frames_in;
        assert_int_equal(0, agents.shared->counts[peer].frames_dropped);
        assert_int_equal(0, agents.shared->faulty[peer]);
    }
    assert_int_equal(out, in);
    assert_int_equal(PEERS * LOCAL * (PEERS - 1) * LOCAL * EACH, out);
    agents_free(&agents);
}

/* --- sleeping and waking --- */

#define TURNS 3000u

static void
greets_all(struct agents_rank *rank, uint64_t *got)
{
    uint32_t world = rank->agents->peers * rank->agents->local;

    for (uint32_t other = 0; other < world; other++)
        if (other != rank->rank)
            while (!send_next(rank, other))
                agents_rest(rank, cpi_ring_frame_max(rank->segment->header->ring_bytes));
    for (uint32_t i = 1; i < world; i++)
        take_next(rank, agents_next(rank), got);
}

/* Two ranks toss one frame to and fro, each asleep while the other has it. */
static void
toss(struct agents_rank *rank, uint32_t first, uint32_t second, uint64_t *got)
{
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        if (rank->rank == first)
            AGENTS_REQUIRE(send_next(rank, second));
        take_next(rank, agents_next(rank), got);
        if (rank->rank == second)
            AGENTS_REQUIRE(send_next(rank, first));
    }
}

static void
tosses_but_for_one(struct agents_rank *rank)
{
    uint64_t got[AGENTS_MAX * 64] = {0};

    greets_all(rank, got);
    if (rank->rank == 1)
        return;
    word_await(&rank->agents->shared->words[WORD_GO], 1);
    toss(rank, 0, 2, got);
}

/* Peers 0 and 2 are busy for thousands of turns; peer 1, connected to both, has no part in it. */
static void
no_wake_is_lost_and_an_idle_agent_sleeps(void **state)
{
    struct agents agents;
    pid_t pids[3];

    (void)state;
    agents_make(&agents, 3, 1);
    agents_start(&agents);
    for (uint32_t i = 0; i < 3; i++)
        pids[i] = rank_start(&agents, i, tosses_but_for_one);
    expect_success(pids[1]);
    uint64_t before = atomic_load(&agents.shared->wakes[1]);
    atomic_store(&agents.shared->words[WORD_GO], 1);
    expect_success(pids[0]);
    expect_success(pids[2]);
    assert_in_range(atomic_load(&agents.shared->wakes[1]) - before, 0, 8);
    assert_int_equal(0, agents_stop(&agents));
    agents_free(&agents);
}

/* --- bounds --- */

#define FLOOD_BYTES (3 * ROUTER_WINDOW_MIN)

/* Rank 0 sends rank 2, which doesn't read, more than a window. */
static void
floods(struct agents_rank *rank)
{
    uint64_t stop = FLOOD_BYTES;

    for (uint64_t bytes = 0; bytes < stop;) {
        uint64_t tail = out_position(rank);
        if (send_next(rank, 2))
            bytes += out_position(rank) - tail;
        else
            agents_rest(rank, cpi_ring_frame_max(rank->segment->header->ring_bytes));
    }
    atomic_store(&rank->agents->shared->words[WORD_DONE], rank->sent[2]);
}

/* Rank 2 reads when the others have seen that nobody else waits for it. */
static void
reads_late(struct agents_rank *rank)
{
    _Atomic uint64_t *words = rank->agents->shared->words;
    uint64_t got[AGENTS_MAX * 64] = {0};

    word_await(&words[WORD_GO], 1);
    AGENTS_REQUIRE(atomic_load(&words[WORD_DONE]) == 0);
    do
        take_next(rank, agents_next(rank), got);
    while (atomic_load(&words[WORD_DONE]) == 0 || got[0] < atomic_load(&words[WORD_DONE]));
}

/* Ranks 3 and 4, of the reader's peer and of a third one, toss. */
static void
tosses_beside(struct agents_rank *rank)
{
    uint64_t got[AGENTS_MAX * 64] = {0};

    toss(rank, 3, 4, got);
}

static void
who_does_not_read_costs_a_window_and_holds_up_only_its_senders(void **state)
{
    struct agents agents;
    uint64_t least;

    (void)state;
    agents_make(&agents, 3, 2);
    agents_start(&agents);
    /* What fills the ring is not granted again while nothing comes back; and one more of the
     * longest doesn't fit. */
    least = ROUTER_WINDOW_MIN - agents.segments[0].header->ring_bytes -
            cpi_ring_frame_max(agents.segments[0].header->ring_bytes);
    pid_t sender = rank_start(&agents, 0, floods), reader = rank_start(&agents, 2, reads_late);
    word_await(&agents.shared->backlog[1], least);
    pid_t three = rank_start(&agents, 3, tosses_beside);
    pid_t four = rank_start(&agents, 4, tosses_beside);
    expect_success(three);
    expect_success(four);
    atomic_store(&agents.shared->words[WORD_GO], 1);
    expect_success(reader);
    expect_success(sender);
    assert_int_equal(0, agents_stop(&agents));
    const struct router_counts *counts = agents.shared->counts;
    assert_in_range(counts[1].backlog_bytes_max, least, ROUTER_WINDOW_MIN);
    assert_int_equal(0, counts[1].backlog_bytes);
    assert_int_equal(0, counts[0].backlog_bytes_max);
    assert_int_equal(0, counts[2].backlog_bytes_max);
    assert_int_equal(0, counts[0].frames_dropped + counts[1].frames_dropped);
    agents_free(&agents);
}

/* --- losses and strangers --- */

/* Sends to rank 1 until told to stop; its agent takes it, whether it can deliver or not. */
static void
sends_on(struct agents_rank *rank)
{
    _Atomic uint64_t *words = rank->agents->shared->words;
    uint64_t after = 0;

    while (after < 4 * ROUTER_WINDOW_MIN) {  /* more than can lie about anywhere */
        uint64_t tail = out_position(rank);
        if (!send_next(rank, 1))
            agents_rest(rank, cpi_ring_frame_max(rank->segment->header->ring_bytes));
        else if (atomic_load(&rank->agents->shared->lost[0]) > 0)
            after += out_position(rank) - tail;
        atomic_fetch_add(&words[WORD_GO], 1);
    }
}

static void
frames_to_a_killed_agent_are_dropped_and_its_loss_is_told(void **state)
{
    struct agents agents;
    int status;

    (void)state;
    agents_make(&agents, 2, 1);
    agents_start(&agents);
    pid_t sender = rank_start(&agents, 0, sends_on);
    word_await(&agents.shared->words[WORD_GO], 1000);  /* in the midst of it */
    assert_int_equal(0, kill(agents.pids[1], SIGKILL));
    assert_int_equal(agents.pids[1], waitpid(agents.pids[1], &status, 0));
    agents.pids[1] = 0;
    expect_success(sender);
    assert_int_equal(1, agents.shared->lost[0]);
    assert_int_equal(CPMP_EPEER, agents.shared->lost_error[0]);
    assert_non_null(strstr(agents.shared->why[0], "peer 1 at 127.0.0.1:"));
    assert_int_equal(0, agents_stop(&agents));
    assert_true(agents.shared->counts[0].frames_dropped > 0);
    agents_free(&agents);
}

static void
a_stranger_amid_traffic_is_counted_and_disturbs_nobody(void **state)
{
    static const char request[] = "GET / HTTP/1.0\r\nHost: www.example.org\r\n\r\n";
    struct sockaddr_storage address;
    struct agents agents;
    char byte;

    (void)state;
    agents_make(&agents, 2, 1);
    agents_start(&agents);
    pid_t zero = rank_start(&agents, 0, talks_to_all);
    agents_await(&agents.shared->up, 2);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(address_parse_socket(agents.shared->addresses[1], &address));
    assert_int_equal(0, connect(fd, (struct sockaddr *)&address, sizeof(struct sockaddr_in)));
    assert_int_equal(sizeof(request) - 1, write(fd, request, sizeof(request) - 1));
    pid_t one = rank_start(&agents, 1, talks_to_all);
    expect_success(zero);
    expect_success(one);
    assert_true(read(fd, &byte, 1) <= 0);  /* shown out, not kept */
    assert_int_equal(0, agents.shared->lost[0] + agents.shared->lost[1]);
    assert_int_equal(0, agents_stop(&agents));
    assert_int_equal(1, agents.shared->fabric_counts[1].strangers);
    assert_int_equal(0, agents.shared->fabric_counts[0].strangers);
    close(fd);
    agents_free(&agents);
}

/* --- ranks that write nonsense --- */

static void
forges_its_name(struct agents_rank *rank)
{
    struct cpi_frame *frame = agents_begin(rank, 1, CPI_FRAME_EAGER, 8);

    frame->source = 1;
    agents_push(rank, frame, 8);
}

static void
claims_a_size(struct agents_rank *rank)
{
    struct cpi_frame *frame = agents_begin(rank, 1, CPI_FRAME_EAGER, 8);

    agents_push(rank, frame, (1u << 20) - sizeof(*frame));
}

static void
invents_a_kind(struct agents_rank *rank)
{
    struct cpi_frame *frame = agents_begin(rank, 1, CPI_FRAME_EAGER, 8);

    frame->kind = CPI_FRAME_KIND_END;
    agents_push(rank, frame, 8);
}

static void
pads_in_the_middle(struct agents_rank *rank)
{
    struct cpi_frame *frame = agents_begin(rank, 1, CPI_FRAME_EAGER, 8);

    frame->kind = CPI_FRAME_PAD;
    agents_push(rank, frame, 64 - sizeof(*frame));
}

static void
sends_to_nobody(struct agents_rank *rank)
{
    struct cpi_frame *frame = agents_begin(rank, 1, CPI_FRAME_EAGER, 8);

    frame->dest = 99;
    agents_push(rank, frame, 8);
}

static void
tosses_one_and_three(struct agents_rank *rank)
{
    uint64_t got[AGENTS_MAX * 64] = {0};

    toss(rank, 1, 3, got);
}

/* Its ring is read no more; the others of its peer go on. */
static void
a_rank_that_writes_no_frames_is_told_on(void **state)
{
    static rank_fn *const wrongs[] = {forges_its_name, claims_a_size, invents_a_kind,
                                      pads_in_the_middle, sends_to_nobody};
    struct agents agents;

    (void)state;
    for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        agents_make(&agents, 2, 2);
        agents_start(&agents);
        expect_success(rank_start(&agents, 0, wrongs[i]));
        agents_await(&agents.shared->faulty[0], 1);
        pid_t one = rank_start(&agents, 1, tosses_one_and_three);
        expect_success(rank_start(&agents, 3, tosses_one_and_three));
        expect_success(one);
        assert_int_equal(0, agents_stop(&agents));
        assert_int_equal(1, agents.shared->faulty[0]);
        assert_int_equal(0, agents.shared->faulty[1]);
        agents_free(&agents);
    }
}

/* --- handlers --- */

static void
number_came(void *arg, uint32_t peer, const struct cpi_frame *frame)
{
    struct agents_shared *now = arg;

    AGENTS_REQUIRE(peer == 0 && frame->handle == atomic_load(&now->words[WORD_DONE]));
    payload_require((const char *)(frame + 1), cpi_frame_payload_bytes(frame), frame->handle);
    atomic_fetch_add(&now->words[WORD_DONE], 1);
}

/* Agent 0 sends agent 1 what it can before they are connected: a queue's worth, and no more. */
static void
numbers_send(struct agents *agents, uint32_t peer, struct router *router)
{
    char bytes[4096] = {0};
    struct cpi_frame *frame = (struct cpi_frame *)(void *)bytes;
    int error;

    if (peer == 1) {
        router_on(router, CPI_FRAME_VAR_CALL, number_came, agents->shared);
        return;
    }
    *frame = (struct cpi_frame){.size = sizeof(bytes), .kind = CPI_FRAME_VAR_CALL,
        .source = CPI_RANK_AGENT, .dest = CPI_RANK_AGENT};
    AGENTS_REQUIRE(router_send_to_agent(router, 0, frame) == CPMP_EINVAL);
    AGENTS_REQUIRE(router_send_to_agent(router, 2, frame) == CPMP_EINVAL);
    AGENTS_REQUIRE(router_send_to_rank(router, 2, frame) == CPMP_ERANK);
    for (;; frame->handle++) {
        payload_fill(bytes + sizeof(*frame), sizeof(bytes) - sizeof(*frame), frame->handle);
        error = router_send_to_agent(router, 1, frame);
        if (error != CPMP_OK)
            break;
        router_check(router);
    }
    AGENTS_REQUIRE(error == CPMP_EAGAIN && frame->handle == ROUTER_QUEUE_MAX / sizeof(bytes));
    frame->size = (uint32_t)(1u << 20);
    AGENTS_REQUIRE(router_send_to_agent(router, 1, frame) == CPMP_EINVAL);
}

static void
handlers_frames_wait_for_the_connection_in_a_bounded_queue(void **state)
{
    struct agents agents;

    (void)state;
    agents_make(&agents, 2, 1);
    agents.agent_setup = numbers_send;
    agents_start(&agents);
    word_await(&agents.shared->words[WORD_DONE], ROUTER_QUEUE_MAX / 4096);
    assert_int_equal(0, agents_stop(&agents));
    assert_int_equal(ROUTER_QUEUE_MAX / 4096, agents.shared->counts[1].frames_in);
    assert_int_equal(0, agents.shared->counts[1].frames_dropped);
    agents_free(&agents);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_arrive_whole_and_in_order),
        cmocka_unit_test(no_wake_is_lost_and_an_idle_agent_sleeps),
        cmocka_unit_test(who_does_not_read_costs_a_window_and_holds_up_only_its_senders),
        cmocka_unit_test(frames_to_a_killed_agent_are_dropped_and_its_loss_is_told),
        cmocka_unit_test(a_stranger_amid_traffic_is_counted_and_disturbs_nobody),
        cmocka_unit_test(a_rank_that_writes_no_frames_is_told_on),
        cmocka_unit_test(handlers_frames_wait_for_the_connection_in_a_bounded_queue),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
