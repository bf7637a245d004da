/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TSP_GA_DURATION_H
#define CPI_TSP_GA_DURATION_H

/*
 * Times as people read them: small instances are solved within milliseconds.
 */

#include <stdio.h>

struct duration {
    char text[24];
};

static inline struct duration duration_of(double seconds)
{
    struct duration duration;

    if (seconds < 1) {
        snprintf(duration.text, sizeof duration.text, "%.2f ms", seconds * 1000);
    } else {
        snprintf(duration.text, sizeof duration.text, "%.2f s", seconds);
    }
    return duration;
}

#endif
