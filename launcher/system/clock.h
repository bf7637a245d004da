/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_SYSTEM_CLOCK_H
#define CPI_SYSTEM_CLOCK_H

#include <stdint.h>

/* Since the machine's start. Counts while it sleeps, so that a lid that was closed is noticed. */
uint64_t clock_boot_us(void);

/* Since 1970; the owner may set it. */
uint64_t clock_wall_us(void);

#endif
