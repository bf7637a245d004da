/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TSP_GA_MUST_H
#define CPI_TSP_GA_MUST_H

/*
 * An island can do nothing about an error of the library but say it and end the job.
 */

#include <cpmp.h>
#include <stdio.h>

static inline void must(int error, const char *what)
{
    if (error < 0) {
        char message[200];
        snprintf(message, sizeof message, "tsp_ga: rank %d cannot %s: %s", cpmp_rank(), what,
                 cpmp_strerror(error));
        cpmp_abort(1, message);
    }
}

#endif
