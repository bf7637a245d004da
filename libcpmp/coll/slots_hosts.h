/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_COLL_SLOTS_HOSTS_H
#define CPI_COLL_SLOTS_HOSTS_H

/*
 * Short collectives in a communicator on several hosts: ranks of a host meet in their slots, and
 * one of them, its leader or the root, speaks with those of the other hosts. Contributions to
 * reductions travel raw, a host's in one piece, and are folded in rank order by whoever has them
 * all. Barrier, reduce, allreduce, gather, allgather.
 */

#include <stdbool.h>
#include <stddef.h>

#include "coll/args.h"
#include "coll/select.h"
#include "coll/slots_round.h"

/* Is it short enough, by what all ranks agree on? */
bool cpi_hosts_fit(enum cpi_coll_kind kind, const struct cpi_coll_args *a, size_t bytes);

/* Runs it; the result is the collective's own. */
int cpi_hosts_run(enum cpi_coll_kind kind, struct cpi_slots *slots, const struct cpi_coll_args *a,
                  size_t bytes);

/* A broadcast among the ranks of this host (slots.c); a->root is one of these. */
void cpi_slots_bcast(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t bytes);

#endif
