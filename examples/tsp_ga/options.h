/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TSP_GA_OPTIONS_H
#define CPI_TSP_GA_OPTIONS_H

/*
 * The command line of tsp_ga.
 */

#include "exchange.h"
#include "ga.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct options {
    const char *path; /* the instance; "-": standard input */
    struct ga_parameters ga;
    struct exchange_parameters exchange;
    double seconds;       /* 0: no limit */
    int64_t generations;  /* 0: no limit */
    int64_t optimum;      /* 0: not given */
    bool target_given;    /* so that missing it is worth an exit status */
    bool target_optimum;  /* the target is the optimum, once the instance is known */
    bool quiet;           /* the best tour's length is enough */
    bool help;
};

/* Returns 0, or -1 with what is wrong in `error`. */
int options_parse(struct options *options, int argc, char *argv[], char *error,
                  size_t error_bytes);

/* With the instance at hand: put in what it knows. Returns as above. */
int options_settle(struct options *options, struct instance *instance, char *error,
                   size_t error_bytes);

/* How to use it, on one screen. */
const char *options_usage(void);

#endif
