/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_LINK_AUTHORITY_H
#define CPI_LINK_AUTHORITY_H

/*
 * A pool's authority: an Ed25519 key with a certificate that it signed itself. It signs the peers'
 * certificates and the list of those that are shut out (link/revoked.h). Who knows its fingerprint
 * knows the pool.
 *
 * A peer's certificate lives ten years and begins a day before it was signed: clocks of machines
 * that people share are wrong by hours, and the way out of a pool is revocation, not the calendar.
 * After ten years a peer has to be invited again. The authority's own lives thirty.
 */

#include <stdint.h>

#include <openssl/types.h>

#include "link/identity.h"
#include "text/text.h"

#define AUTHORITY_DAY_S             (24 * 3600)
#define AUTHORITY_SKEW_S            AUTHORITY_DAY_S
#define AUTHORITY_PEER_LIFE_S       (3653 * (int64_t)AUTHORITY_DAY_S)
#define AUTHORITY_LIFE_S            (3 * AUTHORITY_PEER_LIFE_S)
#define AUTHORITY_FINGERPRINT_BYTES 32u
#define AUTHORITY_FINGERPRINT_TEXT  65u   /* in hex, with its end */
#define AUTHORITY_SIGNATURE_BYTES   64u

/* Times are seconds since 1970. */
struct authority {
    EVP_PKEY *key;       /* private */
    X509 *certificate;
};

/* Makes the authority of the pool `name`. CPMP_OK, or CPMP_EINVAL when the name can't be one
 * (identity_name_is_valid). */
int authority_init(struct authority *authority, const char *name, int64_t now_s);
void authority_release(struct authority *authority);

/* As identity_key_save and _load, for both files. Loading checks that they belong together. */
int authority_save(struct authority *authority, const char *key_path, const char *certificate_path,
                   struct text *why);
int authority_load(struct authority *authority, const char *key_path, const char *certificate_path,
                   struct text *why);

/* A certificate for the peer `name` with the public key `key`, of which somebody has checked that
 * the peer has its private half (identity_request_decode). CPMP_OK, or CPMP_EINVAL when the name
 * can't be one or the key is not Ed25519. */
int authority_sign_peer(struct authority *authority, const char *name, EVP_PKEY *key,
                        int64_t now_s, X509 **certificate_p);

/* Whether `certificate` can be an authority's: Ed25519, signed by itself, with a valid name. What
 * comes from outside is asked this, and for its fingerprint. */
int authority_certificate_is_one(X509 *certificate);
/* Whether `certificate` was signed by that authority, for the key `key`. */
int authority_signed(X509 *authority, X509 *certificate, const EVP_PKEY *key);

/* SHA-256 of the SubjectPublicKeyInfo; and that for people, in hex. */
void authority_fingerprint(X509 *certificate, unsigned char out[AUTHORITY_FINGERPRINT_BYTES]);
void authority_fingerprint_text(const unsigned char fingerprint[AUTHORITY_FINGERPRINT_BYTES],
                                char out[AUTHORITY_FINGERPRINT_TEXT]);

/* Ed25519 over `count` bytes. What is signed says in its first bytes what it is, so that one can't
 * be taken for another. */
void authority_sign(struct authority *authority, const void *bytes, size_t count,
                    unsigned char signature[AUTHORITY_SIGNATURE_BYTES]);
int authority_verify(X509 *authority, const void *bytes, size_t count,
                     const unsigned char signature[AUTHORITY_SIGNATURE_BYTES]);

#endif
