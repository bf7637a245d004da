/* SPDX-License-Identifier: BSD-3-Clause */
#include "sandbox/sandbox.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cpmp.h>

#include "sandbox/landlock.h"
#include "sandbox/launch.h"
#include "sandbox/place.h"
#include "sandbox/probe.h"

/* The address sanitizer maps terabytes of its own, most of them never touched: ranks of such a
 * build have the other two limits only (limits.h). */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#else
#define SANITIZED false
#endif

#define STOP_AGAIN_MS 250u  /* a timer of a stopped process may send it SIGCONT */

/* --- ranks --- */

static void
rank_say(struct sandbox *sandbox, uint32_t index)
{
    struct sandbox_rank *rank = &sandbox->ranks[index];

    rank->gone = false;
    sandbox->hooks->on_exited(sandbox->arg, index, rank->status, &rank->usage);
}

static void
rank_gone(struct sandbox *sandbox, uint32_t index, int status, const struct rusage *usage)
{
    struct sandbox_rank *rank = &sandbox->ranks[index];

    rank->running = false;
    rank->gone = true;
    rank->status = status;
    rank->usage = *usage;
}

static void
ranks_say(struct sandbox *sandbox)
{
    for (uint32_t i = 0; i < sandbox->count; i++)
        if (sandbox->ranks[i].gone)
            rank_say(sandbox, i);
}

/* Nobody tells any more how they went. */
static void
ranks_lose(struct sandbox *sandbox)
{
    struct rusage none = {0};

    for (uint32_t i = 0; i < sandbox->count; i++)
        if (sandbox->ranks[i].running)
            rank_gone(sandbox, i, SIGKILL, &none);
}

/* --- the cage's words --- */

static struct timeval
time_of(uint64_t us)
{
    return (struct timeval){.tv_sec = (time_t)(us / 1000000),
                            .tv_usec = (suseconds_t)(us % 1000000)};
}

static void
sandbox_close(struct sandbox *sandbox)
{
    if (sandbox->polled && !uv_is_closing((uv_handle_t *)&sandbox->poll))
        uv_close((uv_handle_t *)&sandbox->poll, NULL);
    sandbox->polled = false;
    if (sandbox->fd >= 0)
        close(sandbox->fd);
    sandbox->fd = -1;
}

static void
sandbox_break(struct sandbox *sandbox, const char *why)
{
    bool tell = !sandbox->broken && !sandbox->ending;

    sandbox->broken = true;
    if (tell)
        sandbox->hooks->on_broken(sandbox->arg, why);
}

static void
on_passed(void *arg, const char *why)
{
    sandbox_break(arg, why);
}

/* A message other than the answer that sandbox_run waits for. False when it breaks the rules. */
static bool
exited_take(struct sandbox *sandbox, const struct sandbox_message *message)
{
    struct rusage usage = {.ru_utime = time_of(message->user_us),
                           .ru_stime = time_of(message->system_us),
                           .ru_maxrss = (long)message->max_rss_kib};

    if (message->type != SANDBOX_EXITED || !sandbox->ranks[message->index].running)
        return false;
    rank_gone(sandbox, message->index, message->value, &usage);
    return true;
}

/* Takes one message, which is in *message and fds. 1, 0 when there is none now, -1 at the end. */
static int
answer_take(struct sandbox *sandbox, struct sandbox_message *message, int *fds, size_t *count_p)
{
    int result = sandbox->fd < 0 ? -1
                                 : sandbox_message_receive(sandbox->fd, message, fds, count_p,
                                                           false);

    if (result < 0 && sandbox->fd >= 0 && errno == EAGAIN)
        return 0;
    if (result == 1 &&
        sandbox_message_is_answer(message, sizeof(*message), *count_p, sandbox->count))
        return 1;
    if (result == 1)
        sandbox_fds_close(fds, *count_p);
    return -1;
}

/* Memory that is no process's is freed by killing any of them: then the cage goes, too. */
static void
cage_lost(struct sandbox *sandbox)
{
    const char *reason = sandbox_reason(sandbox);

    sandbox_close(sandbox);
    sandbox_break(sandbox, *reason != '\0' ? reason
                                           : "its sandbox has ended, or says what makes no sense");
    ranks_lose(sandbox);
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
    struct sandbox *sandbox = poll->data;
    struct sandbox_message message;
    int fds[SANDBOX_FDS_MAX], result;
    size_t count = 0;

    (void)status;
    (void)events;
    while ((result = answer_take(sandbox, &message, fds, &count)) == 1) {
        sandbox_fds_close(fds, count);
        if (!exited_take(sandbox, &message))
            break;
    }
    if (result != 0)
        cage_lost(sandbox);
    ranks_say(sandbox);
}

static void
on_late(uv_timer_t *timer)
{
    struct sandbox *sandbox = timer->data;

    ranks_say(sandbox);
    if (sandbox->suspended)
        sandbox_suspend(sandbox);
}

/* --- starting --- */

static struct sandbox_rules
rules_of(const struct sandbox_limits *limits)
{
    return (struct sandbox_rules){
        .data_bytes = limits->memory_bytes > 0 && !SANITIZED ? limits->memory_bytes : UINT64_MAX,
        .file_bytes = limits->scratch_bytes,
        .processes = limits->processes,
        .files = limits->files,
        .idle = limits->idle,
        .landlock = (uint32_t)sandbox_landlock_version(),
    };
}

static struct sandbox_limits
limits_of(const struct sandbox_limits *asked)
{
    struct sandbox_limits limits = *asked;

    if (limits.scratch_bytes == 0)
        limits.scratch_bytes = SANDBOX_SCRATCH_BYTES;
    if (limits.processes == 0)
        limits.processes = SANDBOX_PROCESSES;
    if (limits.files == 0)
        limits.files = SANDBOX_FILES;
    return limits;
}

static bool
binds_are_plain(const struct sandbox_config *config, struct text *why)
{
    for (size_t i = 0; i < config->binds_count; i++)
        if (!sandbox_place_is_plain(config->binds[i].inside)) {
            text_print(why, "a file is to lie at %s: \".\" and \"..\" are no places",
                       config->binds[i].inside);
            return false;
        }
    return true;
}

int
sandbox_start(struct sandbox *sandbox, uv_loop_t *loop, const struct sandbox_config *config,
              const struct sandbox_hooks *hooks, void *arg, struct text *why)
{
    struct sandbox_config own = *config;
    struct sandbox_launched launched;

    memset(sandbox, 0, sizeof(*sandbox));
    sandbox->fd = sandbox->errors_fd = -1;
    sandbox->hooks = hooks;
    sandbox->arg = arg;
    own.limits = sandbox->limits = limits_of(&config->limits);
    sandbox_groups_make(&sandbox->groups, &sandbox->limits, config->name);
    if (!binds_are_plain(&own, why) || sandbox_probe_refuses(&own, &sandbox->groups, why))
        goto fail;
    sandbox->scratch = sandbox_scratch(config->directory);
    struct sandbox_rules rules = rules_of(&sandbox->limits);
    if (sandbox_launch(&own, sandbox->scratch, &sandbox->groups, &rules, &launched, why) != CPMP_OK)
        goto fail;
    sandbox->fd = launched.fd;
    sandbox->errors_fd = launched.errors_fd;
    sandbox->polled = uv_poll_init(loop, &sandbox->poll, sandbox->fd) == 0;
    sandbox->poll.data = sandbox;
    uv_timer_init(loop, &sandbox->late);
    sandbox->late.data = sandbox;
    sandbox_watch_init(&sandbox->watch, loop, on_passed, sandbox);
    return CPMP_OK;

fail:
    sandbox_groups_remove(&sandbox->groups);
    free(sandbox->scratch);
    memset(sandbox, 0, sizeof(*sandbox));
    sandbox->fd = sandbox->errors_fd = -1;
    return CPMP_ESYS;
}

/* Waits for one message. As answer_take, and 0 when it took too long. */
static int
answer_await(struct sandbox *sandbox, struct sandbox_message *message, int *fds, size_t *count_p)
{
    struct pollfd ask = {.fd = sandbox->fd, .events = POLLIN};
    int result;

    do
        result = poll(&ask, 1, SANDBOX_PATIENCE_MS);
    while (result < 0 && errno == EINTR);
    return result > 0 ? answer_take(sandbox, message, fds, count_p) : 0;
}

/* What bwrap said, on one line. */
static void
errors_read(struct sandbox *sandbox, struct text *why)
{
    struct pollfd ask = {.fd = sandbox->errors_fd, .events = POLLIN};
    char text[400];
    ssize_t count = poll(&ask, 1, 100) > 0 ? read(sandbox->errors_fd, text, sizeof(text)) : 0;

    while (count > 0 && isspace((unsigned char)text[count - 1]))
        count--;
    for (ssize_t i = 0; i < count; i++)
        if (iscntrl((unsigned char)text[i]))
            text[i] = ' ';
    if (count > 0)
        text_print(why, "it can't be set up here: %.*s", (int)count, text);
    else
        text_add_string(why, "it ended before it was set up");
}

int
sandbox_await(struct sandbox *sandbox, uint32_t ranks, struct text *why)
{
    struct sandbox_message message;
    int fds[SANDBOX_FDS_MAX];
    size_t count = 0;

    sandbox->ranks = calloc(ranks ? ranks : 1, sizeof(*sandbox->ranks));
    if (sandbox->ranks == NULL) {
        text_add_string(why, "memory is short");
        return CPMP_ESYS;
    }
    sandbox->count = ranks;
    int result = answer_await(sandbox, &message, fds, &count);
    if (result == 1 && message.type == SANDBOX_HELLO) {
        sandbox_watch_start(&sandbox->watch, fds,
                            sandbox->groups.version[SANDBOX_GROUP_MEMORY] != 0
                                ? 0
                                : sandbox->limits.memory_bytes,
                            sandbox->limits.run_time_s);
        sandbox_fds_close(&sandbox->errors_fd, 1);
        sandbox->ready = true;
        if (sandbox->polled)
            uv_poll_start(&sandbox->poll, UV_READABLE, on_readable);
        return CPMP_OK;
    }
    if (result == 1 && message.type == SANDBOX_FAILED)
        text_print(why, "the cage can't be set up: %s", strerror(message.value));
    else if (result == 0)
        text_add_string(why, "it does not answer");
    else
        errors_read(sandbox, why);
    if (result == 1)
        sandbox_fds_close(fds, count);
    sandbox->ending = true;
    sandbox_close(sandbox);
    return CPMP_ESYS;
}

/* --- ranks, asked for --- */

static void
cage_tell(struct sandbox *sandbox, enum sandbox_message_type type, int value)
{
    struct sandbox_message message = {.type = type, .value = value};

    if (sandbox->fd >= 0)
        (void)sandbox_message_send(sandbox->fd, &message, NULL, 0, false);
}

/* "Pid:\t123" in the descriptor's fdinfo: the pid in our namespace. 0 when it doesn't tell. */
static pid_t
pidfd_pid(int pidfd)
{
    char path[64], line[128];
    int pid = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
    file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "Pid: %d", &pid) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return pid > 0 ? (pid_t)pid : 0;
}

static int
run_send(struct sandbox *sandbox, uint32_t index, const struct spawn_request *request)
{
    struct sandbox_message message = {.type = SANDBOX_RUN, .index = index};
    size_t bytes;
    char *block = sandbox_run_pack(request, &bytes);
    int fds[SANDBOX_RUN_FDS];
    int result;

    if (block == NULL)
        return -1;
    fds[0] = sandbox_blob_make(block, bytes);
    free(block);
    if (fds[0] < 0)
        return -1;
    memcpy(fds + 1, request->stdio, sizeof(request->stdio));
    memcpy(fds + 4, request->handed, sizeof(request->handed));
    result = sandbox_message_send(sandbox->fd, &message, fds, SANDBOX_RUN_FDS, true);
    int error = errno;
    close(fds[0]);
    errno = error;
    return result;
}

/* 0, or -1 with errno; exits of other ranks are kept for later. */
static int
run_await(struct sandbox *sandbox, uint32_t index, pid_t *pid_p, enum spawn_step *step_p)
{
    struct sandbox_message message;
    int fds[SANDBOX_FDS_MAX], result;
    size_t count = 0;

    while ((result = answer_await(sandbox, &message, fds, &count)) == 1) {
        if (message.type == SANDBOX_STARTED && message.index == index) {
            *pid_p = pidfd_pid(fds[0]);
            close(fds[0]);
            cage_tell(sandbox, SANDBOX_SEEN, 0);
            errno = ESRCH;
            return *pid_p > 0 ? 0 : -1;
        }
        sandbox_fds_close(fds, count);
        if (message.type == SANDBOX_FAILED && message.index == index) {
            *step_p = (enum spawn_step)message.step;
            errno = message.value;
            return -1;
        }
        if (!exited_take(sandbox, &message))
            break;
        uv_timer_start(&sandbox->late, on_late, 0, 0);
    }
    errno = result == 0 ? ETIMEDOUT : EPIPE;
    return -1;
}

int
sandbox_run(struct sandbox *sandbox, uint32_t index, const struct spawn_request *request,
            pid_t *pid_p, enum spawn_step *step_p)
{
    assert(index < sandbox->count && !sandbox->ranks[index].running);
    bool suspended = sandbox->suspended;

    *step_p = SPAWN_FORK;
    if (!sandbox->ready || sandbox->fd < 0) {
        errno = EPIPE;
        return -1;
    }
    sandbox_resume(sandbox);  /* a frozen cage starts nothing */
    int result = run_send(sandbox, index, request);
    if (result == 0)
        result = run_await(sandbox, index, pid_p, step_p);
    int error = errno;
    sandbox->ranks[index].running = result == 0;
    if (suspended)
        sandbox_suspend(sandbox);
    errno = error;
    return result;
}

/* --- while they run --- */

void
sandbox_signal(struct sandbox *sandbox, int number)
{
    cage_tell(sandbox, SANDBOX_SIGNAL, number);
}

void
sandbox_suspend(struct sandbox *sandbox)
{
    sandbox->suspended = true;
    if (!sandbox->ready)
        return;  /* a cage that is frozen would never get ready; no rank runs yet */
    if (sandbox_groups_freeze(&sandbox->groups, true))
        return;
    cage_tell(sandbox, SANDBOX_STOP, 0);
    uv_timer_start(&sandbox->late, on_late, STOP_AGAIN_MS, 0);
}

void
sandbox_resume(struct sandbox *sandbox)
{
    if (!sandbox->suspended)
        return;
    sandbox->suspended = false;
    if (!sandbox_groups_freeze(&sandbox->groups, false))
        cage_tell(sandbox, SANDBOX_CONTINUE, 0);
}

const char *
sandbox_reason(struct sandbox *sandbox)
{
    if (!sandbox_groups_killed(&sandbox->groups))
        return "";
    snprintf(sandbox->reason, sizeof(sandbox->reason),
             "the job took more than the %" PRIu64 " MiB of memory that it may have here",
             sandbox->limits.memory_bytes >> 20);
    return sandbox->reason;
}

/* --- the end --- */

void
sandbox_kill(struct sandbox *sandbox)
{
    sandbox->ending = true;
    sandbox_watch_stop(&sandbox->watch);
    sandbox_resume(sandbox);
    cage_tell(sandbox, SANDBOX_KILL, 0);
}

/* Still to be read from. */
void
sandbox_end(struct sandbox *sandbox)
{
    sandbox->ending = true;
    if (sandbox->fd >= 0)
        shutdown(sandbox->fd, SHUT_WR);
}

void
sandbox_finish(struct sandbox *sandbox)
{
    sandbox->ending = true;
    if (sandbox->polled)
        on_readable(&sandbox->poll, 0, 0);
    sandbox_close(sandbox);
    ranks_lose(sandbox);
    ranks_say(sandbox);
    sandbox_groups_remove(&sandbox->groups);
}

void
sandbox_release(struct sandbox *sandbox)
{
    sandbox_watch_stop(&sandbox->watch);
    sandbox_fds_close(&sandbox->fd, 1);
    sandbox_fds_close(&sandbox->errors_fd, 1);
    free(sandbox->ranks);
    free(sandbox->scratch);
    sandbox->ranks = NULL;
    sandbox->scratch = NULL;
}
