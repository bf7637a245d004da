/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent/router_direct.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "plat/plat.h"

/* --- ring space --- */

/* Gives the ring back as far as nothing is under way from it. Lazily: each time costs the rank a
 * cache miss (ring.h tells why that holds nobody up). */
static void
source_release(struct router *router, struct router_source *source)
{
    while (source->hold_count > 0 && source->holds[source->hold_first % ROUTER_HOLDS].done) {
        source->hold_first++;
        source->hold_count--;
    }
    uint64_t position = source->hold_count > 0
                            ? source->holds[source->hold_first % ROUTER_HOLDS].position
                            : source->scan;
    if (position - source->released < cpi_ring_lazy_bytes(router->ring_bytes))
        return;
    source->released = position;
    if (cpi_inbox_release(router->segment, router->local, source->local, position))
        cpi_futex_wake(&router->segment->ranks[source->local].doorbell.state, 1);
}

static uint32_t
source_hold(struct router_source *source, uint64_t position)
{
    uint32_t hold = source->hold_first + source->hold_count++;

    assert(source->hold_count <= ROUTER_HOLDS);
    source->holds[hold % ROUTER_HOLDS] = (struct router_hold){.position = position};
    return hold;
}

/* --- slots --- */

static void
slot_reset(struct router *router, struct router_slot *slot)
{
    for (uint32_t i = 0; i < slot->hold_count; i++) {
        struct router_source *source = slot->holds[i].source;
        source->holds[slot->holds[i].hold % ROUTER_HOLDS].done = true;
        source_release(router, source);
    }
    slot->busy = false;
    slot->bytes = slot->copied = slot->hold_count = 0;
    slot->batch.run_count = slot->batch.frames = 0;
}

struct router_slot *
router_slot_free(struct router_link *link)
{
    for (uint32_t i = 0; i < ROUTER_SLOTS; i++)
        if (!link->slots[i].busy && &link->slots[i] != link->open)
            return &link->slots[i];
    return NULL;
}

uint64_t
router_link_grant(const struct router_link *link)
{
    return link->received - link->backlog_bytes + link->window;
}

static bool
slot_send(struct router *router, struct router_link *link, struct router_slot *slot)
{
    slot->batch.grant = router_link_grant(link);
    if (fabric_send(router->fabric, link->peer, &slot->batch) != CPMP_OK)
        return false;
    slot->busy = true;
    link->advertised = slot->batch.grant;
    if (slot == link->open)
        link->open = NULL;
    return true;
}

static struct iovec *
slot_last_run(struct router_slot *slot)
{
    return slot->batch.run_count > 0 ? &slot->batch.runs[slot->batch.run_count - 1] : NULL;
}

/* Does the batch end where `start` begins? Then bytes there make its last run longer. */
static bool
slot_continues(struct router_slot *slot, const void *start)
{
    const struct iovec *run = slot_last_run(slot);

    return run != NULL && (const char *)run->iov_base + run->iov_len == (const char *)start;
}

static bool
slot_has_room(struct router_slot *slot, const void *start, size_t stride)
{
    const void *at = start ? start : slot->copy + slot->copied;

    return slot->bytes + stride <= CPI_BATCH_FRAME_BYTES_MAX &&
           (start || slot->copied + stride <= ROUTER_COPY_BYTES) &&
           (slot->batch.run_count < FABRIC_RUNS_MAX || slot_continues(slot, at));
}

/* The open slot, with room for a frame at `start` in its ring, or, if that is NULL, in its copy
 * buffer. NULL when all is under way. */
static inline struct router_slot *
slot_with_room(struct router *router, struct router_link *link, const void *start, size_t stride)
{
    for (;;) {
        if (link->open == NULL)
            link->open = router_slot_free(link);
        if (link->open == NULL)
            return NULL;
        if (slot_has_room(link->open, start, stride))
            return link->open;
        if (!slot_send(router, link, link->open))
            return NULL;
    }
}

static void
slot_append(struct router_link *link, struct router_slot *slot, void *start, size_t stride)
{
    if (slot_continues(slot, start))
        slot_last_run(slot)->iov_len += stride;
    else
        slot->batch.runs[slot->batch.run_count++] = (struct iovec){start, stride};
    slot->bytes += (uint32_t)stride;
    slot->batch.frames++;
    link->queued += stride;
}

void
router_slot_cargo(struct router *router, struct router_link *link, struct router_slot *slot,
                  struct cpi_frame *frame)
{
    slot_append(link, slot, frame, cpi_frame_stride(frame->size));
    if (slot_send(router, link, slot))
        return;
    router_cargo_release(link, slot);  /* the connection is about to be lost */
    slot_reset(router, slot);
}

static bool
link_allows(const struct router_link *link, size_t stride)
{
    return link->up && link->queued + stride <= link->granted;
}

/* Room for a copy of a frame in the open batch, NULL when there is none now. */
static char *
link_copy_room(struct router *router, struct router_link *link, size_t stride)
{
    if (!link_allows(link, stride))
        return NULL;
    struct router_slot *slot = slot_with_room(router, link, NULL, stride);
    if (slot == NULL)
        return NULL;
    char *start = slot->copy + slot->copied;
    slot_append(link, slot, start, stride);
    slot->copied += (uint32_t)stride;
    return start;
}

/* A long frame goes as it lies in its ring, under a hold; the holds of a batch are one for each
 * run. */
static bool
link_refer(struct router *router, struct router_link *link, struct router_source *source,
           struct cpi_frame *frame, size_t stride)
{
    if (!link_allows(link, stride))
        return false;
    struct router_slot *slot = slot_with_room(router, link, frame, stride);
    if (slot == NULL)
        return false;
    if (!slot_continues(slot, frame)) {
        slot->holds[slot->hold_count].source = source;
        slot->holds[slot->hold_count++].hold = source_hold(source, source->scan);
    }
    slot_append(link, slot, frame, stride);
    return true;
}

/* --- from rings --- */

static void
source_fault(struct router *router, struct router_source *source, const char *why)
{
    source->faulty = true;
    router->events.faulty(router->arg, source->local, why);
}

/*
 * The frame at `scan`, NULL when there is none, and its header as it was at one moment: the rank
 * can write there at any time, so nothing read from the ring a second time is to be relied on. A
 * rank is foreign code; it may harm its own job, not its agent.
 */
static struct cpi_frame *
source_next(struct router *router, struct router_source *source, struct cpi_frame *header)
{
    for (;;) {
        size_t place = source->scan & (router->ring_bytes - 1);
        struct cpi_frame *frame = cpi_ring_at(source->ring, router->ring_bytes, source->scan);
        uint32_t size = __atomic_load_n(&frame->size, __ATOMIC_ACQUIRE);
        if (size == 0)
            return NULL;
        memcpy(header, frame, sizeof(*header));
        header->size = size;
        if (header->kind == CPI_FRAME_PAD) {
            if (size % CPI_FRAME_ALIGN != 0 || size >= router->frame_max ||
                place + size != router->ring_bytes) {
                source_fault(router, source, "a pad in its ring does not end at the ring's end");
                return NULL;
            }
            source->scan += size;
            continue;
        }
        if (size > router->frame_max || place + cpi_frame_stride(size) > router->ring_bytes ||
            cpi_frame_check(header, size, router->world) != CPMP_OK) {
            source_fault(router, source, "what it wrote into its ring to the agent is no frame");
            return NULL;
        }
        if (header->source != source->world_rank) {
            source_fault(router, source, "it sent a frame in the name of another rank");
            return NULL;
        }
        return frame;
    }
}

/* A frame that stays on this peer: copied first, so that its reader sees what was checked. */
static void
source_deliver_here(struct router *router, struct cpi_frame *frame, const struct cpi_frame *header)
{
    memcpy(router->scratch, frame, header->size);
    memcpy(router->scratch, header, sizeof(*header));
    if (header->dest == CPI_RANK_AGENT)
        router_handle(router, router->peer, router->scratch);
    else if (router_sink_put(router, router->segment->places[header->dest].local, router->peer,
                             router->scratch) != CPMP_OK)
        router->counts.frames_dropped++;
}

static bool
source_forward(struct router *router, struct router_source *source, struct cpi_frame *frame,
               const struct cpi_frame *header)
{
    size_t stride = cpi_frame_stride(header->size);
    uint32_t peer = header->dest == CPI_RANK_AGENT ? router->peer
                                                   : router->segment->places[header->dest].peer;

    if (peer == router->peer) {
        source_deliver_here(router, frame, header);
        return true;
    }
    struct router_link *link = &router->links[peer];
    if (link->lost) {
        router->counts.frames_dropped++;
        return true;
    }
    if (stride > ROUTER_COPY_MAX && source->hold_count < ROUTER_HOLDS) {
        if (!link_refer(router, link, source, frame, stride))
            return false;
    } else {
        char *room = link_copy_room(router, link, stride);
        if (room == NULL)
            return false;
        memcpy(room, header, sizeof(*header));
        memcpy(room + sizeof(*header), frame + 1, stride - sizeof(*header));
    }
    router->counts.frames_out++;
    return true;
}

/* Takes frames until the ring is empty, or stands still for want of room; in one go no more than
 * the ring can hold, so that a busy rank doesn't starve the others. */
static bool
source_drain(struct router *router, struct router_source *source)
{
    uint64_t start = source->scan;
    struct cpi_frame header;
    bool waits = false;

    while (!source->faulty && source->scan - start < router->ring_bytes) {
        struct cpi_frame *frame = source_next(router, source, &header);
        if (frame == NULL)
            break;
        waits = !source_forward(router, source, frame, &header);
        if (waits)
            break;
        source->scan += cpi_frame_stride(header.size);
    }
    bool again = waits || (!source->faulty && source->scan - start >= router->ring_bytes);
    uint64_t bit = 1ull << (source->local % 64);
    if (again)
        router->active[source->local / 64] |= bit;
    else
        router->active[source->local / 64] &= ~bit;
    if (source->scan == start)
        return false;
    source_release(router, source);
    return true;
}

bool
router_sources_drain(struct router *router)
{
    _Atomic uint64_t *bits = router->segment->inboxes[router->local].bits;
    bool moved = false;

    for (uint32_t word = 0; word < router->words; word++) {
        uint64_t left = atomic_load_explicit(&bits[word], memory_order_relaxed) |
                        router->active[word];
        for (; left != 0; left &= left - 1) {
            uint32_t local = word * 64 + (uint32_t)__builtin_ctzll(left);
            if (local < router->local)
                moved |= source_drain(router, &router->sources[local]);
        }
    }
    return moved;
}

/* --- from handlers --- */

static bool
link_copy(struct router *router, struct router_link *link, const struct cpi_frame *frame)
{
    size_t stride = cpi_frame_stride(frame->size);
    char *room = link_copy_room(router, link, stride);

    if (room == NULL)
        return false;
    memcpy(room, frame, frame->size);
    memset(room + frame->size, 0, stride - frame->size);
    router->counts.frames_out++;
    return true;
}

int
router_link_send(struct router *router, uint32_t peer, const struct cpi_frame *frame)
{
    struct router_link *link = &router->links[peer];
    struct router_entry entry = {.stride = (uint32_t)cpi_frame_stride(frame->size), .peer = peer};

    if (link->lost)
        return CPMP_EPEER;
    if (link->waiting.first == NULL && link_copy(router, link, frame))
        return CPMP_OK;
    if (link->waiting.bytes + entry.stride > ROUTER_QUEUE_MAX)
        return CPMP_EAGAIN;
    return router_queue_put(&link->waiting, &entry, frame) ? CPMP_OK : CPMP_ENOMEM;
}

static bool
link_waiting_drain(struct router *router, struct router_link *link)
{
    struct router_entry entry;
    const struct cpi_frame *frame;
    bool moved = false;

    while ((frame = router_queue_first(&link->waiting, &entry)) != NULL &&
           link_copy(router, link, frame)) {
        router_queue_drop(&link->waiting);
        moved = true;
    }
    return moved;
}

/* --- sending --- */

/* Half a window of grants that the other side doesn't know about is worth a batch of its own. */
static bool
link_grant_due(const struct router_link *link)
{
    return router_link_grant(link) - link->advertised >= link->window / 2;
}

static bool
link_flush(struct router *router, struct router_link *link)
{
    bool moved = link_waiting_drain(router, link);
    struct router_slot *open = link->open;

    if (open != NULL && open->bytes > 0) {
        if (fabric_in_flight(router->fabric, link->peer) == 0 || open->bytes >= ROUTER_EAGER_BYTES)
            moved |= slot_send(router, link, open);
    } else if (link_grant_due(link)) {
        struct router_slot *slot = open ? open : router_slot_free(link);
        moved |= slot != NULL && slot_send(router, link, slot);
    }
    return router_cargo_send(router, link) || moved;
}

bool
router_links_flush(struct router *router)
{
    bool moved = false;

    for (uint32_t peer = 0; router->fabric != NULL && peer < router->peers; peer++)
        if (router->links[peer].up)
            moved |= link_flush(router, &router->links[peer]);
    return moved;
}

/* --- events of the fabric --- */

void
router_link_up(void *arg, uint32_t peer)
{
    struct router *router = arg;
    struct router_link *link = &router->links[peer];

    assert(!link->up && link->open == NULL);
    if (link->copies == NULL)
        link->copies = malloc(ROUTER_SLOTS * ROUTER_COPY_BYTES + CPI_FRAME_ALIGN);
    if (link->cargoes == NULL)
        link->cargoes = aligned_alloc(CPI_FRAME_ALIGN, ROUTER_CARGOES * ROUTER_CARGO_BYTES);
    if (link->copies == NULL || link->cargoes == NULL) {
        fabric_disconnect(router->fabric, peer);
        router_link_lost(router, peer, CPMP_ENOMEM, "out of memory for a connection");
        return;
    }
    for (uint32_t i = 0; i < ROUTER_SLOTS; i++)
        link->slots[i].copy = link->copies + i * ROUTER_COPY_BYTES;
    link->up = true;
    link->lost = false;
    link->epoch++;
    link->queued = link->granted = link->received = link->advertised = link->backlog_bytes = 0;
    /* The first grant, and of the connecting side the proof. */
    slot_send(router, link, router_slot_free(link));
}

void
router_link_sent(void *arg, uint32_t peer, struct fabric_batch *batch)
{
    struct router *router = arg;
    struct router_slot *slot = CPI_CONTAINER(batch, struct router_slot, batch);

    assert(slot->busy && slot != router->links[peer].open);
    router_cargo_release(&router->links[peer], slot);
    slot_reset(router, slot);
}

void
router_link_lost(void *arg, uint32_t peer, int error, const char *why)
{
    struct router *router = arg;
    struct router_link *link = &router->links[peer];
    struct router_entry entry;

    link->up = false;
    link->lost = true;
    if (link->open != NULL) {
        router->counts.frames_dropped += link->open->batch.frames;
        slot_reset(router, link->open);
        link->open = NULL;
    }
    while (router_queue_first(&link->waiting, &entry) != NULL) {
        router_queue_drop(&link->waiting);
        router->counts.frames_dropped++;
    }
    router_link_hauls_drop(router, link);
    if (router->events.lost != NULL)
        router->events.lost(router->arg, peer, error, why);
}
