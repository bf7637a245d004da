/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_LINK_INVITATIONS_H
#define CPI_LINK_INVITATIONS_H

/*
 * The invitations that a pool's authority has given out: a file beside its key, a line each, that
 * is written anew before anything counts. An invitation is used up before the certificate that it
 * is for is signed, so neither a crash nor a second joiner gets two out of one. The peer that used
 * it may use it again (its answer was lost on the way), until the invitation expires.
 *
 * A line: the key (token_key) in hex, expiry in seconds since 1970 (0: never), then "once", "open",
 * or the id of the peer that used it. Lines expired are dropped when the file is written.
 */

#include <stdint.h>

#include "link/identity.h"
#include "link/token.h"
#include "text/text.h"

#define INVITATIONS_MAX       1024u
#define INVITATIONS_BYTES_MAX (INVITATIONS_MAX * 160u)

struct invitation {
    unsigned char key[TOKEN_KEY_BYTES];
    unsigned char name[TOKEN_NAME_BYTES];
    int64_t expiry_s;
    int open;
    int used;
    unsigned char used_by[IDENTITY_ID_BYTES];
};

struct invitations {
    char *path;
    struct invitation *list;
    size_t count;
};

/* Reads the file when there is one. CPMP_OK, CPMP_EPROTO when it is damaged, or as saved_read. */
int invitations_load(struct invitations *invitations, const char *path, struct text *why);
void invitations_release(struct invitations *invitations);

/* Fills token->secret with a new one and keeps what token_key makes of it, as token->open and
 * token->expiry_s say. CPMP_OK; CPMP_ELIMIT when INVITATIONS_MAX are open; CPMP_ESYS. */
int invitations_add(struct invitations *invitations, struct token *token, int64_t now_s,
                    struct text *why);

/* The invitation of that name, also when it is used or expired; NULL without one. */
const struct invitation *invitations_find(const struct invitations *invitations,
                                          const unsigned char name[TOKEN_NAME_BYTES]);

/* Uses it up for the peer `id`. CPMP_OK: it counts, and the file says so; CPMP_ENOENT: unknown;
 * CPMP_EAGAIN: expired; CPMP_EEXIST: another peer used it; CPMP_ESYS: the file can't be written, so
 * it does not count. */
int invitations_use(struct invitations *invitations, const unsigned char name[TOKEN_NAME_BYTES],
                    const unsigned char id[IDENTITY_ID_BYTES], int64_t now_s, struct text *why);

#endif
