/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/algorithms.h"

#include "coll/parts.h"

/*
 * The root sends each rank its block from where it lies. The only one for scatterv, where other
 * ranks don't know the counts.
 *
 * Cost: (p − 1) (α + m β), all at the root; no byte moves twice.
 */
void
cpi_scatter_linear(struct cpi_schedule *schedule, const struct cpi_coll_args *a)
{
    int size = a->comm->size;
    struct cpi_payload own = { 0 };

    if (!a->in_place)
        own = cpi_type_payload(a->recv, a->recv_count, a->recv_type);
    if (a->comm->rank != a->root) {
        cpi_schedule_recv(schedule, a->root, own);
        return;
    }
    for (int i = 1; i < size; i++) {
        int dest = cpi_ring_rank(a->comm, i);

        cpi_schedule_send(schedule, dest, cpi_args_send_block(a, dest));
        if (i % CPI_COLL_WINDOW == 0)
            cpi_schedule_fence(schedule);
    }
    cpi_schedule_copy(schedule, own, cpi_args_send_block(a, a->root));
}
