/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_COLL_SELECT_H
#define CPI_COLL_SELECT_H

/*
 * Which algorithm runs when: one table.
 */

#include <stddef.h>

#include "coll/algorithms.h"

enum cpi_coll_kind {
    CPI_COLL_BARRIER,
    CPI_COLL_BCAST,
    CPI_COLL_GATHER,
    CPI_COLL_GATHERV,
    CPI_COLL_SCATTER,
    CPI_COLL_SCATTERV,
    CPI_COLL_ALLGATHER, /* and allgatherv: all ranks know all counts */
    CPI_COLL_ALLTOALL,
    CPI_COLL_ALLTOALLV, /* and alltoallw */
    CPI_COLL_REDUCE,
    CPI_COLL_ALLREDUCE,
    CPI_COLL_REDUCE_SCATTER, /* and reduce_scatter_block */
    CPI_COLL_SCAN,           /* and exscan */
    CPI_COLL_KINDS
};

/* The algorithm for `bytes` in a communicator. All ranks must ask alike: `bytes` is what they agree
 * on, the whole buffer of bcast and the reductions, one rank's block of gather, scatter and
 * alltoall, all blocks together of allgather, and 0 where there is nothing they agree on. */
cpi_coll_fn *cpi_coll_select(enum cpi_coll_kind kind, const struct cpi_comm *comm, size_t bytes);

/* For tests: from now on `kind` runs algorithm number `index` of its rows in the table; -1 back to
 * normal. False when it has no such row. */
bool cpi_coll_force(enum cpi_coll_kind kind, int index);
bool cpi_coll_forced(enum cpi_coll_kind kind);

#endif
