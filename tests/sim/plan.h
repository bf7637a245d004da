/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SIM_PLAN_H
#define SIM_PLAN_H

/* Plans as their users write them, and which program made them. */

#include <stdbool.h>
#include <stdint.h>

#include "run.h"

/* Prints --faults as far as it is needed: `made` is how many faults the seed has. */
void sim_plan_print_kept(const struct sim_plan *plan, uint32_t made);

/* Reads "1,4,7" into bits; false: no such list, or a number of `limit` or more. */
bool sim_plan_read_list(const char *text, bool *bits, uint32_t limit);

/* Reads a number that is all of the text; false: it isn't one. */
bool sim_plan_read_number(const char *text, uint64_t *number_p);

/* The commit of the source tree, as git describes it; without git the version. */
const char *sim_commit(void);

#endif
