/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_COLL_ALGORITHMS_H
#define CPI_COLL_ALGORITHMS_H

/*
 * The algorithms, one a file, each with its cost on top: p ranks, m bytes (of one rank's data, or
 * of one block where each rank has a block), α the latency of a message, β the time of a byte, γ
 * the time to reduce one. Each adds its steps to a schedule. Which one runs when: select.c.
 */

#include "coll/args.h"
#include "coll/schedule.h"

typedef void cpi_coll_fn(struct cpi_schedule *schedule, const struct cpi_coll_args *args);

cpi_coll_fn cpi_barrier_dissemination;

cpi_coll_fn cpi_bcast_binomial;
cpi_coll_fn cpi_bcast_chain;
cpi_coll_fn cpi_bcast_scatter_ring;

cpi_coll_fn cpi_gather_binomial;
cpi_coll_fn cpi_gather_linear;
cpi_coll_fn cpi_scatter_binomial;
cpi_coll_fn cpi_scatter_linear;

cpi_coll_fn cpi_allgather_bruck;
cpi_coll_fn cpi_allgather_ring;

cpi_coll_fn cpi_alltoall_bruck;
cpi_coll_fn cpi_alltoall_pairwise;

cpi_coll_fn cpi_reduce_gather;
cpi_coll_fn cpi_reduce_slices;
cpi_coll_fn cpi_allreduce_gather;
cpi_coll_fn cpi_allreduce_slices;
cpi_coll_fn cpi_reduce_scatter_gather;
cpi_coll_fn cpi_reduce_scatter_pairwise;

cpi_coll_fn cpi_scan_gather;
cpi_coll_fn cpi_scan_chain;

#endif
