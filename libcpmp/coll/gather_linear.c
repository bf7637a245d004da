/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/algorithms.h"

#include "coll/parts.h"

/*
 * Everybody sends to the root, which receives in place. The only one for gatherv, where other ranks
 * don't know the counts.
 *
 * Cost: (p − 1) (α + m β), all at the root; no byte moves twice.
 */
void
cpi_gather_linear(struct cpi_schedule *schedule, const struct cpi_coll_args *a)
{
    int size = a->comm->size;
    struct cpi_payload own = { 0 };

    if (!a->in_place)
        own = cpi_type_payload(a->send, a->send_count, a->send_type);
    if (a->comm->rank != a->root) {
        cpi_schedule_send(schedule, a->root, own);
        return;
    }
    for (int i = 1; i < size; i++) {
        int source = cpi_ring_rank(a->comm, i);

        cpi_schedule_recv(schedule, source, cpi_args_recv_block(a, source));
        if (i % CPI_COLL_WINDOW == 0)
            cpi_schedule_fence(schedule);
    }
    if (!a->in_place)
        cpi_schedule_copy(schedule, cpi_args_recv_block(a, a->root), own);
}
