/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/algorithms.h"

#include "coll/parts.h"

/*
 * Bruck et al. (1997): in round k each rank gets the 2^k blocks that the rank 2^k after it has by
 * then; works for any p and for blocks of any sizes. One copy of everything at the end.
 *
 * Cost: ⌈log2 p⌉ α + (p − 1) m β.
 */
void
cpi_allgather_bruck(struct cpi_schedule *schedule, const struct cpi_coll_args *a)
{
    int size = a->comm->size;
    size_t *starts = cpi_schedule_buffer(schedule, ((size_t)size + 1) * sizeof(size_t));
    char *blocks;

    if (!starts)
        return;
    starts[0] = 0;
    for (int i = 0; i < size; i++)
        starts[i + 1] = starts[i] + cpi_args_recv_block(a, cpi_ring_rank(a->comm, i)).bytes;
    blocks = cpi_schedule_buffer(schedule, starts[size]);
    if (!blocks)
        return;
    cpi_schedule_copy(schedule, cpi_bytes(blocks, starts[1]),
                      cpi_type_payload(a->send, a->send_count, a->send_type));
    cpi_bruck_gather(schedule, a->comm, blocks, starts);
    for (int i = 0; i < size; i++)
        cpi_schedule_copy(schedule, cpi_args_recv_block(a, cpi_ring_rank(a->comm, i)),
                          cpi_bytes(blocks + starts[i], starts[i + 1] - starts[i]));
}
