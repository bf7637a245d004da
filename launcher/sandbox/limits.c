/* SPDX-License-Identifier: BSD-3-Clause */
#include "sandbox/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "process/group.h"

#define PERIOD_US 20000u  /* of the cpu controller; short, so that ranks stutter little */
#define OVERHEAD  16u     /* bwrap, the cage, and what they start to start a rank */

static const char *const names[SANDBOX_GROUP_COUNT] = {"memory", "pids", "cpu", "freezer"};

/* --- what each controller is told --- */

static int
write_number(const char *directory, const char *file, uint64_t number)
{
    char text[32];

    snprintf(text, sizeof(text), "%" PRIu64, number);
    return group_write(directory, file, text);
}

static int
memory_set(int version, const char *directory, const struct sandbox_limits *limits)
{
    if (limits->memory_bytes == 0)
        return 0;
    if (version == 1) {
        if (write_number(directory, "memory.limit_in_bytes", limits->memory_bytes) != 0)
            return -1;
        /* Where swap is counted it is no way out. */
        (void)write_number(directory, "memory.memsw.limit_in_bytes", limits->memory_bytes);
        return 0;
    }
    (void)write_number(directory, "memory.swap.max", 0);
    return write_number(directory, "memory.max", limits->memory_bytes);
}

static int
cpu_set(int version, const char *directory, const struct sandbox_limits *limits)
{
    uint64_t quota_us = (uint64_t)PERIOD_US * limits->cpu_millicores / 1000;
    char text[64];

    if (limits->cpu_millicores == 0)
        return 0;
    if (quota_us < 1000)
        quota_us = 1000;  /* the least that the kernel takes */
    if (version == 1)
        return write_number(directory, "cpu.cfs_period_us", PERIOD_US) != 0 ||
                       write_number(directory, "cpu.cfs_quota_us", quota_us) != 0
                   ? -1
                   : 0;
    snprintf(text, sizeof(text), "%" PRIu64 " %u", quota_us, PERIOD_US);
    return group_write(directory, "cpu.max", text);
}

static int
limit_set(enum sandbox_group group, int version, const char *directory,
          const struct sandbox_limits *limits)
{
    switch (group) {
    case SANDBOX_GROUP_MEMORY:
        return memory_set(version, directory, limits);
    case SANDBOX_GROUP_PIDS:
        return write_number(directory, "pids.max", (uint64_t)limits->processes + OVERHEAD);
    case SANDBOX_GROUP_CPU:
        return cpu_set(version, directory, limits);
    default:
        return 0;
    }
}

/* --- making --- */

bool
sandbox_limits_count_inside(void)
{
    unsigned major = 0, minor = 0;
    struct utsname name;

    if (uname(&name) != 0 || sscanf(name.release, "%u.%u", &major, &minor) != 2)
        return false;
    return major > 5 || (major == 5 && minor >= 14);
}

static bool
is_wanted(enum sandbox_group group, const struct sandbox_limits *limits)
{
    switch (group) {
    case SANDBOX_GROUP_MEMORY:
        return limits->memory_bytes > 0;
    case SANDBOX_GROUP_PIDS:
        return !sandbox_limits_count_inside();
    case SANDBOX_GROUP_CPU:
        return limits->cpu_millicores > 0;
    default:
        return limits->suspends;
    }
}

static void
one_remove(struct sandbox_groups *groups, enum sandbox_group group)
{
    if (groups->directory[group] == NULL)
        return;
    group_remove(groups->directory[group]);
    free(groups->directory[group]);
    close(groups->lock_fd[group]);
    groups->directory[group] = NULL;
    groups->version[group] = 0;
}

/* Version 1: a hierarchy for each. */
static void
one_make(struct sandbox_groups *groups, enum sandbox_group group,
         const struct sandbox_limits *limits, const char *name)
{
    const char *const controllers[] = {names[group], NULL};
    struct group_base base = {0};
    struct text why = {0};

    if (group_base_init(&base, controllers, &why) == 0 && base.version == 1)
        groups->directory[group] = group_make(&base, name, &groups->lock_fd[group], &why);
    if (groups->directory[group] != NULL) {
        groups->version[group] = 1;
        if (limit_set(group, 1, groups->directory[group], limits) != 0)
            one_remove(groups, group);
    }
    group_base_release(&base);
    text_release(&why);
}

/* Version 2: one group, with as many of the controllers as it can have. Its freezer needs none. */
static void
all_make(struct sandbox_groups *groups, const struct sandbox_limits *limits, const char *name)
{
    static const char *const sets[][4] = {
        {"memory", "pids", "cpu", NULL}, {"memory", "pids", NULL}, {"pids", NULL}};
    struct group_base base = {0};
    struct text why = {0};
    size_t set = 0;

    while (set < 3 && (group_base_init(&base, sets[set], &why) != 0 || base.version != 2)) {
        group_base_release(&base);
        set++;
    }
    text_clear(&why);
    if (set < 3)
        groups->directory[0] = group_make(&base, name, &groups->lock_fd[0], &why);
    group_base_release(&base);
    text_release(&why);
    if (groups->directory[0] == NULL)
        return;
    groups->version[SANDBOX_GROUP_FREEZER] = 2;
    for (enum sandbox_group group = 0; group < SANDBOX_GROUP_FREEZER; group++)
        for (const char *const *at = sets[set]; *at != NULL; at++)
            if (strcmp(*at, names[group]) == 0 && is_wanted(group, limits) &&
                limit_set(group, 2, groups->directory[0], limits) == 0)
                groups->version[group] = 2;
}

void
sandbox_groups_make(struct sandbox_groups *groups, const struct sandbox_limits *limits,
                    const char *name)
{
    bool any = false, wanted = false;

    memset(groups, 0, sizeof(*groups));
    for (enum sandbox_group group = 0; group < SANDBOX_GROUP_COUNT; group++)
        groups->lock_fd[group] = -1;
    for (enum sandbox_group group = 0; group < SANDBOX_GROUP_COUNT; group++) {
        if (is_wanted(group, limits))
            one_make(groups, group, limits, name);
        wanted |= is_wanted(group, limits);
        any |= groups->version[group] != 0;
    }
    if (wanted && !any)
        all_make(groups, limits, name);
}

int
sandbox_groups_enter(const struct sandbox_groups *groups)
{
    for (enum sandbox_group group = 0; group < SANDBOX_GROUP_COUNT; group++)
        if (groups->directory[group] != NULL && group_enter(groups->directory[group]) != 0)
            return -1;
    return 0;
}

void
sandbox_groups_remove(struct sandbox_groups *groups)
{
    for (enum sandbox_group group = 0; group < SANDBOX_GROUP_COUNT; group++)
        one_remove(groups, group);
}

/* --- while it runs --- */

bool
sandbox_groups_freeze(const struct sandbox_groups *groups, bool frozen)
{
    switch (groups->version[SANDBOX_GROUP_FREEZER]) {
    case 1:
        return group_write(groups->directory[SANDBOX_GROUP_FREEZER], "freezer.state",
                           frozen ? "FROZEN" : "THAWED") == 0;
    case 2:
        return group_write(groups->directory[0], "cgroup.freeze", frozen ? "1" : "0") == 0;
    default:
        return false;
    }
}

/* The number in the line "oom_kill N" of a file of the group. */
static uint64_t
kills_read(const char *directory, const char *name)
{
    char path[4096], line[128];
    uint64_t kills = 0;
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        (void)sscanf(line, "oom_kill %" SCNu64, &kills);
    if (file != NULL)
        fclose(file);
    return kills;
}

bool
sandbox_groups_killed(struct sandbox_groups *groups)
{
    int version = groups->version[SANDBOX_GROUP_MEMORY];
    uint64_t before = groups->kills;

    if (version == 1)
        groups->kills = kills_read(groups->directory[SANDBOX_GROUP_MEMORY], "memory.oom_control");
    else if (version == 2)
        groups->kills = kills_read(groups->directory[0], "memory.events");
    return groups->kills > before;
}

void
sandbox_groups_look(bool has[SANDBOX_GROUP_COUNT])
{
    for (enum sandbox_group group = 0; group < SANDBOX_GROUP_COUNT; group++) {
        bool needs_none = group == SANDBOX_GROUP_FREEZER;
        const char *const controllers[] = {names[group], NULL};
        struct group_base base = {0};
        struct text why = {0};

        has[group] = group_base_init(&base, controllers, &why) == 0 &&
                     access(base.directory, W_OK) == 0;
        if (!has[group] && needs_none)
            has[group] = has[SANDBOX_GROUP_PIDS] && base.version == 2;
        group_base_release(&base);
        text_release(&why);
    }
}
