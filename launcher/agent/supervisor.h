/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_AGENT_SUPERVISOR_H
#define CPI_AGENT_SUPERVISOR_H

/*
 * Starts the ranks, watches them by pidfd, and ends them and everything they ever started. Caged
 * ranks (sandbox/sandbox.h) are started and watched by the cage, with the same hooks.
 *
 * This process is a subreaper, so a rank's orphans become its children: it reaps them, and at the
 * end it kills and waits until there is no child any more (process/descendants.h). Phases:
 *
 *   WATCHING --end(kill = false)--> LEAVING --last rank exited--> KILLING --no child left--> EMPTY
 *       \-------------------- end(kill = true), from either ---------/
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <uv.h>

#include "process/spawn.h"
#include "sandbox/sandbox.h"

enum supervisor_phase {
    SUPERVISOR_WATCHING, SUPERVISOR_LEAVING, SUPERVISOR_KILLING, SUPERVISOR_EMPTY
};

struct supervisor;

struct supervisor_rank {
    struct supervisor *supervisor;
    uv_poll_t poll;
    int pidfd;  /* -1: not running, or the kernel has none (SIGCHLD tells, then) */
    pid_t pid;  /* 0: not running */
};

struct supervisor_hooks {
    /* The rank with local index `index` has exited: `status` as wait4 gives it. Once per rank. */
    void (*on_exited)(void *arg, uint32_t index, pid_t pid, int status, const struct rusage *usage);
    /* After supervisor_end: no process is left, but for those that can't be killed, named in
     * `litter` ("" as a rule). Once. */
    void (*on_empty)(void *arg, const char *litter);
    /* The sandbox has ended or a limit was passed; ranks are being killed. At most once. */
    void (*on_broken)(void *arg, const char *why);
};

struct supervisor {
    uv_loop_t *loop;
    uv_signal_t child_signal;
    uv_timer_t sweep;
    struct sandbox *sandbox;  /* NULL: none */
    struct supervisor_rank *ranks;
    uint32_t count, running;
    enum supervisor_phase phase;
    uint64_t kill_began_ms;
    const struct supervisor_hooks *hooks;
    void *arg;
};

/* Becomes a subreaper. CPMP_OK or CPMP_ESYS. */
int supervisor_init(struct supervisor *supervisor, uv_loop_t *loop,
                    const struct supervisor_hooks *hooks, void *arg);

/* Only after the loop has closed the handles. */
void supervisor_release(struct supervisor *supervisor);

/* Room for ranks 0 … count - 1; before the first start. CPMP_OK or CPMP_ENOMEM. */
int supervisor_reserve(struct supervisor *supervisor, uint32_t count);

/* Ranks are to run in `sandbox`, which begins to start and is the supervisor's until that is EMPTY;
 * the memory stays the caller's. CPMP_OK, or CPMP_ESYS with `why` for people. */
int supervisor_cage(struct supervisor *supervisor, struct sandbox *sandbox,
                    const struct sandbox_config *config, struct text *why);

/* Waits until it has started; after supervisor_reserve. Without a sandbox there is nothing to wait
 * for. The same. */
int supervisor_cage_await(struct supervisor *supervisor, struct text *why);

/* Starts rank `index`. On error -1 with errno and *step_p, and on_exited will not come. */
int supervisor_start(struct supervisor *supervisor, uint32_t index,
                     const struct spawn_request *request, enum spawn_step *step_p);

pid_t supervisor_pid(const struct supervisor *supervisor, uint32_t index);

/* Sends signal `number` to the process group of every running rank. */
void supervisor_signal(struct supervisor *supervisor, int number);

/* `kill`: everything dies now; else what is left when the last rank has exited. May be called again
 * with `kill`. on_empty comes from the loop. */
void supervisor_end(struct supervisor *supervisor, bool kill);

#endif
