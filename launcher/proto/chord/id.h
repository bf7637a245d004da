/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PROTO_CHORD_ID_H
#define CPI_PROTO_CHORD_ID_H

/*
 * Identifiers of the ring: 160 bits, big-endian, arithmetic modulo 2^160. A peer's id is a hash of
 * its public key, a key's id a hash of the key; the owner of a key is the first peer at or after
 * it, clockwise.
 */

#include <stdbool.h>
#include <stdint.h>

#define CHORD_ID_BYTES 20u
#define CHORD_ID_BITS  160u

struct chord_id {
    uint8_t bytes[CHORD_ID_BYTES];
};

/* Like memcmp: order on the line from 0, not on the ring. */
int chord_id_compare(const struct chord_id *a, const struct chord_id *b);

bool chord_id_equal(const struct chord_id *a, const struct chord_id *b);

/* Clockwise way from `from` to `to`: (to - from) mod 2^160. */
struct chord_id chord_id_distance(const struct chord_id *from, const struct chord_id *to);

/* `id` + 2^bit mod 2^160; bit < CHORD_ID_BITS. */
struct chord_id chord_id_add_power(const struct chord_id *id, unsigned bit);

/* Strictly between, clockwise: id in (low, high). With low = high that is all but low. (Zave, "How
 * to make Chord correct", 2017, section 3.) */
bool chord_id_between(const struct chord_id *low, const struct chord_id *id,
                      const struct chord_id *high);

/* id in (low, high]; with low = high that is everything: the range of a ring's only member. */
bool chord_id_owned(const struct chord_id *low, const struct chord_id *id,
                    const struct chord_id *high);

/* Whether `a` comes before `b` for one who goes clockwise from `from`. */
bool chord_id_nearer(const struct chord_id *from, const struct chord_id *a,
                     const struct chord_id *b);

/* Index of the highest bit that is set: the finger's level for a distance; -1 for 0. */
int chord_id_level(const struct chord_id *distance);

#endif
