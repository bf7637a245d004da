/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_LOCAL_STATE_H
#define CPI_LOCAL_STATE_H

/*
 * The state directory of a peer: who it is, its pool, its policy, what it stores; and the socket by
 * which the programs of its machine speak with its daemon.
 *
 *     identity.key identity.crt   who it is
 *     pool/                       the authority, its revocations; on the founder also its key
 *     policy.conf                 the owner's word
 *     peers                       addresses of peers met, for the next start
 *     history.db                  what ran here
 *     store/                      executables and files by content
 *     socket                      the daemon, while it runs
 *     lock                        held by the daemon while it runs
 *
 * Which one: --state, $CPMP_STATE, else the system's for root and the user's for others. Whoever
 * looks for a running daemon takes the user's before the system's.
 */

#include <stdbool.h>

#include "text/text.h"

#define STATE_SYSTEM "/var/lib/cpmp"

/* The directory for a daemon: `option` (--state; NULL: not given), else by `environment`'s
 * CPMP_STATE, XDG_STATE_HOME and HOME. 0, or -1 with `error`. */
int state_directory(struct text *path, const char *option, char **environment, struct text *error);

/* The directory of a daemon that runs, for those who want to speak with it. 0; or -1 when none
 * does, with the directories looked at in `error`, in words. */
int state_find(struct text *path, const char *option, char **environment, struct text *error);

/* Makes the directory with its parents, as needed. 0, or -1 with `error`. */
int state_make(const char *directory, struct text *error);

/* Takes the directory for this process, until it ends. Its lock's descriptor, close-on-exec; or -1
 * with `error`, when another daemon has it. */
int state_lock(const char *directory, struct text *error);

/* Connects to, or listens at, the socket of the directory, whatever the length of its path. The
 * descriptor, close-on-exec; or -1 with errno. A listener replaces a socket that nobody listens
 * at; call it with the lock held. Any user of the machine may connect. */
int state_connect(const char *directory);
int state_listen(const char *directory);
void state_unlisten(const char *directory);

#endif
