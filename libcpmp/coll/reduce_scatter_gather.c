/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/algorithms.h"

#include "coll/parts.h"

/*
 * The raw contributions become known to all by Bruck's rounds, and each rank reduces its own slice
 * in rank order. For short vectors, where the number of messages is what counts.
 *
 * Cost: ⌈log2 p⌉ α + (p − 1) m β + (p − 1)/p m γ, m the whole vector.
 */
void
cpi_reduce_scatter_gather(struct cpi_schedule *schedule, const struct cpi_coll_args *a)
{
    int size = a->comm->size, rank = a->comm->rank;
    size_t *bounds = cpi_slice_bounds(schedule, a, true);
    char **blocks = cpi_contributions(schedule, a);
    size_t count;

    if (!bounds || !blocks)
        return;
    count = bounds[rank + 1] - bounds[rank];
    for (int i = 0; i < size; i++)
        blocks[i] += bounds[rank] * a->send_type->size;
    cpi_schedule_fold_to(schedule,
                         &(struct cpi_fold){ .op = a->op, .type = a->send_type, .count = count,
                                             .n = (size_t)size, .blocks = blocks },
                         cpi_type_payload(a->recv, count, a->send_type));
}
