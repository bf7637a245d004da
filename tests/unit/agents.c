/* SPDX-License-Identifier: BSD-3-Clause */
#include "agents.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "plat/plat.h"

void *
agents_share(size_t bytes)
{
    void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    AGENTS_REQUIRE(start != MAP_FAILED);
    return start;
}

void
agents_make(struct agents *agents, uint32_t peers, uint32_t local)
{
    memset(agents, 0, sizeof(*agents));
    agents->peers = peers;
    agents->local = local;
    agents->shared = agents_share(sizeof(*agents->shared));
    agents->shared->host.cores = cpi_cores_usable();
    memset(agents->key, 0x5a, sizeof(agents->key));
    for (uint32_t peer = 0; peer < peers; peer++) {
        struct cpi_segment_config config = {.job = AGENTS_JOB, .world = peers * local,
            .local = local, .peer = peer, .peers = peers, .cores = 2};
        struct cpi_segment *segment = &agents->segments[peer];
        AGENTS_REQUIRE(cpi_segment_make(segment, &config, &agents->segment_fds[peer]) == 0);
        for (uint32_t rank = 0; rank < peers * local; rank++)
            segment->places[rank] = (struct cpi_place){rank / local, rank % local};
        for (uint32_t i = 0; i < local; i++)
            segment->ranks[i].world_rank = peer * local + i;
        agents->bells[peer] = eventfd(0, EFD_CLOEXEC);
        AGENTS_REQUIRE(agents->bells[peer] >= 0);
    }
}

void
agents_free(struct agents *agents)
{
    for (uint32_t peer = 0; peer < agents->peers; peer++) {
        cpi_segment_unmap(&agents->segments[peer]);
        close(agents->segment_fds[peer]);
        close(agents->bells[peer]);
    }
    munmap(agents->shared, sizeof(*agents->shared));
}

void
agents_await(const _Atomic uint32_t *word, uint32_t least)
{
    uint64_t end_ns = cpi_clock_ns() + AGENTS_LIMIT_S * 1000000000ull;

    while (atomic_load(word) < least) {
        AGENTS_REQUIRE(cpi_clock_ns() < end_ns);
        poll(NULL, 0, 1);
    }
}

pid_t
agents_fork(void)
{
    pid_t parent = getpid();
    fflush(NULL);
    pid_t pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(98);
        alarm(2 * AGENTS_LIMIT_S);
    }
    return pid;
}

/* --- an agent's process --- */

struct agents_self {
    struct agents *agents;
    uint32_t peer;
};

static void
agents_on_lost(void *arg, uint32_t peer, int error, const char *why)
{
    struct agents_self *self = arg;
    struct agents_shared *shared = self->agents->shared;

    (void)peer;
    snprintf(shared->why[self->peer], FABRIC_WHY_MAX, "%s", why);
    atomic_store(&shared->lost_error[self->peer], error);
    atomic_fetch_add(&shared->lost[self->peer], 1);
}

static void
agents_on_faulty(void *arg, uint32_t local, const char *why)
{
    struct agents_self *self = arg;

    (void)local;
    (void)why;
    atomic_fetch_add(&self->agents->shared->faulty[self->peer], 1);
}

static struct fabric *
agents_fabric_open(struct agents *agents, uint32_t peer)
{
    struct fabric_config config = {.job = AGENTS_JOB, .key = agents->key, .peer = peer,
        .peers = agents->peers, .patience_us = AGENTS_LIMIT_S * 500000ull};
    struct fabric *fabric;
    char why[FABRIC_WHY_MAX] = "";

    if (fabric_open(&fabric, &config, why) != CPMP_OK) {
        fprintf(stderr, "# %s\n", why);
        _exit(97);
    }
    snprintf(agents->shared->addresses[peer], sizeof(agents->shared->addresses[0]), "%s",
             fabric_address(fabric));
    atomic_fetch_add(&agents->shared->ready, 1);
    return fabric;
}

static void
agents_connect(struct agents *agents, uint32_t self, struct fabric *fabric)
{
    agents_await(&agents->shared->ready, agents->peers);
    for (uint32_t peer = 0; peer < agents->peers; peer++)
        if (peer != self)
            AGENTS_REQUIRE(fabric_connect(fabric, peer, agents->shared->addresses[peer]) == 0);
}

/* The body of an agent: router and fabric until `stop`. */
static void
agents_agent(struct agents *agents, uint32_t peer)
{
    struct agents_self self = {agents, peer};
    struct fabric *fabric = agents->peers > 1 ? agents_fabric_open(agents, peer) : NULL;
    struct router_config config = {
        .segment = &agents->segments[peer],
        .fabric = fabric,
        .host = &agents->shared->host,
        .bell_fd = agents->bells[peer],
        .events = {.lost = agents_on_lost, .faulty = agents_on_faulty},
        .arg = &self,
    };
    struct router_counts counts;
    struct router *router;

    AGENTS_REQUIRE(router_open(&router, &config) == CPMP_OK);
    if (fabric != NULL)
        agents_connect(agents, peer, fabric);
    if (agents->agent_setup != NULL)
        agents->agent_setup(agents, peer, router);
    atomic_fetch_add(&agents->shared->up, 1);
    while (atomic_load(&agents->shared->stop) == 0) {
        struct pollfd fd = {.fd = router_fd(router), .events = POLLIN};
        poll(&fd, 1, 1000);
        if (fd.revents != 0) {
            router_run(router);
            router_check(router);
            router_counts(router, &counts);
            atomic_store(&agents->shared->backlog[peer], counts.backlog_bytes);
            atomic_fetch_add(&agents->shared->wakes[peer], 1);
        }
    }
    router_counts(router, &agents->shared->counts[peer]);
    if (fabric != NULL) {
        fabric_check(fabric);
        fabric_counts(fabric, &agents->shared->fabric_counts[peer]);
    }
    router_close(router);
    fabric_close(fabric);
}

void
agents_start(struct agents *agents)
{
    for (uint32_t peer = 0; peer < agents->peers; peer++) {
        agents->pids[peer] = agents_fork();
        if (agents->pids[peer] == 0) {
            agents_agent(agents, peer);
            exit(0);
        }
    }
}

int
agents_stop(struct agents *agents)
{
    int result = 0;

    atomic_store(&agents->shared->stop, 1);
    for (uint32_t peer = 0; peer < agents->peers; peer++) {
        int status = 0;
        cpi_bell_ring(agents->bells[peer]);
        if (agents->pids[peer] > 0 && waitpid(agents->pids[peer], &status, 0) > 0 && result == 0)
            result = status;
    }
    return result;
}

/* --- a rank's process --- */

void
agents_rank_init(struct agents_rank *rank, struct agents *agents, uint32_t world_rank)
{
    memset(rank, 0, sizeof(*rank));
    rank->agents = agents;
    rank->rank = world_rank;
    rank->peer = world_rank / agents->local;
    rank->local = world_rank % agents->local;
    rank->segment = &agents->segments[rank->peer];
    atomic_fetch_add(&agents->shared->host.awake, 1);
}

static struct cpi_ring *
agents_ring_out(struct agents_rank *rank)
{
    return cpi_segment_ring(rank->segment, rank->agents->local, rank->local);
}

static struct cpi_ring *
agents_ring_in(struct agents_rank *rank)
{
    return cpi_segment_ring(rank->segment, rank->local, rank->agents->local);
}

struct cpi_frame *
agents_peek(struct agents_rank *rank)
{
    return cpi_ring_peek(agents_ring_in(rank), rank->segment->header->ring_bytes, &rank->position);
}

void
agents_take(struct agents_rank *rank, const struct cpi_frame *frame)
{
    size_t lazy = cpi_ring_lazy_bytes(rank->segment->header->ring_bytes);

    rank->position = cpi_ring_after(rank->position, frame);
    if (rank->position - rank->released < lazy)
        return;
    rank->released = rank->position;
    if (cpi_inbox_release(rank->segment, rank->local, rank->agents->local, rank->position))
        cpi_bell_ring(rank->agents->bells[rank->peer]);
}

void
agents_rest(struct agents_rank *rank, size_t size)
{
    _Atomic uint32_t *state = &rank->segment->ranks[rank->local].doorbell.state;
    size_t ring_bytes = rank->segment->header->ring_bytes;

    for (int i = 0; i < 2; i++) {
        cpi_yield();
        if (agents_peek(rank) != NULL)
            return;
    }
    atomic_store(state, 1);
    cpi_inbox_fence(rank->segment);
    if (agents_peek(rank) == NULL &&
        (size == 0 || cpi_ring_want(agents_ring_out(rank), ring_bytes, size))) {
        atomic_fetch_sub(&rank->agents->shared->host.awake, 1);
        cpi_futex_wait(state, 1);
        atomic_fetch_add(&rank->agents->shared->host.awake, 1);
    }
    atomic_store(state, 0);
}

struct cpi_frame *
agents_next(struct agents_rank *rank)
{
    struct cpi_frame *frame;

    while ((frame = agents_peek(rank)) == NULL)
        agents_rest(rank, 0);
    return frame;
}

struct cpi_frame *
agents_try(struct agents_rank *rank, uint32_t dest, enum cpi_frame_kind kind, size_t bytes)
{
    struct cpi_frame *frame = cpi_ring_reserve(
        agents_ring_out(rank), rank->segment->header->ring_bytes, sizeof(*frame) + bytes);

    if (frame == NULL)
        return NULL;
    frame->kind = (uint8_t)kind;
    frame->flags = 0;
    frame->incarnation = 0;
    frame->source = rank->rank;
    frame->dest = dest;
    frame->context = 0;
    frame->tag = 0;
    frame->sequence = dest == CPI_RANK_AGENT ? 0 : ++rank->sent[dest];
    frame->length = bytes;
    frame->handle = 0;
    return frame;
}

struct cpi_frame *
agents_begin(struct agents_rank *rank, uint32_t dest, enum cpi_frame_kind kind, size_t bytes)
{
    struct cpi_frame *frame;

    while ((frame = agents_try(rank, dest, kind, bytes)) == NULL) {
        if (agents_peek(rank) != NULL)
            cpi_yield();
        else
            agents_rest(rank, sizeof(*frame) + bytes);
    }
    return frame;
}

void
agents_push(struct agents_rank *rank, struct cpi_frame *frame, size_t bytes)
{
    cpi_ring_publish(agents_ring_out(rank), rank->segment->header->ring_bytes, frame,
                     sizeof(*frame) + bytes);
    if (cpi_inbox_notify(rank->segment, rank->agents->local, rank->local))
        cpi_bell_ring(rank->agents->bells[rank->peer]);
}
