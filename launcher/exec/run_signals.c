/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/run.h"

#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- children --- */

/* Reaps what has ended: agents, and whatever came to us as orphans. */
static void
children_reap(struct exec_run *run)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (uint32_t i = 0; i < run->map->peers; i++) {
            struct exec_peer *peer = &run->peers[i];
            if (peer->agent.reaped || peer->agent.pid != pid)
                continue;
            peer->agent.reaped = true;
            peer->agent.status = status;
            exec_run_peer_look(peer);
        }
    }
}

static void
on_child(uv_signal_t *signal, int number)
{
    struct exec_run *run = signal->data;

    (void)number;
    children_reap(run);
    exec_run_look(run);
}

/* --- signals --- */

static void
on_end_signal(uv_signal_t *signal, int number)
{
    struct exec_event event = {.type = EXEC_EVENT_SIGNAL, .code = number};

    exec_run_drain_hurry(signal->data, number);
    exec_run_step(signal->data, &event);
    exec_run_look(signal->data);
}

static void
on_forward(uv_signal_t *signal, int number)
{
    exec_run_send_signal(signal->data, number);
}

/* Ranks are stopped by SIGSTOP, as mpirun does: a program may ignore SIGTSTP, and one without a
 * terminal of its own does. Then this process stops itself, when the agents have been told (see
 * run.c). */
static void
on_stop(uv_signal_t *signal, int number)
{
    struct exec_run *run = signal->data;

    (void)number;
    exec_run_send_signal(run, SIGSTOP);
    run->stop_self = true;
}

static void
on_continue(uv_signal_t *signal, int number)
{
    struct exec_run *run = signal->data;

    exec_run_send_signal(run, number);
    run->stop_self = false;
    if (run->has_input)
        exec_input_continue(&run->input);
    exec_run_status_touch(run);
}

static void
on_resize(uv_signal_t *signal, int number)
{
    (void)number;
    exec_run_status_touch(signal->data);
}

static int
signal_take(struct exec_run *run, int number, uv_signal_cb callback)
{
    uv_signal_t *signal = &run->signals[run->signals_count];
    int status = uv_signal_init(&run->loop, signal);

    if (status < 0)
        return status;
    run->signals_count++;
    signal->data = run;
    return uv_signal_start(signal, callback, number);
}

static bool
is_ignored(int number)
{
    struct sigaction action;

    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

int
exec_run_signals_init(struct exec_run *run)
{
    static const struct {
        int number;
        uv_signal_cb callback;
    } taken[] = {
        {SIGCHLD, on_child}, {SIGINT, on_end_signal}, {SIGTERM, on_end_signal},
        {SIGQUIT, on_end_signal}, {SIGUSR1, on_forward}, {SIGUSR2, on_forward},
        {SIGTSTP, on_stop}, {SIGCONT, on_continue}, {SIGWINCH, on_resize},
    };
    int status = 0;

    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]) && status == 0; i++)
        status = signal_take(run, taken[i].number, taken[i].callback);
    if (status == 0 && !is_ignored(SIGHUP))  /* nohup asks for that */
        status = signal_take(run, SIGHUP, on_end_signal);
    if (run->remotes != NULL && run->remotes->held)  /* what came meanwhile comes now */
        sigprocmask(SIG_SETMASK, &run->remotes->before, NULL);
    return status;
}

/* --- timers --- */

static void
deadline_end(uv_timer_t *timer)
{
    struct exec_run *run = timer->data;
    struct exec_event event = {
        .type = EXEC_EVENT_TIME,
        .blocked = exec_output_is_blocked(&run->output),
    };

    exec_run_step(run, &event);
    exec_run_look(run);
}

void
exec_run_deadline_arm(struct exec_run *run)
{
    uint64_t deadline_us = exec_job_deadline_us(&run->job), now_us = exec_run_now_us();

    if (deadline_us == UINT64_MAX) {
        uv_timer_stop(&run->deadline);
        return;
    }
    /* Timers count from the loop's idea of now, which is that of its last wake-up; and whole
     * milliseconds, so one more makes sure that the deadline is over when they end. */
    uv_update_time(&run->loop);
    uv_timer_start(&run->deadline, deadline_end,
                   deadline_us > now_us ? (deadline_us - now_us) / 1000 + 1 : 0, 0);
}

static void
status_draw(uv_timer_t *timer)
{
    struct exec_run *run = timer->data;
    struct text text = {0};
    struct winsize size = {0};

    run->status_armed = false;
    if (run->phase != EXEC_RUN_JOB || !exec_terminal_is_ours(STDERR_FILENO))
        return;
    ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
    exec_display_status(&text, &run->view, text_string(&run->events.latest),
                        size.ws_col > 1 ? size.ws_col - 1u : 79u);
    exec_output_set_status(&run->output, text.bytes);
    text_release(&text);
}

void
exec_run_status_touch(struct exec_run *run)
{
    if (!run->status_wanted || run->status_armed)
        return;
    run->status_armed = true;
    uv_timer_start(&run->status, status_draw, EXEC_RUN_STATUS_MS, 0);
}
