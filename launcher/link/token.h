/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_LINK_TOKEN_H
#define CPI_LINK_TOKEN_H

/*
 * An invitation to a pool: one word, "cpmp1-" and letters and digits only, that survives being
 * copied, spoken, written in capitals, or broken over lines. It says where to ask (several
 * addresses), which pool may answer (the authority's fingerprint), and holds a secret that counts
 * once. An open pool's token never expires and counts as often as it is shown.
 *
 * As bytes, then base32 (RFC 4648, without padding, small): flags (1), expiry in seconds since 1970
 * (8, big-endian; 0: never), fingerprint (32), secret (16), the number of addresses (1), those
 * (address_encode), and the first 4 bytes of SHA-256 over all that: a typo is told from a token
 * that is too old.
 *
 * The secret itself is never sent. Who is invited proves to know it with token_key, bound to the
 * session (link/admit.h); the authority's side keeps that key, named by token_name.
 */

#include <stddef.h>
#include <stdint.h>

#include "link/address.h"
#include "link/authority.h"
#include "text/text.h"

#define TOKEN_SECRET_BYTES  16u
#define TOKEN_KEY_BYTES     32u
#define TOKEN_NAME_BYTES    16u
#define TOKEN_ADDRESSES_MAX 8u
#define TOKEN_TEXT_MAX      512u   /* longest token; blanks in it don't count */

struct token {
    int open;             /* of an open pool: not one-time */
    int64_t expiry_s;     /* 0: never */
    unsigned char fingerprint[AUTHORITY_FINGERPRINT_BYTES];
    unsigned char secret[TOKEN_SECRET_BYTES];
    size_t address_count;
    struct address addresses[TOKEN_ADDRESSES_MAX];
};

/* Adds the token's text to `out`. */
void token_print(const struct token *token, struct text *out);

/* CPMP_OK; CPMP_EVERSION for a token of another version; CPMP_EPROTO for what is none. `why` gets
 * what is wrong with it, for people. It does not look at the time. */
int token_parse(const char *text, struct token *token, struct text *why);

/* Whether it is too old at `now_s`. */
int token_has_expired(const struct token *token, int64_t now_s);

/* What both sides make of the secret: a key for the proof, and the key's public name. */
void token_key(const unsigned char secret[TOKEN_SECRET_BYTES], unsigned char key[TOKEN_KEY_BYTES]);
void token_name(const unsigned char key[TOKEN_KEY_BYTES], unsigned char name[TOKEN_NAME_BYTES]);

#endif
