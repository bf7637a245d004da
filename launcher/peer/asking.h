/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_ASKING_H
#define CPI_PEER_ASKING_H

/* Enlistments that this machine's cpexecs have asked of other peers, and that aren't answered. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ASKING_MAX 4096u

struct asking_one {
    uint32_t contact;
    uint64_t nonce;
    uint64_t session, number;  /* of the request */
};

struct asking {
    struct asking_one *list;
    size_t count;
};

/* False: too many. */
bool asking_add(struct asking *asking, const struct asking_one *one);

/* Takes the one with this nonce out; `one_p` may be NULL. False: there is none. */
bool asking_take(struct asking *asking, uint32_t contact, uint64_t nonce,
                 struct asking_one *one_p);

/* Takes any of this contact out. */
bool asking_take_any(struct asking *asking, uint32_t contact, struct asking_one *one_p);

void asking_release(struct asking *asking);

#endif
