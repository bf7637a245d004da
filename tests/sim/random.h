/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

/*
 * Random numbers that depend on the run's seed only, in two ways.
 *
 * A generator (splitmix64; Steele, Lea, Flood: Fast splittable pseudorandom number generators,
 * 2014) for what is drawn once in a fixed order, one for each concern, so that a further draw in
 * one doesn't shift all others.
 *
 * A hash of (seed, concern, two numbers) for what belongs to a peer or a message: who is taken out
 * by the shrinker leaves the draws of all others as they were.
 */

#include <stdint.h>

#include "base/hash.h"

enum sim_concern {
    SIM_FOR_IDS = 1,
    SIM_FOR_PLACES,
    SIM_FOR_MODULES,
    SIM_FOR_JOINS,
    SIM_FOR_FAULTS,
    SIM_FOR_NETWORK,
    SIM_FOR_LOOKUPS,
    SIM_FOR_STORE,
    SIM_FOR_SIZE,
    SIM_FOR_CHURN,
    SIM_FOR_MUTANT,
};

struct sim_random {
    uint64_t state;
};

#define SIM_RANDOM_STEP UINT64_C(0x9e3779b97f4a7c15)

static inline uint64_t sim_hash(uint64_t seed, enum sim_concern concern, uint64_t a, uint64_t b)
{
    uint64_t mixed = cpi_hash_mix(seed + SIM_RANDOM_STEP * (uint64_t)concern);

    mixed = cpi_hash_mix(mixed ^ (a + SIM_RANDOM_STEP));
    return cpi_hash_mix(mixed + SIM_RANDOM_STEP * (b + 1));
}

static inline struct sim_random sim_random_for(uint64_t seed, enum sim_concern concern)
{
    return (struct sim_random){ sim_hash(seed, concern, 0, 0) };
}

static inline uint64_t sim_random_next(struct sim_random *random)
{
    random->state += SIM_RANDOM_STEP;
    return cpi_hash_mix(random->state);
}

/* From 0 to limit - 1; 0 when limit is 0. The bias of the remainder is far below what shows. */
static inline uint64_t sim_random_below(struct sim_random *random, uint64_t limit)
{
    return limit == 0 ? 0 : sim_random_next(random) % limit;
}

/* From low to high, both included. */
static inline uint64_t sim_random_between(struct sim_random *random, uint64_t low, uint64_t high)
{
    return low + sim_random_below(random, high - low + 1);
}

/* From 0 up to, not including, 1. */
static inline double sim_unit(uint64_t bits)
{
    return (double)(bits >> 11) * 0x1p-53;
}

#endif
