/* SPDX-License-Identifier: BSD-3-Clause */
#include "system/clock.h"

#include <time.h>

static uint64_t
time_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

uint64_t
clock_boot_us(void)
{
    return time_us(CLOCK_BOOTTIME);
}

uint64_t
clock_wall_us(void)
{
    return time_us(CLOCK_REALTIME);
}
