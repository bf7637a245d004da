/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_COLL_SLOTS_H
#define CPI_COLL_SLOTS_H

/*
 * Short collectives on one host, through memory that all ranks see: no message, no matching, no
 * tree. On several hosts, the part of them that ranks of one host play: slots_hosts.h.
 *
 * Each rank has two slots per communicator (contexts below CPI_COLL_CONTEXTS), used in turn: round
 * n has parity n & 1. A rank writes only to its own slot. The first rank's slots hold the words of
 * control: `arrived` counts up to the communicator's size in each round, `release` goes to n + 1
 * when the round's result may be read. A round is one of
 *
 *   SYNC    all come; the last to arrive (reduces all contributions into the first rank's slot and)
 *           releases. Barrier, allreduce.
 *   READ    the same, and then all read all slots. Allgather, alltoall, scan.
 *   TO_ROOT all come and go on; the root waits for the last one, reads all slots, releases. Reduce.
 *   FROM    the root writes its slot and releases at once; a rank arrives when it has read it.
 *           Bcast.
 *
 * What a slot holds must not be overwritten before its readers are done. Nobody takes part in round
 * n before all have arrived in round n − 2 (in FROM: have read). Before writing in round n,
 * further: if n − 2 was TO_ROOT, its release; if n − 2 was READ (or SYNC, for the first rank), that
 * all have arrived in n − 1, which they do after reading. All ranks make the same rounds, so each
 * knows the kinds of the last two. Hence no rank is ever more than two rounds ahead, and `arrived`
 * never counts two rounds at once.
 *
 * Short broadcasts of one root that follow each other share a FROM round, a run: each has a place
 * in the root's slot and is counted in `posted`; ranks arrive when they go on to another round.
 *
 * Context ids are used again. A communicator takes its slots at its first short collective, if all
 * its ranks find that the last communicator they used that id for has been freed by all of its
 * ranks (`attached` is 0); else it does without. The first rank zeroes the words of control
 * meanwhile.
 */

#include <stdbool.h>
#include <stddef.h>

#include "coll/args.h"
#include "coll/select.h"

/* Runs the collective through the slots, if it is short enough, with *error_p as its result. False,
 * with nothing done: take another way. All ranks of a communicator get the same answer. */
bool cpi_slots_run(enum cpi_coll_kind kind, const struct cpi_coll_args *args, size_t bytes,
                   int *error_p);

#endif
