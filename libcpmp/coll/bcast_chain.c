/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/algorithms.h"

#include "coll/parts.h"

/* A segment: large enough that its β outweighs α, small enough that the chain fills soon. */
#define SEGMENT_BYTES (128u << 10)

/*
 * The data goes from rank to rank in segments; while one is passed on the next one comes in.
 *
 * Cost: (p − 2 + n) (α + s β) for n = m / s segments of s bytes: m β for long messages, however
 * many ranks.
 */
void
cpi_bcast_chain(struct cpi_schedule *schedule, const struct cpi_coll_args *a)
{
    int size = a->comm->size, v = (a->comm->rank - a->root + size) % size;
    struct cpi_payload data = cpi_type_payload(a->recv, a->recv_count, a->recv_type);
    char *bytes = data.packer ? cpi_schedule_buffer(schedule, data.bytes) : data.base;
    struct cpi_payload packed = cpi_bytes(bytes, data.bytes);
    int before = cpi_ring_rank(a->comm, -1), after = cpi_ring_rank(a->comm, 1);

    if (size == 1 || !bytes)
        return;
    if (v == 0)
        cpi_schedule_copy(schedule, packed, data);
    for (size_t at = 0; at < data.bytes; at += SEGMENT_BYTES) {
        size_t now = data.bytes - at < SEGMENT_BYTES ? data.bytes - at : SEGMENT_BYTES;

        if (v != 0) {
            cpi_schedule_recv(schedule, before, cpi_bytes(bytes + at, now));
            cpi_schedule_fence(schedule); /* and the segment before has gone out */
        }
        if (v != size - 1)
            cpi_schedule_send(schedule, after, cpi_bytes(bytes + at, now));
    }
    cpi_schedule_fence(schedule);
    if (v != 0)
        cpi_schedule_copy(schedule, data, packed);
}
