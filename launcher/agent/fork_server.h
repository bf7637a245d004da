/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_AGENT_FORK_SERVER_H
#define CPI_AGENT_FORK_SERVER_H

/*
 * The fork server: a process that does what is slow once, loading libfabric and asking it for its
 * providers (260 ms with Debian's), and then forks an agent for each Spawn of its daemon
 * (control/fork_server.h), without exec.
 *
 * Forking after that is sound: libfabric has started no thread and holds no descriptor by then (its
 * providers are only listed; endpoints are opened by the agent), and a test looks. Nothing of the
 * fork server's is left open in an agent: its sockets are close-on-fork by hand.
 *
 * Agents are in sessions of their own and not tied to the fork server's life. The fork server reaps
 * them and tells the daemon; when the daemon's end closes it exits, and they go on, as init's
 * children.
 */

/* Runs as the fork server at the socket `fd` until it closes. The exit status, in the fork server
 * and in every agent that it became. */
int fork_server_run(int fd);

#endif
