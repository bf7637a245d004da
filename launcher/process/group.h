/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PROCESS_GROUP_H
#define CPI_PROCESS_GROUP_H

/*
 * Control groups, by their directories (cgroups(7); versions 1 and 2 alike).
 *
 * Version 1: a group is made below this process's own in the hierarchy of its controller. Version
 * 2: below the own one where that may have controllers for its children (the root, or a delegated
 * group without processes), else beside it.
 *
 * Who makes a group removes it. What a killed one left the next one sweeps: each holds a lock
 * (flock) on its groups' directories, and a group named cpmp-* that nobody holds is nobody's. That
 * works across pid namespaces, where looking for a pid would not.
 */

#include "text/text.h"

/* Where groups can be made. */
struct group_base {
    int version;      /* 1 or 2; 0: nowhere */
    char *directory;  /* owned */
    char *home;       /* owned; where this process itself is */
};

/* Finds the directory of the process's own group for `controller` from the text of
 * /proc/self/mountinfo and /proc/self/cgroup. Pure. Version 1 is preferred, since where it has the
 * controller version 2 has not. 0, or -1 when there is none. */
int group_base_parse(struct group_base *base, const char *mountinfo, const char *own,
                     const char *controller);

/* The same with this process's files; then sweeps, and makes sure that version 2 can give all of
 * `controllers` (NULL at the end) to groups there; version 1 has the first. 0, or -1 with the
 * reason in `why`. */
int group_base_init(struct group_base *base, const char *const *controllers, struct text *why);
void group_base_release(struct group_base *base);

/* Only sweeps, for every controller that is used here: for who knows that the maker of groups was
 * killed. */
void group_sweep(void);

/* Makes the group cpmp-<name> and locks it. Its directory, which the caller frees, and an fd that
 * holds the lock; or NULL with `why`. */
char *group_make(const struct group_base *base, const char *name, int *lock_fd_p,
                 struct text *why);

/* Writes a file of the group. 0, or -1 with errno. */
int group_write(const char *directory, const char *name, const char *value);

/* An fd to which a child writes "0" to enter the group, close-on-exec; -1 with errno. */
int group_open(const char *directory);

/* Moves this process into the group. 0, or -1 with errno. */
int group_enter(const char *directory);

/* Kills what is in the group, this process excepted, and removes it; waits a moment for what is
 * dying. 0, or -1 with errno. */
int group_remove(const char *directory);

#endif
