/* SPDX-License-Identifier: BSD-3-Clause */
#include "sandbox/cage.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/rank.h"
#include "process/spawn.h"
#include "sandbox/landlock.h"
#include "sandbox/launch.h"
#include "sandbox/message.h"

#define RULES_BYTES_MAX 65536u

struct cage {
    int fd, signals;
    struct sandbox_rules rules;
    pid_t *ranks;          /* by index; 0: not running */
    uint32_t count;
};

/* --- limits of ranks --- */

static int
limit_set(int resource, uint64_t value)
{
    struct rlimit limit;

    if (getrlimit((__rlimit_resource_t)resource, &limit) < 0)
        return -1;
    if (value < limit.rlim_max)
        limit.rlim_max = value;
    if (limit.rlim_cur > limit.rlim_max)
        limit.rlim_cur = limit.rlim_max;
    return setrlimit((__rlimit_resource_t)resource, &limit);
}

/* In the child. With no right to a better niceness, SCHED_IDLE is no way back. */
static int
rank_prepare(const void *arg)
{
    const struct sandbox_rules *rules = arg;
    struct sched_param param = {0};

    if (limit_set(RLIMIT_CORE, 0) < 0 || limit_set(RLIMIT_DATA, rules->data_bytes) < 0 ||
        limit_set(RLIMIT_FSIZE, rules->file_bytes) < 0 ||
        limit_set(RLIMIT_NOFILE, rules->files) < 0 || limit_set(RLIMIT_RTPRIO, 0) < 0 ||
        limit_set(RLIMIT_NICE, 0) < 0 || limit_set(RLIMIT_NPROC, rules->processes) < 0)
        return -1;
    /* Nice as well: by that alone the kernel's accounts tell whose time nobody else wanted. */
    if (rules->idle && setpriority(PRIO_PROCESS, 0, 19) < 0)
        return -1;
    return rules->idle ? sched_setscheduler(0, SCHED_IDLE, &param) : 0;
}

/* --- ranks --- */

static bool
rank_remember(struct cage *cage, uint32_t index, pid_t pid)
{
    if (index >= cage->count) {
        uint32_t count = index + 1 > 2 * cage->count ? index + 1 : 2 * cage->count;
        pid_t *ranks = realloc(cage->ranks, count * sizeof(*ranks));
        if (ranks == NULL)
            return false;
        memset(ranks + cage->count, 0, (count - cage->count) * sizeof(*ranks));
        cage->ranks = ranks;
        cage->count = count;
    }
    cage->ranks[index] = pid;
    return true;
}

/* What the agent can't be told no longer matters: its end is near, and the loop sees it. */
static void
failed_tell(const struct cage *cage, uint32_t index, int error, enum spawn_step step)
{
    struct sandbox_message message = {.type = SANDBOX_FAILED, .index = index,
                                      .value = error > 0 ? error : EIO, .step = step};

    (void)sandbox_message_send(cage->fd, &message, NULL, 0, true);
}

/* The pidfd tells the agent, in whose pid namespace it is read, which process that is: for as long
 * as that isn't reaped, so SEEN is waited for. */
static void
started_tell(const struct cage *cage, uint32_t index, pid_t pid)
{
    struct sandbox_message message = {.type = SANDBOX_STARTED, .index = index};
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int fds[SANDBOX_FDS_MAX];
    size_t count;

    (void)sandbox_message_send(cage->fd, &message, &pidfd, 1, true);
    close(pidfd);
    sandbox_fds_close(fds, sandbox_message_receive(cage->fd, &message, fds, &count, true) == 1
                               ? count : 0);
}

static void
rank_start(struct cage *cage, uint32_t index, const int *fds)
{
    struct spawn_request request = {
        .stdio = {fds[1], fds[2], fds[3]},
        .handed = {fds[4], fds[5], fds[6]},
        .handed_as = {RANK_SEGMENT_FD, RANK_DOORBELL_FD, RANK_HOST_FD},
        .prepare = rank_prepare,
        .prepare_arg = &cage->rules,
    };
    enum spawn_step step = SPAWN_SETUP;
    struct rlimit files;
    char **list = NULL;
    size_t bytes = 0;
    pid_t pid;

    errno = ENOMEM;
    char *what = sandbox_blob_read(fds[0], SANDBOX_RUN_BYTES_MAX, &bytes);
    if (what == NULL || !rank_remember(cage, index, 0) ||
        sandbox_run_unpack(&request, &files, what, bytes, &list) < 0 ||
        spawn_process(&request, &pid, &step) < 0) {
        failed_tell(cage, index, errno, step);
    } else {
        cage->ranks[index] = pid;
        started_tell(cage, index, pid);
    }
    free(list);
    free(what);
}

static void
ranks_signal(const struct cage *cage, int number)
{
    for (uint32_t i = 0; i < cage->count; i++)
        if (cage->ranks[i] > 0)
            kill(-cage->ranks[i], number);
}

static uint64_t
microseconds(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * 1000000u + (uint64_t)time->tv_usec;
}

static void
reap(struct cage *cage)
{
    struct sandbox_message message = {.type = SANDBOX_EXITED};
    struct rusage usage;
    int status;
    pid_t pid;

    while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
        for (uint32_t i = 0; i < cage->count; i++) {
            if (cage->ranks[i] != pid)
                continue;
            cage->ranks[i] = 0;
            message.index = i;
            message.value = status;
            message.user_us = microseconds(&usage.ru_utime);
            message.system_us = microseconds(&usage.ru_stime);
            message.max_rss_kib = (uint64_t)usage.ru_maxrss;
            (void)sandbox_message_send(cage->fd, &message, NULL, 0, true);
            break;
        }
    }
}

/* --- the agent's words --- */

/* False: the agent is gone, or is none. */
static bool
message_obey(struct cage *cage)
{
    struct sandbox_message message;
    int fds[SANDBOX_FDS_MAX];
    size_t count;

    if (sandbox_message_receive(cage->fd, &message, fds, &count, false) != 1)
        return errno == EAGAIN;
    if (message.type == SANDBOX_RUN && count == SANDBOX_RUN_FDS)
        rank_start(cage, message.index, fds);
    else if (message.type == SANDBOX_SIGNAL)
        ranks_signal(cage, message.value);
    else if (message.type == SANDBOX_STOP)
        kill(-1, SIGSTOP);
    else if (message.type == SANDBOX_CONTINUE)
        kill(-1, SIGCONT);
    else if (message.type == SANDBOX_KILL)
        kill(-1, SIGKILL);
    sandbox_fds_close(fds, count);
    return true;
}

static void
serve(struct cage *cage)
{
    struct pollfd polls[2] = {{.fd = cage->fd, .events = POLLIN},
                              {.fd = cage->signals, .events = POLLIN}};
    struct signalfd_siginfo child;

    for (;;) {
        errno = 0;
        if (poll(polls, 2, -1) < 0 && errno != EINTR)
            return;
        if (polls[1].revents != 0) {
            (void)!read(cage->signals, &child, sizeof(child));
            reap(cage);
        }
        errno = 0;
        if (polls[0].revents != 0 && !message_obey(cage))
            return;
    }
}

/* --- the beginning --- */

/* A descriptor of a directory, to be looked into by the agent. */
static int
place_open(const char *path)
{
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int
rules_take(struct cage *cage, char **scratch_p)
{
    struct sandbox_message message;
    int fds[SANDBOX_FDS_MAX];
    size_t count, bytes = 0;

    if (sandbox_message_receive(cage->fd, &message, fds, &count, true) != 1)
        return -1;
    char *block = count == 1 ? sandbox_blob_read(fds[0], RULES_BYTES_MAX, &bytes) : NULL;
    sandbox_fds_close(fds, count);
    errno = EPROTO;
    if (block == NULL || message.type != SANDBOX_CONFIGURE || bytes < sizeof(cage->rules)) {
        free(block);
        return -1;
    }
    memcpy(&cage->rules, block, sizeof(cage->rules));
    memmove(block, block + sizeof(cage->rules), bytes + 1 - sizeof(cage->rules));
    *scratch_p = block;
    return 0;
}

/* What says bwrap's complaints is closed: a rank could fill it. */
static int
stdio_drop(void)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (nothing < 0)
        return -1;
    for (int fd = 0; fd < 3; fd++)
        if (dup2(nothing, fd) < 0)
            return -1;
    return nothing > 2 ? close(nothing) : 0;
}

static int
hello(struct cage *cage, const char *scratch)
{
    struct sandbox_message message = {.type = SANDBOX_HELLO};
    int places[SANDBOX_HELLO_FDS] = {place_open("/proc"), place_open(scratch),
                                     place_open("/dev/shm")};

    if (places[0] < 0 || places[1] < 0 || places[2] < 0 || chdir(scratch) < 0)
        return -1;
    if (cage->rules.landlock > 0 &&
        sandbox_landlock_enter((int)cage->rules.landlock, scratch) < 0)
        return -1;
    if (stdio_drop() < 0 ||
        sandbox_message_send(cage->fd, &message, places, SANDBOX_HELLO_FDS, true) < 0)
        return -1;
    sandbox_fds_close(places, SANDBOX_HELLO_FDS);
    return 0;
}

int
cage_run(int fd)
{
    struct cage cage = {.fd = fd};
    char *scratch = NULL;
    sigset_t all, child;

    sigfillset(&all);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_SETMASK, &all, NULL);
    cage.signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || cage.signals < 0 ||
        rules_take(&cage, &scratch) < 0 || hello(&cage, scratch) < 0) {
        failed_tell(&cage, 0, errno, SPAWN_SETUP);
        free(scratch);
        return 1;
    }
    free(scratch);
    serve(&cage);
    return 0;
}
