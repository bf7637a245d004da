/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent/router_direct.h"

#include <assert.h>
#include <string.h>

#include "plat/plat.h"

void
router_handle(struct router *router, uint32_t peer, const struct cpi_frame *frame)
{
    const struct router_handler *handler = &router->handlers[frame->kind];

    if (handler->fn != NULL)
        handler->fn(handler->arg, peer, frame);
    else
        router->counts.frames_dropped++;
}

/* --- into rings --- */

static void
bit_set(uint64_t *words, uint32_t index)
{
    words[index / 64] |= 1ull << (index % 64);
}

/* False when the ring is full. */
static inline bool
ring_put(struct router *router, uint32_t local, const struct cpi_frame *frame)
{
    struct router_sink *sink = &router->sinks[local];
    struct cpi_frame *room = cpi_ring_reserve(sink->ring, router->ring_bytes, frame->size);

    if (room == NULL)
        return false;
    memcpy((char *)room + sizeof(room->size), (const char *)frame + sizeof(frame->size),
           frame->size - sizeof(frame->size));
    cpi_ring_publish(sink->ring, router->ring_bytes, room, frame->size);
    bit_set(router->dirty, local);
    return true;
}

int
router_sink_put(struct router *router, uint32_t local, uint32_t peer,
                const struct cpi_frame *frame)
{
    struct router_sink *sink = &router->sinks[local];

    if (sink->backlog.first == NULL && ring_put(router, local, frame))
        return CPMP_OK;
    struct router_link *link = peer == router->peer ? NULL : &router->links[peer];
    struct router_entry entry = {
        .stride = (uint32_t)cpi_frame_stride(frame->size),
        .peer = peer,
        .epoch = link ? link->epoch : 0,
    };
    if (!router_queue_put(&sink->backlog, &entry, frame))
        return CPMP_ENOMEM;
    bit_set(router->backlogged, local);
    if (link != NULL)
        link->backlog_bytes += entry.stride;
    struct router_counts *counts = &router->counts;
    counts->backlog_bytes += entry.stride;
    if (counts->backlog_bytes > counts->backlog_bytes_max)
        counts->backlog_bytes_max = counts->backlog_bytes;
    return CPMP_OK;
}

static bool
sink_drain(struct router *router, uint32_t local)
{
    struct router_sink *sink = &router->sinks[local];
    const struct cpi_frame *frame;
    struct router_entry entry;
    bool moved = false;

    while ((frame = router_queue_first(&sink->backlog, &entry)) != NULL &&
           ring_put(router, local, frame)) {
        struct router_link *link = entry.peer == router->peer ? NULL : &router->links[entry.peer];
        if (link != NULL && link->epoch == entry.epoch)
            link->backlog_bytes -= entry.stride;
        router->counts.backlog_bytes -= entry.stride;
        router_queue_drop(&sink->backlog);
        moved = true;
    }
    if (sink->backlog.first == NULL)
        router->backlogged[local / 64] &= ~(1ull << (local % 64));
    return moved;
}

bool
router_sinks_drain(struct router *router)
{
    bool moved = false;

    for (uint32_t word = 0; word < router->words; word++)
        for (uint64_t left = router->backlogged[word]; left != 0; left &= left - 1)
            moved |= sink_drain(router, word * 64 + (uint32_t)__builtin_ctzll(left));
    return moved;
}

bool
router_sinks_want(struct router *router)
{
    for (uint32_t word = 0; word < router->words; word++) {
        for (uint64_t left = router->backlogged[word]; left != 0; left &= left - 1) {
            struct router_sink *sink = &router->sinks[word * 64 + (uint32_t)__builtin_ctzll(left)];
            struct router_entry entry;
            const struct cpi_frame *frame = router_queue_first(&sink->backlog, &entry);
            if (!cpi_ring_want(sink->ring, router->ring_bytes, frame->size))
                return false;
        }
    }
    return true;
}

void
router_sinks_notify(struct router *router)
{
    for (uint32_t word = 0; word < router->words; word++) {
        uint64_t left = router->dirty[word];
        router->dirty[word] = 0;
        for (; left != 0; left &= left - 1) {
            uint32_t local = word * 64 + (uint32_t)__builtin_ctzll(left);
            if (cpi_inbox_notify(router->segment, local, router->local))
                cpi_futex_wake(&router->segment->ranks[local].doorbell.state, 1);
        }
    }
}

/* --- from connections --- */

/* Frames that never leave their host. */
static inline bool
is_between_rank_and_agent(unsigned kind)
{
    return kind == CPI_FRAME_REACH || kind == CPI_FRAME_LAND || kind == CPI_FRAME_HAUL ||
           kind == CPI_FRAME_MOVED;
}

/* May this frame come from `peer`? Its form has been checked. */
static inline bool
frame_belongs(const struct router *router, uint32_t peer, const struct cpi_frame *frame)
{
    const struct cpi_place *places = router->segment->places;

    if (frame->kind == CPI_FRAME_CARGO)
        return frame->dest == CPI_RANK_AGENT && frame->source != CPI_RANK_AGENT &&
               places[frame->source].peer == peer;
    if (frame->size > router->frame_max || is_between_rank_and_agent(frame->kind))
        return false;
    if (frame->source != CPI_RANK_AGENT && places[frame->source].peer != peer)
        return false;
    return frame->dest == CPI_RANK_AGENT || places[frame->dest].peer == router->peer;
}

/* An old incarnation's frames are dropped, whatever they say: its place has been taken. */
static inline bool
frame_is_current(struct router *router, const struct cpi_frame *frame)
{
    if (frame->source == CPI_RANK_AGENT)
        return true;
    uint16_t *known = &router->incarnations[frame->source];
    if (frame->incarnation < *known) {
        router->counts.frames_dropped++;
        return false;
    }
    *known = frame->incarnation;
    return true;
}

static int
frames_deliver(struct router *router, uint32_t peer, const struct cpi_batch *batch)
{
    struct cpi_batch_reader reader;
    const struct cpi_frame *frame;

    cpi_batch_reader_init(&reader, batch);
    for (;;) {
        int error = cpi_batch_next(&reader, router->world, &frame);
        if (error != CPMP_OK || frame == NULL)
            return error;
        if (!frame_belongs(router, peer, frame))
            return CPMP_EPROTO;
        router->counts.frames_in++;
        if (!frame_is_current(router, frame))
            continue;
        if (frame->dest == CPI_RANK_AGENT) {
            error = frame->kind == CPI_FRAME_CARGO ? router_cargo_take(router, frame) : CPMP_OK;
            if (error != CPMP_OK)
                return error;
            if (frame->kind != CPI_FRAME_CARGO)
                router_handle(router, peer, frame);
            continue;
        }
        error = router_sink_put(router, router->segment->places[frame->dest].local, peer, frame);
        if (error != CPMP_OK)
            return error;
    }
}

int
router_link_received(void *arg, uint32_t peer, const struct cpi_batch *batch)
{
    struct router *router = arg;
    struct router_link *link = &router->links[peer];

    assert(link->up);
    if (batch->bytes > link->advertised - link->received)
        return CPMP_EPROTO;  /* more than was granted */
    link->received += batch->bytes;
    if (batch->grant > link->granted)
        link->granted = batch->grant;
    return frames_deliver(router, peer, batch);
}
