/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent/agent.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cpmp.h>

#include "agent/ranks.h"
#include "agent/report.h"
#include "process/group.h"
#include "text/memory.h"

#define PATIENCE_MS 10000u  /* a launcher comes within, or not at all */

/* --- the end --- */

static void
handle_close(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* Nobody else will when the launcher is gone. With an error the next launcher does. */
static void
cgroup_remove(const struct job *job)
{
    if (job->cgroup != NULL && *job->cgroup != '\0' && group_enter(job->home) == 0)
        group_remove(job->cgroup);
}

/* The group goes first, while SIGTERM, which the launcher's death sends, still has its handler.
 * With its last handle closed, the loop returns. */
static const char *
agent_ending(const struct agent *agent)
{
    if (agent->taken)
        return "taken away";
    return agent->state == AGENT_DONE ? "done" : "its launcher is lost";
}

static void
agent_stop(struct agent *agent)
{
    if (agent->state == AGENT_LOST)
        cgroup_remove(&agent->job);
    if (agent->stream_open)
        control_stream_close(&agent->stream);
    if (agent->pooled) {
        control_door_close(&agent->door);
        keeper_close(&agent->keeper, agent_ending(agent));
    }
    uv_walk(&agent->loop, handle_close, NULL);
}

/* The lease is over. The reason goes to the launcher, in case it is still there. */
static void
agent_lose(struct agent *agent, const char *why)
{
    if (agent->state == AGENT_LOST)
        return;
    agent->state = AGENT_LOST;
    if (agent->stream_open)
        report_trouble(&agent->stream, CONTROL_TROUBLE_FATAL,
                       "agent of peer %u ends its ranks: %s", agent->job.peer, why);
    if (agent->empty)
        agent_stop(agent);
    else
        supervisor_end(&agent->supervisor, true);
}

static void
agent_try_finish(struct agent *agent)
{
    Cpmp__Done done = CPMP__DONE__INIT;

    if (agent->state != AGENT_ENDING || !agent->empty)
        return;
    if (agent->parts_made && !output_is_drained(&agent->output))
        return;
    if (!traffic_is_drained(&agent->traffic))
        return;
    agent->state = AGENT_DONE;
    done.litter = agent->litter;
    done.strangers = agent->door.strangers;
    traffic_count(&agent->traffic, &done);
    report_done(&agent->stream, &done);
}

static void
on_drained(void *arg)
{
    agent_try_finish(arg);
}

static void
on_empty(void *arg, const char *litter)
{
    struct agent *agent = arg;

    agent->empty = true;
    snprintf(agent->litter, sizeof(agent->litter), "%s", litter);
    if (agent->state == AGENT_LOST) {
        agent_stop(agent);
        return;
    }
    if (agent->parts_made)
        output_cut(&agent->output);
    agent_try_finish(agent);
}

/* --- ranks --- */

static uint64_t
microseconds(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * 1000000u + (uint64_t)time->tv_usec;
}

/* That a limit killed a rank is said before that it was killed. */
static void
cause_tell(struct agent *agent, int status)
{
    const char *reason = "";

    if (agent->supervisor.sandbox != NULL && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        reason = sandbox_reason(agent->supervisor.sandbox);
    if (*reason != '\0')
        report_trouble(&agent->stream, CONTROL_TROUBLE_FATAL, "%s", reason);
}

static void
on_broken(void *arg, const char *why)
{
    struct agent *agent = arg;

    report_trouble(&agent->stream, CONTROL_TROUBLE_FATAL, "%s", why);
}

static void
on_exited(void *arg, uint32_t index, pid_t pid, int status, const struct rusage *usage)
{
    struct agent *agent = arg;
    const struct cpi_rank_block *block = &agent->job.segment.ranks[index];
    Cpmp__Exited exited = CPMP__EXITED__INIT;

    traffic_settle(&agent->traffic);
    traffic_forget(&agent->traffic, agent->job.local_ranks[index]);
    job_rank_uncount(&agent->job, index);
    progress_tell(&agent->progress, index);
    cause_tell(agent, status);
    exited.rank = agent->job.local_ranks[index];
    exited.pid = (uint32_t)pid;
    exited.signaled = WIFSIGNALED(status);
    exited.code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    exited.stage = atomic_load(&block->stage);
    exited.cpu_us = microseconds(&usage->ru_utime) + microseconds(&usage->ru_stime);
    exited.ended = agent->taken;
    exited.max_rss_kib = (uint64_t)usage->ru_maxrss;
    report_exited(&agent->stream, &exited);
}

static const struct supervisor_hooks supervisor_hooks = {
    .on_exited = on_exited,
    .on_empty = on_empty,
    .on_broken = on_broken,
};

/* --- messages --- */

static void
listen_failed(struct agent *agent, const char *why)
{
    char text[FABRIC_WHY_MAX + 100];

    if (*agent->job.listen == '\0' || agent->pooled) {
        agent_lose(agent, why);
        return;
    }
    snprintf(text, sizeof(text), "%s. CPMP_AGENT_ADDRESS_%u is to be an address of its host", why,
             agent->job.peer);
    agent_lose(agent, text);
}

static void
on_setup(struct agent *agent, Cpmp__Setup *setup)
{
    char why[FABRIC_WHY_MAX] = "";
    int error = job_setup(&agent->job, setup);

    if (error == CPMP_OK) {
        error = caging_ask(&agent->caging, setup->sandbox);
        setup->sandbox = NULL;
    }
    if (error == CPMP_EVERSION)
        agent_lose(agent,
                   "the launcher is of another version; install cpexec and cpmp-agent together");
    else if (error)
        agent_lose(agent, cpmp_strerror(error));
    if (error)
        return;
    caging_start(&agent->caging, &agent->supervisor);
    if (traffic_listen(&agent->traffic, &agent->job, why) != CPMP_OK) {
        listen_failed(agent, why);
        return;
    }
    agent->state = AGENT_READY;
    const char *address = traffic_address(&agent->traffic);
    report_ready(&agent->stream, address, strlen(address));
}

/* Everything that running ranks need. CPMP_OK, or what of it failed: CPMP_ENOMEM or the
 * segment's. */
static int
parts_make(struct agent *agent)
{
    struct job *job = &agent->job;
    int error;

    error = output_init(&agent->output, &agent->loop, &agent->stream, 2 * (size_t)job->local,
                        on_drained, agent);
    if (error)
        return error;
    error = input_init(&agent->input, &agent->loop, &agent->stream, job->start->stdin_rank,
                       ranks_stdin_count(job));
    if (error) {
        output_release(&agent->output);
        return error;
    }
    agent->parts_made = true;
    error = job_segment_make(job);
    if (error)
        return error;
    error = progress_init(&agent->progress, &agent->loop, &agent->stream, &job->segment);
    agent->progress_made = error == CPMP_OK;
    return error ? error : traffic_start(&agent->traffic, &agent->loop, &agent->stream);
}

static void
segment_failed_report(struct agent *agent, int error)
{
    const struct job *job = &agent->job;
    int number = error == CPMP_ESYS ? errno : error == CPMP_ELIMIT ? E2BIG : ENOMEM;

    report_start_failed(&agent->stream, job->local > 0 ? job->local_ranks[0] : 0, "segment", number,
                        "");
}

/* Room for the ranks, and the sandbox if there is to be one. What fails is reported. */
static int
cage_make(struct agent *agent)
{
    struct job *job = &agent->job;
    int error = supervisor_reserve(&agent->supervisor, job->local);

    if (error == CPMP_OK && agent->caging.asked != NULL) {
        job->pids = calloc(job->local ? job->local : 1, sizeof(*job->pids));
        error = job->pids == NULL ? CPMP_ENOMEM : CPMP_OK;
    }
    if (error) {
        segment_failed_report(agent, error);
        return error;
    }
    error = caging_await(&agent->caging, &agent->supervisor);
    if (error)
        report_trouble(&agent->stream, CONTROL_TROUBLE_FATAL, "no sandbox for the ranks: %s",
                       text_string(&agent->caging.why));
    return error;
}

/* A cage has better means than signals. */
static void
ranks_halt(struct agent *agent)
{
    if (agent->supervisor.sandbox != NULL)
        sandbox_suspend(agent->supervisor.sandbox);
    else
        supervisor_signal(&agent->supervisor, SIGSTOP);
}

static void
ranks_go_on(struct agent *agent)
{
    if (agent->supervisor.sandbox != NULL)
        sandbox_resume(agent->supervisor.sandbox);
    supervisor_signal(&agent->supervisor, agent->stopped ? SIGSTOP : SIGCONT);
}

/* Takes the message's Start away from it: the job keeps it. */
static void
on_start(struct agent *agent, Cpmp__Control *message)
{
    struct ranks_parts parts = {
        .job = &agent->job,
        .supervisor = &agent->supervisor,
        .output = &agent->output,
        .input = &agent->input,
        .stream = &agent->stream,
        .files = &agent->files,
        .caging = agent->caging.asked != NULL ? &agent->caging : NULL,
    };
    int error = job_start(&agent->job, message->start);

    if (error) {
        agent_lose(agent, error == CPMP_ELIMIT ? "more ranks than this peer has agreed to run"
                                               : cpmp_strerror(error));
        return;
    }
    message->body_case = CPMP__CONTROL__BODY__NOT_SET;
    message->start = NULL;
    agent->state = AGENT_RUNNING;
    error = cage_make(agent);
    if (error)
        return;
    error = parts_make(agent);
    if (error) {
        segment_failed_report(agent, error);
        return;
    }
    ranks_start(&parts);
    if (agent->suspended)
        ranks_halt(agent);
    input_ready(&agent->input);
}

static void
on_end(struct agent *agent, const Cpmp__End *end)
{
    agent->state = AGENT_ENDING;
    supervisor_end(&agent->supervisor, end->kill);
    agent_try_finish(agent);  /* all may be gone already: the owner took the machine back */
}

/* Ranks that the owner has suspended go on when he says so, not when the launcher does. */
static void
on_signal(struct agent *agent, int number)
{
    if (number == SIGSTOP || number == SIGCONT)
        agent->stopped = number == SIGSTOP;
    if (number != SIGCONT || !agent->suspended)
        supervisor_signal(&agent->supervisor, number);
}

/* What comes only while a job runs or ends; false when it breaks the rules. */
static bool
on_running_message(struct agent *agent, const Cpmp__Control *message)
{
    switch (message->body_case) {
    case CPMP__CONTROL__BODY_STDIN:
        return input_give(&agent->input, message->stdin->data.data, message->stdin->data.len,
                          message->stdin->eof) == CPMP_OK;
    case CPMP__CONTROL__BODY_OUTPUT_TAKEN:
        return output_credit(&agent->output, message->output_taken->bytes) == CPMP_OK;
    case CPMP__CONTROL__BODY_SIGNAL:
        if (message->signal->number < 1 || message->signal->number >= NSIG)
            return false;
        on_signal(agent, message->signal->number);
        return true;
    default:
        return false;
    }
}

static bool
message_handle(struct agent *agent, Cpmp__Control *message)
{
    enum agent_state state = agent->state;

    switch (message->body_case) {
    case CPMP__CONTROL__BODY_SETUP:
        if (state != AGENT_NEW)
            return false;
        on_setup(agent, message->setup);
        return true;
    case CPMP__CONTROL__BODY_START:
        if (state != AGENT_READY)
            return false;
        if (!agent->taken)  /* else the launcher knows already, and End is on its way */
            on_start(agent, message);
        return true;
    case CPMP__CONTROL__BODY_END:
        if (state == AGENT_NEW)
            return false;
        on_end(agent, message->end);
        return true;
    default:
        return agent->parts_made && on_running_message(agent, message);
    }
}

static void
on_message(void *arg, Cpmp__Control *message)
{
    struct agent *agent = arg;

    if (agent->state == AGENT_LOST || agent->state == AGENT_DONE)
        return;
    if (!message_handle(agent, message))
        agent_lose(agent, "the launcher sent a message that breaks the protocol");
}

static void
on_closed(void *arg, int error, const char *why)
{
    struct agent *agent = arg;

    agent->stream_open = false;
    if (agent->state == AGENT_DONE)
        agent_stop(agent);
    else
        agent_lose(agent, error ? why : "the launcher is gone");
}

static void
on_room(void *arg)
{
    struct agent *agent = arg;

    traffic_settle(&agent->traffic);
    agent_try_finish(agent);
}

static const struct control_stream_hooks stream_hooks = {
    .on_message = on_message,
    .on_closed = on_closed,
    .on_room = on_room,
};

/* --- life --- */

static void
on_term(uv_signal_t *signal, int number)
{
    (void)number;
    agent_lose(signal->data, "it was told to end (SIGTERM)");
}

/* Three descriptors a rank are soon more than the usual soft limit. Ranks get back what we had. */
static void
files_raise(struct agent *agent)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &agent->files) < 0)
        return;
    limit = agent->files;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* All but the stream. */
static int
parts_init(struct agent *agent, int host_fd)
{
    int error;

    memset(agent, 0, sizeof(*agent));
    files_raise(agent);
    error = job_init(&agent->job, host_fd);
    if (error) {
        fprintf(stderr, "cpmp-agent: cannot use the host page: %s\n",
                error == CPMP_ESYS ? strerror(errno) : "it is not a sealed memfd");
        return error;
    }
    uv_loop_init(&agent->loop);
    uv_signal_init(&agent->loop, &agent->term);
    agent->term.data = agent;
    error = supervisor_init(&agent->supervisor, &agent->loop, &supervisor_hooks, agent);
    if (error == CPMP_OK && uv_signal_start(&agent->term, on_term, SIGTERM) < 0)
        error = CPMP_ESYS;
    return error;
}

int
agent_init(struct agent *agent, int control_fd, int host_fd)
{
    int error = parts_init(agent, host_fd);

    if (error == CPMP_OK)
        error = control_stream_init(&agent->stream, &agent->loop, control_fd, &stream_hooks, agent);
    if (error)
        fprintf(stderr, "cpmp-agent: cannot set up: %s\n", strerror(errno));
    agent->stream_open = error == CPMP_OK;
    return error;
}

/* --- in a pool --- */

static void
on_launcher(void *arg, int fd, struct tls *tls)
{
    struct agent *agent = arg;

    if (agent->state == AGENT_LOST) {
        close(fd);
        tls_free(tls);
        return;
    }
    job_listen_at(&agent->job, fd);
    if (control_stream_init_tls(&agent->stream, &agent->loop, fd, tls, true, CONTROL_LEASE_MS,
                                &stream_hooks, agent) == CPMP_OK)
        agent->stream_open = true;
    else
        agent_lose(agent, strerror(errno));
}

static void
agent_suspend(struct agent *agent, const char *reason)
{
    if (agent->suspended)
        return;
    agent->suspended = true;
    ranks_halt(agent);
    if (agent->stream_open)
        report_suspended(&agent->stream, reason);
}

static void
agent_resume(struct agent *agent)
{
    if (!agent->suspended)
        return;
    agent->suspended = false;
    ranks_go_on(agent);
    if (agent->stream_open)
        report_resumed(&agent->stream);
}

/* The launcher hears why before it hears of ranks that are gone; it ends the job, and this agent
 * with it. One that has no launcher has nothing to wait for. */
static void
agent_leave(struct agent *agent, const char *reason)
{
    if (agent->taken || agent->state >= AGENT_ENDING)
        return;
    agent->taken = true;
    if (!agent->stream_open) {
        agent_lose(agent, reason);
        return;
    }
    report_taken_away(&agent->stream, reason);
    supervisor_end(&agent->supervisor, true);
}

static void
on_order(void *arg, Cpmp__AgentOrder__What what, const char *reason)
{
    if (what == CPMP__AGENT_ORDER__WHAT__SUSPEND)
        agent_suspend(arg, reason);
    else if (what == CPMP__AGENT_ORDER__WHAT__RESUME)
        agent_resume(arg);
    else if (what == CPMP__AGENT_ORDER__WHAT__LEAVE)
        agent_leave(arg, reason);
    else if (what == CPMP__AGENT_ORDER__WHAT__RELEASE && !((struct agent *)arg)->stream_open)
        agent_lose(arg, reason);
}

static const char *
on_state(void *arg)
{
    static const char *const names[] = {
        [AGENT_NEW] = "waiting", [AGENT_READY] = "ready", [AGENT_RUNNING] = "running",
        [AGENT_ENDING] = "ending", [AGENT_DONE] = "done", [AGENT_LOST] = "lost",
    };
    const struct agent *agent = arg;

    return agent->suspended && agent->state < AGENT_ENDING ? "suspended" : names[agent->state];
}

static const struct keeper_hooks keeper_hooks = {.on_order = on_order, .state = on_state};

static void
on_nobody(void *arg)
{
    agent_lose(arg, "no launcher came");
}

static const struct control_door_hooks door_hooks = {
    .on_launcher = on_launcher, .on_nobody = on_nobody,
};

/* The caging keeps it for longer than the Spawn lives. */
static int
cage_ask(struct agent *agent, const Cpmp__Sandbox *sandbox)
{
    size_t bytes = sandbox != NULL ? cpmp__sandbox__get_packed_size(sandbox) : 0;
    uint8_t *packed;
    Cpmp__Sandbox *copy;

    if (sandbox == NULL)
        return CPMP_OK;
    packed = memory_new(bytes + 1, 1);
    cpmp__sandbox__pack(sandbox, packed);
    copy = cpmp__sandbox__unpack(NULL, bytes, packed);
    free(packed);
    return copy != NULL ? caging_ask(&agent->caging, copy) : CPMP_ENOMEM;
}

int
agent_init_pool(struct agent *agent, const struct agent_pool *pool)
{
    const Cpmp__Spawn *spawn = pool->spawn;
    uint64_t patience_ms = spawn->patience_ms > 0 ? spawn->patience_ms : PATIENCE_MS;
    int error = parts_init(agent, -1);

    if (error == CPMP_OK) {
        agent->pooled = true;
        job_foreign(&agent->job, spawn->ranks);
        keeper_init(&agent->keeper, &agent->loop, spawn, &keeper_hooks, agent);
        agent->job.port_first = (uint16_t)spawn->port_first;
        agent->job.port_last = (uint16_t)spawn->port_last;
        errno = EINVAL;  /* what is said when the cage asked for makes no sense */
        error = cage_ask(agent, spawn->sandbox);
    }
    if (error == CPMP_OK) {
        error = control_door_open(&agent->door, &agent->loop, pool->fds, pool->fds_count,
                                  spawn->key.data, patience_ms, &door_hooks, agent);
    }
    if (error == CPMP_OK)  /* while the launcher is on its way */
        caging_start(&agent->caging, &agent->supervisor);
    if (error)
        fprintf(stderr, "cpmp-agent: cannot set up: %s\n", strerror(errno));
    return error;
}

int
agent_run(struct agent *agent)
{
    uv_run(&agent->loop, UV_RUN_DEFAULT);
    assert(agent->state == AGENT_DONE || agent->state == AGENT_LOST);
    return agent->state == AGENT_DONE ? 0 : 1;
}

void
agent_release(struct agent *agent)
{
    if (agent->progress_made)
        progress_release(&agent->progress);
    traffic_release(&agent->traffic);
    if (agent->pooled) {
        control_door_release(&agent->door);
        keeper_release(&agent->keeper);
    }
    if (agent->parts_made) {
        input_release(&agent->input);
        output_release(&agent->output);
    }
    supervisor_release(&agent->supervisor);
    caging_release(&agent->caging);
    job_release(&agent->job);
    uv_loop_close(&agent->loop);
}
