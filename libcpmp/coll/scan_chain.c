/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/algorithms.h"

#include "coll/parts.h"

#define SEGMENT_BYTES (64u << 10)

/* One segment: what came from the rank before, folded with this rank's own, goes to the next.
 * `pair` is what came and this rank's own. */
static void
add_segment(struct cpi_schedule *schedule, const struct cpi_coll_args *a, char *pair[2],
            size_t start, size_t count)
{
    int rank = a->comm->rank;
    size_t size = a->send_type->size, bytes = count * size;
    char **blocks = cpi_schedule_buffer(schedule, 2 * sizeof(char *));
    struct cpi_fold fold = { .op = a->op, .type = a->send_type, .count = count, .n = 2,
                             .blocks = blocks };

    if (!blocks)
        return;
    blocks[0] = pair[0] + start * size;
    blocks[1] = fold.out = pair[1] + start * size;
    if (rank > 0) {
        cpi_schedule_recv(schedule, rank - 1, cpi_bytes(blocks[0], bytes));
        cpi_schedule_fence(schedule); /* and the segment before has gone out */
    }
    if (rank > 0 && a->exclusive)
        cpi_schedule_copy(schedule, cpi_args_slice(a->recv, a, start, count),
                          cpi_bytes(blocks[0], bytes));
    if (rank > 0 && !(a->exclusive && rank == a->comm->size - 1))
        cpi_schedule_fold(schedule, &fold);
    if (rank < a->comm->size - 1)
        cpi_schedule_send(schedule, rank + 1, cpi_bytes(blocks[1], bytes));
}

/*
 * The running result goes from rank to rank, in segments: while one is passed on the next one
 * comes.
 *
 * Cost: (p − 2 + n) (α + s (β + γ)) for n = m / s segments of s bytes.
 */
void
cpi_scan_chain(struct cpi_schedule *schedule, const struct cpi_coll_args *a)
{
    size_t size = a->send_type->size, count = a->send_count;
    size_t step = size && size < SEGMENT_BYTES ? SEGMENT_BYTES / size : 1;
    struct cpi_payload vector = cpi_type_payload(a->recv, count, a->send_type);
    char *pair[2];

    pair[0] = cpi_schedule_buffer(schedule, count * size);
    pair[1] = cpi_schedule_buffer(schedule, count * size);
    if (!pair[0] || !pair[1] || size == 0)
        return;
    cpi_schedule_copy(schedule, cpi_bytes(pair[1], count * size),
                      cpi_type_payload(a->send, count, a->send_type));
    for (size_t at = 0; at < count; at += step)
        add_segment(schedule, a, pair, at, count - at < step ? count - at : step);
    cpi_schedule_fence(schedule);
    if (!a->exclusive)
        cpi_schedule_copy(schedule, vector, cpi_bytes(pair[1], count * size));
}
