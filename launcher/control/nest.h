/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_CONTROL_NEST_H
#define CPI_CONTROL_NEST_H

/*
 * The daemon's side of a nest (agent/nest.h), and the packets that both sides exchange.
 *
 * A nest is a process `cpmp-agent --nest FD` that has libfabric loaded already and forks an agent
 * for each Hatch, in milliseconds where a fresh start takes a quarter of a second. It ends when the
 * daemon's end of the socket is closed; its agents go on.
 *
 *     fd = control_nest_start(path, &pid)       made nonblocking, close-on-exec: for uv_poll
 *     control_nest_send(fd, &nest)              Hatch
 *     control_nest_receive(fd, on_nest, arg)    Hatched, Gone, when readable
 */

#include <stdbool.h>
#include <sys/types.h>

#include "wire/nest.pb-c.h"

#define NEST_BYTES_MAX (64u << 10)

/* Starts the program `path` as a nest: a child in a session of its own, standard input and output
 * /dev/null, standard error this process's. Its socket, or -1 with errno. The caller reaps `*pid_p`
 * when the socket ends. */
int control_nest_start(const char *path, pid_t *pid_p);

/* CPMP_OK; CPMP_ELIMIT: longer than NEST_BYTES_MAX; CPMP_EAGAIN: the nest doesn't keep up, ask
 * again when the socket is writable; CPMP_ESYS with errno: it is gone. */
int control_nest_send(int fd, const Cpmp__Nest *nest);

/* `nest` is valid in the call. */
typedef void control_nest_fn(void *arg, const Cpmp__Nest *nest);

/* Takes one packet, if there is one. CPMP_OK: it was handed to `on_nest`; CPMP_EAGAIN: there is
 * none; CPMP_EPROTO: it is no message; CPMP_EPEER: the other side is gone; CPMP_ESYS with errno. */
int control_nest_receive(int fd, control_nest_fn *on_nest, void *arg);

#endif
