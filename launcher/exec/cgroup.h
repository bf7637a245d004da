/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_CGROUP_H
#define CPI_EXEC_CGROUP_H

/*
 * CPU shares of embedded peers: a cgroup for each agent, with a quota of cores. A quota and not a
 * weight, because a weak machine stays weak while its neighbours idle.
 *
 * Version 1: a group below the launcher's own in the hierarchy of the cpu controller. Version 2:
 * below the launcher's own where that may have controllers for its children (the root, or a
 * delegated group without processes), else beside it. Where neither is allowed the caller says so
 * and goes on without.
 *
 * The launcher removes its groups (process/group.h). When it was killed, each agent does, from its
 * launcher's own group. When they were killed too, the next launcher does: each holds a lock
 * (flock) on its groups' directories, and a group named cpmp-* that nobody holds is nobody's. That
 * works across pid namespaces, where looking for the launcher's pid would not.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "text/text.h"

#define EXEC_CGROUP_PERIOD_US 20000u  /* short, so that a weak peer stutters little */

/* Where groups can be made. */
struct exec_cgroup_base {
    int version;      /* 1 or 2; 0: nowhere */
    char *directory;  /* owned */
    char *home;       /* owned; where the launcher itself is */
};

struct exec_cgroup {
    char *directory;  /* owned; NULL: none */
    char *home;       /* owned; NULL: unknown */
    int lock_fd;
    int version;
};

/* Finds the directory of the launcher's own group from the text of /proc/self/mountinfo and
 * /proc/self/cgroup. Pure. Version 1's cpu controller is preferred, since where it is mounted
 * version 2 has no cpu controller. 0, or -1 when there is none. */
int exec_cgroup_parse(const char *mountinfo, const char *own, struct exec_cgroup_base *base);

/* As exec_cgroup_parse with this process's files; then sweeps, and makes sure that groups can be
 * made there. 0, or -1 with the reason in `why`. */
int exec_cgroup_base_init(struct exec_cgroup_base *base, struct text *why);
void exec_cgroup_base_release(struct exec_cgroup_base *base);

/* Makes the group `name` with `millicores`. 0, or -1 with `why`. */
int exec_cgroup_init(struct exec_cgroup *group, const struct exec_cgroup_base *base,
                     const char *name, uint32_t millicores, struct text *why);

/* An fd to which a child writes "0" to enter the group, close-on-exec; -1 with errno. */
int exec_cgroup_open(const struct exec_cgroup *group);

void exec_cgroup_release(struct exec_cgroup *group);

#endif
