/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SIM_LARGE_H
#define SIM_LARGE_H

/*
 * Large rings, for measurements: no faults in the network, no checks, no traces; chord alone. A
 * ring is placed ready-made (chord_place): growing one of 100 000 peers would measure patience.
 *
 * Fingers are placed as the protocol would find them (finger.c): of the peers from self + 2^level
 * on, within the level's interval, the first, or the nearest of the first `finger_probes`.
 */

#include <stdbool.h>
#include <stdint.h>

#include "random.h"
#include "world.h"

struct sim_large_lookup {
    uint32_t peer, starts;
    uint64_t asked_us;
    struct chord_id key;
};

/* What became of lookups. */
struct sim_large_tally {
    uint64_t asked, found, failed, wrong, lost;  /* lost: the asker itself was gone */
    double hops, seconds;                        /* means of those found */
    double seconds_99;                           /* 99 of 100 were faster */
    uint64_t to_dead;                            /* hops to peers that didn't run */
};

struct sim_large {
    struct sim_world world;
    uint32_t placed;
    uint32_t *order;               /* numbers of those placed, by id */
    struct sim_random random;
    uint32_t lookups_asked;
    struct sim_large_lookup *lookups;
    double *times_s;
    uint32_t times_count;
    struct sim_large_tally tally;
    void (*churn)(struct sim_large *large);  /* for work that isn't a lookup */
    uint32_t next_join;
};

#define SIM_LARGE_LOOKUP 0u  /* hooks.work: one lookup */
#define SIM_LARGE_CHURN  1u

/* `count` peers in a ring, `spare` more that can join later. Without fingers if `is_bare`: the
 * protocol finds them. */
void sim_large_init(struct sim_large *large, uint64_t seed, uint32_t count, uint32_t spare,
                    bool is_bare, const struct chord_params *params);
void sim_large_release(struct sim_large *large);

/* `count` lookups of random keys by random peers, evenly in `over_us`, run to their end. */
struct sim_large_tally sim_large_look_up(struct sim_large *large, uint32_t count,
                                         uint64_t over_us);

/* Some peer that is a member. */
uint32_t sim_large_member(struct sim_large *large);

#endif
