/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent/supervisor.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cpmp.h>

#include "process/descendants.h"

#define SWEEP_FIRST_MS   1u      /* most dying processes are gone by then */
#define SWEEP_AGAIN_MS   10u
#define CAGE_TELLS_MS    100u    /* how killed ranks went, before it is killed itself */
#define KILL_PATIENCE_MS 10000u  /* what SIGKILL hasn't ended by then sleeps in the kernel */

static void
supervisor_check(const struct supervisor *supervisor)
{
    assert(supervisor->running <= supervisor->count);
    assert(supervisor->phase != SUPERVISOR_LEAVING || supervisor->running > 0);
}

/* --- reaping --- */

static struct supervisor_rank *
rank_of_pid(struct supervisor *supervisor, pid_t pid)
{
    for (uint32_t i = 0; i < supervisor->count; i++)
        if (supervisor->ranks[i].pid == pid)
            return &supervisor->ranks[i];
    return NULL;
}

static void
rank_exited(struct supervisor *supervisor, struct supervisor_rank *rank, int status,
            const struct rusage *usage)
{
    pid_t pid = rank->pid;

    if (rank->pidfd >= 0) {
        uv_close((uv_handle_t *)&rank->poll, NULL);
        close(rank->pidfd);
        rank->pidfd = -1;
    }
    rank->pid = 0;
    assert(supervisor->running > 0);
    supervisor->running--;
    supervisor->hooks->on_exited(supervisor->arg, (uint32_t)(rank - supervisor->ranks), pid, status,
                                 usage);
}

/* Reaps whoever has exited, ranks and orphans; returns whether there are children still. */
static bool
children_reap(struct supervisor *supervisor)
{
    struct rusage usage;
    int status;
    pid_t pid;

    while ((pid = wait4(-1, &status, WNOHANG, &usage)) != 0) {
        struct supervisor_rank *rank;
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid < 0)
            return false;  /* ECHILD */
        rank = supervisor->sandbox ? NULL : rank_of_pid(supervisor, pid);
        if (rank)
            rank_exited(supervisor, rank, status, &usage);
    }
    return true;
}

/* --- the end --- */

static void on_sweep(uv_timer_t *timer);

static void
supervisor_empty(struct supervisor *supervisor, const char *litter)
{
    if (supervisor->sandbox)
        sandbox_finish(supervisor->sandbox);
    uv_timer_stop(&supervisor->sweep);
    supervisor->phase = SUPERVISOR_EMPTY;
    supervisor->hooks->on_empty(supervisor->arg, litter);
}

/* The groups of the ranks hold nearly everything; sweeps find the rest. */
static void
kill_begin(struct supervisor *supervisor)
{
    supervisor->phase = SUPERVISOR_KILLING;
    supervisor->kill_began_ms = uv_now(supervisor->loop);
    if (supervisor->sandbox)
        sandbox_kill(supervisor->sandbox);
    else
        supervisor_signal(supervisor, SIGKILL);
    uv_timer_start(&supervisor->sweep, on_sweep,
                   supervisor->sandbox && supervisor->running > 0 ? CAGE_TELLS_MS : 0, 0);
}

static void
supervisor_advance(struct supervisor *supervisor)
{
    bool children = children_reap(supervisor);

    if (supervisor->phase == SUPERVISOR_LEAVING && supervisor->running == 0)
        kill_begin(supervisor);
    if (supervisor->phase == SUPERVISOR_KILLING && !children)
        supervisor_empty(supervisor, "");
    supervisor_check(supervisor);
}

static void
on_sweep(uv_timer_t *timer)
{
    struct supervisor *supervisor = timer->data;
    bool first = uv_timer_get_repeat(timer) == 0;
    uint64_t since_ms = uv_now(supervisor->loop) - supervisor->kill_began_ms;
    char litter[1024];

    supervisor_advance(supervisor);
    if (supervisor->phase != SUPERVISOR_KILLING)
        return;
    if (since_ms > KILL_PATIENCE_MS) {
        descendants_list(litter, sizeof(litter));
        supervisor_empty(supervisor, litter);
        return;
    }
    if (supervisor->sandbox)
        sandbox_end(supervisor->sandbox);
    descendants_signal(SIGKILL, 0, NULL, 0);
    uv_timer_start(timer, on_sweep, first ? SWEEP_FIRST_MS : SWEEP_AGAIN_MS, SWEEP_AGAIN_MS);
}

void
supervisor_end(struct supervisor *supervisor, bool kill)
{
    if (supervisor->phase >= SUPERVISOR_KILLING)
        return;
    if (kill || supervisor->running == 0)
        kill_begin(supervisor);
    else
        supervisor->phase = SUPERVISOR_LEAVING;
    supervisor_check(supervisor);
}

/* --- watching --- */

static void
on_child_signal(uv_signal_t *signal, int number)
{
    (void)number;
    supervisor_advance(signal->data);
}

static void
on_pidfd(uv_poll_t *poll, int status, int events)
{
    struct supervisor_rank *rank = poll->data;

    (void)status;
    (void)events;
    supervisor_advance(rank->supervisor);
}

/* A kernel without pidfds, or no descriptor to spare: SIGCHLD alone tells, just later in the
 * loop. */
static void
rank_watch(struct supervisor_rank *rank)
{
    int pidfd = (int)syscall(SYS_pidfd_open, rank->pid, 0);

    if (pidfd < 0)
        return;
    if (uv_poll_init(rank->supervisor->loop, &rank->poll, pidfd) < 0) {
        close(pidfd);
        return;
    }
    rank->pidfd = pidfd;
    rank->poll.data = rank;
    uv_poll_start(&rank->poll, UV_READABLE, on_pidfd);
}

/* --- the sandbox --- */

static void
on_caged_exited(void *arg, uint32_t index, int status, const struct rusage *usage)
{
    struct supervisor *supervisor = arg;

    rank_exited(supervisor, &supervisor->ranks[index], status, usage);
    if (supervisor->running > 0)
        return;
    if (supervisor->phase == SUPERVISOR_LEAVING)
        kill_begin(supervisor);
    else if (supervisor->phase == SUPERVISOR_KILLING)
        uv_timer_start(&supervisor->sweep, on_sweep, 0, 0);
}

static void
on_caged_broken(void *arg, const char *why)
{
    struct supervisor *supervisor = arg;

    supervisor->hooks->on_broken(supervisor->arg, why);
    sandbox_kill(supervisor->sandbox);
}

static const struct sandbox_hooks sandbox_hooks = {
    .on_exited = on_caged_exited,
    .on_broken = on_caged_broken,
};

int
supervisor_cage(struct supervisor *supervisor, struct sandbox *sandbox,
                const struct sandbox_config *config, struct text *why)
{
    assert(supervisor->sandbox == NULL && supervisor->running == 0);
    if (sandbox_start(sandbox, supervisor->loop, config, &sandbox_hooks, supervisor, why) !=
        CPMP_OK)
        return CPMP_ESYS;
    supervisor->sandbox = sandbox;
    return CPMP_OK;
}

int
supervisor_cage_await(struct supervisor *supervisor, struct text *why)
{
    assert(supervisor->ranks != NULL && supervisor->running == 0);
    return supervisor->sandbox ? sandbox_await(supervisor->sandbox, supervisor->count, why)
                               : CPMP_OK;
}

int
supervisor_start(struct supervisor *supervisor, uint32_t index, const struct spawn_request *request,
                 enum spawn_step *step_p)
{
    struct supervisor_rank *rank = &supervisor->ranks[index];

    assert(index < supervisor->count && rank->pid == 0);
    int result = supervisor->sandbox
                     ? sandbox_run(supervisor->sandbox, index, request, &rank->pid, step_p)
                     : spawn_process(request, &rank->pid, step_p);
    if (result < 0) {
        rank->pid = 0;
        return -1;
    }
    supervisor->running++;
    if (!supervisor->sandbox)
        rank_watch(rank);
    supervisor_check(supervisor);
    return 0;
}

pid_t
supervisor_pid(const struct supervisor *supervisor, uint32_t index)
{
    assert(index < supervisor->count);
    return supervisor->ranks[index].pid;
}

/* A rank that isn't reaped yet keeps its group's number from being another's. */
void
supervisor_signal(struct supervisor *supervisor, int number)
{
    if (supervisor->sandbox) {
        sandbox_signal(supervisor->sandbox, number);
        return;
    }
    for (uint32_t i = 0; i < supervisor->count; i++)
        if (supervisor->ranks[i].pid > 0)
            kill(-supervisor->ranks[i].pid, number);
}

int
supervisor_reserve(struct supervisor *supervisor, uint32_t count)
{
    assert(supervisor->ranks == NULL);
    supervisor->ranks = calloc(count ? count : 1, sizeof(*supervisor->ranks));
    if (supervisor->ranks == NULL)
        return CPMP_ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        supervisor->ranks[i].supervisor = supervisor;
        supervisor->ranks[i].pidfd = -1;
    }
    supervisor->count = count;
    return CPMP_OK;
}

int
supervisor_init(struct supervisor *supervisor, uv_loop_t *loop,
                const struct supervisor_hooks *hooks, void *arg)
{
    memset(supervisor, 0, sizeof(*supervisor));
    supervisor->loop = loop;
    supervisor->hooks = hooks;
    supervisor->arg = arg;
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        return CPMP_ESYS;
    uv_timer_init(loop, &supervisor->sweep);
    uv_signal_init(loop, &supervisor->child_signal);
    supervisor->sweep.data = supervisor;
    supervisor->child_signal.data = supervisor;
    if (uv_signal_start(&supervisor->child_signal, on_child_signal, SIGCHLD) < 0)
        return CPMP_ESYS;
    return CPMP_OK;
}

void
supervisor_release(struct supervisor *supervisor)
{
    if (supervisor->sandbox)
        sandbox_release(supervisor->sandbox);
    supervisor->sandbox = NULL;
    free(supervisor->ranks);
    supervisor->ranks = NULL;
    supervisor->count = 0;
}
