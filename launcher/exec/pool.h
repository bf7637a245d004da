/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_POOL_H
#define CPI_EXEC_POOL_H

/*
 * The embedded pool: agents that the launcher starts on this machine itself, one for each peer.
 *
 * An agent is a child in a process group of its own, so that Ctrl-C and Ctrl-Z of the terminal come
 * to the launcher only. It gets one end of a socket pair as its control stream, and the host page.
 * The launcher is a child subreaper: what an agent that is killed leaves behind becomes the
 * launcher's child, and is ended.
 *
 * For tests and benchmarks with network namespaces: CPMP_AGENT_PREFIX_<k> is put in front of the
 * command of agent k ("ip netns exec a"), CPMP_AGENT_ADDRESS_<k> is the address for its fabric
 * endpoint.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "exec/cgroup.h"
#include "exec/map.h"
#include "text/text.h"

struct exec_agent {
    pid_t pid;
    int control_fd;             /* our end, until a control stream takes it over; -1 */
    bool reaped;
    int status;                 /* as from waitpid */
    struct exec_cgroup cgroup;  /* directory NULL: none */
};

/* The host page (ring/segment.h) for `cores`; its fd, close-on-exec, or -1 with errno. */
int exec_pool_make_host_page(uint32_t cores);

/* Makes this process the one that orphans below it go to, and keeps the signals from it that would
 * stop it for touching the terminal, or end it for a full file. Before agents are started; once. */
void exec_pool_init(void);

/* Starts agent `index`. 0, or -1 with `error`. */
int exec_agent_start(struct exec_agent *agent, uint32_t index, const char *path, int host_fd,
                     char **environment, struct text *error);

/* CPMP_AGENT_ADDRESS_<index>; "" when it isn't set. */
const char *exec_agent_address(uint32_t index, char **environment);

/* "it exited with code 3", "it was killed by signal 9 (Killed)". */
void exec_agent_describe_end(const struct exec_agent *agent, struct text *text);

/* SIGKILL to every child of this process that isn't one of the `count` agents and wasn't there when
 * exec_pool_init was called. Returns how many there were. */
int exec_pool_kill_orphans(const struct exec_agent *agents, uint32_t count);

#endif
