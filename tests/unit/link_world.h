/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TESTS_UNIT_LINK_WORLD_H
#define CPI_TESTS_UNIT_LINK_WORLD_H

/* A door of the member "bob" of the pool `here`, one client, and what both ends have seen. */

#include <stddef.h>
#include <stdint.h>

#include "link/door.h"
#include "link_pool.h"

/* One end of a link, and what it has seen. */
struct end {
    struct link *link;       /* NULL once it has ended */
    int ups, closed;
    enum link_end how;
    char why[256];
    size_t messages, bytes;
    uint32_t next;           /* number of the next message */
    int disorder, rooms;
};

/* A server with a door, and a client. */
struct world {
    uv_loop_t loop;
    struct door *door;
    struct door_limits door_limits;
    struct link_limits limits;
    struct address address;
    struct end client, server;
    int door_closed;
    int takes_nothing;
};

/* Two pools of one name, and one that was made eleven years ago. */
extern struct link_pool here, elsewhere, aged;
extern const struct link_hooks hooks;
extern const struct door_hooks door_hooks;

int pools_setup(void **state);
int pools_teardown(void **state);

void world_init(struct world *world);
/* The same, and the client is up as "ann". */
void world_connected(struct world *world);
/* Ends and frees all; each end must have been told at most once. */
void world_end(struct world *world);
void connect_as(struct world *world, struct tls_context *context, enum link_purpose purpose);

/* For link_pool_run; `arg` is the world. */
int both_up(void *arg);
int client_closed(void *arg);
int server_closed(void *arg);

/* Sends a message of `bytes` with that number; at the other end they must come in order from 0. */
int number_send(struct end *end, uint32_t number, size_t bytes);
void await_messages(struct world *world, struct end *end, size_t messages);

#endif
