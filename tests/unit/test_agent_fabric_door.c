/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who gets in: addresses, greetings, keys, incarnations, and strangers at the door.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/fabric_state.h"
#include "agents_peer.h"

/* --- parts --- */

static void
greets(const struct peer_options *options)
{
    char why[FABRIC_WHY_MAX];
    const struct fabric_library *library = fabric_library_get(why, sizeof(why));
    uint8_t key[CPI_KEY_BYTES] = {1}, other_key[CPI_KEY_BYTES] = {2};
    struct cpi_hello hello = {.from = 0, .to = 1, .job = 5}, welcome = {.from = 1, .job = 5};
    struct hello_tags tags, again;

    (void)options;
    AGENTS_REQUIRE(library != NULL);
    AGENTS_REQUIRE(hello_make(library, key, NULL, &hello) == CPMP_OK);
    AGENTS_REQUIRE(hello_make(library, key, &hello, &welcome) == CPMP_OK);
    AGENTS_REQUIRE(cpi_hello_check(&hello, sizeof(hello), CPI_ROLE_HELLO) == CPMP_OK);
    AGENTS_REQUIRE(cpi_hello_check(&welcome, sizeof(welcome), CPI_ROLE_WELCOME) == CPMP_OK);
    AGENTS_REQUIRE(cpi_hello_check(&hello, sizeof(hello), CPI_ROLE_WELCOME) == CPMP_EPROTO);
    AGENTS_REQUIRE(cpi_hello_check(&hello, sizeof(hello) - 1, CPI_ROLE_HELLO) == CPMP_EPROTO);
    AGENTS_REQUIRE(hello_code_right(library, key, NULL, &hello));
    AGENTS_REQUIRE(hello_code_right(library, key, &hello, &welcome));
    AGENTS_REQUIRE(!hello_code_right(library, other_key, NULL, &hello));
    AGENTS_REQUIRE(!hello_code_right(library, key, NULL, &welcome));
    AGENTS_REQUIRE(hello_tags(library, key, &hello, &welcome, &tags) == CPMP_OK);
    AGENTS_REQUIRE(hello_tags(library, other_key, &hello, &welcome, &again) == CPMP_OK);
    AGENTS_REQUIRE(tags.to_acceptor != tags.to_connector && tags.to_acceptor != again.to_acceptor);
    for (size_t i = 0; i < offsetof(struct cpi_hello, code); i++) {  /* every byte counts */
        struct cpi_hello changed = hello;
        ((uint8_t *)&changed)[i] ^= 1;
        AGENTS_REQUIRE(!hello_code_right(library, key, NULL, &changed));
    }
    hello.nonce[3] ^= 1;
    AGENTS_REQUIRE(!hello_code_right(library, key, &hello, &welcome));
    hello.version++;
    AGENTS_REQUIRE(cpi_hello_check(&hello, sizeof(hello), CPI_ROLE_HELLO) == CPMP_EVERSION);
}

static void
a_greeting_is_bound_to_key_fields_and_nonce(void **state)
{
    (void)state;
    peer_expect_success(peer_start(greets, (struct peer_options){.index = 0}));
}

static void
addresses_are_numeric_text(void **state)
{
    static const char *const good[] = {"127.0.0.1:0", "10.77.0.1:65535", "[::1]:4711",
                                       "[fe80::1%lo]:1"};
    static const char *const bad[] = {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x",
                                      "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1: 1", "host:1",
                                      "::1:80", "[::1]", "[127.0.0.1]:1", "127.0.0.1:1 "};
    struct sockaddr_storage address;
    char text[ADDRESS_TEXT_MAX], longer[200];

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(address_parse_socket(good[i], &address));
        assert_true(address_print_socket((struct sockaddr *)&address, text));
        assert_string_equal(good[i], text);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(address_parse_socket(bad[i], &address));
    memset(longer, '1', sizeof(longer));
    memcpy(longer + sizeof(longer) - 3, ":1", 3);
    assert_false(address_parse_socket(longer, &address));
}

static void
listens_badly(const struct peer_options *options)
{
    static const char *const addresses[] = {"0.0.0.0", "::", "localhost", "192.0.2.1"};
    static const uint8_t key[CPI_KEY_BYTES];

    (void)options;
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        struct fabric_config config = {.listen = addresses[i], .key = key, .peers = 2};
        struct fabric *fabric = NULL;
        char why[FABRIC_WHY_MAX] = "";
        AGENTS_REQUIRE(fabric_open(&fabric, &config, why) < 0 && fabric == NULL);
        AGENTS_REQUIRE(strstr(why, addresses[i]) != NULL);
    }
}

static void
an_address_that_is_not_ours_is_named(void **state)
{
    (void)state;
    peer_expect_success(peer_start(listens_badly, (struct peer_options){.index = 0}));
}

/* --- who gets in --- */

static void
is_refused(const struct peer_options *options)
{
    struct peer self;

    peer_open(&self, options);
    peer_connect(&self, 1);
    PEER_UNTIL(&self, self.losses == 1);
    AGENTS_REQUIRE(self.error == CPMP_EPEER && self.ups == 0);
    peer_close(&self);
}

static void
who_lacks_the_key_is_refused_and_counted(void **state)
{
    (void)state;
    pid_t server = peer_start(peer_host, (struct peer_options){.index = 1});

    peer_expect_success(peer_start(is_refused, (struct peer_options){.index = 0, .key = 1}));
    peer_word_await(W_STRANGERS, 1);
    assert_int_equal(0, atomic_load(&peer_shared->words[W_UP]));
    atomic_store(&peer_shared->ready, 2);
    pid_t friend = peer_start(peer_idler, (struct peer_options){.index = 0});
    peer_word_await(W_UP, 2);
    atomic_store(&peer_shared->words[W_GO], 1);
    peer_expect_success(server);
    peer_kill(friend);
}

static void
an_old_incarnation_is_refused(void **state)
{
    (void)state;
    pid_t server = peer_start(peer_host, (struct peer_options){.index = 1});
    pid_t second = peer_start(peer_idler, (struct peer_options){.index = 0, .incarnation = 2});

    peer_word_await(W_UP, 2);
    peer_kill(second);
    peer_word_await(W_LOST, 1);
    peer_expect_success(peer_start(is_refused, (struct peer_options){.incarnation = 1}));
    peer_word_await(W_STRANGERS, 1);
    pid_t third = peer_start(peer_idler, (struct peer_options){.index = 0, .incarnation = 3});
    peer_word_await(W_UP, 4);
    atomic_store(&peer_shared->words[W_GO], 1);
    peer_expect_success(server);
    peer_kill(third);
}

static void
a_newer_incarnation_takes_the_place_of_one_that_hangs(void **state)
{
    (void)state;
    pid_t server = peer_start(peer_host, (struct peer_options){.index = 1});
    pid_t old = peer_start(peer_idler, (struct peer_options){.index = 0, .incarnation = 1});

    peer_word_await(W_UP, 2);
    assert_int_equal(0, kill(old, SIGSTOP));
    pid_t young = peer_start(peer_idler, (struct peer_options){.index = 0, .incarnation = 2});
    peer_word_await(W_UP, 4);
    assert_int_equal(1, atomic_load(&peer_shared->words[W_LOST]));
    atomic_store(&peer_shared->words[W_GO], 1);
    peer_expect_success(server);
    peer_kill(old);
    peer_kill(young);
}

/* --- strangers --- */

static int
door_connect(void)
{
    struct sockaddr_storage address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(address_parse_socket(peer_shared->addresses[1], &address));
    assert_int_equal(0, connect(fd, (struct sockaddr *)&address, sizeof(struct sockaddr_in)));
    return fd;
}

#define SILENT 150

/* A request of the tcp provider that announces 96 bytes and doesn't bring them: read blockingly, it
 * would stop the agent. */
static void
send_announcement(int fd)
{
    const unsigned char request[32] = {[0] = 3, [3] = 96, [24] = 1};

    assert_int_equal(sizeof(request), write(fd, request, sizeof(request)));
}

static void
strangers_are_dropped_and_counted_and_hold_nobody_up(void **state)
{
    int silent[SILENT];
    struct peer_options options = {.index = 1, .patience_us = 10000000};
    pid_t server = peer_start(peer_host, options);

    (void)state;
    peer_await_ready(2);
    int announcer = door_connect();
    send_announcement(announcer);
    int babbler = door_connect();
    assert_int_equal(10, write(babbler, "GET / HTTP", 10));
    close(door_connect());
    for (int i = 0; i < SILENT; i++)
        silent[i] = door_connect();
    /* the friend comes while all of them are there */
    pid_t friend = peer_start(peer_idler, (struct peer_options){.index = 0});
    peer_word_await(W_UP, 2);
    peer_word_await(W_STRANGERS, SILENT + 2 - DOOR_WAITING_MAX);  /* the rest may stay */
    for (int i = 0; i < SILENT; i++)
        close(silent[i]);
    close(announcer);
    close(babbler);
    peer_word_await(W_STRANGERS, SILENT + 3);
    atomic_store(&peer_shared->words[W_GO], 1);
    peer_expect_success(server);
    peer_kill(friend);
}

static void
who_stays_silent_is_shut_out_in_time(void **state)
{
    char byte;
    pid_t server = peer_start(peer_host, (struct peer_options){.index = 1, .patience_us = 300000});

    (void)state;
    peer_await_ready(2);
    int silent = door_connect();
    assert_true(read(silent, &byte, 1) <= 0);  /* returns when the other side closes */
    peer_word_await(W_STRANGERS, 1);
    atomic_store(&peer_shared->words[W_GO], 1);
    peer_expect_success(server);
    close(silent);
}

static int
listen_as_peer_one(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(0, bind(fd, (struct sockaddr *)&address, bytes));
    assert_int_equal(0, listen(fd, 8));
    assert_int_equal(0, getsockname(fd, (struct sockaddr *)&address, &bytes));
    assert_true(address_print_socket((struct sockaddr *)&address, peer_shared->addresses[1]));
    atomic_fetch_or(&peer_shared->ready, 2);
    return fd;
}

/* A hello overheard on its way opens the door once at most, and then only as far as the proof. */
static void
a_replayed_hello_gets_nowhere(void **state)
{
    char request[1024], address[80];
    pid_t server = peer_start(peer_host, (struct peer_options){.index = 1, .patience_us = 1500000});

    (void)state;
    peer_await_ready(2);
    memcpy(address, peer_shared->addresses[1], sizeof(address));
    int ear = listen_as_peer_one();
    pid_t victim = peer_start(peer_idler, (struct peer_options){.index = 0});
    int overheard = accept(ear, NULL, NULL);
    ssize_t bytes = recv(overheard, request, sizeof(request), 0);
    assert_true(bytes > (ssize_t)sizeof(struct cpi_hello));
    peer_kill(victim);
    close(overheard);
    close(ear);
    memcpy(peer_shared->addresses[1], address, sizeof(address));
    int first = door_connect(), second;
    assert_int_equal(bytes, write(first, request, (size_t)bytes));
    assert_true(recv(first, request + 512, 1, 0) == 1);  /* let in, as far as it goes */
    second = door_connect();
    assert_int_equal(bytes, write(second, request, (size_t)bytes));
    peer_word_await(W_STRANGERS, 1);
    assert_int_equal(0, atomic_load(&peer_shared->words[W_UP]));
    pid_t friend = peer_start(peer_idler, (struct peer_options){.index = 0});
    peer_word_await(W_UP, 2);
    atomic_store(&peer_shared->words[W_GO], 1);
    peer_expect_success(server);
    peer_kill(friend);
    close(first);
    close(second);
}

static int
bbr_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool
is_bbr(int fd)
{
    char name[16] = "";
    socklen_t bytes = sizeof(name);

    assert_int_equal(0, getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &bytes));
    return strcmp(name, "bbr") == 0;
}

static void
new_sockets_do_not_pace(void **state)
{
    struct door_snapshot snapshot;
    int older = bbr_socket();

    (void)state;
    if (older < 0)
        skip();  /* a system without BBR has nothing to turn off */
    door_snapshot_take(&snapshot);
    int newer = bbr_socket();
    door_snapshot_unpace(&snapshot);
    assert_true(is_bbr(older));
    assert_false(is_bbr(newer));
    close(older);
    close(newer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, peer_setup, peer_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_greeting_is_bound_to_key_fields_and_nonce),
        TEST(addresses_are_numeric_text),
        TEST(an_address_that_is_not_ours_is_named),
        TEST(who_lacks_the_key_is_refused_and_counted),
        TEST(an_old_incarnation_is_refused),
        TEST(a_newer_incarnation_takes_the_place_of_one_that_hangs),
        TEST(strangers_are_dropped_and_counted_and_hold_nobody_up),
        TEST(who_stays_silent_is_shut_out_in_time),
        TEST(a_replayed_hello_gets_nowhere),
        cmocka_unit_test(new_sockets_do_not_pace),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
