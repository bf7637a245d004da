/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_LINK_RATE_H
#define CPI_LINK_RATE_H

/* A token bucket: `per_s` on the long run, `burst` at once. Pure: who calls has the clock. */

#include <stdint.h>

struct rate {
    double per_s, burst;
    double left;        /* below 0: a debt, which has to be waited for */
    uint64_t at_us;
};

void rate_init(struct rate *rate, double per_s, double burst, uint64_t now_us);

/* Takes `amount` when there is as much: 1, else 0 and nothing is taken. */
int rate_take(struct rate *rate, double amount, uint64_t now_us);

/* Takes it anyway, and tells how many microseconds it takes until there is no debt; 0: none. */
uint64_t rate_charge(struct rate *rate, double amount, uint64_t now_us);

#endif
