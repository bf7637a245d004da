/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_SANDBOX_SANDBOX_H
#define CPI_SANDBOX_SANDBOX_H

/*
 * The cage in which an agent runs foreign ranks: one bubblewrap for the agent, and in it one
 * process, the cage (cpmp-cage), that starts ranks when the agent asks over a socket pair.
 *
 *   agent ── bwrap ── cage (pid 1 of a pid namespace) ── ranks
 *
 * Inside: user, pid, ipc, net, uts, cgroup and mount namespaces; the system read-only, nothing of
 * the owner's; a scratch in memory with a quota, which is the working directory, HOME and TMPDIR,
 * and which /tmp and /var/tmp name; no network; seccomp (filter.h), Landlock, rlimits; control
 * groups where this process may make them, a watch over memory (watch.h) where not.
 *
 * What holds when a rank is hostile: the cage isn't dumpable, so nothing of its memory or its
 * descriptors is in reach; as pid 1 it takes no signal from inside; it believes only its agent, and
 * the agent believes nothing but the shape of what the cage says (message.h). With bwrap or the
 * cage everything inside ends, and both end with the agent (PDEATHSIG), however that ends.
 *
 * As root, bwrap and everything in it run as the user `cpmp`, or `nobody` where there is none.
 *
 * Kept by the supervisor; single-threaded, everything from its loop.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <uv.h>

#include "process/spawn.h"
#include "sandbox/limits.h"
#include "sandbox/message.h"
#include "sandbox/watch.h"
#include "text/text.h"

/* Where things lie inside. */
#define SANDBOX_HOME    "/run/cpmp"          /* ours: cage, library, programs out of the system */
#define SANDBOX_LIBRARY SANDBOX_HOME "/lib"  /* libmpi.so.40; in front of LD_LIBRARY_PATH */

#define SANDBOX_SCRATCH_BYTES (UINT64_C(1) << 30)  /* unless said otherwise */
#define SANDBOX_PROCESSES     2048u
#define SANDBOX_FILES         1024u
#define SANDBOX_BINDS_MAX     1024u
#define SANDBOX_PATIENCE_MS   10000  /* with a cage that doesn't answer */

/* A file (or directory) of this machine, read-only inside. */
struct sandbox_bind {
    const char *host;    /* absolute */
    const char *inside;  /* absolute, without "." and ".."; see sandbox_place */
    bool executable;
};

struct sandbox_config {
    const char *name;         /* of this job and peer, for control groups */
    const char *directory;    /* the ranks' working directory, absolute: the scratch, unless its
                               * place is the system's (sandbox_scratch) */
    const struct sandbox_bind *binds;
    size_t binds_count;
    struct sandbox_limits limits;
    const char *accepted;     /* names of weaknesses (probe.h), with commas between; NULL: none */
};

struct sandbox_hooks {
    /* Rank `index`, which was started, is gone; `status` and `usage` as from wait4. Once. */
    void (*on_exited)(void *arg, uint32_t index, int status, const struct rusage *usage);
    /* A limit was passed, or the cage is gone though nobody ended it: `why` for people. The owner
     * ends the sandbox. At most once. */
    void (*on_broken)(void *arg, const char *why);
};

struct sandbox_rank {
    bool running, gone;      /* gone: on_exited is still to be called */
    int status;
    struct rusage usage;
};

struct sandbox {
    const struct sandbox_hooks *hooks;
    void *arg;
    uv_poll_t poll;
    bool polled;
    uv_timer_t late;         /* exits that came while sandbox_run waited; stopping once more */
    struct sandbox_watch watch;
    struct sandbox_limits limits;
    struct sandbox_groups groups;
    char *scratch;           /* owned; inside */
    int fd, errors_fd;       /* -1: closed */
    bool ready, ending, broken, suspended;
    uint32_t count;
    struct sandbox_rank *ranks;
    char reason[200];
};

/* Where a launcher's file of this path lies inside: there, unless the system has that place (/usr,
 * /etc, /proc, ...); then SANDBOX_HOME/bin/NAME. The caller frees it. */
char *sandbox_place(const char *path);

/* Where the scratch is for a working directory of this name. The caller frees it. */
char *sandbox_scratch(const char *directory);

/* Starts bwrap and the cage without waiting for them: as early as the config is known, since that
 * takes some 6 ms, and as much for each control group of version 1. CPMP_OK, or CPMP_ESYS with
 * `why` for people; then nothing is kept. The config isn't needed afterwards. */
int sandbox_start(struct sandbox *sandbox, uv_loop_t *loop, const struct sandbox_config *config,
                  const struct sandbox_hooks *hooks, void *arg, struct text *why);

/* Waits for the cage, SANDBOX_PATIENCE_MS at most, which then takes ranks 0 … count - 1. CPMP_OK,
 * or CPMP_ESYS with `why`. */
int sandbox_await(struct sandbox *sandbox, uint32_t count, struct text *why);

/* As spawn_process, in the cage; waits for the answer. *pid_p is as this process sees it. */
int sandbox_run(struct sandbox *sandbox, uint32_t index, const struct spawn_request *request,
                pid_t *pid_p, enum spawn_step *step_p);

/* To the process group of every rank. */
void sandbox_signal(struct sandbox *sandbox, int number);

/* Stops all processes inside, and lets them go on: by control group where there is one. For the
 * owner of the machine; harmless when it is so already. Ranks started meanwhile are stopped too. */
void sandbox_suspend(struct sandbox *sandbox);
void sandbox_resume(struct sandbox *sandbox);

/* Everything inside is killed; on_exited comes for what ran, and no on_broken. */
void sandbox_kill(struct sandbox *sandbox);

/* After sandbox_kill, when the cage had a moment to tell: it leaves by itself. Who is in a hurry
 * kills what descends from this process. */
void sandbox_end(struct sandbox *sandbox);

/* When no process is left: the last on_exited, then the control groups are removed. */
void sandbox_finish(struct sandbox *sandbox);

/* What ended a rank that was killed, if a limit did: text for people, else "". */
const char *sandbox_reason(struct sandbox *sandbox);

void sandbox_release(struct sandbox *sandbox);

#endif
