/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_SANDBOX_PLACE_H
#define CPI_SANDBOX_PLACE_H

/* Which paths inside are the system's, and which free for what a job brings. The functions for
 * others are sandbox_place and sandbox_scratch (sandbox.h). */

#include <stdbool.h>

/* Whether `path` is `root` or something below it, by their names. */
bool sandbox_place_is_below(const char *path, const char *root);

#endif
