/* SPDX-License-Identifier: BSD-3-Clause */
#include "p2p/pair.h"

#include <assert.h>
#include <cpmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "p2p/direct.h"
#include "plat/plat.h"

#define EAGER_BYTES_MAX        (8u << 10)
#define EAGER_BYTES_MAX_REMOTE (64u << 10)  /* a request and its answer take longer than copies */
#define FRAGMENT_BYTES_MAX     (8u << 10)   /* so that the two copies of a message overlap */
#define LAST_WORDS_NS          2000000000u  /* an agent that takes nothing for so long is stuck */
#define LAST_WORDS_NAP_US      500u

/* A number from the environment, or -1 when it is absent or no number. */
static long
environment_number(const char *name)
{
    const char *text = getenv(name);
    char *end;

    if (text == NULL || *text == '\0')
        return -1;
    long number = strtol(text, &end, 10);
    return *end == '\0' && number >= 0 ? number : -1;
}

static void
pair_init(struct cpi_pair *pair, uint32_t world_rank, uint32_t local, bool remote)
{
    pair->world_rank = world_rank;
    pair->local = local;
    pair->remote = remote;
    cpi_list_init(&pair->held);
    cpi_list_init(&pair->queue);
    cpi_list_init(&pair->streams);
    cpi_list_init(&pair->busy_link);
}

static bool
wait_two_probe(void)
{
    _Atomic uint32_t words[2] = {1, 1};

    return cpi_futex_wait_two(&words[0], 0, &words[1], 1);
}

static size_t
least(uint64_t one, uint64_t other)
{
    return (size_t)(one < other ? one : other);
}

static int
state_init(void)
{
    const struct cpi_segment_header *header = cpi_engine.segment.header;

    memset(&cpi_state, 0, sizeof(cpi_state));
    cpi_list_init(&cpi_state.busy);
    cpi_list_init(&cpi_state.hooks);
    cpi_list_init(&cpi_state.grants);
    cpi_state.ring_bytes = header->ring_bytes;
    cpi_state.payload_max = cpi_segment_frame_max(&cpi_engine.segment) - sizeof(struct cpi_frame);
    if (cpi_state.payload_max > FRAGMENT_BYTES_MAX)
        cpi_state.payload_max = FRAGMENT_BYTES_MAX;
    cpi_state.credit_bytes = header->credit_bytes;
    cpi_state.eager_max = least(EAGER_BYTES_MAX, header->credit_bytes / 4);
    cpi_state.eager_max_remote = least(EAGER_BYTES_MAX_REMOTE, header->credit_bytes / 4);
    cpi_state.wait_two_works = wait_two_probe();
    cpi_state.pairs = calloc(header->world, sizeof(struct cpi_pair));
    cpi_state.sources = calloc(header->local + 1, sizeof(struct cpi_source));
    if (cpi_state.pairs == NULL || cpi_state.sources == NULL ||
        cpi_match_init(&cpi_state.match) != CPMP_OK) {
        free(cpi_state.pairs);
        free(cpi_state.sources);
        return CPMP_ENOMEM;
    }
    for (uint32_t rank = 0; rank < header->world; rank++) {
        uint32_t local = header->local;
        bool here = cpi_engine_is_local((int)rank, &local);
        pair_init(&cpi_state.pairs[rank], rank, local, !here);
    }
    pair_init(&cpi_state.agent, CPI_RANK_AGENT, header->local, false);
    cpi_state.active = true;
    return CPMP_OK;
}

static const char *join_fault;

const char *
cpi_engine_join_fault(void)
{
    return join_fault;
}

int
cpi_engine_init_with(const struct cpi_segment *segment, struct cpi_host_page *host, uint32_t local,
                     int bell_fd)
{
    struct cpi_rank_block *block = &segment->ranks[local];
    uint32_t expected = CPI_RANK_STARTED;

    if (local >= segment->header->local || block->world_rank >= segment->header->world)
        return CPMP_EPROTO;
    if (cpi_state.active)
        return CPMP_ESTATE;
    if (!atomic_compare_exchange_strong(&block->stage, &expected, CPI_RANK_JOINED)) {
        join_fault = "another process is, or was, this rank of the job";
        return CPMP_ESTATE;
    }
    cpi_engine.segment = *segment;
    cpi_engine.host = host;
    cpi_engine.local = local;
    cpi_engine.bell_fd = bell_fd;
    cpi_engine.rank = (int)block->world_rank;
    cpi_engine.size = (int)segment->header->world;
    int error = state_init();
    if (error != CPMP_OK)
        return error;
    atomic_store(&block->pid, (uint32_t)cpi_process_id());
    cpi_process_allow_read();
    cpi_direct_init();
    if (host != NULL && atomic_exchange(&block->counted, 1) == 0)
        atomic_fetch_add(&host->awake, 1);
    return CPMP_OK;
}

/* A job of this process alone: a segment of one rank, and no agent. */
static int
init_alone(void)
{
    struct cpi_segment_config config = {
        .world = 1, .local = 1, .peers = 1, .cores = (uint32_t)cpi_cores_usable()};
    struct cpi_segment segment;
    int fd;

    config.capacity_millicores = config.cores * 1000u;
    int error = cpi_segment_make(&segment, &config, &fd);
    if (error != CPMP_OK)
        return error;
    cpi_fd_close(fd);
    snprintf(segment.peer_names[0], CPI_SEGMENT_NAME_MAX, "localhost");
    cpi_engine.alone = true;
    return cpi_engine_init_with(&segment, NULL, 0, -1);
}

/* The host page, or NULL: then no other job is known of. */
static struct cpi_host_page *
host_page_map(long fd)
{
    size_t bytes = fd < 0 ? 0 : cpi_memfd_sealed_bytes((int)fd);

    if (bytes < sizeof(struct cpi_host_page))
        return NULL;
    cpi_fd_close_on_exec((int)fd);
    return cpi_memfd_map((int)fd, bytes);
}

int
cpi_engine_init(void)
{
    long segment_fd = environment_number("CPMP_SEGMENT_FD");
    long bell_fd = environment_number("CPMP_DOORBELL_FD");
    long local = environment_number("CPMP_LOCAL_INDEX");
    struct cpi_segment segment;

    if (cpi_state.active)
        return CPMP_ESTATE;
    if (segment_fd < 0)
        return init_alone();
    if (bell_fd < 0 || local < 0)
        return CPMP_EPROTO;
    if (cpi_memfd_sealed_bytes((int)segment_fd) == 0) {
        join_fault = "what started this program closed the descriptor CPMP_SEGMENT_FD, by which "
                     "cpexec hands over the job; let it pass descriptors on";
        return CPMP_EPROTO;
    }
    int error = cpi_segment_map(&segment, (int)segment_fd);
    if (error != CPMP_OK)
        return error;
    cpi_fd_close_on_exec((int)segment_fd);
    cpi_fd_close_on_exec((int)bell_fd);
    return cpi_engine_init_with(&segment, host_page_map(environment_number("CPMP_HOST_FD")),
                                (uint32_t)local, (int)bell_fd);
}

int
cpi_engine_rank_told(void)
{
    long told = environment_number("CPMP_RANK");

    if (cpi_engine.segment.header != NULL)
        return cpi_engine.rank;
    return told >= 0 && told < (long)CPI_SEGMENT_WORLD_MAX ? (int)told : 0;
}

/* Frees what is queued for a rank that has ended: nobody will read it. */
static void
pair_discard(struct cpi_pair *pair)
{
    while (!cpi_list_empty(&pair->held)) {
        struct cpi_held *held = CPI_CONTAINER(pair->held.next, struct cpi_held, link);
        cpi_list_remove(&held->link);
        free(held);
    }
    while (!cpi_list_empty(&pair->queue))
        cpi_list_remove(pair->queue.next);
    while (!cpi_list_empty(&pair->streams))
        cpi_list_remove(pair->streams.next);
}

static void
discard_for_ended(void)
{
    CPI_LIST_FOR(link, &cpi_state.busy)
    {
        struct cpi_pair *pair = CPI_CONTAINER(link, struct cpi_pair, busy_link);
        if (!pair->remote && pair != &cpi_state.agent &&
            atomic_load(&cpi_engine.segment.ranks[pair->local].stage) == CPI_RANK_ENDED)
            pair_discard(pair);
    }
}

/* Whoever waits for room in a ring that this rank will never read again must learn that it has
 * ended. */
static void
writers_wake(void)
{
    for (uint32_t sender = 0; sender < cpi_engine.segment.header->local; sender++) {
        if (cpi_inbox_release(&cpi_engine.segment, cpi_engine.local, sender,
                              cpi_state.sources[sender].position))
            cpi_futex_wake(&cpi_engine.segment.ranks[sender].doorbell.state, 1);
    }
}

void
cpi_engine_end(void)
{
    unsigned round = 0;

    assert(cpi_state.active);
    while (discard_for_ended(), !cpi_list_empty(&cpi_state.busy) || cpi_state.hauls > 0)
        cpi_engine_rest(&round);
    atomic_store(&cpi_engine.segment.ranks[cpi_engine.local].stage, CPI_RANK_ENDED);
    writers_wake();
    cpi_match_release(&cpi_state.match);
    free(cpi_state.pairs);
    free(cpi_state.sources);
    cpi_state.active = false;
    /* The segment stays mapped: functions such as cpmp_rank still answer for error texts. */
}

/* The ring to the agent may be full, and what is held back for want of room would end with this
 * process. Nothing but that is moved here: this may be called from within progress, and callbacks
 * of the program could abort again. False when the agent didn't make room. */
static bool
last_words_leave(void)
{
    uint64_t until_ns = cpi_clock_ns() + LAST_WORDS_NS;

    while (!cpi_list_empty(&cpi_state.agent.held) && cpi_clock_ns() < until_ns)
        if (!cpi_send_flush(&cpi_state.agent))
            cpi_nap_us(LAST_WORDS_NAP_US);
    return cpi_list_empty(&cpi_state.agent.held);
}

void
cpi_engine_abort(int exit_code, const char *text)
{
    struct cpi_piece piece = {text, strnlen(text, 1000)};

    /* The agent reads the rings of a dead rank to their end. What it doesn't get is said here. */
    if (cpi_engine.alone || !cpi_state.active ||
        cpi_engine_agent_send(CPI_FRAME_ABORT, exit_code, 0, &piece, 1) != CPMP_OK ||
        !last_words_leave())
        cpi_text_print(text);
    /* A status has 8 bits of it, and 0 would be success. */
    cpi_process_end((exit_code & 255) == 0 ? 1 : exit_code);
}
