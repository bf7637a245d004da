/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SIM_SHRINK_H
#define SIM_SHRINK_H

/*
 * The smallest plan that fails as a given one does: without the faults and peers that the failure
 * doesn't need. Each try is a process of its own, since a broken assertion ends it.
 */

#include <stdbool.h>

#include "run.h"

/* Runs the plan in a child; what ended it by a signal counts as a failure. */
void sim_try(const struct sim_plan *plan, struct sim_outcome *outcome_p);

/* Leaves out of `plan` what it can. False: it doesn't fail to begin with. */
bool sim_shrink(struct sim_plan *plan, struct sim_outcome *outcome_p);

#endif
