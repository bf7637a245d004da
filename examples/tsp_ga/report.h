/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TSP_GA_REPORT_H
#define CPI_TSP_GA_REPORT_H

/*
 * What rank 0 says at the end.
 */

#include "exchange.h"
#include "ga.h"
#include "options.h"

#include <stdbool.h>

/* All ranks call it, after exchange_finish; `seconds` is how long this island worked. */
void report(const struct options *options, const struct exchange *exchange, const struct ga *ga,
            double seconds, bool interrupted);

#endif
