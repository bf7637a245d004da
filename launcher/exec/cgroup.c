/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/cgroup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
exec_cgroup_base_init(struct group_base *base, struct text *why)
{
    static const char *const controllers[] = {"cpu", NULL};

    return group_base_init(base, controllers, why);
}

static int
quota_set(const struct exec_cgroup *group, uint32_t millicores)
{
    uint64_t quota_us = (uint64_t)EXEC_CGROUP_PERIOD_US * millicores / 1000;
    char value[64];

    if (quota_us < 1000)
        quota_us = 1000;  /* the least that the kernel takes */
    if (group->version == 2) {
        snprintf(value, sizeof(value), "%llu %u", (unsigned long long)quota_us,
                 EXEC_CGROUP_PERIOD_US);
        return group_write(group->directory, "cpu.max", value);
    }
    snprintf(value, sizeof(value), "%u", EXEC_CGROUP_PERIOD_US);
    if (group_write(group->directory, "cpu.cfs_period_us", value) != 0)
        return -1;
    snprintf(value, sizeof(value), "%llu", (unsigned long long)quota_us);
    return group_write(group->directory, "cpu.cfs_quota_us", value);
}

int
exec_cgroup_init(struct exec_cgroup *group, const struct group_base *base, const char *name,
                 uint32_t millicores, struct text *why)
{
    *group = (struct exec_cgroup){.lock_fd = -1, .version = base->version};
    group->directory = group_make(base, name, &group->lock_fd, why);
    if (group->directory == NULL)
        return -1;
    group->home = strdup(base->home);
    if (quota_set(group, millicores) == 0)
        return 0;
    text_print(why, "%s: %s", group->directory, strerror(errno));
    rmdir(group->directory);
    exec_cgroup_release(group);
    return -1;
}

void
exec_cgroup_release(struct exec_cgroup *group)
{
    if (group->lock_fd >= 0)
        close(group->lock_fd);
    free(group->directory);
    free(group->home);
    group->directory = group->home = NULL;
    group->lock_fd = -1;
}
