/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/parts.h"

int
cpi_tree_blocks(int v, int size)
{
    int low = v & -v;

    return v == 0 || low > size - v ? size - v : low;
}

void
cpi_tree_gather(struct cpi_schedule *schedule, const struct cpi_comm *comm, int root, char *blocks,
                size_t bytes)
{
    int size = comm->size, v = (comm->rank - root + size) % size;
    int mask = 1;

    for (; mask < size && !(v & mask); mask *= 2) {
        int child = v + mask;

        if (child < size)
            cpi_schedule_recv(schedule, (child + root) % size,
                              cpi_bytes(cpi_at(blocks, (size_t)mask * bytes),
                                        (size_t)cpi_tree_blocks(child, size) * bytes));
    }
    cpi_schedule_fence(schedule);
    if (v != 0)
        cpi_schedule_send(schedule, (v - mask + root) % size,
                          cpi_bytes(blocks, (size_t)cpi_tree_blocks(v, size) * bytes));
    cpi_schedule_fence(schedule);
}

void
cpi_bruck_gather(struct cpi_schedule *schedule, const struct cpi_comm *comm, char *blocks,
                 const size_t *starts)
{
    int size = comm->size;

    for (int have = 1; have < size; have *= 2) {
        int more = have < size - have ? have : size - have;

        cpi_schedule_recv(schedule, cpi_ring_rank(comm, have),
                          cpi_bytes(cpi_at(blocks, starts[have]),
                                    starts[have + more] - starts[have]));
        cpi_schedule_send(schedule, cpi_ring_rank(comm, -have), cpi_bytes(blocks, starts[more]));
        cpi_schedule_fence(schedule);
    }
}

char **
cpi_contributions(struct cpi_schedule *schedule, const struct cpi_coll_args *a)
{
    int size = a->comm->size;
    size_t bytes = a->send_count * a->send_type->size;
    size_t *starts = cpi_schedule_buffer(schedule, ((size_t)size + 1) * sizeof(size_t));
    char **pointers = cpi_schedule_buffer(schedule, (size_t)size * sizeof(char *));
    char *blocks = cpi_schedule_buffer(schedule, (size_t)size * bytes);

    if (!starts || !pointers || !blocks)
        return NULL;
    for (int i = 0; i <= size; i++)
        starts[i] = (size_t)i * bytes;
    for (int i = 0; i < size; i++)
        pointers[cpi_ring_rank(a->comm, i)] = blocks + starts[i];
    cpi_schedule_copy(schedule, cpi_bytes(blocks, bytes),
                      cpi_type_payload(a->send, a->send_count, a->send_type));
    cpi_bruck_gather(schedule, a->comm, blocks, starts);
    return pointers;
}

size_t *
cpi_slice_bounds(struct cpi_schedule *schedule, const struct cpi_coll_args *a, bool blocks)
{
    size_t size = (size_t)a->comm->size;
    size_t *bounds = cpi_schedule_buffer(schedule, (size + 1) * sizeof(*bounds));

    if (!bounds)
        return NULL;
    bounds[0] = 0;
    for (size_t i = 0; i < size; i++) {
        if (!blocks)
            bounds[i + 1] = a->send_count * (i + 1) / size;
        else
            bounds[i + 1] = bounds[i] + (a->recv_counts ? (size_t)a->recv_counts[i]
                                                        : a->recv_count);
    }
    return bounds;
}

void
cpi_slice_reduce(struct cpi_schedule *schedule, const struct cpi_coll_args *a,
                 const size_t *bounds, struct cpi_payload to)
{
    int size = a->comm->size, rank = a->comm->rank;
    size_t count = bounds[rank + 1] - bounds[rank];
    size_t bytes = count * a->send_type->size;
    char **pointers = cpi_schedule_buffer(schedule, (size_t)size * sizeof(char *));
    char *blocks = cpi_schedule_buffer(schedule, (size_t)size * bytes);
    struct cpi_fold fold = { .op = a->op, .type = a->send_type, .count = count,
                             .n = (size_t)size, .blocks = pointers };

    if (!pointers || !blocks)
        return;
    for (int i = 0; i < size; i++)
        pointers[i] = blocks + (size_t)i * bytes;
    cpi_schedule_copy(schedule, cpi_bytes(pointers[rank], bytes),
                      cpi_args_slice(a->send, a, bounds[rank], count));
    for (int i = 1; i < size; i++) {
        int dest = cpi_ring_rank(a->comm, i), source = cpi_ring_rank(a->comm, -i);

        cpi_schedule_recv(schedule, source, cpi_bytes(pointers[source], bytes));
        cpi_schedule_send(schedule, dest,
                          cpi_args_slice(a->send, a, bounds[dest],
                                         bounds[dest + 1] - bounds[dest]));
        if (i % CPI_COLL_WINDOW == 0)
            cpi_schedule_fence(schedule);
    }
    cpi_schedule_fence(schedule);
    cpi_schedule_fold_to(schedule, &fold, to);
}
