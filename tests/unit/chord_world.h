/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_CHORD_WORLD_H
#define CPI_CHORD_WORLD_H

/*
 * A few ring peers and the messages between them, for unit tests: every step is checked, time jumps
 * from event to event. A contact is the peer's index.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/chord/chord.h"

#define WORLD_PEERS_MAX 64u

struct world_peer {
    struct chord *chord;   /* NULL: not running */
    struct chord_id id;
    uint32_t group;        /* messages pass between peers of one group only */
    uint32_t starts;
    uint64_t member_us;    /* since when it is a member */
};

struct world_letter;

struct world {
    struct chord_params params;
    uint64_t now_us;
    uint64_t random;
    uint32_t latency_us;       /* at least this, and up to twice when `spread` */
    bool spread;
    uint32_t loss_percent;
    uint32_t count;
    uint64_t messages;
    struct world_peer peers[WORLD_PEERS_MAX];
    struct world_letter *letters;  /* a heap */
    size_t letter_count, letter_room;
    uint64_t letter_number;
    struct chord_actions out;
    /* Called for each result, when set. */
    void (*on_result)(struct world *world, uint32_t peer, const struct chord_result *result);
    /* Called for each message before it is on its way; false: it is lost. */
    bool (*on_message)(struct world *world, uint32_t from, uint32_t to,
                       const struct chord_message *message);
    void *arg;
};

void world_init(struct world *world, uint64_t seed);
void world_release(struct world *world);

uint64_t world_random(struct world *world, uint64_t limit);

struct chord_id world_id(uint8_t first);         /* first byte; the others are 0 */
struct chord_id world_random_id(struct world *world);

/* Adds a peer that does not run; its index. */
uint32_t world_add(struct world *world, struct chord_id id);

void world_start(struct world *world, uint32_t peer);  /* runs; without a ring, without memory */
void world_crash(struct world *world, uint32_t peer);
void world_event(struct world *world, uint32_t peer, struct chord_event event);

/* Starts `peer` and has it join through `known`; WORLD_PEERS_MAX: a ring of its own. */
void world_join(struct world *world, uint32_t peer, uint32_t known);
void world_lookup(struct world *world, uint32_t peer, struct chord_id key, uint64_t token,
                  enum chord_mode mode);

/* Until there is nothing before `until_us`. */
void world_run_until(struct world *world, uint64_t until_us);

/* Until the ring of every group is as it should be; false when it isn't by `limit_us` from now. */
bool world_settle(struct world *world, uint64_t limit_us);

bool world_is_ideal(const struct world *world);

/* Who should own `key`, seen from the group of `peer`: of those that are members, and have been for
 * `since_us`. */
uint32_t world_owner(const struct world *world, uint32_t peer, const struct chord_id *key,
                     uint64_t since_us);

/* Zave's invariant over the members: each has a live successor, there is one ring, it goes round
 * once, and everyone reaches it. NULL, or what is broken. Groups are ignored. */
const char *world_broken(const struct world *world);

void world_print(const struct world *world);

#endif
