/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/algorithms.h"

#include "coll/parts.h"

/*
 * Each rank reduces a slice of the vector, in rank order, from everybody's part of it, and sends it
 * to everybody.
 *
 * Cost: 2 (p − 1) α + (p − 1)/p m (2 β + γ).
 */
void
cpi_allreduce_slices(struct cpi_schedule *schedule, const struct cpi_coll_args *a)
{
    int size = a->comm->size, rank = a->comm->rank;
    size_t *bounds = cpi_slice_bounds(schedule, a, false);
    struct cpi_payload own;

    if (!bounds)
        return;
    own = cpi_args_slice(a->recv, a, bounds[rank], bounds[rank + 1] - bounds[rank]);
    cpi_slice_reduce(schedule, a, bounds, own);
    for (int i = 1; i < size; i++) {
        int source = cpi_ring_rank(a->comm, -i);

        cpi_schedule_recv(schedule, source,
                          cpi_args_slice(a->recv, a, bounds[source],
                                         bounds[source + 1] - bounds[source]));
        cpi_schedule_send(schedule, cpi_ring_rank(a->comm, i), own);
        if (i % CPI_COLL_WINDOW == 0)
            cpi_schedule_fence(schedule);
    }
}
