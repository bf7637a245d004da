/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DETECTOR_WORLD_H
#define DETECTOR_WORLD_H

/*
 * A small world for failure detectors: peers that know each other by number, a network of 1 ms that
 * can be cut, and a clock that jumps from event to event. What a detector says of another is
 * written down when it says so.
 */

#include <stdbool.h>
#include <stdint.h>

#include "proto/detector/detector.h"

#define MS         1000ull
#define SECOND     1000000ull
#define PEERS_MAX  40u
#define FLYING_MAX 4096u
#define TRAVEL_US  MS

struct flying {
    uint64_t at_us;
    uint64_t order;
    uint32_t from, to;
    struct detector_message message;
};

struct peer {
    struct detector *detector;
    bool up;      /* runs: takes messages and timeouts */
    /* What it said last about each other. */
    struct {
        uint32_t changes, deaths;
        enum detector_state state;
        uint64_t incarnation, at_us, suspected_at_us, dead_at_us;
        bool indirect;
    } said[PEERS_MAX];
    uint64_t own_incarnation;  /* as SELF told it */
    uint32_t sent[DETECTOR_NEWS + 1];
};

struct world {
    uint64_t now_us, order, seed, hash;
    uint32_t peer_count, flying_count, loss_percent;
    bool cut[PEERS_MAX][PEERS_MAX];
    struct peer peers[PEERS_MAX];
    struct flying flying[FLYING_MAX];
};

extern struct world world;

/* The id of a peer; its last byte is the number. */
struct chord_id id_of(uint32_t peer);

/* A number below `below` from the seed of the world. */
uint32_t draw(uint32_t below);

/* An event for a peer, now; its actions are carried out. */
int step(uint32_t peer, struct detector_event event);

/* Lets the world run until the clock shows `until_us`. */
void run(uint64_t until_us);

/* A new life of a peer, that watches nobody. */
void peer_start(uint32_t peer, uint64_t incarnation);
void watch(uint32_t peer, uint32_t other);

/* `count` peers of incarnation 10 that all watch each other, at 1002 s. */
void world_start(uint32_t count);
void world_end(void);

/* What a peer holds another for. */
enum detector_state state_of(uint32_t peer, uint32_t other);

/* Cuts or mends both ways between two; between one and everybody. */
void cut_both(uint32_t one, uint32_t other, bool cut);
void cut_off(uint32_t peer, bool cut);

/* An event that is only about another. */
int simple(uint32_t peer, enum detector_event_type type, uint32_t other);

#endif
