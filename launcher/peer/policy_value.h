/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_POLICY_VALUE_H
#define CPI_PEER_POLICY_VALUE_H

/* Values of the policy by their kind: parsed, printed, described. For policy*.c; everybody else
 * uses peer/policy.h. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peer/policy.h"

enum policy_kind {
    POLICY_YES_NO,    /* bool */
    POLICY_PERCENT,   /* uint64_t */
    POLICY_COUNT,     /* uint64_t */
    POLICY_DURATION,  /* uint64_t, µs */
    POLICY_SIZE,      /* uint64_t, bytes */
    POLICY_AMOUNT,    /* struct policy_amount */
    POLICY_HOURS,     /* struct hours */
    POLICY_PATH,      /* char * */
    POLICY_PEERS,     /* struct policy_list of names, ids, addresses */
    POLICY_USERS,     /* struct policy_list of names, uids, @groups */
    POLICY_NAMES,     /* struct policy_list */
};

struct policy_key {
    const char *name;
    enum policy_kind kind;
    size_t offset;        /* in struct policy */
    const char *initial;  /* default, as it would be written */
    uint64_t min, max;    /* of numbers, in the unit of the kind */
    const char *zero;     /* word that stands for 0; NULL: none */
    const char *help;
};

/* Parses `value` into the key's place in `policy`, releasing what was there. CPMP_OK, or
 * CPMP_EINVAL with what is wrong in `why`; the place changes on success only. */
int policy_value_parse(const struct policy_key *key, struct policy *policy, const char *value,
                       struct text *why);

/* Adds the value as policy.conf would have it. */
void policy_value_print(const struct policy_key *key, const struct policy *policy,
                        struct text *out);

/* Adds what the key may be, like "per cent, 1 to 100". */
void policy_value_allowed(const struct policy_key *key, struct text *out);

void policy_value_release(const struct policy_key *key, struct policy *policy);

#endif
