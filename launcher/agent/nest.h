/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_AGENT_NEST_H
#define CPI_AGENT_NEST_H

/*
 * The nest: a process that does what is slow once, loading libfabric and asking it for its
 * providers (260 ms with Debian's), and then forks an agent for each Hatch of its daemon
 * (control/nest.h), without exec.
 *
 * Forking after that is sound: libfabric has started no thread and holds no descriptor by then (its
 * providers are only listed; endpoints are opened by the agent), and a test looks. Nothing of the
 * nest's is left open in an agent: its sockets are close-on-fork by hand.
 *
 * Agents are in sessions of their own and not tied to the nest's life. The nest reaps them and
 * tells the daemon; when the daemon's end closes it exits, and they go on, as init's children.
 */

/* Runs as the nest at the socket `fd` until it closes. The exit status, in the nest and in every
 * agent that it became. */
int nest_run(int fd);

#endif
