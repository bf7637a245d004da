/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/sessions.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cpmp.h>

#include "local/state.h"
#include "text/memory.h"

/* --- one session --- */

static void
session_unlink(struct session *session)
{
    struct session **at = &session->sessions->first;

    while (*at != session)
        at = &(*at)->next;
    *at = session->next;
    session->sessions->count--;
}

static void
part_closed(struct session *session)
{
    if (--session->open_parts > 0)
        return;
    session_unlink(session);
    free(session);
}

static void
on_timer_closed(uv_handle_t *handle)
{
    part_closed(handle->data);
}

static void
on_stream_closed(void *arg, int error, const char *why)
{
    struct session *session = arg;
    (void)error;
    (void)why;

    session->closed = true;
    if (session->greeted)
        session->sessions->hooks->on_gone(session->sessions->arg, session);
    uv_close((uv_handle_t *)&session->hello, on_timer_closed);
    part_closed(session);
}

void
sessions_end(struct session *session)
{
    control_stream_close(&session->stream);
}

static void
on_hello_late(uv_timer_t *timer)
{
    sessions_end(timer->data);
}

static void
session_greet(struct session *session, const Cpmp__Local *message)
{
    const Cpmp__LocalHello *hello = message->hello;
    Cpmp__LocalWelcome welcome = CPMP__LOCAL_WELCOME__INIT;
    Cpmp__Local answer = CPMP__LOCAL__INIT;

    if (message->body_case != CPMP__LOCAL__BODY_HELLO) {
        sessions_end(session);
        return;
    }
    if (hello->version != LOCAL_VERSION) {
        sessions_fail(session->sessions, session->id, message->number, LOCAL_FAILURE_WRONG,
                      "this cpmpd speaks version %u, the program version %u; install the same cpmp "
                      "for both, and start cpmpd again", LOCAL_VERSION, hello->version);
        control_stream_finish(&session->stream);
        return;
    }
    snprintf(session->program, sizeof(session->program), "%s", hello->program);
    session->greeted = true;
    uv_timer_stop(&session->hello);
    welcome.version = LOCAL_VERSION;
    welcome.pid = (uint32_t)getpid();
    session->sessions->hooks->on_welcome(session->sessions->arg, &welcome);
    answer.body_case = CPMP__LOCAL__BODY_WELCOME;
    answer.welcome = &welcome;
    sessions_answer(session->sessions, session->id, message->number, &answer);
}

static void
on_stream_message(void *arg, Cpmp__Control *message)
{
    struct session *session = arg;
    struct sessions *sessions = session->sessions;

    if (message->body_case != CPMP__CONTROL__BODY_LOCAL)
        sessions_end(session);
    else if (!session->greeted)
        session_greet(session, message->local);
    else
        sessions->hooks->on_message(sessions->arg, session, message->local);
}

static const struct control_stream_hooks stream_hooks = {
    .on_message = on_stream_message,
    .on_closed = on_stream_closed,
};

static bool
has_room(const struct sessions *sessions, uid_t uid)
{
    bool owner = uid == 0 || uid == geteuid();

    return sessions->count < (owner ? SESSIONS_MAX : SESSIONS_MAX - SESSIONS_OWNERS);
}

static void
session_begin(struct sessions *sessions, int fd)
{
    struct session *session = memory_new(1, sizeof(*session));
    struct ucred who = {.uid = (uid_t)-1};
    socklen_t bytes = sizeof(who);

    session->sessions = sessions;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes) != 0 ||
        !has_room(sessions, who.uid) ||
        control_stream_init(&session->stream, sessions->loop, fd, &stream_hooks, session) != 0) {
        close(fd);
        free(session);
        return;
    }
    session->id = ++sessions->last_id;
    session->uid = who.uid;
    session->pid = who.pid;
    session->open_parts = 2;
    uv_timer_init(sessions->loop, &session->hello);
    session->hello.data = session;
    uv_timer_start(&session->hello, on_hello_late, SESSIONS_HELLO_MS, 0);
    session->next = sessions->first;
    sessions->first = session;
    sessions->count++;
}

/* --- all of them --- */

static void on_connection(uv_poll_t *poll, int status, int events);

static void
on_pause_over(uv_timer_t *timer)
{
    struct sessions *sessions = timer->data;

    uv_poll_start(&sessions->listener, UV_READABLE, on_connection);
}

/* Who can't be let in for lack of descriptors stays in the backlog: looking there all the time
 * would only burn the processor. */
static void
on_connection(uv_poll_t *poll, int status, int events)
{
    struct sessions *sessions = poll->data;
    int fd = accept4(sessions->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    (void)status;
    (void)events;

    if (fd >= 0) {
        session_begin(sessions, fd);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        uv_poll_stop(poll);
        uv_timer_start(&sessions->pause, on_pause_over, SESSIONS_PAUSE_MS, 0);
    }
}

int
sessions_init(struct sessions *sessions, uv_loop_t *loop, const char *directory,
              const struct sessions_hooks *hooks, void *arg)
{
    memset(sessions, 0, sizeof(*sessions));
    sessions->loop = loop;
    sessions->hooks = hooks;
    sessions->arg = arg;
    sessions->fd = state_listen(directory);
    if (sessions->fd < 0)
        return -1;
    uv_poll_init(loop, &sessions->listener, sessions->fd);
    sessions->listener.data = sessions;
    uv_timer_init(loop, &sessions->pause);
    sessions->pause.data = sessions;
    sessions->open_parts = 2;
    sessions->listening = true;
    uv_poll_start(&sessions->listener, UV_READABLE, on_connection);
    return 0;
}

static void
on_listener_closed(uv_handle_t *handle)
{
    struct sessions *sessions = handle->data;

    if (--sessions->open_parts == 0)
        close(sessions->fd);
}

void
sessions_close(struct sessions *sessions)
{
    if (sessions->listening) {
        uv_close((uv_handle_t *)&sessions->listener, on_listener_closed);
        uv_close((uv_handle_t *)&sessions->pause, on_listener_closed);
    }
    sessions->listening = false;
    for (struct session *session = sessions->first; session != NULL; session = session->next) {
        if (session->closed)
            continue;
        uv_timer_start(&session->hello, on_hello_late, SESSIONS_FINISH_MS, 0);
        control_stream_finish(&session->stream);
    }
}

struct session *
sessions_find(const struct sessions *sessions, uint64_t id)
{
    for (struct session *session = sessions->first; session != NULL; session = session->next)
        if (session->id == id)
            return session->closed ? NULL : session;
    return NULL;
}

bool
sessions_answer(struct sessions *sessions, uint64_t id, uint64_t number, Cpmp__Local *answer)
{
    struct session *session = sessions_find(sessions, id);
    Cpmp__Control control = CPMP__CONTROL__INIT;

    if (session == NULL)
        return false;
    answer->number = number;
    control.body_case = CPMP__CONTROL__BODY_LOCAL;
    control.local = answer;
    if (control_stream_send(&session->stream, &control) != CPMP_ELIMIT || number == 0)
        return true;
    if (answer->body_case != CPMP__LOCAL__BODY_FAILURE)
        sessions_fail(sessions, id, number, LOCAL_FAILURE_BROKEN,
                      "the answer is longer than a message may be (%u bytes)", CONTROL_BYTES_MAX);
    return true;
}

void
sessions_fail(struct sessions *sessions, uint64_t id, uint64_t number, enum local_failure code,
              const char *format, ...)
{
    Cpmp__LocalFailure failure = CPMP__LOCAL_FAILURE__INIT;
    Cpmp__Local answer = CPMP__LOCAL__INIT;
    char text[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    failure.code = code;
    failure.text = text;
    answer.body_case = CPMP__LOCAL__BODY_FAILURE;
    answer.failure = &failure;
    sessions_answer(sessions, id, number, &answer);
}
