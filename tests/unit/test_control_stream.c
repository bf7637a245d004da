/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cpmp.h>

#include "control/stream.h"

/* One end of a stream, and what it has seen. */
struct end {
    struct control_stream stream;
    uint64_t bytes;
    size_t messages;
    size_t close_after;   /* messages; 0: never */
    int closed, error;
    char why[64];
    size_t rooms;
};

struct pair {
    uv_loop_t loop;
    struct end left, right;
};

static void
on_message(void *arg, Cpmp__Control *message)
{
    struct end *end = arg;

    end->messages++;
    if (message->body_case == CPMP__CONTROL__BODY_OUTPUT)
        end->bytes += message->output->data.len;
    if (end->close_after == end->messages)
        control_stream_close(&end->stream);
}

static void
on_closed(void *arg, int error, const char *why)
{
    struct end *end = arg;

    end->closed++;
    end->error = error;
    snprintf(end->why, sizeof(end->why), "%s", why);
}

static void
on_room(void *arg)
{
    struct end *end = arg;

    end->rooms++;
}

static const struct control_stream_hooks hooks = {
    .on_message = on_message, .on_closed = on_closed, .on_room = on_room,
};

static int
send_data(struct end *end, size_t bytes)
{
    static unsigned char data[CONTROL_BYTES_MAX];
    Cpmp__Control message = CPMP__CONTROL__INIT;
    Cpmp__Output output = CPMP__OUTPUT__INIT;

    output.data.data = data;
    output.data.len = bytes;
    message.body_case = CPMP__CONTROL__BODY_OUTPUT;
    message.output = &output;
    return control_stream_send(&end->stream, &message);
}

static int
pair_setup(void **state)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    int fds[2];

    if (pair == NULL || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
        return -1;
    uv_loop_init(&pair->loop);
    if (control_stream_init(&pair->left.stream, &pair->loop, fds[0], &hooks, &pair->left) ||
        control_stream_init(&pair->right.stream, &pair->loop, fds[1], &hooks, &pair->right))
        return -1;
    *state = pair;
    return 0;
}

static int
pair_teardown(void **state)
{
    struct pair *pair = *state;

    control_stream_close(&pair->left.stream);
    control_stream_close(&pair->right.stream);
    uv_run(&pair->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&pair->loop) != 0 || pair->left.closed != 1 || pair->right.closed != 1)
        return -1;
    free(pair);
    return 0;
}

static void
much_more_than_a_socket_holds_arrives_in_order(void **state)
{
    struct pair *pair = *state;

    for (size_t i = 0; i < 200; i++)
        assert_int_equal(CPMP_OK, send_data(&pair->left, 64 << 10));
    assert_int_equal(0, control_stream_has_room(&pair->left.stream));
    while (pair->right.messages < 200)
        uv_run(&pair->loop, UV_RUN_ONCE);
    assert_int_equal(200ull * (64 << 10), pair->right.bytes);
    while (pair->left.rooms == 0)
        uv_run(&pair->loop, UV_RUN_ONCE);
    assert_int_equal(1, pair->left.rooms);
    assert_int_equal(1, control_stream_has_room(&pair->left.stream));
    assert_int_equal(0, pair->left.closed + pair->right.closed);
}

static void
a_queue_without_end_breaks_the_stream(void **state)
{
    struct pair *pair = *state;
    int error = CPMP_OK;
    size_t sent = 0;

    while (error == CPMP_OK && sent < 64) {
        error = send_data(&pair->left, 512 << 10);
        sent++;
        assert_true(control_stream_queued_bytes(&pair->left.stream) <= CONTROL_QUEUE_BYTES_MAX);
    }
    assert_int_equal(CPMP_ELIMIT, error);
    assert_int_equal(0, pair->left.closed);  /* not from within send */
    assert_int_equal(CPMP_ESTATE, send_data(&pair->left, 1));
    uv_run(&pair->loop, UV_RUN_DEFAULT);
    assert_int_equal(CPMP_ELIMIT, pair->left.error);
    assert_int_equal(1, pair->right.closed);
}

static void
a_message_too_long_is_refused_and_the_stream_goes_on(void **state)
{
    struct pair *pair = *state;

    assert_int_equal(CPMP_ELIMIT, send_data(&pair->left, CONTROL_BYTES_MAX));
    assert_int_equal(CPMP_OK, send_data(&pair->left, 5));
    while (pair->right.messages == 0)
        uv_run(&pair->loop, UV_RUN_ONCE);
    assert_int_equal(5, pair->right.bytes);
}

static void
the_other_side_closing_is_an_end_of_file(void **state)
{
    struct pair *pair = *state;

    control_stream_close(&pair->left.stream);
    uv_run(&pair->loop, UV_RUN_DEFAULT);
    assert_int_equal(CPMP_ECANCELED, pair->left.error);
    assert_int_equal(CPMP_OK, pair->right.error);
    assert_string_equal("end of file", pair->right.why);
}

static void
finish_sends_all_before_it_closes(void **state)
{
    struct pair *pair = *state;

    for (size_t i = 0; i < 20; i++)
        assert_int_equal(CPMP_OK, send_data(&pair->left, 64 << 10));
    control_stream_finish(&pair->left.stream);
    assert_int_equal(CPMP_ESTATE, send_data(&pair->left, 1));
    uv_run(&pair->loop, UV_RUN_DEFAULT);
    assert_int_equal(20, pair->right.messages);
    assert_int_equal(CPMP_OK, pair->right.error);
    assert_int_equal(1, pair->left.closed);
}

static void
closing_within_on_message_ends_it_there(void **state)
{
    struct pair *pair = *state;

    pair->right.close_after = 2;
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(CPMP_OK, send_data(&pair->left, 10));
    uv_run(&pair->loop, UV_RUN_DEFAULT);
    assert_int_equal(2, pair->right.messages);
    assert_int_equal(CPMP_ECANCELED, pair->right.error);
    assert_int_equal(1, pair->left.closed);
}

/* What a stream says to `count` raw bytes followed by the end of the file. */
static struct end *
raw_bytes_end(struct pair *pair, const void *bytes, size_t count)
{
    struct end *end = calloc(1, sizeof(*end));
    int fds[2];

    assert_non_null(end);
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    assert_int_equal(CPMP_OK, control_stream_init(&end->stream, &pair->loop, fds[0], &hooks, end));
    assert_int_equal((ssize_t)count, write(fds[1], bytes, count));
    close(fds[1]);
    while (!end->closed)
        uv_run(&pair->loop, UV_RUN_ONCE);
    return end;
}

static void
garbage_and_cut_messages_close_it(void **state)
{
    static const unsigned char cut[] = {20, 0, 0, 0, 1, 2};
    unsigned char garbage[1000];
    struct end *end;

    memset(garbage, 0xa5, sizeof(garbage));
    end = raw_bytes_end(*state, garbage, sizeof(garbage));
    assert_int_equal(CPMP_EPROTO, end->error);
    assert_string_equal("malformed message", end->why);
    free(end);
    end = raw_bytes_end(*state, cut, sizeof(cut));
    assert_int_equal(CPMP_EPROTO, end->error);
    assert_string_equal("end of file within a message", end->why);
    free(end);
}

static void
what_is_no_stream_socket_is_refused(void **state)
{
    struct pair *pair = *state;
    struct end *end = calloc(1, sizeof(*end));
    int fds[2];

    assert_non_null(end);
    assert_int_equal(CPMP_ESYS, control_stream_init(&end->stream, &pair->loop, -1, &hooks, end));
    assert_int_equal(0, pipe(fds));
    assert_int_equal(CPMP_ESYS, control_stream_init(&end->stream, &pair->loop, fds[0], &hooks,
                                                    end));
    assert_int_equal(ENOTSOCK, errno);
    close(fds[0]);
    close(fds[1]);
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
    assert_int_equal(CPMP_ESYS, control_stream_init(&end->stream, &pair->loop, fds[0], &hooks,
                                                    end));
    assert_true(fcntl(fds[0], F_GETFD) >= 0);  /* still ours */
    close(fds[0]);
    close(fds[1]);
    free(end);
}

#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, pair_setup, pair_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STREAM_TEST(much_more_than_a_socket_holds_arrives_in_order),
        STREAM_TEST(a_queue_without_end_breaks_the_stream),
        STREAM_TEST(a_message_too_long_is_refused_and_the_stream_goes_on),
        STREAM_TEST(the_other_side_closing_is_an_end_of_file),
        STREAM_TEST(finish_sends_all_before_it_closes),
        STREAM_TEST(closing_within_on_message_ends_it_there),
        STREAM_TEST(garbage_and_cut_messages_close_it),
        STREAM_TEST(what_is_no_stream_socket_is_refused),
    };

    signal(SIGPIPE, SIG_IGN);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
