/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PROCESS_GROUP_H
#define CPI_PROCESS_GROUP_H

/* Control groups, by their directories (cgroups(7); versions 1 and 2 alike). */

/* Moves this process into the group. 0, or -1 with errno. */
int group_enter(const char *directory);

/* Kills what is in the group, this process excepted, and removes it; waits a moment for what is
 * dying. 0, or -1 with errno. */
int group_remove(const char *directory);

#endif
