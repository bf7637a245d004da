/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SIM_RUN_H
#define SIM_RUN_H

/* One run of the simulator: what is fixed beforehand, and what came of it. */

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "fault.h"
#include "mutant.h"

struct sim_plan {
    const struct sim_config *config;
    uint64_t seed;
    uint32_t peers;               /* 0: by the seed */
    uint64_t without;             /* peers that take no part, bits by number */
    bool kept[SIM_FAULTS_MAX];    /* the faults that happen, by number */
    enum sim_mutant mutant;
    bool is_loud;                 /* shows each event */
    bool is_reported;             /* shows what failed, and what led to it */
};

struct sim_outcome {
    bool has_failed;
    char what[160];       /* the first invariant that broke */
    uint64_t at_us;
    uint32_t peer, other; /* concerned; UINT32_MAX: nobody */
    uint32_t faults;      /* as the seed made them */
    uint32_t introductions;  /* of islands that had lost sight of each other, by users */
    uint64_t steps, lookups, lookups_failed;
    uint64_t settled_us;  /* from the last fault to the ideal ring */
};

/* A plan with all faults of a seed, its number of peers and no mutant. */
void sim_plan_init(struct sim_plan *plan, const struct sim_config *config, uint64_t seed);

/* The same plan has the same outcome, each time and everywhere. */
void sim_run(const struct sim_plan *plan, struct sim_outcome *outcome_p);

/* Shows the run that is going on, if there is one: for the end by an assertion. */
void sim_run_report_now(const char *what);

#endif
