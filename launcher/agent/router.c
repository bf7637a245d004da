/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent/router.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "agent/router_direct.h"
#include "plat/plat.h"

#define SPIN_NS       20000u    /* one to two times what waking from epoll costs */
#define YIELD_NS      50000u    /* the same when the core has fallen asleep */
#define CLOCK_ROUNDS  16u       /* rounds between looks at the clock */
#define YIELDS        2u        /* before sleeping, when others want the core */
#define RUN_NS        1000000u  /* then the caller's other events have their turn */
#define SLOW_POLLS    512u      /* polls of the fabric before a slow one */

/* What epoll says is readable; the fabric's are polled anyway. */
enum { WOKEN_BELL = 1, WOKEN_TIMER = 2, WOKEN_FABRIC = 3 };

/* --- opening --- */

/*
 * The window of one connection: what its ranks' credits with the ranks here add up to, within
 * limits. With the upper one in force a rank that computes can make the connection stand still for
 * others, when its unread messages from there exceed it.
 */
static uint64_t
link_window(const struct cpi_segment *segment, uint32_t peer)
{
    const struct cpi_segment_header *header = segment->header;
    uint64_t ranks = 0;

    for (uint32_t rank = 0; rank < header->world; rank++)
        ranks += segment->places[rank].peer == peer;
    uint64_t window = ranks * header->local * header->credit_bytes;
    if (window < ROUTER_WINDOW_MIN)
        return ROUTER_WINDOW_MIN;
    return window < ROUTER_WINDOW_MAX ? window : ROUTER_WINDOW_MAX;
}

static void
ranks_set(struct router *router)
{
    for (uint32_t local = 0; local < router->local; local++) {
        struct router_source *source = &router->sources[local];
        source->ring = cpi_segment_ring(router->segment, router->local, local);
        source->local = local;
        source->world_rank = router->segment->ranks[local].world_rank;
        source->scan = source->released = atomic_load(&source->ring->head);
        router->sinks[local].ring = cpi_segment_ring(router->segment, local, router->local);
    }
}

static int
memory_get(struct router *router)
{
    router->sources = calloc(router->local + 1, sizeof(router->sources[0]));
    router->sinks = calloc(router->local + 1, sizeof(router->sinks[0]));
    router->reaches = calloc(router->local + 1, sizeof(router->reaches[0]));
    router->incarnations = calloc(router->world, sizeof(router->incarnations[0]));
    router->scratch = aligned_alloc(CPI_FRAME_ALIGN, cpi_frame_stride(router->frame_max));
    router->links = calloc(router->peers, sizeof(router->links[0]));
    if (router->sources == NULL || router->sinks == NULL ||
        router->reaches == NULL || router->incarnations == NULL ||
        router->scratch == NULL || router->links == NULL)
        return CPMP_ENOMEM;
    for (uint32_t peer = 0; peer < router->peers; peer++) {
        router->links[peer].peer = peer;
        router->links[peer].window = link_window(router->segment, peer);
    }
    return CPMP_OK;
}

static bool
epoll_watch(struct router *router, int fd, uint32_t woken)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = woken};

    return epoll_ctl(router->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static int
descriptors_open(struct router *router)
{
    router->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    router->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (router->epoll_fd < 0 || router->timer_fd < 0 ||
        !epoll_watch(router, router->bell_fd, WOKEN_BELL) ||
        !epoll_watch(router, router->timer_fd, WOKEN_TIMER))
        return CPMP_ESYS;
    if (router->fabric != NULL) {
        int fds[2];
        fabric_fds(router->fabric, fds);
        if (!epoll_watch(router, fds[0], WOKEN_FABRIC) ||
            !epoll_watch(router, fds[1], WOKEN_FABRIC))
            return CPMP_ESYS;
    }
    return CPMP_OK;
}

static void
kick(struct router *router)
{
    if (!router->kicked)
        cpi_bell_ring(router->bell_fd);
    router->kicked = true;
}

int
router_open(struct router **router_p, const struct router_config *config)
{
    static const struct fabric_events events = {
        .up = router_link_up,
        .received = router_link_received,
        .sent = router_link_sent,
        .lost = router_link_lost,
    };
    const struct cpi_segment_header *header = config->segment->header;
    struct router *router = calloc(1, sizeof(*router));

    if (router == NULL)
        return CPMP_ENOMEM;
    router->segment = config->segment;
    router->fabric = config->fabric;
    router->host = config->host;
    router->pids = config->pids;
    router->events = config->events;
    router->arg = config->arg;
    router->world = header->world;
    router->local = header->local;
    router->peer = header->peer;
    router->peers = header->peers;
    router->words = (header->local + 1 + 63) / 64;
    router->ring_bytes = header->ring_bytes;
    router->frame_max = cpi_ring_frame_max(header->ring_bytes);
    router->bell_fd = config->bell_fd;
    router->epoll_fd = router->timer_fd = -1;
    router->timer_us = UINT64_MAX;
    int error = memory_get(router);
    if (error == CPMP_OK)
        error = descriptors_open(router);
    if (error != CPMP_OK) {
        int system_error = errno;
        router_close(router);
        errno = system_error;
        return error;
    }
    ranks_set(router);
    router_direct_on(router);
    if (router->fabric != NULL)
        fabric_on(router->fabric, &events, router);
    kick(router);  /* ranks may have been faster */
    *router_p = router;
    return CPMP_OK;
}

static bool
slots_busy(const struct router *router)
{
    for (uint32_t peer = 0; router->links != NULL && peer < router->peers; peer++)
        for (uint32_t i = 0; i < ROUTER_SLOTS; i++)
            if (router->links[peer].slots[i].busy)
                return true;
    return false;
}

static void
awake_count(struct router *router, bool awake)
{
    if (router->counted == awake)
        return;
    router->counted = awake;
    if (router->host != NULL)
        atomic_fetch_add_explicit(&router->host->awake, awake ? 1 : -1, memory_order_relaxed);
}

void
router_close(struct router *router)
{
    if (router == NULL)
        return;
    for (uint32_t peer = 0; router->links != NULL && peer < router->peers; peer++) {
        if (router->links[peer].up && router->fabric != NULL)
            fabric_disconnect(router->fabric, peer);
    }
    while (slots_busy(router))
        fabric_poll(router->fabric);
    if (router->fabric != NULL)
        fabric_on(router->fabric, &(struct fabric_events){0}, NULL);
    awake_count(router, false);
    for (uint32_t local = 0; router->sinks != NULL && local < router->local; local++)
        router_queue_release(&router->sinks[local].backlog);
    for (uint32_t local = 0; router->reaches != NULL && local < router->local; local++)
        router_forget(router, local);
    for (uint32_t peer = 0; router->links != NULL && peer < router->peers; peer++) {
        router_queue_release(&router->links[peer].waiting);
        free(router->links[peer].copies);
        free(router->links[peer].cargoes);
    }
    if (router->timer_fd >= 0)
        close(router->timer_fd);
    if (router->epoll_fd >= 0)
        close(router->epoll_fd);
    free(router->scratch);
    free(router->incarnations);
    free(router->links);
    free(router->reaches);
    free(router->sinks);
    free(router->sources);
    free(router);
}

void
router_on(struct router *router, enum cpi_frame_kind kind, router_frame_fn *fn, void *arg)
{
    assert(kind > CPI_FRAME_PAD && kind < CPI_FRAME_KIND_END);
    router->handlers[kind] = (struct router_handler){fn, arg};
}

int
router_fd(const struct router *router)
{
    return router->epoll_fd;
}

/* --- running --- */

/* One round over everything. True when anything moved. */
static bool
work(struct router *router)
{
    bool moved = router_sources_drain(router);

    if (router->fabric != NULL) {
        moved |= router_links_flush(router);
        moved |= fabric_poll(router->fabric);
        if (++router->polls >= SLOW_POLLS) {
            router->polls = 0;
            moved |= fabric_poll_slow(router->fabric);
        }
    }
    moved |= router_sinks_drain(router);
    router_sinks_notify(router);
    return moved;
}

static void
timer_set(struct router *router, uint64_t deadline_us)
{
    struct itimerspec timer = {0};

    if (deadline_us == router->timer_us)
        return;
    if (deadline_us != UINT64_MAX) {  /* absolute; 0 would switch it off */
        timer.it_value.tv_sec = (time_t)(deadline_us / 1000000);
        timer.it_value.tv_nsec = (long)(deadline_us % 1000000) * 1000 + 1;
    }
    timerfd_settime(router->timer_fd, TFD_TIMER_ABSTIME, &timer, NULL);
    router->timer_us = deadline_us;
}

/* Clears the inbox; whoever writes from now on sets its bit again. */
static void
inbox_take(struct router *router)
{
    _Atomic uint64_t *bits = router->segment->inboxes[router->local].bits;

    for (uint32_t word = 0; word < router->words; word++)
        if (atomic_load_explicit(&bits[word], memory_order_relaxed) != 0)
            router->active[word] |= atomic_exchange(&bits[word], 0);
    atomic_thread_fence(memory_order_seq_cst);  /* pairs with cpi_inbox_notify */
}

static bool
inbox_is_empty(const struct router *router)
{
    _Atomic uint64_t *bits = router->segment->inboxes[router->local].bits;

    for (uint32_t word = 0; word < router->words; word++)
        if (atomic_load_explicit(&bits[word], memory_order_relaxed) != 0)
            return false;
    return true;
}

/*
 * Goes to sleep unless there is something to do: clear the inbox and look, say that we sleep, and
 * look again. What comes after that rings the bell. False when there was something.
 */
static bool
sleep_try(struct router *router)
{
    _Atomic uint32_t *state = &router->segment->ranks[router->local].doorbell.state;

    inbox_take(router);
    if (router->fabric != NULL && fabric_poll_slow(router->fabric))
        return false;
    if (work(router))
        return false;
    atomic_store_explicit(state, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);  /* pairs with cpi_inbox_notify and _release */
    if (!inbox_is_empty(router) || !router_sinks_want(router) ||
        (router->fabric != NULL && !fabric_may_sleep(router->fabric))) {
        atomic_store_explicit(state, 0, memory_order_relaxed);
        return false;
    }
    timer_set(router, router->fabric ? fabric_deadline_us(router->fabric) : UINT64_MAX);
    awake_count(router, false);
    return true;
}

/* Takes what woke us off epoll's list. */
static void
wake_up(struct router *router)
{
    struct epoll_event events[4];
    uint64_t count;

    atomic_store(&router->segment->ranks[router->local].doorbell.state, 0);
    awake_count(router, true);
    router->kicked = false;
    int ready = epoll_wait(router->epoll_fd, events, 4, 0);
    for (int i = 0; i < ready; i++) {
        int fd = events[i].data.u32 == WOKEN_BELL ? router->bell_fd : router->timer_fd;
        if (events[i].data.u32 != WOKEN_FABRIC && read(fd, &count, sizeof(count)) > 0 &&
            fd == router->timer_fd)
            router->timer_us = UINT64_MAX;  /* it has gone off */
    }
}

/*
 * With a core to itself the agent looks again for a while. When few share the cores it lets the
 * others go first and looks again: what it waits for is on its way through them, and a core with
 * nothing to do falls asleep and takes longer to wake than all of them together (8 bytes between
 * two hosts on two cores: 8 µs one way, against 32). Among many it sleeps.
 */
static bool
spin(const struct router *router, uint32_t idle, uint64_t since_ns)
{
    const struct cpi_host_page *host = router->host;
    int32_t awake = host ? atomic_load_explicit(&host->awake, memory_order_relaxed) : INT32_MAX;

    if (host != NULL && awake <= host->cores) {
        cpi_relax();
        return idle % CLOCK_ROUNDS != CLOCK_ROUNDS - 1 || cpi_clock_ns() - since_ns < SPIN_NS;
    }
    bool few = host != NULL && awake <= CPI_HOST_FEW * host->cores;
    if (!few && idle >= YIELDS)
        return false;
    cpi_yield();
    return !few || cpi_clock_ns() - since_ns < YIELD_NS;
}

void
router_run(struct router *router)
{
    uint64_t start_ns = cpi_clock_ns(), moved_ns = start_ns;
    uint32_t idle = 0;

    assert(!router->running);
    router->running = true;
    wake_up(router);
    for (uint32_t round = 1;; round++) {
        if (work(router)) {
            idle = 0;
        } else {
            if (idle == 0)
                moved_ns = cpi_clock_ns();
            if (!spin(router, idle++, moved_ns)) {
                if (sleep_try(router))
                    break;
                idle = 0;
            }
        }
        if (round % CLOCK_ROUNDS == 0 && cpi_clock_ns() - start_ns >= RUN_NS) {
            kick(router);
            break;
        }
    }
    router->running = false;
}

/* --- sending for handlers --- */

/* A call from outside router_run: there is work again. */
static int
sent_from_outside(struct router *router, int error)
{
    if (!router->running)
        kick(router);
    return error;
}

int
router_send_to_agent(struct router *router, uint32_t peer, const struct cpi_frame *frame)
{
    if (frame->size < sizeof(*frame) || frame->size > router->frame_max ||
        peer >= router->peers || peer == router->peer || router->fabric == NULL)
        return CPMP_EINVAL;
    return sent_from_outside(router, router_link_send(router, peer, frame));
}

int
router_send_to_rank(struct router *router, uint32_t world_rank, const struct cpi_frame *frame)
{
    if (world_rank >= router->world)
        return CPMP_ERANK;
    if (frame->size < sizeof(*frame) || frame->size > router->frame_max)
        return CPMP_EINVAL;
    const struct cpi_place *place = &router->segment->places[world_rank];
    int error = place->peer == router->peer
                    ? router_sink_put(router, place->local, router->peer, frame)
                    : router_link_send(router, place->peer, frame);
    return sent_from_outside(router, error);
}

/* --- looking --- */

static bool
sources_are_empty(const struct router *router)
{
    for (uint32_t local = 0; local < router->local; local++) {
        const struct router_source *source = &router->sources[local];
        const struct cpi_frame *frame = cpi_ring_at(source->ring, router->ring_bytes, source->scan);
        if (!source->faulty &&
            (source->hold_count > 0 || __atomic_load_n(&frame->size, __ATOMIC_ACQUIRE) != 0))
            return false;
    }
    return true;
}

bool
router_is_drained(struct router *router)
{
    for (uint32_t peer = 0; router->links != NULL && peer < router->peers; peer++) {
        const struct router_link *link = &router->links[peer];
        if (link->waiting.first != NULL || link->hauls != NULL ||
            (link->open != NULL && link->open->bytes > 0))
            return false;
    }
    return router->counts.backlog_bytes == 0 && sources_are_empty(router) && !slots_busy(router);
}

void
router_counts(const struct router *router, struct router_counts *counts)
{
    *counts = router->counts;
}

static void
link_check(const struct router *router, const struct router_link *link)
{
    uint32_t busy = 0;

    for (uint32_t i = 0; i < ROUTER_SLOTS; i++) {
        const struct router_slot *slot = &link->slots[i];
        size_t bytes = 0;
        busy += slot->busy;
        for (uint32_t run = 0; run < slot->batch.run_count; run++)
            bytes += slot->batch.runs[run].iov_len;
        assert(bytes == slot->bytes && slot->copied <= slot->bytes);
        assert(slot->batch.run_count <= FABRIC_RUNS_MAX && slot->hold_count <= ROUTER_SLOT_HOLDS);
        assert(slot->busy || slot == link->open || slot->bytes == 0);
    }
    assert(busy == (router->fabric ? fabric_in_flight(router->fabric, link->peer) : 0));
    assert(!link->up || link->queued <= link->granted);
    assert(link->received <= link->advertised && link->advertised <= router_link_grant(link));
    assert(link->waiting.bytes <= ROUTER_QUEUE_MAX);
}

void
router_check(const struct router *router)
{
    uint64_t backlog_bytes = 0;

    for (uint32_t local = 0; local < router->local; local++) {
        const struct router_source *source = &router->sources[local];
        const struct router_sink *sink = &router->sinks[local];
        bool backlogged = (router->backlogged[local / 64] >> (local % 64) & 1) != 0;
        assert(source->released <= source->scan && source->hold_count <= ROUTER_HOLDS);
        assert(source->scan - source->released <= router->ring_bytes);
        assert(backlogged == (sink->backlog.first != NULL));
        backlog_bytes += sink->backlog.bytes;
    }
    assert(backlog_bytes == router->counts.backlog_bytes);
    for (uint32_t peer = 0; router->links != NULL && peer < router->peers; peer++)
        link_check(router, &router->links[peer]);
    (void)backlog_bytes;
}
