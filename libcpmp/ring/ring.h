/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_RING_RING_H
#define CPI_RING_RING_H

/*
 * A ring of frames in shared memory: one writer, one reader, no lock, no system call.
 *
 * A frame is there when its `size` is not 0: the writer stores it last. Before that it has set the
 * size word of the place that follows to 0, so the reader never takes old bytes for a frame (for
 * frames of one size it did so in advance: its core has that line by then, and need not wait).
 * Hence one cache line moves per short message, and the reader polls the very line that brings it.
 * The reader's `head` tells what may be overwritten; the writer reads it only when its own copy
 * says "full". Frames do not wrap: a PAD frame fills the end. One place stays free for the 0 word.
 *
 * Positions count bytes since the start and never wrap (64 bits); place = position & (bytes - 1).
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/frame.h"

struct cpi_ring {
    /* the writer's line */
    _Alignas(64) uint64_t tail;      /* next position to write */
    uint64_t head_seen;              /* the last head it read */
    uint64_t cleared;                /* this position's size word is 0 already */
    /* the reader's line */
    _Alignas(64) _Atomic uint64_t head;
    /* both, seldom: 1 when the writer found the ring full and wants to be woken */
    _Alignas(64) _Atomic uint32_t wanted;
    /* of a message that both sides copy (p2p/copy.c): number of the transfer << 32 | chunks */
    _Alignas(64) _Atomic uint64_t chunks_taken;
    _Atomic uint64_t chunks_done;
    _Alignas(64) char data[];        /* ring_bytes of them */
};

/* Largest frame that fits a ring of `ring_bytes`: a quarter, so that writer and reader overlap. */
static inline size_t
cpi_ring_frame_max(size_t ring_bytes)
{
    size_t quarter = ring_bytes / 4;
    return quarter < CPI_FRAME_MAX ? quarter : CPI_FRAME_MAX;
}

static inline struct cpi_frame *
cpi_ring_at(struct cpi_ring *ring, size_t ring_bytes, uint64_t position)
{
    return (struct cpi_frame *)(ring->data + (position & (ring_bytes - 1)));
}

/* Slow parts of reserve: reads the reader's head again, pads the end. NULL: there is no room. */
struct cpi_frame *cpi_ring_reserve_slow(struct cpi_ring *ring, size_t ring_bytes, size_t size);

/* Room for a frame of `size` bytes (header included, at most cpi_ring_frame_max), or NULL when the
 * ring is full. Fill everything but `size`, then cpi_ring_publish. One at most is reserved. */
static inline struct cpi_frame *
cpi_ring_reserve(struct cpi_ring *ring, size_t ring_bytes, size_t size)
{
    size_t stride = cpi_frame_stride(size);
    size_t place = ring->tail & (ring_bytes - 1);

    if (__builtin_expect(place + stride > ring_bytes ||
                         ring->tail + stride + CPI_FRAME_ALIGN > ring->head_seen + ring_bytes, 0))
        return cpi_ring_reserve_slow(ring, ring_bytes, size);
    return (struct cpi_frame *)(ring->data + place);
}

/* Make the reserved frame visible; `size` is what was reserved. */
static inline void
cpi_ring_publish(struct cpi_ring *ring, size_t ring_bytes, struct cpi_frame *frame, size_t size)
{
    size_t stride = cpi_frame_stride(size);
    uint64_t next = ring->tail + stride, after = next + stride;

    if (__builtin_expect(ring->cleared != next, 0))
        __atomic_store_n(&cpi_ring_at(ring, ring_bytes, next)->size, 0, __ATOMIC_RELAXED);
    ring->tail = next;
    __atomic_store_n(&frame->size, (uint32_t)size, __ATOMIC_RELEASE);
    if (after + CPI_FRAME_ALIGN <= ring->head_seen + ring_bytes) {
        __atomic_store_n(&cpi_ring_at(ring, ring_bytes, after)->size, 0, __ATOMIC_RELAXED);
        ring->cleared = after;
    }
}

/* The frame at `position` (a value of head, or what cpi_ring_after gave), or NULL when it has not
 * been written yet. Never returns a PAD: *position_p is moved past it. Reader only. */
static inline struct cpi_frame *
cpi_ring_peek(struct cpi_ring *ring, size_t ring_bytes, uint64_t *position_p)
{
    for (;;) {
        struct cpi_frame *frame = cpi_ring_at(ring, ring_bytes, *position_p);
        uint32_t size = __atomic_load_n(&frame->size, __ATOMIC_ACQUIRE);
        if (size == 0)
            return NULL;
        if (__builtin_expect(frame->kind != CPI_FRAME_PAD, 1))
            return frame;
        *position_p += cpi_frame_stride(size);
    }
}

static inline uint64_t
cpi_ring_after(uint64_t position, const struct cpi_frame *frame)
{
    return position + cpi_frame_stride(frame->size);
}

/* Give everything before `position` back to the writer. Reader only. A reader may be lazy and keep
 * up to an eighth of the ring (cpi_ring_lazy_bytes) back; the largest frame still fits. When a
 * writer may be asleep for want of room use cpi_inbox_release (segment.h), which wakes it. */
static inline void
cpi_ring_release(struct cpi_ring *ring, uint64_t position)
{
    atomic_store_explicit(&ring->head, position, memory_order_release);
}

static inline size_t
cpi_ring_lazy_bytes(size_t ring_bytes)
{
    return ring_bytes / 8;
}

/* The writer has no room for a frame of `size` and is about to sleep: ask the reader for a wake.
 * False when there is room by now, and nothing was asked. */
bool cpi_ring_want(struct cpi_ring *ring, size_t ring_bytes, size_t size);

/* Asserts the ring's invariants; only while neither side is at work. */
void cpi_ring_check(struct cpi_ring *ring, size_t ring_bytes);

#endif
