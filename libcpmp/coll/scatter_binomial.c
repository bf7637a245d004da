/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/algorithms.h"

#include "coll/parts.h"

/* The root's blocks in the order of the tree: block i is for rank root + i. */
static void
pack_blocks(struct cpi_schedule *schedule, const struct cpi_coll_args *a, char *blocks,
            size_t bytes)
{
    for (int i = 1; i < a->comm->size; i++)
        cpi_schedule_copy(schedule, cpi_bytes(blocks + (size_t)i * bytes, bytes),
                          cpi_args_send_block(a, (a->root + i) % a->comm->size));
}

/*
 * Blocks go down a binomial tree, each rank passing on those of its subtree.
 *
 * Cost: ⌈log2 p⌉ α + (p − 1) m β.
 */
void
cpi_scatter_binomial(struct cpi_schedule *schedule, const struct cpi_coll_args *a)
{
    int size = a->comm->size, v = (a->comm->rank - a->root + size) % size;
    struct cpi_payload own = { 0 };
    int count = cpi_tree_blocks(v, size), mask = 1;
    size_t bytes;
    char *blocks;

    if (!a->in_place)
        own = cpi_type_payload(a->recv, a->recv_count, a->recv_type);
    bytes = v == 0 ? a->send_count * a->send_type->size : own.bytes;
    blocks = cpi_schedule_buffer(schedule, (size_t)count * bytes);
    if (!blocks)
        return;
    while (mask < size && !(v & mask))
        mask *= 2;
    if (v == 0)
        pack_blocks(schedule, a, blocks, bytes);
    else
        cpi_schedule_recv(schedule, (v - mask + a->root) % size,
                          cpi_bytes(blocks, (size_t)count * bytes));
    cpi_schedule_fence(schedule);
    for (mask /= 2; mask > 0; mask /= 2)
        if (v + mask < size)
            cpi_schedule_send(schedule, (v + mask + a->root) % size,
                              cpi_bytes(blocks + (size_t)mask * bytes,
                                        (size_t)cpi_tree_blocks(v + mask, size) * bytes));
    cpi_schedule_copy(schedule, own,
                      v == 0 ? cpi_args_send_block(a, a->root) : cpi_bytes(blocks, bytes));
}
