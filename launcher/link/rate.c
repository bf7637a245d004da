/* SPDX-License-Identifier: BSD-3-Clause */
#include "link/rate.h"

void
rate_init(struct rate *rate, double per_s, double burst, uint64_t now_us)
{
    rate->per_s = per_s;
    rate->burst = burst;
    rate->left = burst;
    rate->at_us = now_us;
}

static void
rate_fill(struct rate *rate, uint64_t now_us)
{
    if (now_us > rate->at_us)
        rate->left += rate->per_s * (double)(now_us - rate->at_us) / 1e6;
    rate->at_us = now_us;
    if (rate->left > rate->burst)
        rate->left = rate->burst;
}

int
rate_take(struct rate *rate, double amount, uint64_t now_us)
{
    rate_fill(rate, now_us);
    if (rate->left < amount)
        return 0;
    rate->left -= amount;
    return 1;
}

uint64_t
rate_charge(struct rate *rate, double amount, uint64_t now_us)
{
    rate_fill(rate, now_us);
    rate->left -= amount;
    return rate->left >= 0 ? 0 : (uint64_t)(-rate->left * 1e6 / rate->per_s) + 1;
}
