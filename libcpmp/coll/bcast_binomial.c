/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/algorithms.h"

/*
 * The root's data goes down a binomial tree, to the largest subtree first.
 *
 * Cost: ⌈log2 p⌉ (α + m β).
 */
void
cpi_bcast_binomial(struct cpi_schedule *schedule, const struct cpi_coll_args *a)
{
    int size = a->comm->size, v = (a->comm->rank - a->root + size) % size;
    struct cpi_payload data = cpi_type_payload(a->recv, a->recv_count, a->recv_type);
    int mask = 1;

    while (mask < size && !(v & mask))
        mask *= 2;
    if (v != 0)
        cpi_schedule_recv(schedule, (v - mask + a->root) % size, data);
    cpi_schedule_fence(schedule);
    for (mask /= 2; mask > 0; mask /= 2)
        if (v + mask < size)
            cpi_schedule_send(schedule, (v + mask + a->root) % size, data);
    cpi_schedule_fence(schedule);
}
