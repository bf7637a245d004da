/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_MEMBERSHIP_H
#define CPI_PEER_MEMBERSHIP_H

/*
 * This peer's place in its pool: its key and certificate, the pool's authority, who is shut out.
 * The pool's founder also has the authority's key: it lets peers in and shuts them out.
 *
 * Files in the state directory:
 *     identity.key identity.crt     this peer; the certificate is written last, so that a state
 *                                   directory is a member's or none
 *     pool/authority.crt revoked    of the pool
 *     pool/authority.key invitations members open    the founder's; open: the pool takes everybody
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link/authority.h"
#include "link/identity.h"
#include "link/invitations.h"
#include "link/revoked.h"
#include "link/token.h"
#include "text/text.h"

#define MEMBERSHIP_LIFETIME_S     (24 * 3600)  /* of an invitation, unless said otherwise */
#define MEMBERSHIP_LIFETIME_MAX_S (366 * 24 * 3600)
#define MEMBERSHIP_PEERS_MAX      65536u  /* that a founder has let in */

/* A peer that the founder has let in. */
struct membership_peer {
    unsigned char id[IDENTITY_ID_BYTES];
    char name[IDENTITY_NAME_MAX + 1];
};

struct membership {
    char *directory;
    EVP_PKEY *key;
    X509 *certificate;
    X509 *authority;              /* the pool's, also on the founder */
    unsigned char id[IDENTITY_ID_BYTES];
    unsigned char public_key[IDENTITY_KEY_BYTES];
    char name[IDENTITY_NAME_MAX + 1];
    char pool[IDENTITY_NAME_MAX + 1];
    unsigned char fingerprint[AUTHORITY_FINGERPRINT_BYTES];
    struct revoked revoked;
    /* The founder's. */
    bool founder, open;
    struct authority own;
    struct invitations invitations;
    struct membership_peer *peers;
    size_t peer_count;
};

/* Reads what the state directory has. CPMP_OK; CPMP_ENOENT when it is in no pool; other errors with
 * `why`. Release in any case. */
int membership_load(struct membership *membership, const char *directory, struct text *why);
void membership_release(struct membership *membership);

/* Founds a pool in a directory that is in none. CPMP_OK, or an error with `why`. */
int membership_found(struct membership *membership, const char *directory, const char *pool,
                     const char *name, bool open, struct text *why);

/* The key to ask for admission with: the one that is there, else a new one, kept. */
int membership_key(const char *directory, EVP_PKEY **key_p, struct text *why);

/* Keeps what an admission brought. CPMP_OK, or an error with `why`; then load. */
int membership_join(const char *directory, X509 *certificate, X509 *authority,
                    const struct revoked *revoked, struct text *why);

/* --- the founder's --- */

/* Adds a token for `addresses` to `out`. CPMP_OK, CPMP_ESTATE elsewhere than on the founder, or
 * another error with `why`. */
int membership_invite(struct membership *membership, const struct address *addresses, size_t count,
                      uint64_t lifetime_s, struct text *out, int64_t *expiry_p, struct text *why);

/* The name for a peer that wishes `wanted`: with "-2", "-3", … when another has it. */
void membership_name(const struct membership *membership, const char *wanted,
                     const unsigned char id[IDENTITY_ID_BYTES],
                     char name[IDENTITY_NAME_MAX + 1]);

/* Remembers who was let in. CPMP_OK, or with `why` CPMP_ESYS, or CPMP_ELIMIT: the pool is full. */
int membership_admitted(struct membership *membership, const unsigned char id[IDENTITY_ID_BYTES],
                        const char *name, struct text *why);

/* Shuts out the peer named `text`, or whose id begins so in hex. CPMP_OK and who it is, or an error
 * with `why`: CPMP_ENOENT, CPMP_EEXIST (is out already), CPMP_EINVAL (the founder itself),
 * CPMP_ESTATE (this is not the founder), CPMP_ESYS: it is out, but that can't be kept. */
int membership_revoke(struct membership *membership, const char *text,
                      struct membership_peer *peer_p, struct text *why);

/* --- everybody's --- */

bool membership_is_revoked(const struct membership *membership,
                           const unsigned char id[IDENTITY_ID_BYTES]);

/* Takes a list that came from another peer. CPMP_OK; *newer_p tells whether it was news, and is
 * kept. */
int membership_revocations(struct membership *membership, const void *bytes, size_t count,
                           int *newer_p, struct text *why);

#endif
