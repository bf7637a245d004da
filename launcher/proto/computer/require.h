/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PROTO_COMPUTER_REQUIRE_H
#define CPI_PROTO_COMPUTER_REQUIRE_H

/*
 * What a job requires of the peers that it runs on: "arch=x86_64,memory>=4G,name=lab*|desk".
 *
 * Terms stand between commas, and all must hold. A term is a field, one of = != >= <= > <, and a
 * value. Fields that are words (name, id, arch, os, weakness) take = and != with alternatives
 * between |, in which * and ? stand for anything; upper and lower case are the same. Fields that
 * are versions (kernel, version) take all six, number by number. The rest are numbers: cores, free
 * (cores without a rank), memory (that jobs may have now), memory-total, scratch, distance (round
 * trip).
 *
 * Pure: no I/O, no memory of its own.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/computer/seller.h"

#define REQUIRE_TERMS_MAX  16u
#define REQUIRE_VALUE_BYTES 128u
#define REQUIRE_WHY_BYTES  256u

enum require_operator {
    REQUIRE_EQUAL,
    REQUIRE_UNEQUAL,
    REQUIRE_AT_LEAST,
    REQUIRE_AT_MOST,
    REQUIRE_ABOVE,
    REQUIRE_BELOW,
};

struct require_term {
    uint8_t field;                     /* row of the table in require.c */
    enum require_operator op;
    uint64_t number;                   /* of a field that is one */
    char value[REQUIRE_VALUE_BYTES];   /* as written */
};

/* Zeroed memory requires nothing. */
struct require {
    uint32_t count;
    struct require_term terms[REQUIRE_TERMS_MAX];
};

/* Adds the terms of `text`. CPMP_OK; CPMP_EINVAL or CPMP_ELIMIT with `why` (REQUIRE_WHY_BYTES) for
 * people, and *require is as before. */
int require_parse(const char *text, struct require *require, char *why);

/* Does the seller have all that is required? If not, the first thing that it lacks is in `why`
 * (REQUIRE_WHY_BYTES), like "arch is aarch64, not x86_64". */
bool require_match(const struct require *require, const struct seller *seller, char *why);

/* Does `text` match one of the `patterns` between |, * and ? standing for anything, whatever the
 * case of letters? */
bool require_pattern_matches(const char *patterns, const char *text);

#endif
