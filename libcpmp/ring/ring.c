/* SPDX-License-Identifier: BSD-3-Clause */
#include "ring/ring.h"

#include <assert.h>

struct cpi_frame *
cpi_ring_reserve_slow(struct cpi_ring *ring, size_t ring_bytes, size_t size)
{
    size_t stride = cpi_frame_stride(size);
    size_t place = ring->tail & (ring_bytes - 1);
    size_t pad = place + stride > ring_bytes ? ring_bytes - place : 0;

    assert(size >= sizeof(struct cpi_frame) && size <= cpi_ring_frame_max(ring_bytes));
    if (ring->tail + pad + stride + CPI_FRAME_ALIGN > ring->head_seen + ring_bytes) {
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (ring->tail + pad + stride + CPI_FRAME_ALIGN > ring->head_seen + ring_bytes)
            return NULL;
    }
    if (pad > 0) {
        struct cpi_frame *end = cpi_ring_at(ring, ring_bytes, ring->tail);
        end->kind = CPI_FRAME_PAD;
        cpi_ring_publish(ring, ring_bytes, end, pad);
    }
    return cpi_ring_at(ring, ring_bytes, ring->tail);
}

bool
cpi_ring_want(struct cpi_ring *ring, size_t ring_bytes, size_t size)
{
    atomic_store_explicit(&ring->wanted, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);  /* pairs with cpi_inbox_release */
    if (cpi_ring_reserve(ring, ring_bytes, size) == NULL)
        return true;
    atomic_store_explicit(&ring->wanted, 0, memory_order_relaxed);
    return false;
}

void
cpi_ring_check(struct cpi_ring *ring, size_t ring_bytes)
{
    uint64_t head = atomic_load(&ring->head);
    uint64_t position = head;

    assert((ring_bytes & (ring_bytes - 1)) == 0);
    assert(head <= ring->tail && ring->tail + CPI_FRAME_ALIGN <= head + ring_bytes);
    assert(ring->head_seen <= head);
    while (position < ring->tail) {
        const struct cpi_frame *frame = cpi_ring_at(ring, ring_bytes, position);
        assert(frame->size >= sizeof(*frame) || frame->kind == CPI_FRAME_PAD);
        assert(frame->kind > CPI_FRAME_NONE && frame->kind < CPI_FRAME_KIND_END);
        position = cpi_ring_after(position, frame);
    }
    assert(position == ring->tail);
    assert(cpi_ring_at(ring, ring_bytes, ring->tail)->size == 0);
    (void)head;
}
