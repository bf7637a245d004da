/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_NOTIFY_H
#define CPI_PEER_NOTIFY_H

/* What a service tells the manager that started it, by $NOTIFY_SOCKET (sd_notify(3)). */

/* Sends `state`, lines like "READY=1". `where`: the variable's value; NULL, or none of a local
 * socket: nothing is sent. 0, or -1 with errno. */
int notify_send(const char *where, const char *state);

#endif
