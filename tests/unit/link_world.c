/* SPDX-License-Identifier: BSD-3-Clause */
#include "link_world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cpmp.h>

struct link_pool here, elsewhere, aged;

static void
on_up(void *arg, struct link *link)
{
    struct end *end = arg;

    (void)link;
    end->ups++;
}

/* Messages of number_send carry a number. */
static void
on_message(void *arg, struct link *link, const void *bytes, size_t count)
{
    struct end *end = arg;
    uint32_t number;

    (void)link;
    end->messages++;
    end->bytes += count;
    if (count >= sizeof(number)) {
        memcpy(&number, bytes, sizeof(number));
        end->disorder += number != end->next;
        end->next = number + 1;
    }
}

static void
on_room(void *arg, struct link *link)
{
    struct end *end = arg;

    (void)link;
    end->rooms++;
}

static void
on_closed(void *arg, struct link *link, enum link_end how, const char *why)
{
    struct end *end = arg;

    assert_ptr_equal(link, end->link);
    end->link = NULL;
    end->closed++;
    end->how = how;
    snprintf(end->why, sizeof(end->why), "%s", why);
}

const struct link_hooks hooks = {
    .on_up = on_up, .on_message = on_message, .on_room = on_room, .on_closed = on_closed,
};

static void
on_link(void *arg, struct link *link)
{
    struct world *world = arg;

    if (world->takes_nothing)
        return;
    world->server.link = link;
    world->server.ups++;
    link_hand_over(link, &hooks, &world->server);
}

static void
on_door_closed(void *arg)
{
    ((struct world *)arg)->door_closed = 1;
}

const struct door_hooks door_hooks = {.on_link = on_link, .on_closed = on_door_closed};

void
world_init(struct world *world)
{
    struct address any = {.family = 4, .bytes = {127, 0, 0, 1}};
    struct text why = {0};

    memset(world, 0, sizeof(*world));
    assert_int_equal(uv_loop_init(&world->loop), 0);
    world->limits = link_limits_default;
    world->door_limits = door_limits_default;
    world->door = door_new(&world->loop, here.members[1].context, &world->door_limits,
                           &door_hooks, world);
    assert_int_equal(door_listen(world->door, &any, &why), CPMP_OK);
    world->address = *door_listener(world->door, 0);
}

static int
is_over(void *arg)
{
    struct world *world = arg;

    return world->client.link == NULL && world->server.link == NULL && world->door_closed;
}

void
world_end(struct world *world)
{
    if (world->client.link != NULL)
        link_abort(world->client.link, "the test is over");
    if (world->server.link != NULL)
        link_abort(world->server.link, "the test is over");
    door_close(world->door);
    link_pool_run(&world->loop, is_over, world);
    link_pool_end(&world->loop);
    assert_true(world->client.closed <= 1 && world->server.closed <= 1);
}

void
connect_as(struct world *world, struct tls_context *context, enum link_purpose purpose)
{
    world->client.link = link_connect(&world->loop, context, purpose, &world->address, 1, NULL,
                                      &world->limits, &hooks, &world->client);
}

int
both_up(void *arg)
{
    struct world *world = arg;

    return world->client.ups && world->server.ups;
}

int
client_closed(void *arg)
{
    return ((struct world *)arg)->client.closed;
}

int
server_closed(void *arg)
{
    return ((struct world *)arg)->server.closed;
}

void
world_connected(struct world *world)
{
    world_init(world);
    connect_as(world, here.members[0].context, LINK_FOR_PEER);
    link_pool_run(&world->loop, both_up, world);
}

int
number_send(struct end *end, uint32_t number, size_t bytes)
{
    char *message = calloc(1, bytes);
    int error;

    memcpy(message, &number, sizeof(number));
    error = link_send(end->link, message, bytes);
    free(message);
    return error;
}

/* What must have come: so many messages at an end. */
struct expected {
    struct end *end;
    size_t messages;
};

static int
messages_came(void *arg)
{
    struct expected *expected = arg;

    return expected->end->messages >= expected->messages || expected->end->closed;
}

void
await_messages(struct world *world, struct end *end, size_t messages)
{
    struct expected expected = {end, messages};

    link_pool_run(&world->loop, messages_came, &expected);
    assert_int_equal(end->messages, messages);
    assert_int_equal(end->disorder, 0);
}

int
pools_setup(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    link_pool_init(&here, "home", time(NULL));
    link_pool_init(&elsewhere, "home", time(NULL));
    link_pool_init(&aged, "aged", time(NULL) - 11 * 366 * (int64_t)AUTHORITY_DAY_S);
    return 0;
}

int
pools_teardown(void **state)
{
    (void)state;
    link_pool_release(&here);
    link_pool_release(&elsewhere);
    link_pool_release(&aged);
    return 0;
}
