/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TSP_GA_RANDOM_H
#define CPI_TSP_GA_RANDOM_H

/*
 * Random numbers that are the same everywhere for the same seed and stream (rank): xoshiro256**,
 * started by splitmix64 as its authors advise. (D. Blackman, S. Vigna, "Scrambled linear
 * pseudorandom number generators", ACM TOMS 47, 2021.)
 */

#include <stdint.h>

struct random {
    uint64_t state[4];
};

static inline uint64_t random_split(uint64_t *counter)
{
    uint64_t z = *counter += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline void random_init(struct random *random, uint64_t seed, uint64_t stream)
{
    /* Mix the stream in after a step, so that seed 1 stream 2 is not seed 2 stream 1. */
    uint64_t counter = seed;
    counter = random_split(&counter) ^ stream;
    for (int i = 0; i < 4; i++) {
        random->state[i] = random_split(&counter);
    }
}

static inline uint64_t random_rotate(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static inline uint64_t random_next(struct random *random)
{
    uint64_t *s = random->state;
    uint64_t result = random_rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = random_rotate(s[3], 45);
    return result;
}

/* A number from 0 to bound - 1. For bounds this small the bias of not rejecting is out of sight. */
static inline int random_below(struct random *random, int bound)
{
    return (int)(((random_next(random) >> 32) * (uint64_t)bound) >> 32);
}

#endif
