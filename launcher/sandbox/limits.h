/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_SANDBOX_LIMITS_H
#define CPI_SANDBOX_LIMITS_H

/*
 * What caged processes may take of the machine, and the control groups that hold them to it.
 *
 * Memory is limited three times. For each process by RLIMIT_DATA: what it has for itself, written
 * or to be written. Not by RLIMIT_AS, which would count the job segment (shared and sparse, up to a
 * GiB that mostly doesn't exist) and address space that runtimes only reserve. For all together,
 * the scratch included, by the memory controller; where there is none, by the watch (watch.h).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "text/text.h"

struct sandbox_limits {
    uint64_t memory_bytes;    /* of everything inside together; 0: none */
    uint64_t scratch_bytes;   /* 0: SANDBOX_SCRATCH_BYTES */
    uint32_t processes;       /* threads count; 0: SANDBOX_PROCESSES */
    uint32_t files;           /* open in a process; 0: SANDBOX_FILES */
    uint32_t cpu_millicores;  /* of everything together; 0: none */
    uint32_t run_time_s;      /* 0: none */
    bool idle;                /* SCHED_IDLE: runs when nothing else wants to */
    bool suspends;            /* sandbox_suspend may come: a freezer is wanted */
};

enum sandbox_group {
    SANDBOX_GROUP_MEMORY, SANDBOX_GROUP_PIDS, SANDBOX_GROUP_CPU, SANDBOX_GROUP_FREEZER,
    SANDBOX_GROUP_COUNT
};

/* One control group for each controller (version 1), or one for all of them (version 2). Moving a
 * process into a group of version 1 takes the kernel some 6 ms, so only those are made that nothing
 * cheaper does the work of: since Linux 5.14 RLIMIT_NPROC, counted per user namespace, holds
 * processes as well as a group. */
struct sandbox_groups {
    int version[SANDBOX_GROUP_COUNT];      /* 0: there is none for this controller */
    char *directory[SANDBOX_GROUP_COUNT];  /* owned; version 2: the same text in each, owned once */
    int lock_fd[SANDBOX_GROUP_COUNT];
    uint64_t kills;                        /* for lack of memory, when last looked */
};

/* Makes the groups that the limits need, as far as this process may. */
void sandbox_groups_make(struct sandbox_groups *groups, const struct sandbox_limits *limits,
                         const char *name);

/* In the child that becomes bwrap: moves it into all of them. 0, or -1 with errno. */
int sandbox_groups_enter(const struct sandbox_groups *groups);

/* False when there is no group to do it by. */
bool sandbox_groups_freeze(const struct sandbox_groups *groups, bool frozen);

/* Whether the kernel killed for lack of memory in the group since it was asked last. */
bool sandbox_groups_killed(struct sandbox_groups *groups);

/* When nothing lives in them any more. */
void sandbox_groups_remove(struct sandbox_groups *groups);

/* Which controllers this process could have: for probe.h. Makes nothing. */
void sandbox_groups_look(bool has[SANDBOX_GROUP_COUNT]);

/* Whether RLIMIT_NPROC set in a user namespace counts what is in that. */
bool sandbox_limits_count_inside(void);

#endif
