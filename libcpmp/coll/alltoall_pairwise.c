/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/algorithms.h"

#include "coll/parts.h"

/* In place: what is to be sent lies where what comes will be put, so it goes through a copy. */
static struct cpi_payload
copy_of_block(struct cpi_schedule *schedule, const struct cpi_coll_args *a, int rank)
{
    struct cpi_payload block = cpi_args_recv_block(a, rank);
    struct cpi_payload copy = cpi_bytes(cpi_schedule_buffer(schedule, block.bytes), block.bytes);

    if (copy.base)
        cpi_schedule_copy(schedule, copy, block);
    return copy;
}

/*
 * In round i each rank sends to the one i after it and receives from the one i before it, so that
 * no rank has two senders at a time; a window of rounds is under way together. For alltoall,
 * alltoallv and alltoallw.
 *
 * Cost: (p − 1) (α + m β).
 */
void
cpi_alltoall_pairwise(struct cpi_schedule *schedule, const struct cpi_coll_args *a)
{
    const struct cpi_comm *comm = a->comm;

    if (!a->in_place)
        cpi_schedule_copy(schedule, cpi_args_recv_block(a, comm->rank),
                          cpi_args_send_block(a, comm->rank));
    for (int i = 1; i < comm->size; i++) {
        int dest = cpi_ring_rank(comm, i), source = cpi_ring_rank(comm, -i);

        if (a->in_place)
            cpi_schedule_send(schedule, dest, copy_of_block(schedule, a, dest));
        else
            cpi_schedule_send(schedule, dest, cpi_args_send_block(a, dest));
        if (!a->in_place)
            cpi_schedule_recv(schedule, source, cpi_args_recv_block(a, source));
        if (i % CPI_COLL_WINDOW == 0 && !a->in_place)
            cpi_schedule_fence(schedule);
    }
    for (int i = 1; i < comm->size && a->in_place; i++)
        cpi_schedule_recv(schedule, cpi_ring_rank(comm, -i),
                          cpi_args_recv_block(a, cpi_ring_rank(comm, -i)));
}
