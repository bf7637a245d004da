/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/algorithms.h"

#include "coll/parts.h"

/* Moves the blocks whose number has bit `bit` set between their places and a contiguous row. */
static size_t
copy_marked(struct cpi_schedule *schedule, char *blocks, char *row, int size, int bit,
            size_t bytes, bool to_row)
{
    size_t used = 0;

    for (int i = bit; i < size; i++) {
        struct cpi_payload block = cpi_bytes(blocks + (size_t)i * bytes, bytes);
        struct cpi_payload place = cpi_bytes(row + used, bytes);

        if (!(i & bit))
            continue;
        cpi_schedule_copy(schedule, to_row ? place : block, to_row ? block : place);
        used += bytes;
    }
    return used;
}

/*
 * Bruck et al. (1997): a block for the rank d after this one travels by the binary digits of d; in
 * round k go all blocks with digit k set, p/2 of them in one message. Few messages, more bytes.
 *
 * Cost: ⌈log2 p⌉ α + ⌈log2 p⌉ p/2 m β.
 */
void
cpi_alltoall_bruck(struct cpi_schedule *schedule, const struct cpi_coll_args *a)
{
    int size = a->comm->size;
    size_t bytes = a->recv_count * a->recv_type->size, half = (size_t)(size + 1) / 2 * bytes;
    char *blocks = cpi_schedule_buffer(schedule, (size_t)size * bytes);
    char *out = cpi_schedule_buffer(schedule, half), *in = cpi_schedule_buffer(schedule, half);

    if (!blocks || !out || !in)
        return;
    for (int i = 0; i < size; i++)
        cpi_schedule_copy(schedule, cpi_bytes(blocks + (size_t)i * bytes, bytes),
                          cpi_args_send_block(a, cpi_ring_rank(a->comm, i)));
    for (int bit = 1; bit < size; bit *= 2) {
        size_t used = copy_marked(schedule, blocks, out, size, bit, bytes, true);

        cpi_schedule_recv(schedule, cpi_ring_rank(a->comm, -bit), cpi_bytes(in, used));
        cpi_schedule_send(schedule, cpi_ring_rank(a->comm, bit), cpi_bytes(out, used));
        cpi_schedule_fence(schedule);
        copy_marked(schedule, blocks, in, size, bit, bytes, false);
    }
    for (int i = 0; i < size; i++)
        cpi_schedule_copy(schedule, cpi_args_recv_block(a, cpi_ring_rank(a->comm, -i)),
                          cpi_bytes(blocks + (size_t)i * bytes, bytes));
}
