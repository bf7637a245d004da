/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/algorithms.h"

#include "coll/parts.h"

/*
 * Each rank passes on to the next one what it got last from the one before: p − 1 rounds, between
 * neighbours only, every block received where it belongs.
 *
 * Cost: (p − 1) (α + m β).
 */
void
cpi_allgather_ring(struct cpi_schedule *schedule, const struct cpi_coll_args *a)
{
    const struct cpi_comm *comm = a->comm;

    cpi_schedule_copy(schedule, cpi_args_recv_block(a, comm->rank),
                      cpi_type_payload(a->send, a->send_count, a->send_type));
    for (int i = 0; i < comm->size - 1; i++) {
        cpi_schedule_recv(schedule, cpi_ring_rank(comm, -1),
                          cpi_args_recv_block(a, cpi_ring_rank(comm, -i - 1)));
        cpi_schedule_send(schedule, cpi_ring_rank(comm, 1),
                          cpi_args_recv_block(a, cpi_ring_rank(comm, -i)));
        cpi_schedule_fence(schedule);
    }
}
