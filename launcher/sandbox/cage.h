/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_SANDBOX_CAGE_H
#define CPI_SANDBOX_CAGE_H

/*
 * The cage: pid 1 of the sandbox. Starts ranks for the agent, tells how they went, reaps orphans.
 * Ends when the agent's end of the socket is closed, and everything inside with it.
 *
 * Foreign processes of the same user run beside it. They can't reach into it: it isn't dumpable, so
 * the kernel refuses them its memory, its descriptors, its /proc files and tracing; their signals
 * don't count, because it is pid 1 and has no handler; its limits they may not change (filter.c).
 * What they can do is make it slow.
 */

/* Returns the exit status. */
int cage_run(int fd);

#endif
