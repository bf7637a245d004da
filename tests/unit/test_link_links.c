/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cpmp.h>

#include "link/door.h"
#include "link/links_state.h"
#include "link_pool.h"

#define NODES 4

/* A daemon in small: a door and links. */
struct node {
    struct link_member *member;
    struct door *door;
    struct links *links;
    struct address address;
    size_t messages, ups, downs;
    char last[64], from[IDENTITY_NAME_MAX + 1], why[256];
    enum link_end end;
    int closed;
};

static struct link_pool pool;
static uv_loop_t loop;
static struct node nodes[NODES];

static void
on_message(void *arg, const struct tls_peer *peer, const void *bytes, size_t count)
{
    struct node *node = arg;

    node->messages++;
    snprintf(node->last, sizeof(node->last), "%.*s", (int)count, (const char *)bytes);
    snprintf(node->from, sizeof(node->from), "%s", peer->name);
}

static void
on_up(void *arg, const struct tls_peer *peer)
{
    (void)peer;
    ((struct node *)arg)->ups++;
}

static void
on_down(void *arg, const unsigned char id[IDENTITY_ID_BYTES], enum link_end end, const char *why)
{
    struct node *node = arg;

    (void)id;
    node->downs++;
    node->end = end;
    snprintf(node->why, sizeof(node->why), "%s", why);
}

static void
on_closed(void *arg)
{
    ((struct node *)arg)->closed++;
}

static const struct links_hooks hooks = {
    .on_message = on_message, .on_up = on_up, .on_down = on_down, .on_closed = on_closed,
};

static void
on_link(void *arg, struct link *link)
{
    links_adopt(((struct node *)arg)->links, link);
}

static const struct door_hooks door_hooks = {.on_link = on_link, .on_closed = on_closed};

static void
node_start(struct node *node, struct link_member *member, unsigned up_max)
{
    struct address any = {.family = 4, .bytes = {127, 0, 0, 1}};
    struct text why = {0};

    memset(node, 0, sizeof(*node));
    node->member = member;
    node->links = links_new(&loop, member->context, member->id, &link_limits_default, up_max,
                            &hooks, node);
    node->door = door_new(&loop, member->context, &door_limits_default, &door_hooks, node);
    assert_int_equal(door_listen(node->door, &any, &why), CPMP_OK);
    node->address = *door_listener(node->door, 0);
}

static int
node_closed(void *arg)
{
    return ((struct node *)arg)->closed == 2;
}

static void
node_stop(struct node *node)
{
    links_close(node->links);
    door_close(node->door);
    link_pool_run(&loop, node_closed, node);
}

static int
nodes_setup(void **state)
{
    (void)state;
    if (uv_loop_init(&loop) != 0)
        return -1;
    for (int i = 0; i < NODES; i++)
        node_start(&nodes[i], &pool.members[i], 100);
    return 0;
}

static int
nodes_teardown(void **state)
{
    (void)state;
    for (int i = 0; i < NODES; i++) {
        if (nodes[i].closed < 2)
            node_stop(&nodes[i]);
    }
    link_pool_end(&loop);
    return 0;
}

static void
acquaint(struct node *node, const struct node *with)
{
    links_learn(node->links, with->member->id, &with->address, 1);
}

static int
say(struct node *node, const struct node *to, const char *words)
{
    return links_send(node->links, to->member->id, words, strlen(words));
}

/* So many messages at a node. */
struct expected {
    struct node *node;
    size_t messages, downs;
};

static int
has_come(void *arg)
{
    struct expected *expected = arg;

    return expected->node->messages >= expected->messages &&
           expected->node->downs >= expected->downs;
}

static void
await(struct node *node, size_t messages, size_t downs)
{
    struct expected expected = {node, messages, downs};

    link_pool_run(&loop, has_come, &expected);
    assert_int_equal(node->messages, messages);
    assert_int_equal(node->downs, downs);
}

static void
a_message_makes_its_link(void **state)
{
    (void)state;
    assert_int_equal(say(&nodes[0], &nodes[1], "hello"), CPMP_ENOENT);
    acquaint(&nodes[0], &nodes[1]);
    assert_int_equal(say(&nodes[0], &nodes[1], "hello"), CPMP_OK);
    assert_int_equal(links_is_up(nodes[0].links, nodes[1].member->id), 0);
    assert_int_equal(say(&nodes[0], &nodes[1], "again"), CPMP_OK);
    await(&nodes[1], 2, 0);
    assert_string_equal(nodes[1].last, "again");
    assert_string_equal(nodes[1].from, "ann");
    /* The answer goes the way that is there. */
    assert_int_equal(say(&nodes[1], &nodes[0], "yes?"), CPMP_OK);
    await(&nodes[0], 1, 0);
    assert_string_equal(nodes[0].from, "bob");
    assert_int_equal(nodes[0].ups, 1);
    assert_int_equal(nodes[1].ups, 1);
    assert_string_equal(links_name(nodes[0].links, nodes[1].member->id), "bob");
    assert_true(links_has_room(nodes[0].links, nodes[1].member->id));
}

static int
is_settled(void *arg)
{
    (void)arg;
    return nodes[0].links->open == 1 && nodes[1].links->open == 1 &&
           links_is_up(nodes[0].links, nodes[1].member->id) &&
           links_is_up(nodes[1].links, nodes[0].member->id) && nodes[0].messages == 20 &&
           nodes[1].messages == 20;
}

static void
view_check(void *arg, const struct links_view *view)
{
    assert_int_equal(view->is_up, 1);
    assert_int_equal(view->is_connecting, 0);
    *(int *)arg += view->is_server + 1;
}

/* Whoever is first, in every turn, and without losing a message. */
static void
who_connect_at_once_keep_one_link(void **state)
{
    (void)state;
    for (int turn = 0; turn < 10; turn++) {
        int servers = 0;

        acquaint(&nodes[turn % 2], &nodes[1 - turn % 2]);
        acquaint(&nodes[1 - turn % 2], &nodes[turn % 2]);
        for (int i = 0; i < 20; i++) {
            assert_int_equal(say(&nodes[turn % 2], &nodes[1 - turn % 2], "mine"), CPMP_OK);
            if (turn >= 4)
                uv_run(&loop, UV_RUN_NOWAIT);
            assert_int_equal(say(&nodes[1 - turn % 2], &nodes[turn % 2], "yours"), CPMP_OK);
        }
        link_pool_run(&loop, is_settled, NULL);
        assert_int_equal(nodes[0].ups, 1);
        assert_int_equal(nodes[1].ups, 1);
        assert_int_equal(nodes[0].downs + nodes[1].downs, 0);
        links_each(nodes[0].links, view_check, &servers);
        if (turn < 4)
            assert_int_equal(servers, 1);  /* the smaller id began it */
        for (int i = 0; i < 2; i++) {
            node_stop(&nodes[i]);
            node_start(&nodes[i], &pool.members[i], 100);
        }
    }
}

static void
who_cannot_be_reached_is_left_alone_for_a_while(void **state)
{
    struct address nobody = {.family = 4, .bytes = {127, 0, 0, 1}, .port = 1};

    (void)state;
    links_learn(nodes[0].links, nodes[1].member->id, &nobody, 1);
    assert_int_equal(say(&nodes[0], &nodes[1], "hello"), CPMP_OK);
    await(&nodes[0], 0, 1);
    assert_int_equal(nodes[0].end, LINK_END_UNREACHABLE);
    assert_non_null(strstr(nodes[0].why, "127.0.0.1:1: connection refused"));
    assert_int_equal(say(&nodes[0], &nodes[1], "hello"), CPMP_EAGAIN);
    links_learn(nodes[0].links, nodes[1].member->id, &nobody, 1);
    assert_int_equal(say(&nodes[0], &nodes[1], "hello"), CPMP_EAGAIN);
    acquaint(&nodes[0], &nodes[1]);
    assert_int_equal(say(&nodes[0], &nodes[1], "hello"), CPMP_OK);
    await(&nodes[1], 1, 0);
}

static void
a_peer_that_started_anew_is_known_again(void **state)
{
    (void)state;
    acquaint(&nodes[0], &nodes[1]);
    assert_int_equal(say(&nodes[0], &nodes[1], "hello"), CPMP_OK);
    await(&nodes[1], 1, 0);
    node_stop(&nodes[1]);
    await(&nodes[0], 0, 1);
    assert_int_equal(nodes[0].end, LINK_END_BYE);
    assert_string_equal(nodes[0].why, "this peer is leaving");
    node_start(&nodes[1], &pool.members[1], 100);
    acquaint(&nodes[1], &nodes[0]);
    assert_int_equal(say(&nodes[1], &nodes[0], "back"), CPMP_OK);
    await(&nodes[0], 1, 1);
    assert_int_equal(nodes[0].ups, 2);
    assert_int_equal(say(&nodes[0], &nodes[1], "good"), CPMP_OK);
    await(&nodes[1], 1, 0);
}

/* The other side lost its link and begins another; here the old one looks alive. */
static void
a_new_link_from_the_same_side_replaces_the_old(void **state)
{
    struct node twin;

    (void)state;
    acquaint(&nodes[1], &nodes[0]);
    assert_int_equal(say(&nodes[1], &nodes[0], "hello"), CPMP_OK);
    await(&nodes[0], 1, 0);
    node_start(&twin, &pool.members[1], 100);
    acquaint(&twin, &nodes[0]);
    assert_int_equal(say(&twin, &nodes[0], "me again"), CPMP_OK);
    await(&nodes[0], 2, 0);
    await(&nodes[1], 0, 1);
    assert_int_equal(nodes[0].ups, 1);
    assert_int_equal(say(&nodes[0], &twin, "I see"), CPMP_OK);
    await(&twin, 1, 0);
    node_stop(&twin);
}

static int
revoked_is(void *arg, const unsigned char id[IDENTITY_ID_BYTES])
{
    return memcmp(arg, id, IDENTITY_ID_BYTES) == 0;
}

static void
who_is_revoked_is_out_at_once(void **state)
{
    (void)state;
    acquaint(&nodes[0], &nodes[1]);
    acquaint(&nodes[1], &nodes[0]);
    assert_int_equal(say(&nodes[1], &nodes[0], "hello"), CPMP_OK);
    await(&nodes[0], 1, 0);
    pool.revoked = nodes[1].member->id;
    links_revoke(nodes[0].links, revoked_is, nodes[1].member->id);
    say(&nodes[1], &nodes[0], "still here");
    await(&nodes[1], 0, 1);
    assert_string_equal(nodes[1].why, "this pool has shut you out");
    await(&nodes[0], 1, 1);
    assert_int_equal(say(&nodes[0], &nodes[1], "hello?"), CPMP_ENOENT);
    assert_int_equal(say(&nodes[1], &nodes[0], "let me in"), CPMP_OK);
    await(&nodes[1], 0, 2);
    assert_int_equal(nodes[1].end, LINK_END_REFUSED);
    assert_non_null(strstr(nodes[1].why, "our certificate was revoked"));
    assert_int_equal(nodes[0].messages, 1);
    pool.revoked = NULL;
}

static void
the_least_used_link_gives_way(void **state)
{
    (void)state;
    node_stop(&nodes[0]);
    node_start(&nodes[0], &pool.members[0], 2);
    for (int i = 1; i < NODES; i++) {
        acquaint(&nodes[0], &nodes[i]);
        if (i == 3) {
            /* Use the first again, later than the second by the loop's clock. */
            uint64_t now_ms = uv_now(&loop);
            while (uv_now(&loop) == now_ms)
                uv_run(&loop, UV_RUN_NOWAIT);
            assert_int_equal(say(&nodes[0], &nodes[1], "I need you"), CPMP_OK);
            await(&nodes[1], 2, 0);
        }
        assert_int_equal(say(&nodes[0], &nodes[i], "hello"), CPMP_OK);
        await(&nodes[i], i == 1 && nodes[1].messages > 1 ? 2 : 1, 0);
    }
    await(&nodes[2], 1, 1);
    await(&nodes[0], 0, 1);
    assert_string_equal(nodes[2].why, "too many links; this one was used least");
    assert_int_equal(links_is_up(nodes[0].links, nodes[1].member->id), 1);
    assert_int_equal(links_is_up(nodes[0].links, nodes[3].member->id), 1);
    assert_int_equal(say(&nodes[0], &nodes[2], "come back"), CPMP_OK);
    await(&nodes[2], 2, 1);
}

/* --- probes --- */

struct probed {
    int called, reached;
    char why[256];
};

static void
on_probed(void *arg, const unsigned char id[IDENTITY_ID_BYTES], const struct address *address,
          int reached, const char *why)
{
    struct probed *probed = arg;

    (void)id;
    (void)address;
    probed->called++;
    probed->reached = reached;
    snprintf(probed->why, sizeof(probed->why), "%s", why);
}

static int
was_probed(void *arg)
{
    return ((struct probed *)arg)->called;
}

static void
probes_tell_and_disturb_nothing(void **state)
{
    struct address nobody = {.family = 4, .bytes = {127, 0, 0, 1}, .port = 1};
    struct probed good = {0}, bad = {0}, other = {0};

    (void)state;
    acquaint(&nodes[1], &nodes[0]);
    assert_int_equal(say(&nodes[1], &nodes[0], "hello"), CPMP_OK);
    await(&nodes[0], 1, 0);
    links_probe(nodes[0].links, nodes[1].member->id, &nodes[1].address, on_probed, &good);
    links_probe(nodes[0].links, nodes[1].member->id, &nobody, on_probed, &bad);
    links_probe(nodes[0].links, nodes[1].member->id, &nodes[2].address, on_probed, &other);
    link_pool_run(&loop, was_probed, &good);
    link_pool_run(&loop, was_probed, &bad);
    link_pool_run(&loop, was_probed, &other);
    assert_int_equal(good.reached, 1);
    assert_int_equal(bad.reached, 0);
    assert_non_null(strstr(bad.why, "127.0.0.1:1: connection refused"));
    assert_int_equal(other.reached, 0);
    assert_non_null(strstr(other.why, "another peer is there: cid"));
    assert_int_equal(say(&nodes[1], &nodes[0], "undisturbed"), CPMP_OK);
    await(&nodes[0], 2, 0);
    assert_int_equal(nodes[0].ups, 1);
    assert_int_equal(nodes[1].ups, 1);
    links_probe(nodes[0].links, nodes[1].member->id, &nodes[1].address, on_probed, &good);
}

/* --- what is remembered --- */

static void
what_worked_is_tried_first(void **state)
{
    struct address addresses[3] = {{.family = 4, .bytes = {127, 0, 0, 1}, .port = 1},
                                   {.family = 4, .bytes = {127, 0, 0, 1}, .port = 2}};
    struct address known[LINKS_ADDRESSES_MAX];

    (void)state;
    addresses[2] = nodes[1].address;
    links_learn(nodes[0].links, nodes[1].member->id, addresses, 3);
    assert_int_equal(say(&nodes[0], &nodes[1], "hello"), CPMP_OK);
    await(&nodes[1], 1, 0);
    assert_int_equal(links_addresses(nodes[0].links, nodes[1].member->id, known, 8), 3);
    assert_true(address_equal(&known[0], &nodes[1].address));
    links_learn(nodes[0].links, nodes[1].member->id, addresses, 3);
    assert_int_equal(links_addresses(nodes[0].links, nodes[1].member->id, known, 8), 3);
    assert_true(address_equal(&known[0], &nodes[1].address));
    /* What it says no more is forgotten. */
    links_learn(nodes[0].links, nodes[1].member->id, addresses, 2);
    assert_int_equal(links_addresses(nodes[0].links, nodes[1].member->id, known, 8), 2);
}

static void
where_a_peer_came_from_is_an_address_too(void **state)
{
    struct address said, known[LINKS_ADDRESSES_MAX];

    (void)state;
    assert_int_equal(address_parse("10.1.2.3:99", &said), 1);
    acquaint(&nodes[1], &nodes[0]);
    assert_int_equal(say(&nodes[1], &nodes[0], "hello"), CPMP_OK);
    await(&nodes[0], 1, 0);
    links_learn(nodes[0].links, nodes[1].member->id, &said, 1);
    assert_int_equal(links_addresses(nodes[0].links, nodes[1].member->id, known, 8), 2);
    assert_true(address_equal(&known[0], &said));
    assert_int_equal(address_parse("127.0.0.1:99", &said), 1);
    assert_true(address_equal(&known[1], &said));
}

static void
peers_are_remembered_over_a_restart(void **state)
{
    struct text text = {0}, again = {0};
    struct address known[LINKS_ADDRESSES_MAX];

    (void)state;
    acquaint(&nodes[0], &nodes[1]);
    acquaint(&nodes[0], &nodes[2]);
    assert_int_equal(say(&nodes[0], &nodes[1], "hello"), CPMP_OK);
    await(&nodes[1], 1, 0);
    links_print(nodes[0].links, &text);
    assert_non_null(strstr(text.bytes, " bob 127.0.0.1:"));
    assert_non_null(strstr(text.bytes, " - 127.0.0.1:"));
    assert_int_equal(links_parse(nodes[3].links, text.bytes), 0);
    links_print(nodes[3].links, &again);
    assert_string_equal(again.bytes, text.bytes);
    assert_int_equal(links_addresses(nodes[3].links, nodes[1].member->id, known, 8), 1);
    assert_int_equal(links_parse(nodes[3].links, "garbage\n\n00 - 1.2.3.4:5\n"
                     "0000000000000000000000000000000000000000 - nowhere\n"
                     "0000000000000000000000000000000000000000\n"
                     "0000000000000000000000000000000000000001 - 1.2.3.4:5\n"), 4);
    text_release(&text);
    text_release(&again);
}

static void
a_daemon_has_no_link_to_itself(void **state)
{
    (void)state;
    acquaint(&nodes[0], &nodes[0]);
    assert_int_equal(say(&nodes[0], &nodes[0], "hello"), CPMP_ENOENT);
    assert_int_equal(links_connect(nodes[0].links, nodes[3].member->id), CPMP_ENOENT);
}

static int
pool_setup(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    link_pool_init(&pool, "home", time(NULL));
    return 0;
}

static int
pool_teardown(void **state)
{
    (void)state;
    link_pool_release(&pool);
    return 0;
}

#define NODES_TEST(name) cmocka_unit_test_setup_teardown(name, nodes_setup, nodes_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        NODES_TEST(a_message_makes_its_link),
        NODES_TEST(who_connect_at_once_keep_one_link),
        NODES_TEST(who_cannot_be_reached_is_left_alone_for_a_while),
        NODES_TEST(a_peer_that_started_anew_is_known_again),
        NODES_TEST(a_new_link_from_the_same_side_replaces_the_old),
        NODES_TEST(who_is_revoked_is_out_at_once),
        NODES_TEST(the_least_used_link_gives_way),
        NODES_TEST(probes_tell_and_disturb_nothing),
        NODES_TEST(what_worked_is_tried_first),
        NODES_TEST(where_a_peer_came_from_is_an_address_too),
        NODES_TEST(peers_are_remembered_over_a_restart),
        NODES_TEST(a_daemon_has_no_link_to_itself),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, pool_setup, pool_teardown);
}
