/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cpmp.h>

#include "link/link_state.h"
#include "link_world.h"

/* --- what links do --- */

static void
messages_of_any_size_arrive_in_order(void **state)
{
    static const size_t sizes[] = {4, 5, 1000, 16379, 16380, 16381, 70000, FRAMES_BYTES_MAX};
    struct world world;

    (void)state;
    world_connected(&world);
    assert_string_equal(link_peer(world.server.link)->name, "ann");
    assert_string_equal(link_peer(world.client.link)->name, "bob");
    assert_int_equal(link_purpose(world.server.link), LINK_FOR_PEER);
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(number_send(&world.client, i, sizes[i]), CPMP_OK);
        assert_int_equal(number_send(&world.server, i, sizes[7 - i]), CPMP_OK);
    }
    await_messages(&world, &world.client, 8);
    await_messages(&world, &world.server, 8);
    assert_int_equal(world.client.bytes, world.server.bytes);
    assert_int_equal(link_send(world.client.link, "", 0), CPMP_OK);
    await_messages(&world, &world.server, 9);
    world_end(&world);
}

static void
what_is_sent_before_it_is_up_arrives(void **state)
{
    struct world world;

    (void)state;
    world_init(&world);
    connect_as(&world, here.members[0].context, LINK_FOR_PEER);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(number_send(&world.client, i, 50000), CPMP_OK);
    assert_int_equal(link_has_room(world.client.link), 0);
    await_messages(&world, &world.server, 100);
    assert_int_equal(world.client.rooms, 1);
    assert_int_equal(world.client.ups, 1);
    world_end(&world);
}

static int
round_trip_known(void *arg)
{
    return link_round_trip_us(((struct world *)arg)->client.link) > 0;
}

static void
the_round_trip_is_measured(void **state)
{
    struct world world;

    (void)state;
    world_connected(&world);
    link_pool_run(&world.loop, round_trip_known, &world);
    world_end(&world);
}

static void
a_goodbye_loses_nothing_and_says_why(void **state)
{
    struct world world;

    (void)state;
    world_connected(&world);
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(number_send(&world.client, i, FRAMES_BYTES_MAX), CPMP_OK);
        assert_int_equal(number_send(&world.server, i, 100000), CPMP_OK);
    }
    link_close(world.client.link, "tired of \033[2J this");
    assert_int_equal(link_send(world.client.link, "x", 1), CPMP_ESTATE);
    link_pool_run(&world.loop, server_closed, &world);
    link_pool_run(&world.loop, client_closed, &world);
    assert_int_equal(world.server.messages, 8);
    assert_int_equal(world.client.messages, 8);
    assert_int_equal(world.server.how, LINK_END_BYE);
    assert_string_equal(world.server.why, "tired of ?[2J this");
    assert_int_equal(world.client.how, LINK_END_CLOSED);
    world_end(&world);
}

static void
a_full_queue_tells_when_there_is_room(void **state)
{
    struct world world;
    uint32_t sent = 0;

    (void)state;
    world_connected(&world);
    while (link_has_room(world.client.link))
        assert_int_equal(number_send(&world.client, sent++, 100000), CPMP_OK);
    assert_int_equal(world.client.rooms, 0);
    await_messages(&world, &world.server, sent);
    assert_int_equal(world.client.rooms, 1);
    world_end(&world);
}

static void
who_does_not_read_is_given_up(void **state)
{
    struct world world;
    int error = CPMP_OK;

    (void)state;
    world_connected(&world);
    uv_read_stop((uv_stream_t *)world.server.link->tcp);
    for (uint32_t i = 0; error == CPMP_OK && i < 100; i++)
        error = number_send(&world.client, i, FRAMES_BYTES_MAX);
    assert_int_equal(error, CPMP_ELIMIT);
    link_pool_run(&world.loop, client_closed, &world);
    assert_int_equal(world.client.how, LINK_END_BACKLOG);
    assert_int_equal(link_send(world.server.link, "x", 1), CPMP_OK);
    world_end(&world);
}

static void
who_is_silent_is_given_up(void **state)
{
    struct world world;

    (void)state;
    world_init(&world);
    world.limits.silence_ms = 200;
    connect_as(&world, here.members[0].context, LINK_FOR_PEER);
    link_pool_run(&world.loop, both_up, &world);
    uv_timer_stop(&world.server.link->timer);
    uv_read_stop((uv_stream_t *)world.server.link->tcp);
    link_pool_run(&world.loop, client_closed, &world);
    assert_int_equal(world.client.how, LINK_END_SILENT);
    world_end(&world);
}

static void
a_cut_is_no_goodbye(void **state)
{
    struct world world;

    (void)state;
    world_connected(&world);
    link_destroy(world.server.link);  /* as a process that dies */
    link_pool_run(&world.loop, client_closed, &world);
    assert_int_equal(world.client.how, LINK_END_CUT);
    world_end(&world);
}

/* --- reaching a peer --- */

/* A listener that nobody serves; its address is in `at`. */
static int
deaf_listener(struct address *at, int backlog)
{
    struct address any = {.family = 4, .bytes = {127, 0, 0, 1}};
    struct sockaddr_storage bound;
    socklen_t bytes = address_to_sockaddr(&any, &bound);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&bound, bytes), 0);
    assert_int_equal(listen(fd, backlog), 0);
    bytes = sizeof(bound);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &bytes), 0);
    assert_int_equal(address_from_sockaddr((struct sockaddr *)&bound, at), 1);
    return fd;
}

static void
the_first_address_that_serves_is_taken(void **state)
{
    struct address addresses[4] = {{.family = 4, .bytes = {127, 0, 0, 1}, .port = 1}};
    struct world world;
    int deaf;

    (void)state;
    world_init(&world);
    world.limits.handshake_ms = 300;
    /* One refuses, one accepts and says nothing, one is no address, the last is the peer. */
    deaf = deaf_listener(&addresses[1], 5);
    addresses[3] = world.address;
    world.client.link = link_connect(&world.loop, here.members[0].context, LINK_FOR_PEER,
                                     addresses, 4, here.members[1].id, &world.limits, &hooks,
                                     &world.client);
    link_pool_run(&world.loop, both_up, &world);
    assert_true(address_equal(link_address(world.client.link), &world.address));
    close(deaf);
    world_end(&world);
}

/* One accepts and says nothing, then one does not even answer, as behind a firewall. */
static void
nobody_waits_longer_than_the_limit(void **state)
{
    struct address addresses[2];
    struct world world;
    int deaf = deaf_listener(&addresses[0], 5), mute = deaf_listener(&addresses[1], 0);
    int filling = link_pool_socket(&addresses[1]);

    (void)state;
    world_init(&world);
    world.limits.handshake_ms = 100;
    world.limits.connect_ms = 600;
    world.client.link = link_connect(&world.loop, here.members[0].context, LINK_FOR_PEER,
                                     addresses, 2, NULL, &world.limits, &hooks, &world.client);
    link_pool_run(&world.loop, client_closed, &world);
    assert_true(world.client.how == LINK_END_UNREACHABLE || world.client.how == LINK_END_SLOW);
    close(filling);
    close(deaf);
    close(mute);
    world_end(&world);
}

static void
an_unreachable_peer_is_told_with_its_address(void **state)
{
    struct world world;

    (void)state;
    world_init(&world);
    world.address.port = 1;
    connect_as(&world, here.members[0].context, LINK_FOR_PEER);
    link_pool_run(&world.loop, client_closed, &world);
    assert_int_equal(world.client.how, LINK_END_UNREACHABLE);
    assert_non_null(strstr(world.client.why, "127.0.0.1:1: connection refused"));
    assert_int_equal(world.client.ups, 0);
    world_end(&world);
}

static void
another_peer_at_the_address_is_not_taken(void **state)
{
    struct world world;

    (void)state;
    world_init(&world);
    world.client.link = link_connect(&world.loop, here.members[0].context, LINK_FOR_PEER,
                                     &world.address, 1, here.members[2].id, &world.limits, &hooks,
                                     &world.client);
    link_pool_run(&world.loop, client_closed, &world);
    assert_int_equal(world.client.how, LINK_END_IDENTITY);
    assert_non_null(strstr(world.client.why, "another peer is there: bob"));
    world_end(&world);
}

static void
ipv6_serves_as_well(void **state)
{
    struct world world;
    struct address six = {.family = 6, .bytes = {[15] = 1}};
    struct text why = {0};

    (void)state;
    world_init(&world);
    if (door_listen(world.door, &six, &why) == CPMP_OK) {
        world.address = *door_listener(world.door, 1);
        connect_as(&world, here.members[0].context, LINK_FOR_PEER);
        link_pool_run(&world.loop, both_up, &world);
        assert_int_equal(link_address(world.server.link)->family, 6);
    }
    text_release(&why);
    world_end(&world);
}

static void
a_taken_port_is_told(void **state)
{
    struct world world;
    struct text why = {0};

    (void)state;
    world_init(&world);
    assert_int_equal(door_listen(world.door, &world.address, &why), CPMP_ESYS);
    assert_non_null(strstr(text_string(&why), "--listen"));
    text_release(&why);
    world_end(&world);
}

/* --- members that misbehave --- */

static void
a_flood_of_messages_ends_the_link(void **state)
{
    struct world world;
    int error = CPMP_OK;

    (void)state;
    world_init(&world);
    world.door_limits.link.messages_per_s = 1;
    world.door_limits.link.messages_burst = 50;
    connect_as(&world, here.members[0].context, LINK_FOR_PEER);
    link_pool_run(&world.loop, both_up, &world);
    for (uint32_t i = 0; i < 100 && error == CPMP_OK; i++)
        error = number_send(&world.client, i, 10);
    link_pool_run(&world.loop, server_closed, &world);
    link_pool_run(&world.loop, client_closed, &world);
    assert_int_equal(world.server.how, LINK_END_FLOOD);
    assert_in_range(world.server.messages, 1, 50);
    assert_int_equal(world.client.how, LINK_END_BYE);
    assert_non_null(strstr(world.client.why, "messages a second"));
    world_end(&world);
}

static void
too_many_bytes_come_more_slowly(void **state)
{
    struct world world;

    (void)state;
    world_init(&world);
    world.door_limits.link.bytes_per_s = 10e6;
    world.door_limits.link.bytes_burst = 1e5;
    connect_as(&world, here.members[0].context, LINK_FOR_PEER);
    link_pool_run(&world.loop, both_up, &world);
    for (uint32_t i = 0; i < 20; i++)
        assert_int_equal(number_send(&world.client, i, 100000), CPMP_OK);
    await_messages(&world, &world.server, 20);
    assert_int_equal(world.server.closed, 0);
    world_end(&world);
}

/* Says what no link says. */
static void
assert_frame_ends(const void *frame, size_t bytes)
{
    struct world world;

    world_connected(&world);
    assert_int_equal(tls_write(link_tls(world.client.link), frame, bytes), CPMP_OK);
    link_flush(world.client.link);
    link_pool_run(&world.loop, server_closed, &world);
    assert_int_equal(world.server.how, LINK_END_BROKEN);
    assert_int_equal(world.server.messages, 0);
    world_end(&world);
}

static void
malformed_frames_end_the_link(void **state)
{
    (void)state;
    assert_frame_ends("\1\0\20\0", 4);            /* 1 MiB and a byte */
    assert_frame_ends("\377\377\377\0", 4);
    assert_frame_ends("\0\0\0\5", 4);             /* no such kind */
    assert_frame_ends("\1\1\0\2", 4);             /* a long ping */
    assert_frame_ends("\10\0\0\1cpmp\1\0\0\0", 12);  /* another hello */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_any_size_arrive_in_order),
        cmocka_unit_test(what_is_sent_before_it_is_up_arrives),
        cmocka_unit_test(the_round_trip_is_measured),
        cmocka_unit_test(a_goodbye_loses_nothing_and_says_why),
        cmocka_unit_test(a_full_queue_tells_when_there_is_room),
        cmocka_unit_test(who_does_not_read_is_given_up),
        cmocka_unit_test(who_is_silent_is_given_up),
        cmocka_unit_test(a_cut_is_no_goodbye),
        cmocka_unit_test(the_first_address_that_serves_is_taken),
        cmocka_unit_test(nobody_waits_longer_than_the_limit),
        cmocka_unit_test(an_unreachable_peer_is_told_with_its_address),
        cmocka_unit_test(another_peer_at_the_address_is_not_taken),
        cmocka_unit_test(ipv6_serves_as_well),
        cmocka_unit_test(a_taken_port_is_told),
        cmocka_unit_test(a_flood_of_messages_ends_the_link),
        cmocka_unit_test(too_many_bytes_come_more_slowly),
        cmocka_unit_test(malformed_frames_end_the_link),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, pools_setup, pools_teardown);
}
