/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_SANDBOX_LANDLOCK_H
#define CPI_SANDBOX_LANDLOCK_H

/*
 * Landlock (landlock(7)): a second fence behind the mounts, in case that one has a gap. By the
 * interface version that the kernel has: 1 files, 2 renames, 3 truncation, 4 TCP, 5 devices, 6
 * signals and abstract sockets to processes outside.
 */

#include <stdbool.h>

/* The version; 0: none. */
int sandbox_landlock_version(void);

/* Fences this process and what it starts: read-only, programs of the system and of the job may run,
 * `scratch` and /dev/shm belong to the ranks. 0, or -1 with errno. */
int sandbox_landlock_enter(int version, const char *scratch);

#endif
