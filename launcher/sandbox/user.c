/* SPDX-License-Identifier: BSD-3-Clause */
#include "sandbox/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#define NOBODY 65534u

void
sandbox_user_find(struct sandbox_user *user)
{
    *user = (struct sandbox_user){.wanted = geteuid() == 0, .uid = NOBODY, .gid = NOBODY};
    if (!user->wanted)
        return;
    const struct passwd *entry = getpwnam("cpmp");
    if (entry == NULL)
        entry = getpwnam("nobody");
    if (entry != NULL && entry->pw_uid != 0) {
        user->uid = entry->pw_uid;
        user->gid = entry->pw_gid;
    }
}

/* Whether the number has a place in a map of user_namespaces(7): lines of first, outside, count. */
static bool
is_mapped(const char *path, unsigned number)
{
    unsigned first, count;
    bool mapped = false;
    char line[128];
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return true;  /* a kernel without user namespaces */
    while (fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "%u %*u %u", &first, &count) == 2)
            mapped = mapped || (number >= first && number - first < count);
    fclose(file);
    return mapped;
}

int
sandbox_user_become(const struct sandbox_user *user)
{
    if (!user->wanted || !is_mapped("/proc/self/uid_map", user->uid) ||
        !is_mapped("/proc/self/gid_map", user->gid))
        return 0;
    if (setgroups(0, NULL) < 0 || setresgid(user->gid, user->gid, user->gid) < 0 ||
        setresuid(user->uid, user->uid, user->uid) < 0)
        return -1;
    if (setuid(0) == 0) {
        errno = EPERM;
        return -1;
    }
    return 0;
}
