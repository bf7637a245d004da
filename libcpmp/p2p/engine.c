/* SPDX-License-Identifier: BSD-3-Clause */
#include "p2p/engine.h"

#include <assert.h>
#include <cpmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "p2p/pair.h"
#include "plat/plat.h"

/* Empty polls of a ring before its bit is cleared: a ping-pong never clears it, and a rank that
 * fell silent costs nothing after a moment. With a core for each rank that is about the time after
 * which a rank sleeps, since the fence then interrupts the others. */
#define IDLE_POLLS      64u
#define IDLE_POLLS_LONE 8192u

/* Frames taken from one ring before the next one has its turn. */
#define DRAIN_FRAMES 64u

struct cpi_engine cpi_engine;
struct cpi_engine_state cpi_state;

/* --- frames out --- */

void
cpi_engine_fail(const char *what)
{
    char text[256];

    snprintf(text, sizeof(text), "rank %d: %s", cpi_engine.rank, what);
    cpi_engine_abort(1, text);
}

void
cpi_pair_mark_busy(struct cpi_pair *pair)
{
    if (pair->busy)
        return;
    pair->busy = true;
    cpi_list_append(&cpi_state.busy, &pair->busy_link);
}

struct cpi_frame *
cpi_frame_begin(struct cpi_pair *pair, enum cpi_frame_kind kind, size_t payload_bytes)
{
    struct cpi_ring *ring = cpi_segment_ring(&cpi_engine.segment, pair->local, cpi_engine.local);
    size_t size = sizeof(struct cpi_frame) + payload_bytes;
    struct cpi_frame *frame = cpi_ring_reserve(ring, cpi_state.ring_bytes, size);

    if (frame == NULL) {
        pair->want_bytes = size;
        return NULL;
    }
    frame->kind = (uint8_t)kind;
    frame->flags = 0;
    frame->incarnation = 0;
    frame->source = (uint32_t)cpi_engine.rank;
    frame->dest = pair->world_rank;
    frame->sequence = ++pair->sent;
    return frame;
}

/* Programs that close whatever descriptors they find close this one too, or put theirs there. */
static void
agent_wake(void)
{
    static bool failed;
    char text[128];

    if (cpi_bell_ring(cpi_engine.bell_fd) == 0 || failed)
        return;
    failed = true;
    snprintf(text, sizeof(text), "this program closed descriptor %d (CPMP_DOORBELL_FD), which its "
             "library needs", cpi_engine.bell_fd);
    cpi_engine_fail(text);
}

static void
wake(uint32_t local)
{
    if (local == cpi_engine.segment.header->local)
        agent_wake();
    else
        cpi_futex_wake(&cpi_engine.segment.ranks[local].doorbell.state, 1);
}

void
cpi_frame_push(struct cpi_pair *pair, struct cpi_frame *frame, size_t payload_bytes)
{
    struct cpi_ring *ring = cpi_segment_ring(&cpi_engine.segment, pair->local, cpi_engine.local);

    cpi_ring_publish(ring, cpi_state.ring_bytes, frame, sizeof(*frame) + payload_bytes);
    if (cpi_inbox_notify(&cpi_engine.segment, pair->local, cpi_engine.local))
        wake(pair->local);
}

/* A frame in its held form; its payload is filled by the caller. */
static struct cpi_held *
held_new(struct cpi_pair *pair, enum cpi_frame_kind kind, size_t payload_bytes)
{
    struct cpi_held *held = malloc(sizeof(*held) + payload_bytes);

    if (held == NULL)
        return NULL;
    held->frame = (struct cpi_frame){
        .kind = (uint8_t)kind, .size = (uint32_t)(sizeof(struct cpi_frame) + payload_bytes)};
    cpi_list_append(&pair->held, &held->link);
    cpi_pair_mark_busy(pair);
    return held;
}

/* Copies the bytes [offset, offset + bytes) of the pieces laid end to end. */
static void
pieces_copy(char *out, const struct cpi_piece *pieces, unsigned count, size_t offset, size_t bytes)
{
    for (unsigned i = 0; i < count && bytes > 0; i++) {
        if (offset >= pieces[i].bytes) {
            offset -= pieces[i].bytes;
            continue;
        }
        size_t part = pieces[i].bytes - offset < bytes ? pieces[i].bytes - offset : bytes;
        memcpy(out, (const char *)pieces[i].base + offset, part);
        out += part;
        bytes -= part;
        offset = 0;
    }
}

/* What to do with a frame that finds no room. */
enum no_room { HOLD, GIVE_UP };

/* Sends one frame with `bytes` of the pieces from `offset` on. False without memory to hold it, or
 * when giving up. */
static bool
frame_send(struct cpi_pair *pair, const struct cpi_frame *fields, const struct cpi_piece *pieces,
           unsigned count, size_t offset, size_t bytes, enum no_room no_room)
{
    struct cpi_frame *frame = NULL;
    struct cpi_held *held = NULL;

    if (cpi_list_empty(&pair->held))
        frame = cpi_frame_begin(pair, fields->kind, bytes);
    if (frame == NULL && no_room == HOLD)
        held = held_new(pair, fields->kind, bytes);
    if (frame == NULL && held == NULL)
        return false;
    struct cpi_frame *head = frame != NULL ? frame : &held->frame;
    head->context = fields->context;
    head->tag = fields->tag;
    head->length = fields->length;
    head->handle = fields->handle;
    pieces_copy(frame != NULL ? (char *)(frame + 1) : held->payload, pieces, count, offset, bytes);
    if (frame != NULL)
        cpi_frame_push(pair, frame, bytes);
    return true;
}

void
cpi_control_send(struct cpi_pair *pair, enum cpi_frame_kind kind, uint64_t length, uint64_t handle,
                 const void *payload, size_t payload_bytes)
{
    struct cpi_frame fields = {.kind = (uint8_t)kind, .length = length, .handle = handle};
    struct cpi_piece piece = {payload, payload_bytes};

    if (!frame_send(pair, &fields, &piece, 1, 0, payload_bytes, HOLD))
        cpi_engine_fail("out of memory for a control frame");
}

bool
cpi_control_try(struct cpi_pair *pair, enum cpi_frame_kind kind, uint64_t length, uint64_t handle,
                const void *payload, size_t payload_bytes)
{
    struct cpi_frame fields = {.kind = (uint8_t)kind, .length = length, .handle = handle};
    struct cpi_piece piece = {payload, payload_bytes};

    return frame_send(pair, &fields, &piece, 1, 0, payload_bytes, GIVE_UP);
}

int
cpi_engine_agent_send(enum cpi_frame_kind kind, int32_t tag, uint64_t handle,
                      const struct cpi_piece *pieces, unsigned count)
{
    struct cpi_frame fields = {.kind = (uint8_t)kind, .tag = tag, .handle = handle};
    size_t offset = 0;

    if (cpi_engine.alone)
        return CPMP_ENOSUP;
    for (unsigned i = 0; i < count; i++)
        fields.length += pieces[i].bytes;
    do {
        size_t part = fields.length - offset;
        if (part > cpi_state.payload_max)
            part = cpi_state.payload_max;
        fields.context = (uint32_t)offset;
        if (!frame_send(&cpi_state.agent, &fields, pieces, count, offset, part, HOLD))
            return CPMP_ENOMEM;
        offset += part;
    } while (offset < fields.length);
    return CPMP_OK;
}

void
cpi_engine_agent_wake(void)
{
    if (!cpi_engine.alone)
        agent_wake();
}

/* --- frames in --- */

static void
frame_dispatch(const struct cpi_frame *frame)
{
    if (frame->source == CPI_RANK_AGENT || frame->kind >= CPI_FRAME_VAR_CALL) {
        const struct cpi_frame_handler *handler = &cpi_state.handlers[frame->kind];
        if (handler->fn != NULL)
            handler->fn(frame, handler->arg);
        return;
    }
    struct cpi_pair *pair = &cpi_state.pairs[frame->source];
    if (frame->sequence <= pair->received)
        return;  /* a duplicate: it was taken before */
    if (frame->sequence != pair->received + 1)
        cpi_engine_fail("a frame was lost on the way");
    pair->received = frame->sequence;
    switch (frame->kind) {
    case CPI_FRAME_EAGER:
    case CPI_FRAME_MORE:
    case CPI_FRAME_RTS:
    case CPI_FRAME_DATA:
        cpi_recv_on_frame(pair, frame);
        break;
    default:
        cpi_send_on_frame(pair, frame);
    }
}

static void
source_release(uint32_t sender, struct cpi_source *source)
{
    source->released = source->position;
    if (cpi_inbox_release(&cpi_engine.segment, cpi_engine.local, sender, source->position))
        wake(sender);
}

/* The ring has been silent for a while: stop polling it until the sender says otherwise. */
static void
source_rest(uint32_t sender, struct cpi_source *source, struct cpi_ring *ring)
{
    _Atomic uint64_t *word = &cpi_engine.segment.inboxes[cpi_engine.local].bits[sender / 64];
    uint64_t bit = 1ull << (sender % 64);

    source->idle_polls = 0;
    atomic_fetch_and(word, ~bit);
    cpi_inbox_fence(&cpi_engine.segment);
    if (cpi_ring_peek(ring, cpi_state.ring_bytes, &source->position) != NULL)
        atomic_fetch_or(word, bit);
}

static bool
source_drain(uint32_t sender)
{
    struct cpi_source *source = &cpi_state.sources[sender];
    struct cpi_ring *ring = cpi_segment_ring(&cpi_engine.segment, cpi_engine.local, sender);
    const struct cpi_frame *frame = cpi_ring_peek(ring, cpi_state.ring_bytes, &source->position);

    if (frame == NULL) {
        if (++source->idle_polls >=
            (cpi_engine.segment.header->lone_fence != 0 ? IDLE_POLLS_LONE : IDLE_POLLS))
            source_rest(sender, source, ring);
        return false;
    }
    source->idle_polls = 0;
    for (unsigned i = 0; frame != NULL && i < DRAIN_FRAMES; i++) {
        source->position = cpi_ring_after(source->position, frame);
        frame_dispatch(frame);
        if (source->position - source->released >= cpi_ring_lazy_bytes(cpi_state.ring_bytes))
            source_release(sender, source);
        /* With no receive posted the next message would be kept aside: better it waits where it is.
         * And a single one need not pay for a look at the line that the sender has just touched. */
        if (cpi_state.match.posted_count == 0)
            break;
        frame = cpi_ring_peek(ring, cpi_state.ring_bytes, &source->position);
    }
    return true;
}

/* --- progress --- */

static bool
inbox_drain(void)
{
    _Atomic uint64_t *bits = cpi_engine.segment.inboxes[cpi_engine.local].bits;
    uint32_t words = (cpi_engine.segment.header->local + 1 + 63) / 64;
    bool moved = false;

    for (uint32_t word = 0; word < words; word++) {
        uint64_t left = atomic_load_explicit(&bits[word], memory_order_relaxed);
        for (; left != 0; left &= left - 1)
            moved |= source_drain(word * 64 + (uint32_t)__builtin_ctzll(left));
    }
    return moved;
}

static bool
busy_flush(void)
{
    bool moved = false;

    CPI_LIST_FOR_SAFE(link, &cpi_state.busy)
    {
        struct cpi_pair *pair = CPI_CONTAINER(link, struct cpi_pair, busy_link);
        pair->want_bytes = 0;
        moved |= cpi_send_flush(pair);
        if (cpi_list_empty(&pair->held) && cpi_list_empty(&pair->queue) &&
            cpi_list_empty(&pair->streams) && pair->share_in == NULL && pair->share_out == NULL) {
            cpi_list_remove(&pair->busy_link);
            pair->busy = false;
        }
    }
    return moved;
}

bool
cpi_engine_progress(void)
{
    bool moved = inbox_drain();

    if (!cpi_list_empty(&cpi_state.busy))
        moved |= busy_flush();
    CPI_LIST_FOR_SAFE(link, &cpi_state.hooks)
    {
        struct cpi_hook *hook = CPI_CONTAINER(link, struct cpi_hook, link);
        moved |= hook->run(hook);
    }
    if (cpi_state.after != NULL)
        moved |= cpi_state.after();
    return moved;
}

void
cpi_engine_set_after(bool (*run)(void))
{
    cpi_state.after = run;
}

void
cpi_engine_hook_add(struct cpi_hook *hook)
{
    cpi_list_append(&cpi_state.hooks, &hook->link);
}

void
cpi_engine_hook_remove(struct cpi_hook *hook)
{
    cpi_list_remove(&hook->link);
}

void
cpi_engine_on_frame(enum cpi_frame_kind kind, cpi_frame_fn *fn, void *arg)
{
    assert(kind > CPI_FRAME_NONE && kind < CPI_FRAME_KIND_END);
    cpi_state.handlers[kind] = (struct cpi_frame_handler){fn, arg};
}

bool
cpi_engine_is_local(int world_rank, uint32_t *local_p)
{
    const struct cpi_place *place = &cpi_engine.segment.places[world_rank];

    if (place->peer != cpi_engine.segment.header->peer)
        return false;
    *local_p = place->local;
    return true;
}

bool
cpi_engine_pending(void)
{
    _Atomic uint64_t *bits = cpi_engine.segment.inboxes[cpi_engine.local].bits;
    uint32_t words = (cpi_engine.segment.header->local + 1 + 63) / 64;

    for (uint32_t word = 0; word < words; word++) {
        uint64_t left = atomic_load_explicit(&bits[word], memory_order_relaxed);
        for (; left != 0; left &= left - 1) {
            uint32_t sender = word * 64 + (uint32_t)__builtin_ctzll(left);
            struct cpi_ring *ring = cpi_segment_ring(&cpi_engine.segment, cpi_engine.local, sender);
            if (cpi_ring_peek(ring, cpi_state.ring_bytes, &cpi_state.sources[sender].position))
                return true;
        }
    }
    return false;
}

bool
cpi_engine_room_wanted(void)
{
    CPI_LIST_FOR(link, &cpi_state.busy)
    {
        struct cpi_pair *pair = CPI_CONTAINER(link, struct cpi_pair, busy_link);
        struct cpi_ring *ring =
            cpi_segment_ring(&cpi_engine.segment, pair->local, cpi_engine.local);
        if (pair->want_bytes > 0 && !cpi_ring_want(ring, cpi_state.ring_bytes, pair->want_bytes))
            return false;
    }
    return true;
}
