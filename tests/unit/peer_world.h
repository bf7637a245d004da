/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TESTS_UNIT_PEER_WORLD_H
#define CPI_TESTS_UNIT_PEER_WORLD_H

/* What tests of the daemon's parts share: a directory that goes again, a loop that runs until
 * something has happened, and a peer that is a ring of its own. */

#include <stdbool.h>

#include <uv.h>

#include "peer/overlay.h"

#define PEER_WORLD_WAIT_MS 20000u  /* what hasn't happened by then fails the test */

struct peer_world {
    uv_loop_t loop;
    char directory[64];
    struct book book;
    struct overlay *overlay;     /* NULL: without one */
    unsigned messages;           /* that the overlay wanted sent */
};

/* With `id` of 20 bytes: and an overlay of one peer, named "pc1". */
void peer_world_init(struct peer_world *world, const uint8_t *id);

/* Runs the loop until `done` says true. */
void peer_world_run(uv_loop_t *loop, bool (*done)(void *arg), void *arg);

/* Closes the overlay, runs the loop until nothing is left in it, removes the directory. */
void peer_world_end(struct peer_world *world);

/* A file below the directory. */
void peer_world_write(const struct peer_world *world, const char *name, const char *text);

#endif
