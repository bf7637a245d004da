/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_SANDBOX_USER_H
#define CPI_SANDBOX_USER_H

/* As whom foreign code runs when this process is root: the user `cpmp`, or `nobody`. */

#include <stdbool.h>
#include <sys/types.h>

struct sandbox_user {
    bool wanted;  /* this process is root */
    uid_t uid;
    gid_t gid;
};

void sandbox_user_find(struct sandbox_user *user);

/* Becomes that user for good; the groups of this process are left too. In a user namespace in which
 * that user doesn't exist nothing is done: its root is somebody's ordinary user. 0, or -1 with
 * errno. */
int sandbox_user_become(const struct sandbox_user *user);

#endif
