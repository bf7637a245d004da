/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Programs of this machine at the daemon's socket: those that greet, those that don't, garbage, too
 * many, no descriptors, and those who don't read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "local/state.h"
#include "peer/sessions.h"
#include "peer_world.h"
#include "text/memory.h"

static struct peer_world world;
static struct sessions sessions;
static unsigned messages, gone;
static uint64_t last_session;

static void
on_message(void *arg, struct session *session, const Cpmp__Local *message)
{
    Cpmp__Local answer = CPMP__LOCAL__INIT;
    Cpmp__InfoReply reply = CPMP__INFO_REPLY__INIT;
    (void)arg;

    messages++;
    last_session = session->id;
    answer.body_case = CPMP__LOCAL__BODY_INFO_REPLY;
    answer.info_reply = &reply;
    sessions_answer(&sessions, session->id, message->number, &answer);
}

static void
on_gone(void *arg, struct session *session)
{
    (void)arg;
    (void)session;
    gone++;
}

static void
on_welcome(void *arg, Cpmp__LocalWelcome *welcome)
{
    (void)arg;
    welcome->pool = (char *)"lab";
}

static const struct sessions_hooks hooks = {on_message, on_gone, on_welcome};

static int
begin(void **state)
{
    (void)state;
    messages = gone = 0;
    peer_world_init(&world, NULL);
    return sessions_init(&sessions, &world.loop, world.directory, &hooks, NULL);
}

static int
end(void **state)
{
    (void)state;
    sessions_close(&sessions);
    peer_world_end(&world);
    return 0;
}

/* --- a program --- */

struct program {
    struct local_client client;
    unsigned welcomes, failures, answers, closed;
};

static void
on_reply(void *arg, const Cpmp__Local *reply)
{
    struct program *program = arg;

    if (reply == NULL)
        return;
    program->welcomes += reply->body_case == CPMP__LOCAL__BODY_WELCOME;
    program->failures += reply->body_case == CPMP__LOCAL__BODY_FAILURE;
    program->answers += reply->body_case == CPMP__LOCAL__BODY_INFO_REPLY;
}

static void
on_closed(void *arg, const char *why)
{
    struct program *program = arg;
    (void)why;

    program->closed++;
}

static const struct local_client_hooks client_hooks = {.on_closed = on_closed};

static void
program_start(struct program *program)
{
    struct text error = {0};

    memset(program, 0, sizeof(*program));
    assert_int_equal(0, local_client_init(&program->client, &world.loop, world.directory, "test",
                                          &client_hooks, program, on_reply, &error));
}

static bool
is_welcome(void *arg)
{
    return ((struct program *)arg)->welcomes > 0;
}

static bool
is_closed(void *arg)
{
    return ((struct program *)arg)->closed > 0;
}

static bool
is_answered(void *arg)
{
    return ((struct program *)arg)->answers > 0;
}

static bool
nobody_is_there(void *arg)
{
    (void)arg;
    return sessions.count == 0;
}

static bool
somebody_is_there(void *arg)
{
    (void)arg;
    return sessions.count > 0;
}

/* --- */

static void
who_greets_is_answered(void **state)
{
    struct program program;
    Cpmp__Local request = CPMP__LOCAL__INIT;
    Cpmp__InfoRequest info = CPMP__INFO_REQUEST__INIT;
    (void)state;

    program_start(&program);
    peer_world_run(&world.loop, is_welcome, &program);
    request.body_case = CPMP__LOCAL__BODY_INFO;
    request.info = &info;
    local_client_ask(&program.client, &request, on_reply, &program);
    peer_world_run(&world.loop, is_answered, &program);
    assert_int_equal(1, messages);
    assert_non_null(sessions_find(&sessions, last_session));
    assert_int_equal(geteuid(), sessions_find(&sessions, last_session)->uid);
    assert_int_equal(getpid(), sessions_find(&sessions, last_session)->pid);
    local_client_close(&program.client);
    peer_world_run(&world.loop, nobody_is_there, NULL);
    assert_int_equal(1, gone);
    assert_null(sessions_find(&sessions, last_session));
    assert_false(sessions_answer(&sessions, last_session, 1, &request));
}

/* A connection that says these bytes. */
static int
stranger(const void *bytes, size_t count)
{
    int fd = state_connect(world.directory);

    assert_true(fd >= 0);
    if (count > 0)
        assert_int_equal(count, send(fd, bytes, count, MSG_NOSIGNAL));
    return fd;
}

static bool
is_shut(void *arg)
{
    struct pollfd poll_fd = {.fd = *(int *)arg, .events = POLLIN};
    char byte;

    return poll(&poll_fd, 1, 0) > 0 && recv(poll_fd.fd, &byte, 1, 0) <= 0;
}

static void
garbage_and_silence_are_shown_out(void **state)
{
    static const unsigned char longest[] = {0xff, 0xff, 0xff, 0x7f, 1, 2, 3};
    static const unsigned char none[] = {3, 0, 0, 0, 0xff, 0xff, 0xff};
    static const unsigned char empty[] = {0, 0, 0, 0};
    int fds[] = {stranger(longest, sizeof(longest)), stranger(none, sizeof(none)),
                 stranger(empty, sizeof(empty)), stranger("", 0)};
    (void)state;

    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        peer_world_run(&world.loop, is_shut, &fds[i]);
        close(fds[i]);
    }
    peer_world_run(&world.loop, nobody_is_there, NULL);
    assert_int_equal(0, messages);
    assert_int_equal(0, gone);  /* nobody greeted, so nobody is missed */
}

static void
files_raise(rlim_t count)
{
    struct rlimit limit;

    assert_int_equal(0, getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = count < limit.rlim_max ? count : limit.rlim_max;
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &limit));
}

static bool
is_full(void *arg)
{
    (void)arg;
    return sessions.count == SESSIONS_MAX;
}

static void
too_many_are_not_let_in(void **state)
{
    static int fds[SESSIONS_MAX + 1];
    (void)state;

    files_raise(2 * SESSIONS_MAX + 200);
    for (size_t i = 0; i <= SESSIONS_MAX; i++) {
        fds[i] = stranger("", 0);
        uv_run(&world.loop, UV_RUN_NOWAIT);
    }
    peer_world_run(&world.loop, is_full, NULL);
    peer_world_run(&world.loop, is_shut, &fds[SESSIONS_MAX]);
    for (size_t i = 0; i <= SESSIONS_MAX; i++)
        close(fds[i]);
    peer_world_run(&world.loop, nobody_is_there, NULL);
}

static void
without_descriptors_they_wait(void **state)
{
    int fd = stranger("", 0), copy = dup(fd);
    (void)state;

    /* All below are taken, so the next one can't be had. */
    assert_true(copy >= 0);
    files_raise((rlim_t)copy + 1);
    for (int i = 0; i < 100; i++)
        uv_run(&world.loop, UV_RUN_NOWAIT);
    assert_int_equal(0, sessions.count);
    assert_false(uv_is_active((uv_handle_t *)&sessions.listener));
    files_raise(1024);
    peer_world_run(&world.loop, somebody_is_there, NULL);
    close(fd);
    close(copy);
    peer_world_run(&world.loop, nobody_is_there, NULL);
}

static void
who_does_not_read_holds_up_no_end(void **state)
{
    struct program program;
    char *text = memory_new(1, 200000);
    (void)state;

    program_start(&program);
    peer_world_run(&world.loop, is_welcome, &program);
    control_stream_pause(&program.client.stream, 1);
    memset(text, 'x', 199999);
    for (int i = 0; i < 20; i++)
        sessions_fail(&sessions, sessions.first->id, 99, LOCAL_FAILURE_BROKEN, "%s", text);
    for (int i = 0; i < 5000 && control_stream_queued_bytes(&sessions.first->stream) == 0; i++)
        sessions_fail(&sessions, sessions.first->id, 99, LOCAL_FAILURE_BROKEN, "%s", text);
    assert_true(control_stream_queued_bytes(&sessions.first->stream) > 0);
    free(text);
    sessions_close(&sessions);
    peer_world_run(&world.loop, nobody_is_there, NULL);
    control_stream_pause(&program.client.stream, 0);
    peer_world_run(&world.loop, is_closed, &program);
    assert_int_equal(1, gone);
}

int
main(void)
{
#define HERE(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        HERE(who_greets_is_answered),
        HERE(garbage_and_silence_are_shown_out),
        HERE(without_descriptors_they_wait),
        HERE(too_many_are_not_let_in),
        HERE(who_does_not_read_holds_up_no_end),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
