/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_BASE_HASH_H
#define CPI_BASE_HASH_H

/* Spreading of small integer keys over a table: the multiply-xorshift finalizer of splitmix64. */

#include <stdint.h>

static inline uint64_t
cpi_hash_mix(uint64_t key)
{
    key ^= key >> 30;
    key *= 0xbf58476d1ce4e5b9ull;
    key ^= key >> 27;
    key *= 0x94d049bb133111ebull;
    return key ^ (key >> 31);
}

#endif
