/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_SANDBOX_PLACE_H
#define CPI_SANDBOX_PLACE_H

/* Which paths inside are the system's, and which free for what a job brings. The functions for
 * others are sandbox_place and sandbox_scratch (sandbox.h). */

#include <stdbool.h>

/* Whether `path` is `root` or something below it, by their names. */
bool sandbox_place_is_below(const char *path, const char *root);

/* Whether `path` is absolute and without empty parts, "." and "..". No other goes to bwrap: by ".."
 * it would get out of its new root, and make files of this machine. */
bool sandbox_place_is_plain(const char *path);

#endif
