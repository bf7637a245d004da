/* SPDX-License-Identifier: BSD-3-Clause */
/* cpmp top at work: asks once a second, shows what came, takes keys and signals. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "text/json.h"
#include "text/memory.h"
#include "tool/jobs.h"
#include "tool/peers.h"
#include "tool/terminal.h"
#include "tool/top.h"

#define REFRESH_MS 1000u

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH};

#define SIGNAL_COUNT (sizeof(signals) / sizeof(signals[0]))

struct run {
    struct tool_session *session;
    struct tool_top top;
    Cpmp__Local *peers, *jobs;   /* the last replies, copies; NULL before the first */
    struct text trouble;
    unsigned awaited;            /* replies that haven't come */
    bool live;                   /* on a terminal; else one look, as JSON */
    uv_timer_t refresh;
    uv_poll_t keys;
    int keys_fd;
    uv_signal_t signals[SIGNAL_COUNT];
};

/* --- the screen --- */

static void
draw(struct run *run)
{
    struct text screen = {0};
    size_t lines, columns;

    terminal_resize(&lines, &columns);
    run->top.now_s = (uint64_t)time(NULL);
    run->top.peers = run->peers != NULL ? run->peers->peers_reply : NULL;
    run->top.jobs = run->jobs != NULL ? run->jobs->jobs_reply : NULL;
    run->top.trouble = text_string(&run->trouble);
    tool_top_screen(&screen, &run->top, lines, columns);
    terminal_show(text_string(&screen));
    text_release(&screen);
}

static void
json_show(struct run *run)
{
    struct text *out = &run->session->tool->out;

    json_open(out, NULL, '{');
    json_string(out, "pool", run->top.pool);
    json_string(out, "peer", run->top.name);
    tool_peers_json(out, run->peers->peers_reply);
    tool_jobs_json(out, run->jobs->jobs_reply);
    json_close(out, '}');
    text_add_string(out, "\n");
}

/* --- the end --- */

static void
on_keys_closed(uv_handle_t *handle)
{
    struct run *run = handle->data;

    close(run->keys_fd);
}

static void
on_ended(struct tool_session *session)
{
    struct run *run = session->arg;

    uv_close((uv_handle_t *)&run->refresh, NULL);
    uv_close((uv_handle_t *)&run->keys, on_keys_closed);
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        uv_close((uv_handle_t *)&run->signals[i], NULL);
}

/* --- asking --- */

/* A refusal is shown, and asked again: another second may bring an answer. */
static bool
reply_keep(struct run *run, const Cpmp__Local *reply, Cpmp__Local__BodyCase body,
           Cpmp__Local **kept_p)
{
    struct tool_session *session = run->session;

    run->awaited--;
    if (reply != NULL && reply->body_case == CPMP__LOCAL__BODY_FAILURE && run->live) {
        uv_timer_again(&session->silence);
        text_clear(&run->trouble);
        text_add_string(&run->trouble, reply->failure->text);
        return true;
    }
    if (!tool_session_expect(session, reply, body))
        return false;
    text_clear(&run->trouble);
    if (*kept_p != NULL)
        cpmp__local__free_unpacked(*kept_p, NULL);
    *kept_p = tool_session_copy(reply);
    return true;
}

static void
reply_show(struct run *run)
{
    if (run->live) {
        draw(run);
    } else if (run->awaited == 0) {
        json_show(run);
        tool_session_end(run->session, TOOL_OK);
    }
}

static void
on_peers(void *arg, const Cpmp__Local *reply)
{
    struct run *run = arg;

    if (reply_keep(run, reply, CPMP__LOCAL__BODY_PEERS_REPLY, &run->peers))
        reply_show(run);
}

static void
on_jobs(void *arg, const Cpmp__Local *reply)
{
    struct run *run = arg;

    if (reply_keep(run, reply, CPMP__LOCAL__BODY_JOBS_REPLY, &run->jobs))
        reply_show(run);
}

/* Not while the last ones are open: a slow daemon isn't asked faster than it answers. */
static void
ask(struct run *run)
{
    Cpmp__PeersRequest peers = CPMP__PEERS_REQUEST__INIT;
    Cpmp__JobsRequest jobs = CPMP__JOBS_REQUEST__INIT;
    Cpmp__Local request = CPMP__LOCAL__INIT;

    if (run->awaited > 0)
        return;
    run->awaited = 2;
    request.body_case = CPMP__LOCAL__BODY_PEERS;
    request.peers = &peers;
    local_client_ask(&run->session->client, &request, on_peers, run);
    request.body_case = CPMP__LOCAL__BODY_JOBS;
    request.jobs = &jobs;
    local_client_ask(&run->session->client, &request, on_jobs, run);
}

/* --- events --- */

static void
on_refresh(uv_timer_t *timer)
{
    struct run *run = timer->data;

    draw(run);  /* the clock goes on, even where answers don't come */
    ask(run);
}

static void
on_keys(uv_poll_t *poll, int status, int events)
{
    struct run *run = poll->data;
    int count = 0, key;
    (void)events;

    /* Readable without anything to read: the terminal is gone. */
    if (status != 0 || (ioctl(STDIN_FILENO, FIONREAD, &count) == 0 && count == 0)) {
        tool_session_end(run->session, TOOL_FAILED);
        return;
    }
    while ((key = terminal_key()) >= 0) {
        if (tool_top_key(&run->top, key)) {
            tool_session_end(run->session, TOOL_OK);
            return;
        }
    }
    draw(run);
}

static void
on_signal(uv_signal_t *handle, int number)
{
    struct run *run = handle->data;

    if (number == SIGWINCH) {
        draw(run);
        return;
    }
    tool_session_end(run->session, number == SIGINT ? TOOL_OK : 128 + number);
}

/* libuv makes what it polls nonblocking, and the terminal is shared: with our own standard output,
 * and with the shell that goes on when we end. So it polls an epoll that polls the terminal. */
static int
keys_open(void)
{
    struct epoll_event event = {.events = EPOLLIN};
    int fd = epoll_create1(EPOLL_CLOEXEC);

    if (fd >= 0 && epoll_ctl(fd, EPOLL_CTL_ADD, STDIN_FILENO, &event) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void
events_start(struct run *run)
{
    uv_loop_t *loop = &run->session->loop;

    uv_timer_init(loop, &run->refresh);
    run->refresh.data = run;
    uv_timer_start(&run->refresh, on_refresh, REFRESH_MS, REFRESH_MS);
    uv_poll_init(loop, &run->keys, run->keys_fd);
    run->keys.data = run;
    uv_poll_start(&run->keys, UV_READABLE, on_keys);
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        uv_signal_init(loop, &run->signals[i]);
        run->signals[i].data = run;
        uv_signal_start(&run->signals[i], on_signal, signals[i]);
    }
}

/* Signals are ours before ncurses sees whether they are anybody's. */
static void
on_ready(struct tool_session *session)
{
    struct run *run = session->arg;

    run->session = session;
    run->top.pool = session->welcome->welcome->pool;
    run->top.name = session->welcome->welcome->name;
    if (run->live) {
        run->keys_fd = keys_open();
        if (run->keys_fd < 0) {
            tool_session_fail(session, "the keyboard can't be watched: %s", strerror(errno));
            return;
        }
        events_start(run);
        session->ended = on_ended;
        if (terminal_init(&session->tool->error) != 0) {
            tool_session_end(run->session, TOOL_FAILED);
            return;
        }
        draw(run);
    }
    ask(run);
}

/* --- the command --- */

int
tool_top_run(struct tool *tool)
{
    struct run run = {.live = !tool->options.json, .top = {.trouble = ""}};
    int code;

    if (run.live && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))) {
        text_add_string(&tool->error, "top needs a terminal; for programs there is cpmp top "
                                      "--json, which looks once");
        return TOOL_FAILED;
    }
    code = tool_session_run(tool, on_ready, &run);
    terminal_release();
    if (run.peers != NULL)
        cpmp__local__free_unpacked(run.peers, NULL);
    if (run.jobs != NULL)
        cpmp__local__free_unpacked(run.jobs, NULL);
    text_release(&run.trouble);
    return code;
}
