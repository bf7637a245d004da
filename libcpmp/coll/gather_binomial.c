/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/algorithms.h"

#include "coll/parts.h"

/*
 * Blocks are collected up a binomial tree; the root puts them where they belong.
 *
 * Cost: ⌈log2 p⌉ α + (p − 1) m β.
 */
void
cpi_gather_binomial(struct cpi_schedule *schedule, const struct cpi_coll_args *a)
{
    int size = a->comm->size, v = (a->comm->rank - a->root + size) % size;
    struct cpi_payload own = cpi_type_payload(a->send, a->send_count, a->send_type);
    size_t bytes = v == 0 ? a->recv_count * a->recv_type->size : own.bytes;
    char *blocks = cpi_schedule_buffer(schedule, (size_t)cpi_tree_blocks(v, size) * bytes);

    if (!blocks)
        return;
    if (v != 0)
        cpi_schedule_copy(schedule, cpi_bytes(blocks, bytes), own);
    else if (!a->in_place)
        cpi_schedule_copy(schedule, cpi_args_recv_block(a, a->root), own);
    cpi_tree_gather(schedule, a->comm, a->root, blocks, bytes);
    for (int i = 1; i < size && v == 0; i++)
        cpi_schedule_copy(schedule, cpi_args_recv_block(a, (a->root + i) % size),
                          cpi_bytes(blocks + (size_t)i * bytes, bytes));
}
