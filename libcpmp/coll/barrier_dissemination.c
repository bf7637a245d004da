/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/algorithms.h"

#include "coll/parts.h"

/*
 * In round k each rank tells the one 2^k after it, and hears from the one 2^k before it: then it
 * knows of 2^(k+1) ranks that have come.
 *
 * Cost: ⌈log2 p⌉ α.
 */
void
cpi_barrier_dissemination(struct cpi_schedule *schedule, const struct cpi_coll_args *a)
{
    for (int distance = 1; distance < a->comm->size; distance *= 2) {
        cpi_schedule_await(schedule, cpi_ring_rank(a->comm, -distance));
        cpi_schedule_signal(schedule, cpi_ring_rank(a->comm, distance));
        cpi_schedule_fence(schedule);
    }
}
