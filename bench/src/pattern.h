/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_BENCH_PATTERN_H
#define CPI_BENCH_PATTERN_H

/*
 * What the buffers hold: 8-byte words that differ with the rank that wrote them, the iteration and
 * the place. A message's body is written once; its first and last word are stamped anew for each
 * iteration, which costs two stores and shows at once when old data came back.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t pattern_word(int owner, uint64_t stamp, uint64_t place)
{
    uint64_t word = stamp * 0x9E3779B97F4A7C15u + ((uint64_t)(unsigned)owner << 40) + place;

    return word ^ (word >> 29);
}

static inline void pattern_fill(uint64_t *words, size_t bytes, int owner)
{
    for (size_t i = 0; i < bytes / 8; i++)
        words[i] = pattern_word(owner, 0, i);
}

static inline void pattern_poison(void *memory, size_t bytes)
{
    memset(memory, 0xA5, bytes);
}

static inline void pattern_stamp(uint64_t *words, size_t bytes, int owner, uint64_t stamp)
{
    words[0] = pattern_word(owner, stamp, 0);
    words[bytes / 8 - 1] = pattern_word(owner, stamp, 0);
}

/* The number of stamped words (0 to 2) that are not as pattern_stamp left them. */
static inline long pattern_stale(const uint64_t *words, size_t bytes, int owner, uint64_t stamp)
{
    uint64_t word = pattern_word(owner, stamp, 0);

    return (words[0] != word) + (words[bytes / 8 - 1] != word);
}

/* The number of words of the whole message, body and stamps, that are wrong. */
static inline long pattern_wrong(const uint64_t *words, size_t bytes, int owner, uint64_t stamp)
{
    long wrong = pattern_stale(words, bytes, owner, stamp);

    for (size_t i = 1; i + 1 < bytes / 8; i++)
        wrong += words[i] != pattern_word(owner, 0, i);
    return wrong;
}

#endif
