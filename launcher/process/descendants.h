/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PROCESS_DESCENDANTS_H
#define CPI_PROCESS_DESCENDANTS_H

/*
 * Everything that was started below this process, however often it forked and whatever group or
 * session it moved to. Because this process is a subreaper (PR_SET_CHILD_SUBREAPER), an orphan
 * below it becomes its child and never gets away. Killing is therefore a loop: kill all that are
 * there, wait for children, and again, until waiting says that there are none (ECHILD).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Sends `signal` to every living descendant of this process, `spare` (and what is below it)
 * excepted when it isn't 0. Returns how many were signalled. Those that refuse (a program of
 * another user) are put into `refused`, a list for people like "sleep (pid 12), sh (pid 14)"; may
 * be NULL. */
size_t descendants_signal(int signal, pid_t spare, char *refused, size_t refused_bytes);

/* Names the living descendants, as `refused` above. Returns how many there are. */
size_t descendants_list(char *text, size_t text_bytes);

struct descendants_usage {
    uint64_t cpu_us;     /* of those that live, and of those that are reaped */
    uint64_t rss_bytes;  /* of those that live; shared memory counts for each */
    size_t count;        /* that live */
};

void descendants_measure(struct descendants_usage *usage);

/* Is the living process `pid` one of them? */
bool descendants_have(pid_t pid);

#endif
