/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/algorithms.h"

#include "coll/parts.h"

/*
 * The raw contributions are gathered up a binomial tree, and the root reduces them in rank order.
 * Reducing on the way would be cheaper, and would round differently for every p and root.
 *
 * Cost: ⌈log2 p⌉ α + (p − 1) m (β + γ).
 */
void
cpi_reduce_gather(struct cpi_schedule *schedule, const struct cpi_coll_args *a)
{
    int size = a->comm->size, v = (a->comm->rank - a->root + size) % size;
    size_t bytes = a->send_count * a->send_type->size;
    char *blocks = cpi_schedule_buffer(schedule, (size_t)cpi_tree_blocks(v, size) * bytes);
    char **pointers;

    if (!blocks)
        return;
    cpi_schedule_copy(schedule, cpi_bytes(blocks, bytes),
                      cpi_type_payload(a->send, a->send_count, a->send_type));
    cpi_tree_gather(schedule, a->comm, a->root, blocks, bytes);
    if (v != 0)
        return;
    pointers = cpi_schedule_buffer(schedule, (size_t)size * sizeof(char *));
    if (!pointers)
        return;
    for (int i = 0; i < size; i++)
        pointers[(a->root + i) % size] = blocks + (size_t)i * bytes;
    cpi_schedule_fold_to(schedule,
                         &(struct cpi_fold){ .op = a->op, .type = a->send_type,
                                             .count = a->send_count, .n = (size_t)size,
                                             .blocks = pointers },
                         cpi_type_payload(a->recv, a->send_count, a->send_type));
}
