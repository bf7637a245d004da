/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/chord/id.h"

#include <assert.h>
#include <string.h>

int
chord_id_compare(const struct chord_id *a, const struct chord_id *b)
{
    return memcmp(a->bytes, b->bytes, CHORD_ID_BYTES);
}

bool
chord_id_equal(const struct chord_id *a, const struct chord_id *b)
{
    return memcmp(a->bytes, b->bytes, CHORD_ID_BYTES) == 0;
}

struct chord_id
chord_id_distance(const struct chord_id *from, const struct chord_id *to)
{
    struct chord_id result;
    int borrow = 0;

    for (int i = CHORD_ID_BYTES - 1; i >= 0; i--) {
        int digit = to->bytes[i] - from->bytes[i] - borrow;
        borrow = digit < 0;
        result.bytes[i] = (uint8_t)(digit & 0xff);
    }
    return result;
}

struct chord_id
chord_id_add_power(const struct chord_id *id, unsigned bit)
{
    struct chord_id result = *id;
    unsigned carry = 1u << (bit % 8);

    assert(bit < CHORD_ID_BITS);
    for (int i = (int)(CHORD_ID_BYTES - 1 - bit / 8); i >= 0 && carry; i--) {
        carry += result.bytes[i];
        result.bytes[i] = (uint8_t)carry;
        carry >>= 8;
    }
    return result;
}

bool
chord_id_between(const struct chord_id *low, const struct chord_id *id,
                 const struct chord_id *high)
{
    if (chord_id_compare(low, high) < 0)
        return chord_id_compare(low, id) < 0 && chord_id_compare(id, high) < 0;
    return chord_id_compare(low, id) < 0 || chord_id_compare(id, high) < 0;
}

bool
chord_id_owned(const struct chord_id *low, const struct chord_id *id,
               const struct chord_id *high)
{
    return chord_id_equal(id, high) || chord_id_between(low, id, high) ||
           chord_id_equal(low, high);
}

bool
chord_id_nearer(const struct chord_id *from, const struct chord_id *a, const struct chord_id *b)
{
    struct chord_id to_a = chord_id_distance(from, a);
    struct chord_id to_b = chord_id_distance(from, b);

    return chord_id_compare(&to_a, &to_b) < 0;
}

int
chord_id_level(const struct chord_id *distance)
{
    for (unsigned i = 0; i < CHORD_ID_BYTES; i++)
        if (distance->bytes[i])
            return (int)(CHORD_ID_BITS - 1 - i * 8) - (__builtin_clz(distance->bytes[i]) - 24);
    return -1;
}
