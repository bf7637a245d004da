/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/x509.h>

#include <cpmp.h>

#include "link_world.h"

/* --- who isn't let in --- */

static int
a_guest_failed(void *arg)
{
    struct world *world = arg;
    uint64_t failed = 0;

    for (int i = 0; i < LINK_ENDS; i++)
        failed += door_counters(world->door)->failed[i];
    return failed > 0;
}

static void
assert_turned_away(struct tls_context *context, enum link_purpose purpose, enum link_end client,
                   enum link_end server)
{
    struct world world;

    world_init(&world);
    connect_as(&world, context, purpose);
    link_pool_run(&world.loop, client_closed, &world);
    link_pool_run(&world.loop, a_guest_failed, &world);
    assert_int_equal(world.client.how, client);
    assert_int_equal(world.client.ups, 0);
    assert_int_equal(door_counters(world.door)->failed[server], 1);
    assert_int_equal(world.server.ups, 0);
    world_end(&world);
}

static void
members_of_other_pools_get_nowhere(void **state)
{
    (void)state;
    assert_turned_away(elsewhere.members[0].context, LINK_FOR_PEER, LINK_END_POOL,
                       LINK_END_REFUSED);
}

static void
revoked_members_get_nowhere(void **state)
{
    struct world world;

    (void)state;
    here.revoked = here.members[0].id;
    assert_turned_away(here.members[0].context, LINK_FOR_PEER, LINK_END_REFUSED, LINK_END_REVOKED);
    here.revoked = NULL;
    world_connected(&world);
    world_end(&world);
}

static void
members_whose_time_is_over_get_nowhere(void **state)
{
    struct tls_membership membership = {
        .key = aged.members[0].key, .authority = here.authority.certificate,
    };
    struct tls_context *context;

    (void)state;
    assert_int_equal(authority_sign_peer(&here.authority, "old", membership.key, aged.now_s,
                                         &membership.certificate), CPMP_OK);
    context = tls_context_new_peer(&membership);
    assert_turned_away(context, LINK_FOR_PEER, LINK_END_REFUSED, LINK_END_EXPIRED);
    tls_context_free(context);
    X509_free(membership.certificate);
}

static void
joiners_come_for_admission_only(void **state)
{
    struct tls_context *joiner = tls_context_new_joiner(here.fingerprint);
    struct world world;
    char *much = calloc(1, LINK_JOINER_BYTES + 1);

    (void)state;
    assert_turned_away(joiner, LINK_FOR_PEER, LINK_END_BYE, LINK_END_STRANGER);
    assert_turned_away(here.members[0].context, LINK_FOR_ADMISSION, LINK_END_BYE,
                       LINK_END_STRANGER);
    world_init(&world);
    connect_as(&world, joiner, LINK_FOR_ADMISSION);
    link_pool_run(&world.loop, both_up, &world);
    assert_null(link_peer(world.server.link));
    assert_int_equal(link_purpose(world.server.link), LINK_FOR_ADMISSION);
    assert_int_equal(link_send(world.client.link, much, LINK_JOINER_BYTES + 1), CPMP_OK);
    link_pool_run(&world.loop, server_closed, &world);
    assert_int_equal(world.server.how, LINK_END_BROKEN);
    world_end(&world);
    tls_context_free(joiner);
    free(much);
}

static void
links_that_nobody_takes_are_closed(void **state)
{
    struct world world;

    (void)state;
    world_init(&world);
    world.takes_nothing = 1;
    connect_as(&world, here.members[0].context, LINK_FOR_PEER);
    link_pool_run(&world.loop, client_closed, &world);
    assert_int_equal(world.client.how, LINK_END_BYE);
    world_end(&world);
}

/* --- hostile clients --- */

static void
assert_bare_bytes_end(const char *bytes, size_t count, enum link_end how)
{
    struct world world;
    int fd;

    world_init(&world);
    world.door_limits.link.handshake_ms = 300;
    fd = link_pool_socket(&world.address);
    assert_int_equal(send(fd, bytes, count, MSG_NOSIGNAL), (ssize_t)count);
    link_pool_run(&world.loop, a_guest_failed, &world);
    assert_int_equal(door_counters(world.door)->failed[how], 1);
    assert_int_equal(door_half_open(world.door), 0);
    assert_int_equal(link_pool_socket_ended(fd), 1);
    close(fd);
    world_end(&world);
}

static void
garbage_and_silence_end_soon(void **state)
{
    char much[LINK_STRANGER_BYTES + 1000] = "\26\3\1\100\0\1\0\77\374\3\3";

    (void)state;
    assert_bare_bytes_end("GET / HTTP/1.0\r\n\r\n", 18, LINK_END_NOT_TLS);
    assert_bare_bytes_end("\0\0\0\0\0\0\0\0", 8, LINK_END_NOT_TLS);
    assert_bare_bytes_end("", 0, LINK_END_SLOW);
    assert_bare_bytes_end("\26\3\1\1\0\1", 6, LINK_END_SLOW);
    assert_bare_bytes_end(much, sizeof(much), LINK_END_FLOOD);
}

static void
a_port_scan_is_counted(void **state)
{
    struct world world;

    (void)state;
    world_init(&world);
    close(link_pool_socket(&world.address));
    link_pool_run(&world.loop, a_guest_failed, &world);
    assert_int_equal(door_counters(world.door)->failed[LINK_END_CUT], 1);
    world_end(&world);
}

/* A byte at a time keeps nobody's place. */
struct drip {
    uv_timer_t timer;
    int fd;
};

static void
on_drip(uv_timer_t *timer)
{
    struct drip *drip = timer->data;

    (void)!send(drip->fd, "\26", 1, MSG_NOSIGNAL);
}

static void
slow_bytes_win_no_time(void **state)
{
    struct world world;
    struct drip drip;

    (void)state;
    world_init(&world);
    world.door_limits.link.handshake_ms = 300;
    drip.fd = link_pool_socket(&world.address);
    assert_int_equal(send(drip.fd, "\26\3\1\20\0\1\0\17\374\3\3", 11, MSG_NOSIGNAL), 11);
    uv_timer_init(&world.loop, &drip.timer);
    drip.timer.data = &drip;
    uv_timer_start(&drip.timer, on_drip, 20, 20);
    link_pool_run(&world.loop, a_guest_failed, &world);
    assert_int_equal(door_counters(world.door)->failed[LINK_END_SLOW], 1);
    uv_close((uv_handle_t *)&drip.timer, NULL);
    close(drip.fd);
    world_end(&world);
}

static int
twenty_accepted(void *arg)
{
    return door_counters(((struct world *)arg)->door)->accepted >= 20;
}

static void
half_open_handshakes_are_few(void **state)
{
    const struct door_counters *counters;
    struct world world;
    int fds[20], ended = 0;

    (void)state;
    for (int which = 0; which < 3; which++) {
        world_init(&world);
        counters = door_counters(world.door);
        if (which == 0)
            world.door_limits.half_open_max = 5;
        else if (which == 1)
            world.door_limits.half_open_place_max = 5;
        for (int i = 0; i < 20; i++)
            fds[i] = link_pool_socket(&world.address);
        link_pool_run(&world.loop, twenty_accepted, &world);
        if (which < 2) {
            assert_int_equal(door_half_open(world.door), 5);
            assert_int_equal(which == 0 ? counters->turned_away_full : counters->turned_away_place,
                             15);
        }
        uv_run(&world.loop, UV_RUN_NOWAIT);
        ended = 0;
        for (int i = 0; i < 20; i++) {
            ended += link_pool_socket_ended(fds[i]);
            close(fds[i]);
        }
        assert_int_equal(ended, which < 2 ? 15 : 0);
        world_end(&world);
    }
}

static void
who_comes_too_fast_is_turned_away(void **state)
{
    struct address any = {.family = 4, .bytes = {127, 0, 0, 1}};
    struct door_limits slow = door_limits_default;
    struct text why = {0};
    struct world world;

    (void)state;
    slow.accepts_place_per_s = 0.001;
    slow.accepts_place_burst = 5;
    world_init(&world);
    door_close(world.door);
    world.door = door_new(&world.loop, here.members[1].context, &slow, &door_hooks, &world);
    assert_int_equal(door_listen(world.door, &any, &why), CPMP_OK);
    for (int i = 0; i < 20; i++)
        close(link_pool_socket(door_listener(world.door, 0)));
    link_pool_run(&world.loop, twenty_accepted, &world);
    assert_int_equal(door_counters(world.door)->turned_away_rate, 15);
    world.door_closed = 0;
    world_end(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_of_other_pools_get_nowhere),
        cmocka_unit_test(revoked_members_get_nowhere),
        cmocka_unit_test(members_whose_time_is_over_get_nowhere),
        cmocka_unit_test(joiners_come_for_admission_only),
        cmocka_unit_test(links_that_nobody_takes_are_closed),
        cmocka_unit_test(garbage_and_silence_end_soon),
        cmocka_unit_test(a_port_scan_is_counted),
        cmocka_unit_test(slow_bytes_win_no_time),
        cmocka_unit_test(half_open_handshakes_are_few),
        cmocka_unit_test(who_comes_too_fast_is_turned_away),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, pools_setup, pools_teardown);
}
