/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_CGROUP_H
#define CPI_EXEC_CGROUP_H

/*
 * CPU shares of embedded peers: a control group for each agent (process/group.h), with a quota of
 * cores. A quota and not a weight, because a weak machine stays weak while its neighbours idle.
 * Where no group can be made the caller says so and goes on without.
 *
 * The launcher removes its groups. When it was killed, each agent does, from its launcher's own
 * group. When they were killed too, the next launcher does.
 */

#include <stdint.h>

#include "process/group.h"
#include "text/text.h"

#define EXEC_CGROUP_PERIOD_US 20000u  /* short, so that a weak peer stutters little */

struct exec_cgroup {
    char *directory;  /* owned; NULL: none */
    char *home;       /* owned; NULL: unknown */
    int lock_fd;
    int version;
};

/* group_base_init for the cpu controller. */
int exec_cgroup_base_init(struct group_base *base, struct text *why);

/* Makes the group `name` with `millicores`. 0, or -1 with `why`. */
int exec_cgroup_init(struct exec_cgroup *group, const struct group_base *base, const char *name,
                     uint32_t millicores, struct text *why);

void exec_cgroup_release(struct exec_cgroup *group);

#endif
