/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_ASKING_H
#define CPI_PEER_ASKING_H

/* Reservations that this machine's cpexecs have asked of other peers: from the asking until they
 * are refused or given back, or the cpexec closes its session and no longer watches over them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ASKING_MAX 4096u

struct asking_one {
    uint32_t contact;
    uint64_t nonce;
    uint64_t session, number;  /* of the request */
    bool answered;             /* it holds */
};

struct asking {
    struct asking_one *list;
    size_t count;
};

/* False: too many. */
bool asking_add(struct asking *asking, const struct asking_one *one);

/* The one with this nonce; NULL: there is none. */
struct asking_one *asking_find(struct asking *asking, uint32_t contact, uint64_t nonce);

/* Takes the one with this nonce out; `one_p` may be NULL. False: there is none. */
bool asking_take(struct asking *asking, uint32_t contact, uint64_t nonce,
                 struct asking_one *one_p);

/* Takes any of this contact out that isn't answered. */
bool asking_take_any(struct asking *asking, uint32_t contact, struct asking_one *one_p);

/* Takes any of this session out. */
bool asking_take_session(struct asking *asking, uint64_t session, struct asking_one *one_p);

void asking_release(struct asking *asking);

#endif
