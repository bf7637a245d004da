/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

/* The simulator's command line. */

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "fault.h"
#include "mutant.h"
#include "run.h"

struct sim_options {
    const struct sim_config *config;  /* NULL: all */
    uint64_t seed_first, seed_last;   /* 0, 0: as many as the configuration says */
    uint32_t peers;                   /* 0: by the seed */
    uint64_t without;
    bool kept[SIM_FAULTS_MAX];
    enum sim_mutant mutant;
    bool is_loud, does_shrink;
};

/* Reads the command line; ends the program for --help, --list and what it doesn't understand. */
void sim_options_read(struct sim_options *options, int argc, char **argv);

/* What the options say about one seed. */
void sim_options_plan(const struct sim_options *options, const struct sim_config *config,
                      uint64_t seed, struct sim_plan *plan_p);

#endif
