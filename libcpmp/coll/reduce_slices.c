/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/algorithms.h"

#include "coll/parts.h"

/*
 * Each rank reduces a slice of the vector, in rank order, from everybody's part of it; then the
 * slices are gathered at the root.
 *
 * Cost: 2 (p − 1) α + (p − 1)/p m (2 β + γ).
 */
void
cpi_reduce_slices(struct cpi_schedule *schedule, const struct cpi_coll_args *a)
{
    int rank = a->comm->rank;
    size_t *bounds = cpi_slice_bounds(schedule, a, false);
    size_t bytes;
    void *slice;

    if (!bounds)
        return;
    if (rank != a->root) {
        bytes = (bounds[rank + 1] - bounds[rank]) * a->send_type->size;
        slice = cpi_schedule_buffer(schedule, bytes);
        cpi_slice_reduce(schedule, a, bounds, cpi_bytes(slice, bytes));
        cpi_schedule_send(schedule, a->root, cpi_bytes(slice, bytes));
        return;
    }
    cpi_slice_reduce(schedule, a, bounds,
                     cpi_args_slice(a->recv, a, bounds[rank], bounds[rank + 1] - bounds[rank]));
    for (int i = 1; i < a->comm->size; i++) {
        int source = cpi_ring_rank(a->comm, i);

        cpi_schedule_recv(schedule, source,
                          cpi_args_slice(a->recv, a, bounds[source],
                                         bounds[source + 1] - bounds[source]));
    }
}
