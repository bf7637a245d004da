/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/job.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ring/segment.h"
#include "text/memory.h"

void
exec_job_init(struct exec_job *job, const struct exec_map *map, uint64_t limit_us, uint64_t now_us)
{
    memset(job, 0, sizeof(*job));
    job->map = map;
    job->ranks = memory_new(map->ranks, sizeof(*job->ranks));
    job->waiting = map->ranks;
    job->unready = job->open = map->peers;
    job->limit_us = limit_us > 0 ? now_us + limit_us : UINT64_MAX;
    job->deadline_us = now_us + EXEC_JOB_READY_US;
    exec_job_check(job);
}

void
exec_job_release(struct exec_job *job)
{
    text_release(&job->first.text);
    free(job->ranks);
    job->ranks = NULL;
}

uint64_t
exec_job_deadline_us(const struct exec_job *job)
{
    if (job->state <= EXEC_JOB_LEAVING && job->limit_us < job->deadline_us)
        return job->limit_us;
    return job->deadline_us;
}

/* --- what went wrong --- */

static struct exec_failure *
failure_record(struct exec_job *job, enum exec_cause cause, int code, const char *text)
{
    struct exec_failure *first = &job->first;

    if (first->cause != EXEC_CAUSE_NONE)
        return NULL;
    first->cause = cause;
    first->code = code;
    if (text != NULL)
        text_add_string(&first->text, text);
    return first;
}

static void
failure_record_rank(struct exec_job *job, enum exec_cause cause, uint32_t rank, int code,
                    const char *text)
{
    struct exec_failure *first = failure_record(job, cause, code, text);

    if (first == NULL)
        return;
    first->has_rank = true;
    first->rank = rank;
    first->peer = job->map->places[rank].peer;
}

static void
failure_record_peer(struct exec_job *job, enum exec_cause cause, uint32_t peer, const char *text)
{
    struct exec_failure *first = failure_record(job, cause, 0, text);

    if (first != NULL)
        first->peer = peer;
}

/* --- the way down --- */

static void
end_begin(struct exec_job *job, uint64_t now_us, struct exec_actions *out)
{
    job->state = EXEC_JOB_ENDING;
    job->deadline_us = now_us + EXEC_JOB_ANSWER_US;
    out->end = true;
}

static void
kill_begin(struct exec_job *job, uint64_t now_us, struct exec_actions *out)
{
    job->state = EXEC_JOB_KILLING;
    job->deadline_us = now_us + EXEC_JOB_ANSWER_US;
    out->end = out->kill = true;
}

/* Ranks get `number`, and a grace. Before they were started there is nobody to be gentle with. */
static void
stop_begin(struct exec_job *job, int number, uint64_t now_us, struct exec_actions *out)
{
    if (job->state >= EXEC_JOB_STOPPING)
        return;
    if (job->state == EXEC_JOB_STARTING) {
        kill_begin(job, now_us, out);
        return;
    }
    job->state = EXEC_JOB_STOPPING;
    job->deadline_us = now_us + EXEC_JOB_GRACE_US;
    out->signal = number;
}

/* A rank or a peer has gone: is that the end of a state? */
static void
progress_look(struct exec_job *job, uint64_t now_us, struct exec_actions *out)
{
    bool begun = job->state >= EXEC_JOB_RUNNING;

    if (job->state == EXEC_JOB_OVER)
        return;
    if (job->open == 0) {
        job->state = EXEC_JOB_OVER;
        job->deadline_us = UINT64_MAX;
        out->over = true;
    } else if (begun && job->state < EXEC_JOB_KILLING && job->running == 0 && job->waiting == 0) {
        end_begin(job, now_us, out);
    }
}

/* --- ranks --- */

static void
rank_set_state(struct exec_job *job, struct exec_rank *rank, enum exec_rank_state state)
{
    if (rank->state == EXEC_RANK_WAITING)
        job->waiting--;
    else if (rank->state == EXEC_RANK_RUNNING)
        job->running--;
    rank->state = state;
    if (state == EXEC_RANK_RUNNING)
        job->running++;
}

static void
rank_fail(struct exec_job *job, struct exec_rank *rank, int code)
{
    if (rank->failed)
        return;
    rank->failed = true;
    rank->failed_code = code > 0 && code < 256 ? code : 1;
    job->failures++;
}

static int
step_started(struct exec_job *job, const struct exec_event *event)
{
    struct exec_rank *rank = &job->ranks[event->rank];

    if (rank->state != EXEC_RANK_WAITING)
        return -1;
    rank->pid = event->pid;
    rank->started_us = event->now_us;
    rank_set_state(job, rank, EXEC_RANK_RUNNING);
    return 0;
}

/* What a shell would exit with: 127 when there is no such program, 126 when it can't be run. */
static int
start_code(const struct exec_event *event)
{
    if (strcmp(event->what, "run") != 0)
        return 1;
    if (event->code == ENOENT || event->code == ENOTDIR)
        return 127;
    if (event->code == EACCES || event->code == ENOEXEC || event->code == EISDIR ||
        event->code == EPERM)
        return 126;
    return 1;
}

/* After its first failure an agent starts no more, so none of its waiting ranks will come. */
static int
step_start_failed(struct exec_job *job, const struct exec_event *event, struct exec_actions *out)
{
    struct exec_rank *failed = &job->ranks[event->rank];
    uint32_t peer = job->map->places[event->rank].peer;
    bool first = job->first.cause == EXEC_CAUSE_NONE;

    if (failed->state != EXEC_RANK_WAITING)
        return -1;
    rank_fail(job, failed, start_code(event));
    failure_record_rank(job, EXEC_CAUSE_START, event->rank, event->code, event->text);
    if (first)
        snprintf(job->first.what, sizeof(job->first.what), "%s", event->what);
    for (uint32_t i = 0; i < job->map->ranks; i++)
        if (job->map->places[i].peer == peer && job->ranks[i].state == EXEC_RANK_WAITING)
            rank_set_state(job, &job->ranks[i], EXEC_RANK_UNSTARTED);
    stop_begin(job, SIGTERM, event->now_us, out);
    progress_look(job, event->now_us, out);
    return 0;
}

/* Whether the way a rank went is a failure, of which kind, and what code it gives. */
static enum exec_cause
exit_judge(const struct exec_event *event, int *code_p)
{
    if (event->signaled) {
        *code_p = 128 + event->code;
        return EXEC_CAUSE_SIGNALED;
    }
    *code_p = event->code;
    if (event->code != 0)
        return EXEC_CAUSE_EXIT;
    *code_p = 1;
    return event->stage == CPI_RANK_JOINED ? EXEC_CAUSE_LEFT : EXEC_CAUSE_NONE;
}

/* Ranks were told to go, and this is how one goes that is told to. */
static bool
exit_is_obedient(const struct exec_job *job, const struct exec_event *event)
{
    return job->state >= EXEC_JOB_STOPPING && event->signaled &&
           (event->code == SIGTERM || event->code == SIGKILL || event->code == job->interrupted);
}

static void
rank_judge(struct exec_job *job, const struct exec_event *event, struct exec_actions *out)
{
    struct exec_rank *rank = &job->ranks[event->rank];
    int code;
    enum exec_cause cause = exit_judge(event, &code);
    bool polite = event->stage == CPI_RANK_ENDED && cause == EXEC_CAUSE_EXIT;

    if (cause == EXEC_CAUSE_NONE || rank->aborted || event->ended || exit_is_obedient(job, event))
        return;
    rank_fail(job, rank, code);
    failure_record_rank(job, cause, event->rank, event->code, NULL);
    if (!polite) {
        stop_begin(job, SIGTERM, event->now_us, out);
    } else if (job->state == EXEC_JOB_RUNNING) {
        job->state = EXEC_JOB_LEAVING;
        job->deadline_us = event->now_us + EXEC_JOB_GRACE_US;
    }
}

static int
step_exited(struct exec_job *job, const struct exec_event *event, struct exec_actions *out)
{
    struct exec_rank *rank = &job->ranks[event->rank];

    if (rank->state != EXEC_RANK_RUNNING)
        return -1;
    rank_set_state(job, rank, EXEC_RANK_EXITED);
    rank->ended_us = event->now_us;
    rank->signaled = event->signaled;
    rank->code = event->code;
    rank->stage = event->stage;
    rank->cpu_us = event->cpu_us;
    rank->max_rss_kib = event->max_rss_kib;
    rank_judge(job, event, out);
    progress_look(job, event->now_us, out);
    return 0;
}

static int
step_abort(struct exec_job *job, const struct exec_event *event, struct exec_actions *out)
{
    struct exec_rank *rank = &job->ranks[event->rank];
    int code = event->code & 255;

    if (rank->state != EXEC_RANK_RUNNING || rank->aborted)
        return -1;
    rank->aborted = true;
    job->aborts++;
    rank_fail(job, rank, code != 0 ? code : 1);
    failure_record_rank(job, EXEC_CAUSE_ABORT, event->rank, event->code, event->text);
    stop_begin(job, SIGTERM, event->now_us, out);
    return 0;
}

/* --- peers --- */

static int
step_ready(struct exec_job *job, const struct exec_event *event, struct exec_actions *out)
{
    if (job->peers[event->peer] != EXEC_PEER_STARTING)
        return -1;
    job->peers[event->peer] = EXEC_PEER_READY;
    job->unready--;
    if (job->unready == 0 && job->state == EXEC_JOB_STARTING) {
        job->state = EXEC_JOB_RUNNING;
        job->started_us = event->now_us;
        job->deadline_us = UINT64_MAX;
        out->start = true;
    }
    return 0;
}

static void
peer_leave(struct exec_job *job, uint32_t peer, enum exec_peer_state state)
{
    if (job->peers[peer] == EXEC_PEER_STARTING)
        job->unready--;
    job->peers[peer] = state;
    job->open--;
    for (uint32_t i = 0; i < job->map->ranks; i++) {
        struct exec_rank *rank = &job->ranks[i];
        if (job->map->places[i].peer != peer)
            continue;
        if (rank->state == EXEC_RANK_WAITING)
            rank_set_state(job, rank, EXEC_RANK_UNSTARTED);
        else if (rank->state == EXEC_RANK_RUNNING)
            rank_set_state(job, rank, EXEC_RANK_LOST);
    }
}

static int
step_done(struct exec_job *job, const struct exec_event *event, struct exec_actions *out)
{
    if (job->peers[event->peer] >= EXEC_PEER_DONE)
        return -1;
    peer_leave(job, event->peer, EXEC_PEER_DONE);
    progress_look(job, event->now_us, out);
    return 0;
}

static int
step_lost(struct exec_job *job, const struct exec_event *event, struct exec_actions *out)
{
    enum exec_peer_state was = job->peers[event->peer];

    if (was >= EXEC_PEER_DONE)
        return 0;  /* closing after Done is as it should be */
    peer_leave(job, event->peer, EXEC_PEER_LOST);
    failure_record_peer(job, was == EXEC_PEER_STARTING ? EXEC_CAUSE_READY : EXEC_CAUSE_PEER,
                        event->peer, event->text);
    stop_begin(job, SIGTERM, event->now_us, out);
    if (job->state == EXEC_JOB_STOPPING && job->deadline_us > event->now_us + EXEC_JOB_LOST_US)
        job->deadline_us = event->now_us + EXEC_JOB_LOST_US;
    progress_look(job, event->now_us, out);
    return 0;
}

static void
step_trouble(struct exec_job *job, const struct exec_event *event, enum exec_cause cause,
             struct exec_actions *out)
{
    failure_record_peer(job, cause, event->peer, event->text);
    stop_begin(job, SIGTERM, event->now_us, out);
}

/* --- the launcher's own side --- */

static void
step_output_failed(struct exec_job *job, const struct exec_event *event, struct exec_actions *out)
{
    failure_record(job, event->code == EPIPE ? EXEC_CAUSE_READER : EXEC_CAUSE_OUTPUT, event->code,
                   event->text);
    stop_begin(job, SIGTERM, event->now_us, out);
}

/* The first goes to the ranks, with a grace; the second means "now". */
static void
step_signal(struct exec_job *job, const struct exec_event *event, struct exec_actions *out)
{
    bool again = job->interrupted != 0;

    if (!again) {
        job->interrupted = event->code;
        failure_record(job, EXEC_CAUSE_INTERRUPT, event->code, NULL);
    }
    if (again && job->state != EXEC_JOB_KILLING)
        kill_begin(job, event->now_us, out);
    else if (again)
        job->deadline_us = event->now_us;
    else if (job->state == EXEC_JOB_ENDING)
        job->deadline_us = event->now_us + EXEC_JOB_GRACE_US;
    else
        stop_begin(job, event->code, event->now_us, out);
}

static void
step_time_ready(struct exec_job *job, uint64_t now_us, struct exec_actions *out)
{
    for (uint32_t i = 0; i < job->map->peers; i++)
        if (job->peers[i] == EXEC_PEER_STARTING)
            failure_record_peer(job, EXEC_CAUSE_READY, i, "it does not answer");
    kill_begin(job, now_us, out);
}

static void
step_time(struct exec_job *job, const struct exec_event *event, struct exec_actions *out)
{
    if (event->now_us < exec_job_deadline_us(job))
        return;
    if (job->state <= EXEC_JOB_LEAVING && event->now_us >= job->limit_us) {
        failure_record(job, EXEC_CAUSE_TIMEOUT, 0, NULL);
        for (uint32_t i = 0; i < job->map->ranks; i++)
            job->ranks[i].late = job->ranks[i].state == EXEC_RANK_RUNNING;
        job->limit_us = UINT64_MAX;
        stop_begin(job, SIGTERM, event->now_us, out);
        return;
    }
    switch (job->state) {
    case EXEC_JOB_STARTING:
        step_time_ready(job, event->now_us, out);
        break;
    case EXEC_JOB_LEAVING:
        stop_begin(job, SIGTERM, event->now_us, out);
        break;
    case EXEC_JOB_STOPPING:
        kill_begin(job, event->now_us, out);
        break;
    case EXEC_JOB_ENDING:
    case EXEC_JOB_KILLING:
        /* Ranks are gone and the reader of their output takes its time: so do we, unless told to
         * go. */
        if (event->blocked && job->interrupted == 0 && job->running == 0) {
            job->deadline_us = event->now_us + EXEC_JOB_ANSWER_US;
            break;
        }
        job->deadline_us = UINT64_MAX;
        out->kill_agents = true;
        break;
    case EXEC_JOB_RUNNING:
    case EXEC_JOB_OVER:
        break;
    }
}

static bool
event_is_about_rank(enum exec_event_type type)
{
    return type == EXEC_EVENT_STARTED || type == EXEC_EVENT_START_FAILED ||
           type == EXEC_EVENT_EXITED || type == EXEC_EVENT_ABORT;
}

static int
step(struct exec_job *job, const struct exec_event *event, struct exec_actions *out)
{
    switch (event->type) {
    case EXEC_EVENT_READY:
        return step_ready(job, event, out);
    case EXEC_EVENT_STARTED:
        return step_started(job, event);
    case EXEC_EVENT_START_FAILED:
        return step_start_failed(job, event, out);
    case EXEC_EVENT_EXITED:
        return step_exited(job, event, out);
    case EXEC_EVENT_ABORT:
        return step_abort(job, event, out);
    case EXEC_EVENT_DONE:
        return step_done(job, event, out);
    case EXEC_EVENT_LOST:
        return step_lost(job, event, out);
    case EXEC_EVENT_TROUBLE:
        step_trouble(job, event, EXEC_CAUSE_TROUBLE, out);
        break;
    case EXEC_EVENT_TAKEN_AWAY:
        step_trouble(job, event, EXEC_CAUSE_TAKEN, out);
        break;
    case EXEC_EVENT_OUTPUT_FAILED:
        step_output_failed(job, event, out);
        break;
    case EXEC_EVENT_SIGNAL:
        step_signal(job, event, out);
        break;
    case EXEC_EVENT_TIME:
        step_time(job, event, out);
        break;
    }
    return 0;
}

int
exec_job_step(struct exec_job *job, const struct exec_event *event, struct exec_actions *out)
{
    int result;

    memset(out, 0, sizeof(*out));
    if (job->state == EXEC_JOB_OVER)
        return 0;
    if (event_is_about_rank(event->type) && event->rank >= job->map->ranks)
        return -1;
    if (event->peer >= job->map->peers)
        return -1;
    if (event_is_about_rank(event->type) && job->map->places[event->rank].peer != event->peer)
        return -1;
    result = step(job, event, out);
    exec_job_check(job);
    return result;
}

int
exec_job_exit_code(const struct exec_job *job)
{
    if (job->interrupted != 0)
        return 128 + job->interrupted;
    if (job->first.cause == EXEC_CAUSE_TIMEOUT)
        return EXEC_EXIT_TIMEOUT;
    if (job->first.cause == EXEC_CAUSE_READER)
        return 128 + SIGPIPE;
    for (uint32_t i = 0; i < job->map->ranks; i++)
        if (job->ranks[i].failed && (job->aborts == 0 || job->ranks[i].aborted))
            return job->ranks[i].failed_code;
    return job->first.cause == EXEC_CAUSE_NONE ? 0 : 1;
}

void
exec_job_check(const struct exec_job *job)
{
    uint32_t open = 0;

    assert(job->waiting + job->running <= job->map->ranks);
    assert(job->unready <= job->open);
    for (uint32_t i = 0; i < job->map->peers; i++)
        open += job->peers[i] < EXEC_PEER_DONE;
    assert(open == job->open);
    assert((job->state == EXEC_JOB_OVER) == (job->open == 0));
    assert(job->failures == 0 || job->first.cause != EXEC_CAUSE_NONE);
    assert(job->state != EXEC_JOB_ENDING || job->running == 0);
}
