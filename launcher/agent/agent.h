/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_AGENT_AGENT_H
#define CPI_AGENT_AGENT_H

/*
 * The agent of one job on one peer: holds the parts together and goes through the states
 *
 *   NEW --Setup--> READY --Start--> RUNNING --End--> ENDING --nothing left--> DONE
 *
 * (End may come in READY too.) In DONE the launcher has everything and closes the stream. A stream
 * that ends before, a message that breaks the rules, SIGTERM: LOST, the lease is over; everything
 * below the agent is killed, and it exits with 1.
 *
 * In a pool (agent_init_pool) its daemon's fork server made it: it waits in NEW, behind a door
 * (control/door.h), for the launcher who has the key, and for no longer than its patience.
 *
 * Single-threaded: one libuv loop, every function is called from it.
 */

#include <stdbool.h>
#include <sys/resource.h>

#include <uv.h>

#include "agent/caging.h"
#include "agent/input.h"
#include "agent/job.h"
#include "agent/keeper.h"
#include "agent/output.h"
#include "agent/progress.h"
#include "agent/supervisor.h"
#include "agent/traffic.h"
#include "control/door.h"
#include "control/stream.h"
#include "wire/fork_server.pb-c.h"

enum agent_state {
    AGENT_NEW, AGENT_READY, AGENT_RUNNING, AGENT_ENDING, AGENT_DONE, AGENT_LOST
};

/* What an agent of a pool begins with. */
struct agent_pool {
    const Cpmp__Spawn *spawn;
    int fds[CONTROL_DOOR_SOCKETS_MAX];  /* listening sockets */
    uint32_t fds_count;
};

struct agent {
    uv_loop_t loop;
    uv_signal_t term;
    enum agent_state state;
    bool stream_open;
    bool empty;             /* no process is left below us */
    bool parts_made;        /* output, input and progress exist */
    bool progress_made;
    struct rlimit files;    /* RLIMIT_NOFILE as we got it, and as ranks get it */
    struct control_stream stream;
    bool pooled;            /* a fork server made it; the stream is one between machines */
    struct control_door door;
    struct keeper keeper;
    bool suspended;         /* by the machine's owner */
    bool stopped;           /* by the launcher (Ctrl-Z) */
    bool taken;             /* its owner took the machine back */
    struct job job;
    struct caging caging;
    struct supervisor supervisor;
    struct output output;
    struct input input;
    struct progress progress;
    struct traffic traffic;
    char litter[1024];      /* processes that could not be killed */
};

/* Takes over both descriptors; `host_fd` may be -1. CPMP_OK; else a text for people is on
 * stderr. */
int agent_init(struct agent *agent, int control_fd, int host_fd);

/* The same for an agent of a pool. Takes over the sockets of `pool`; the rest is read during the
 * call only. */
int agent_init_pool(struct agent *agent, const struct agent_pool *pool);

/* Returns the exit status when the job is over. */
int agent_run(struct agent *agent);

/* After agent_run. */
void agent_release(struct agent *agent);

#endif
