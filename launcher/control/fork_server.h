/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_CONTROL_FORK_SERVER_H
#define CPI_CONTROL_FORK_SERVER_H

/*
 * The daemon's side of a fork server (agent/fork_server.h), and the packets that both sides
 * exchange.
 *
 * A fork server is a process `cpmp-agent --fork-server FD` that has libfabric loaded already and
 * forks an agent for each Spawn, in milliseconds where a fresh start takes a quarter of a second.
 * It ends when the daemon's end of the socket is closed; its agents go on.
 *
 *     fd = control_fork_server_start(path, &pid)       made nonblocking, close-on-exec: for uv_poll
 *     control_fork_server_send(fd, &server)  Spawn
 *     control_fork_server_receive(fd, on_fork_server, arg)  Spawned, Gone, when readable
 */

#include <stdbool.h>
#include <sys/types.h>

#include "wire/fork_server.pb-c.h"

#define FORK_SERVER_BYTES_MAX (64u << 10)

/* Starts the program `path` as a fork server: a child in a session of its own, standard input and
 * output /dev/null, standard error this process's. Its socket, or -1 with errno. The caller reaps
 * `*pid_p` when the socket ends. */
int control_fork_server_start(const char *path, pid_t *pid_p);

/* CPMP_OK; CPMP_ELIMIT: longer than FORK_SERVER_BYTES_MAX; CPMP_EAGAIN: the fork server doesn't
 * keep up, ask again when the socket is writable; CPMP_ESYS with errno: it is gone. */
int control_fork_server_send(int fd, const Cpmp__ForkServer *server);

/* `server` is valid in the call. */
typedef void control_fork_server_fn(void *arg, const Cpmp__ForkServer *server);

/* Takes one packet, if there is one. CPMP_OK: it was handed to `on_fork_server`; CPMP_EAGAIN: there
 * is none; CPMP_EPROTO: it is no message; CPMP_EPEER: the other side is gone; CPMP_ESYS with errno.
 */
int control_fork_server_receive(int fd, control_fork_server_fn *on_fork_server, void *arg);

#endif
