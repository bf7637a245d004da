/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_COLL_PARTS_H
#define CPI_COLL_PARTS_H

/*
 * What several algorithms have in common.
 */

#include <stddef.h>

#include "coll/args.h"
#include "coll/schedule.h"

/* Messages that one rank has under way at once when it exchanges with everybody. */
#define CPI_COLL_WINDOW 32

/* Rank i steps after this one around the ring; i may be negative, above -size. */
static inline int
cpi_ring_rank(const struct cpi_comm *comm, int i)
{
    return (comm->rank + i + comm->size) % comm->size;
}

/* Blocks of the subtree under virtual rank v in the binomial tree over `size`. */
int cpi_tree_blocks(int v, int size);

/* Gathers blocks of `bytes` along the binomial tree under `root`. `blocks` holds this rank's at 0
 * and has room for cpi_tree_blocks; at the root, in the end, block i is that of rank root + i. */
void cpi_tree_gather(struct cpi_schedule *schedule, const struct cpi_comm *comm, int root,
                     char *blocks, size_t bytes);

/* Makes every rank's block known to all, by Bruck's rounds. `blocks` holds this rank's block at 0;
 * in the end the block of rank + i lies at starts[i]. starts has size + 1 entries. */
void cpi_bruck_gather(struct cpi_schedule *schedule, const struct cpi_comm *comm, char *blocks,
                      const size_t *starts);

/* The contributions of all ranks to a reduction, known to all: pointers in rank order, packed.
 * NULL without memory. */
char **cpi_contributions(struct cpi_schedule *schedule, const struct cpi_coll_args *a);

/* Bounds of each rank's slice of a vector, size + 1 of them: by recv_counts, or by recv_count when
 * `blocks`, else in parts as even as can be. NULL without memory. */
size_t *cpi_slice_bounds(struct cpi_schedule *schedule, const struct cpi_coll_args *a,
                         bool blocks);

/* Every rank gets everybody's part of its own slice and reduces it into `to`. */
void cpi_slice_reduce(struct cpi_schedule *schedule, const struct cpi_coll_args *a,
                      const size_t *bounds, struct cpi_payload to);

#endif
