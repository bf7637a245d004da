/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/algorithms.h"

#include "coll/parts.h"

/*
 * Every rank sends everybody's slice to whom it belongs, and reduces its own in rank order.
 *
 * Cost: (p − 1) α + (p − 1)/p m (β + γ), m the whole vector.
 */
void
cpi_reduce_scatter_pairwise(struct cpi_schedule *schedule, const struct cpi_coll_args *a)
{
    int rank = a->comm->rank;
    size_t *bounds = cpi_slice_bounds(schedule, a, true);

    if (!bounds)
        return;
    cpi_slice_reduce(schedule, a, bounds,
                     cpi_type_payload(a->recv, bounds[rank + 1] - bounds[rank], a->send_type));
}
