/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_COLL_ARGS_H
#define CPI_COLL_ARGS_H

/*
 * The arguments of any collective, so that one algorithm serves all that move data alike: a uniform
 * count is one of the cases of a count for each rank. MPI_IN_PLACE is resolved already: `send` is
 * then where the data lies in `recv`, or `in_place` says that there is nothing to move.
 */

#include <stdbool.h>
#include <stddef.h>

#include "coll/op.h"
#include "comm/comm.h"
#include "type/payload.h"
#include "type/type.h"

struct cpi_coll_args {
    struct cpi_comm *comm;
    struct cpi_op *op;
    int root;
    bool in_place;
    bool exclusive; /* scan: exscan */
    const void *send;
    size_t send_count;
    struct cpi_type *send_type;
    const int *send_counts, *send_places;  /* [size] or NULL; places in extents, */
    struct cpi_type *const *send_types;    /* or with types for each rank, in bytes */
    void *recv;
    size_t recv_count;
    struct cpi_type *recv_type;
    const int *recv_counts, *recv_places;
    struct cpi_type *const *recv_types;
};

/* Uniform blocks lie one after the other. */
static inline struct cpi_payload
cpi_args_block(const void *base, int i, size_t count, struct cpi_type *type, const int *counts,
               const int *places, struct cpi_type *const *types)
{
    if (types)
        return cpi_type_payload((const char *)base + places[i], (size_t)counts[i], types[i]);
    if (!counts)
        return cpi_type_payload((const char *)base +
                                (ptrdiff_t)i * (ptrdiff_t)count * cpi_type_extent(type),
                                count, type);
    return cpi_type_payload((const char *)base + places[i] * cpi_type_extent(type),
                            (size_t)counts[i], type);
}

/* What goes to rank i. */
static inline struct cpi_payload
cpi_args_send_block(const struct cpi_coll_args *a, int i)
{
    return cpi_args_block(a->send, i, a->send_count, a->send_type, a->send_counts, a->send_places,
                          a->send_types);
}

/* Where what comes from rank i goes. */
static inline struct cpi_payload
cpi_args_recv_block(const struct cpi_coll_args *a, int i)
{
    return cpi_args_block(a->recv, i, a->recv_count, a->recv_type, a->recv_counts, a->recv_places,
                          a->recv_types);
}

/* Elements [start, start + count) of the vector to be reduced. */
static inline struct cpi_payload
cpi_args_slice(const void *base, const struct cpi_coll_args *a, size_t start, size_t count)
{
    return cpi_type_payload((const char *)base +
                            (ptrdiff_t)start * cpi_type_extent(a->send_type),
                            count, a->send_type);
}

#endif
