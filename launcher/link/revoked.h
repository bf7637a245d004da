/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_LINK_REVOKED_H
#define CPI_LINK_REVOKED_H

/*
 * The peers that are shut out of a pool: a list signed by its authority, with a serial number that
 * grows with each change. It travels from peer to peer; the highest serial wins, so an old list
 * can't bring anybody back. The empty list with serial 0 needs no signature: that is how a pool
 * begins.
 *
 * As bytes: "cpmp revoked 1\n\0", serial (8), time (8), count (4), all little-endian; the ids,
 * ascending; Ed25519 over all that (64).
 */

#include <stddef.h>
#include <stdint.h>

#include "link/authority.h"
#include "link/identity.h"
#include "text/text.h"

#define REVOKED_MAX       32768u  /* peers: 640 KiB, so that it fits a message of a link */
#define REVOKED_HEAD      36u
#define REVOKED_BYTES_MAX (REVOKED_HEAD + REVOKED_MAX * IDENTITY_ID_BYTES + \
                           AUTHORITY_SIGNATURE_BYTES)

/* Zeroed memory is the empty list. */
struct revoked {
    uint64_t serial;
    int64_t time_s;        /* of the last change, by the authority's clock */
    size_t count;
    struct text encoded;   /* as it came or was signed; empty for serial 0. It holds the ids. */
};

void revoked_release(struct revoked *revoked);

/* Whether the peer is shut out. */
int revoked_has(const struct revoked *revoked, const unsigned char id[IDENTITY_ID_BYTES]);
/* The `at`th id. */
const unsigned char *revoked_id(const struct revoked *revoked, size_t at);

/* Takes a list that came from somewhere when it is newer. CPMP_OK and *newer_p tells whether it
 * was; CPMP_EPROTO when it is no list; CPMP_EKEY when the authority did not sign it. */
int revoked_decode(struct revoked *revoked, X509 *authority, const void *bytes, size_t count,
                   int *newer_p);

/* Shuts a peer out: a list with the next serial, signed. CPMP_OK; CPMP_EEXIST when it is on the
 * list; CPMP_ELIMIT when that is full. */
int revoked_add(struct revoked *revoked, struct authority *authority,
                const unsigned char id[IDENTITY_ID_BYTES], int64_t now_s);

/* The file of it. Without one the list stays as it is, and that's CPMP_OK. Else as revoked_decode
 * and saved_read. */
int revoked_load(struct revoked *revoked, X509 *authority, const char *path, struct text *why);
int revoked_save(const struct revoked *revoked, const char *path, struct text *why);

#endif
