/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/algorithms.h"

#include "coll/parts.h"

/* Where part i begins when `bytes` are cut into `size` parts, on multiples of 64. */
static size_t
part_start(size_t bytes, int size, int i)
{
    size_t part = (bytes / (size_t)size + 63) / 64 * 64;
    size_t start = part * (size_t)i;

    return start < bytes && i < size ? start : bytes;
}

static struct cpi_payload
parts(const struct cpi_payload *packed, int size, int from, int to)
{
    size_t start = part_start(packed->bytes, size, from);

    return cpi_bytes((char *)packed->base + start, part_start(packed->bytes, size, to) - start);
}

/* Down the binomial tree: virtual rank v gets the parts of its subtree. */
static void
scatter(struct cpi_schedule *schedule, const struct cpi_coll_args *a,
        const struct cpi_payload *packed)
{
    int size = a->comm->size, v = (a->comm->rank - a->root + size) % size;
    int mask = 1;

    while (mask < size && !(v & mask))
        mask *= 2;
    if (v != 0)
        cpi_schedule_recv(schedule, (v - mask + a->root) % size,
                          parts(packed, size, v, v + cpi_tree_blocks(v, size)));
    cpi_schedule_fence(schedule);
    for (mask /= 2; mask > 0; mask /= 2) {
        int child = v + mask;

        if (child < size)
            cpi_schedule_send(schedule, (child + a->root) % size,
                              parts(packed, size, child, child + cpi_tree_blocks(child, size)));
    }
    cpi_schedule_fence(schedule);
}

/*
 * The data is cut into p parts, scattered down a binomial tree, and passed around a ring until all
 * have all parts (van de Geijn).
 *
 * Cost: (⌈log2 p⌉ + p − 1) α + 2 (p − 1)/p m β.
 */
void
cpi_bcast_scatter_ring(struct cpi_schedule *schedule, const struct cpi_coll_args *a)
{
    int size = a->comm->size, v = (a->comm->rank - a->root + size) % size;
    struct cpi_payload data = cpi_type_payload(a->recv, a->recv_count, a->recv_type);
    struct cpi_payload packed = data;

    if (data.packer)
        packed = cpi_bytes(cpi_schedule_buffer(schedule, data.bytes), data.bytes);
    if (size == 1 || !packed.base)
        return;
    if (v == 0)
        cpi_schedule_copy(schedule, packed, data);
    scatter(schedule, a, &packed);
    for (int i = 0; i < size - 1; i++) {
        int out = (v - i + size) % size, in = (v - i - 1 + size) % size;

        if (v != 0) /* the root has them all */
            cpi_schedule_recv(schedule, cpi_ring_rank(a->comm, -1),
                              parts(&packed, size, in, in + 1));
        if (v != size - 1)
            cpi_schedule_send(schedule, cpi_ring_rank(a->comm, 1),
                              parts(&packed, size, out, out + 1));
        cpi_schedule_fence(schedule);
    }
    if (v != 0)
        cpi_schedule_copy(schedule, data, packed);
}
