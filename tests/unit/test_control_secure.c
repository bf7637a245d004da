/* SPDX-License-Identifier: BSD-3-Clause */

/* Control streams between machines: who gets in, and what silence means. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cpmp.h>

#include "control/dial.h"
#include "control/door.h"
#include "control/stream.h"

#define LIMIT_MS 60000

struct end {
    struct control_stream stream;
    bool open;
    uint64_t bytes;
    int messages, closed, error;
    char why[128];
};

/* A launcher that dials, an agent behind its door. */
struct pair {
    uv_loop_t loop;
    uv_timer_t limit;
    struct control_door door;
    struct control_dial dial;
    bool door_made, dial_made;
    struct end launcher, agent;
    uint64_t lease_ms;
    bool bare;                 /* the launcher's side never becomes a stream */
    int bare_fd;
    struct tls *bare_tls;
    int nobody;
    char address[ADDRESS_TEXT_MAX], reached[ADDRESS_TEXT_MAX], failed[512];
    unsigned char key[TLS_KEY_BYTES];
};

static void
on_message(void *arg, Cpmp__Control *message)
{
    struct end *end = arg;

    end->messages++;
    if (message->body_case == CPMP__CONTROL__BODY_OUTPUT)
        end->bytes += message->output->data.len;
}

static void
on_closed(void *arg, int error, const char *why)
{
    struct end *end = arg;

    end->closed++;
    end->error = error;
    snprintf(end->why, sizeof(end->why), "%s", why);
}

static const struct control_stream_hooks stream_hooks = {
    .on_message = on_message, .on_closed = on_closed,
};

static void
on_launcher(void *arg, int fd, struct tls *tls)
{
    struct pair *pair = arg;

    pair->agent.open = control_stream_init_tls(&pair->agent.stream, &pair->loop, fd, tls, true,
                                               pair->lease_ms, &stream_hooks, &pair->agent) == 0;
}

static void
on_nobody(void *arg)
{
    struct pair *pair = arg;

    pair->nobody++;
}

static const struct control_door_hooks door_hooks = {
    .on_launcher = on_launcher, .on_nobody = on_nobody,
};

static void
on_connected(void *arg, int fd, struct tls *tls, const char *address)
{
    struct pair *pair = arg;

    snprintf(pair->reached, sizeof(pair->reached), "%s", address);
    if (!pair->bare) {
        pair->launcher.open = control_stream_init_tls(
            &pair->launcher.stream, &pair->loop, fd, tls, false, pair->lease_ms, &stream_hooks,
            &pair->launcher) == 0;
        return;
    }
    const unsigned char *bytes;
    size_t count = tls_outgoing(tls, &bytes);
    assert_int_equal(count, send(fd, bytes, count, 0));
    tls_sent(tls, count);
    pair->bare_fd = fd;
    pair->bare_tls = tls;
}

static void
on_failed(void *arg, const char *why)
{
    struct pair *pair = arg;

    snprintf(pair->failed, sizeof(pair->failed), "%s", why);
}

static const struct control_dial_hooks dial_hooks = {
    .on_connected = on_connected, .on_failed = on_failed,
};

static void
on_limit(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("waited in vain");
}

static int
listener_make(char text[ADDRESS_TEXT_MAX], int backlog)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_int_equal(0, bind(fd, (struct sockaddr *)&address, bytes));
    if (backlog > 0)
        assert_int_equal(0, listen(fd, backlog));
    getsockname(fd, (struct sockaddr *)&address, &bytes);
    assert_true(address_print_socket((struct sockaddr *)&address, text));
    return fd;
}

static void
door_open(struct pair *pair, uint64_t patience_ms)
{
    int fd = listener_make(pair->address, 128);

    pair->door_made = true;
    assert_int_equal(CPMP_OK, control_door_open(&pair->door, &pair->loop, &fd, 1, pair->key,
                                                patience_ms, &door_hooks, pair));
}

static void
dial_start(struct pair *pair, char *const *addresses, size_t count, const unsigned char *key)
{
    pair->dial_made = true;
    control_dial_start(&pair->dial, &pair->loop, addresses, count, key, &dial_hooks, pair);
}

#define UNTIL(pair, condition)                          \
    do {                                                \
        while (!(condition))                            \
            uv_run(&(pair)->loop, UV_RUN_ONCE);         \
    } while (0)

static void
pair_connect(struct pair *pair)
{
    char *address = pair->address;

    door_open(pair, LIMIT_MS);
    dial_start(pair, &address, 1, pair->key);
    UNTIL(pair, pair->agent.open && (pair->launcher.open || pair->bare_fd >= 0));
}

static int
pair_setup(void **state)
{
    struct pair *pair = calloc(1, sizeof(*pair));

    if (pair == NULL)
        return -1;
    uv_loop_init(&pair->loop);
    uv_timer_init(&pair->loop, &pair->limit);
    uv_timer_start(&pair->limit, on_limit, LIMIT_MS, 0);
    memset(pair->key, 7, sizeof(pair->key));
    pair->lease_ms = CONTROL_LEASE_MS;
    pair->bare_fd = -1;
    *state = pair;
    return 0;
}

static int
pair_teardown(void **state)
{
    struct pair *pair = *state;

    if (pair->door_made)
        control_door_close(&pair->door);
    if (pair->dial_made)
        control_dial_stop(&pair->dial);
    if (pair->agent.open)
        control_stream_close(&pair->agent.stream);
    if (pair->launcher.open)
        control_stream_close(&pair->launcher.stream);
    if (pair->bare_fd >= 0)
        close(pair->bare_fd);
    tls_free(pair->bare_tls);
    uv_close((uv_handle_t *)&pair->limit, NULL);
    uv_run(&pair->loop, UV_RUN_DEFAULT);
    control_door_release(&pair->door);
    control_dial_release(&pair->dial);
    if (uv_loop_close(&pair->loop) != 0)
        return -1;
    free(pair);
    return 0;
}

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

static void
messages_travel_both_ways_in_order(void **state)
{
    struct pair *pair = *state;

    pair_connect(pair);
    assert_string_equal(pair->address, pair->reached);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(CPMP_OK, send_data(&pair->launcher, 64 << 10));
    assert_int_equal(CPMP_OK, send_data(&pair->agent, 1000));
    UNTIL(pair, pair->agent.messages == 100 && pair->launcher.messages == 1);
    assert_int_equal(100ull * (64 << 10), pair->agent.bytes);
    control_stream_finish(&pair->launcher.stream);
    UNTIL(pair, pair->agent.closed && pair->launcher.closed);
    assert_int_equal(CPMP_OK, pair->agent.error);
    assert_int_equal(CPMP_ECANCELED, pair->launcher.error);
    pair->agent.open = pair->launcher.open = false;
}

static void
a_queue_without_end_breaks_the_stream(void **state)
{
    struct pair *pair = *state;
    int error = CPMP_OK;

    pair_connect(pair);
    for (int i = 0; i < 64 && error == CPMP_OK; i++)
        error = send_data(&pair->launcher, 512 << 10);
    assert_int_equal(CPMP_ELIMIT, error);
    UNTIL(pair, pair->launcher.closed);
    pair->launcher.open = false;
}

static void
another_key_does_not_get_in(void **state)
{
    struct pair *pair = *state;
    unsigned char wrong[TLS_KEY_BYTES] = {1};
    char *address = pair->address;

    door_open(pair, LIMIT_MS);
    dial_start(pair, &address, 1, wrong);
    UNTIL(pair, pair->failed[0] != 0);
    assert_non_null(strstr(pair->failed, address));
    assert_non_null(strstr(pair->failed, "key"));
    UNTIL(pair, pair->door.strangers == 1);
    assert_false(pair->agent.open);
}

static int
stranger_come(const char *text, const char *says)
{
    struct sockaddr_storage address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(address_parse_socket(text, &address));
    assert_int_equal(0, connect(fd, (struct sockaddr *)&address, sizeof(struct sockaddr_in)));
    if (says != NULL)
        assert_int_equal(strlen(says), send(fd, says, strlen(says), MSG_NOSIGNAL));
    return fd;
}

static void
strangers_are_counted_and_hold_nobody_up(void **state)
{
    struct pair *pair = *state;
    char *address = pair->address;
    int fds[100];

    door_open(pair, LIMIT_MS);
    for (int i = 0; i < 100; i++)
        fds[i] = stranger_come(address, i % 2 == 0 ? NULL : "GET / HTTP/1.1\r\n\r\n");
    UNTIL(pair, pair->door.strangers >= 50);  /* who speaks is dropped at once */
    dial_start(pair, &address, 1, pair->key);
    UNTIL(pair, pair->agent.open && pair->launcher.open);
    assert_int_equal(CPMP_OK, send_data(&pair->launcher, 10));
    UNTIL(pair, pair->agent.messages == 1);
    for (int i = 0; i < 100; i++)
        close(fds[i]);
}

static void
who_stays_silent_is_dropped_in_time(void **state)
{
    struct pair *pair = *state;
    int fd;

    door_open(pair, LIMIT_MS);
    fd = stranger_come(pair->address, NULL);
    UNTIL(pair, pair->door.strangers == 1);
    close(fd);
}

static void
a_door_that_nobody_comes_to_closes(void **state)
{
    struct pair *pair = *state;

    door_open(pair, 20);
    UNTIL(pair, pair->nobody);
    assert_int_equal(1, pair->nobody);
}

static void
the_first_address_that_answers_is_taken(void **state)
{
    struct pair *pair = *state;
    char closed[ADDRESS_TEXT_MAX], deaf[ADDRESS_TEXT_MAX];
    int closed_fd = listener_make(closed, 0), deaf_fd = listener_make(deaf, 1);
    char *addresses[] = {"example.org:80", closed, deaf, pair->address};

    door_open(pair, LIMIT_MS);
    dial_start(pair, addresses, 4, pair->key);
    UNTIL(pair, pair->agent.open && pair->launcher.open);
    assert_string_equal(pair->address, pair->reached);
    close(closed_fd);
    close(deaf_fd);
}

static void
every_address_that_fails_is_named(void **state)
{
    struct pair *pair = *state;
    char closed[ADDRESS_TEXT_MAX];
    int fd = listener_make(closed, 0);
    char *addresses[] = {"nowhere", closed};

    dial_start(pair, addresses, 2, pair->key);
    UNTIL(pair, pair->failed[0] != 0);
    assert_non_null(strstr(pair->failed, "nowhere: not a numeric address"));
    assert_non_null(strstr(pair->failed, closed));
    assert_non_null(strstr(pair->failed, "refused"));
    close(fd);
}

static void
silence_breaks_the_stream_and_says_so(void **state)
{
    struct pair *pair = *state;

    pair->bare = true;
    pair->lease_ms = 700;
    pair_connect(pair);
    UNTIL(pair, pair->agent.closed);
    assert_int_equal(CPMP_EPEER, pair->agent.error);
    assert_string_equal("silent for 0.7 s", pair->agent.why);
    pair->agent.open = false;
}

static void
heartbeats_keep_a_stream_that_has_nothing_to_say(void **state)
{
    struct pair *pair = *state;

    pair->lease_ms = 1200;
    pair_connect(pair);
    UNTIL(pair, pair->agent.stream.beat.count >= 4 && pair->launcher.stream.beat.count >= 4);
    assert_int_equal(0, pair->agent.closed + pair->launcher.closed);
    assert_int_equal(0, pair->agent.messages + pair->launcher.messages);
}

static void
who_announced_its_absence_may_be_silent(void **state)
{
    struct pair *pair = *state;

    pair->lease_ms = 600;
    pair_connect(pair);
    control_stream_absent(&pair->launcher.stream);
    UNTIL(pair, pair->agent.stream.beat.absent);
    uint64_t since_us = pair->agent.stream.beat.beat_us;
    uv_timer_stop(&pair->launcher.stream.beat.timer);  /* as one that is stopped */
    UNTIL(pair, pair->agent.stream.beat.beat_us > since_us + 1500000 || pair->agent.closed);
    assert_int_equal(0, pair->agent.closed);
    /* It is back, and owes heartbeats again. */
    assert_int_equal(CPMP_OK, send_data(&pair->launcher, 10));
    UNTIL(pair, pair->agent.messages == 1);
    UNTIL(pair, pair->agent.closed);
    assert_string_equal("silent for 0.6 s", pair->agent.why);
    pair->agent.open = false;
}

static void
who_does_not_listen_hears_no_silence(void **state)
{
    struct pair *pair = *state;

    pair->lease_ms = 600;
    pair_connect(pair);
    control_stream_pause(&pair->launcher.stream, 1);
    assert_int_equal(CPMP_OK, send_data(&pair->agent, 10));
    uint64_t since_us = pair->launcher.stream.beat.beat_us;
    UNTIL(pair, pair->launcher.stream.beat.beat_us > since_us + 1500000 || pair->launcher.closed);
    assert_int_equal(0, pair->launcher.closed + pair->launcher.messages);
    control_stream_pause(&pair->launcher.stream, 0);
    UNTIL(pair, pair->launcher.messages == 1);
    assert_int_equal(0, pair->launcher.closed);
}

/* As if the machine had slept: the last bytes came long ago. */
static void
sleep_pretend(struct end *end)
{
    end->stream.beat.heard_us -= 100000000;
    end->stream.beat.beat_us -= 100000000;
}

static void
an_agent_that_slept_has_lost_its_lease_whatever_came_meanwhile(void **state)
{
    struct pair *pair = *state;

    pair_connect(pair);
    assert_int_equal(CPMP_OK, send_data(&pair->launcher, 10));
    sleep_pretend(&pair->agent);
    UNTIL(pair, pair->agent.closed);
    assert_int_equal(0, pair->agent.messages);
    assert_int_equal(CPMP_EPEER, pair->agent.error);
    assert_non_null(strstr(pair->agent.why, "slept"));
    pair->agent.open = false;
}

static void
a_launcher_does_not_hold_its_own_sleep_against_its_agents(void **state)
{
    struct pair *pair = *state;

    pair_connect(pair);
    sleep_pretend(&pair->launcher);
    uint64_t count = pair->launcher.stream.beat.count;
    UNTIL(pair, pair->launcher.stream.beat.count >= count + 2 || pair->launcher.closed);
    assert_int_equal(0, pair->launcher.closed);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, pair_setup, pair_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_travel_both_ways_in_order),
        TEST(a_queue_without_end_breaks_the_stream),
        TEST(another_key_does_not_get_in),
        TEST(strangers_are_counted_and_hold_nobody_up),
        TEST(who_stays_silent_is_dropped_in_time),
        TEST(a_door_that_nobody_comes_to_closes),
        TEST(the_first_address_that_answers_is_taken),
        TEST(every_address_that_fails_is_named),
        TEST(silence_breaks_the_stream_and_says_so),
        TEST(heartbeats_keep_a_stream_that_has_nothing_to_say),
        TEST(who_announced_its_absence_may_be_silent),
        TEST(who_does_not_listen_hears_no_silence),
        TEST(an_agent_that_slept_has_lost_its_lease_whatever_came_meanwhile),
        TEST(a_launcher_does_not_hold_its_own_sleep_against_its_agents),
    };

    signal(SIGPIPE, SIG_IGN);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
