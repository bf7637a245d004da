/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_LINK_IDENTITY_H
#define CPI_LINK_IDENTITY_H

/*
 * Who a peer is: an Ed25519 key. Its id, which is also its place on the ring, is a hash of the
 * public key, so nobody can pick a place. Names are for people; ids decide.
 *
 * Keys and certificates lie in PEM files, as openssl(1) shows them; a key's file must be its
 * owner's alone. `why` gets the reason of an error for people.
 */

#include <stddef.h>

#include <openssl/types.h>

#include "text/text.h"

#define IDENTITY_ID_BYTES  20u  /* m = 160 of the ring */
#define IDENTITY_KEY_BYTES 32u  /* a raw Ed25519 public key */
#define IDENTITY_NAME_MAX  63u  /* longest name of a peer or pool, as of a host's label */
#define IDENTITY_DER_BYTES_MAX 4096u  /* of a certificate or request; ours take 400 */
#define IDENTITY_PEM_BYTES_MAX 8192u

/* The first 20 bytes of SHA-256(key). */
void identity_id(const unsigned char key[IDENTITY_KEY_BYTES], unsigned char id[IDENTITY_ID_BYTES]);

/* 1 when `key` is Ed25519, and its raw public half is in `raw`; else 0. */
int identity_public_key(const EVP_PKEY *key, unsigned char raw[IDENTITY_KEY_BYTES]);

/* Whether `name` can be a peer's or a pool's: 1 to IDENTITY_NAME_MAX letters, digits, '.', '-' and
 * '_', the first of them a letter or digit. So it is safe on a terminal and in a file's name. */
int identity_name_is_valid(const char *name);

/* The name (commonName) of a certificate's subject. 1 and a valid name in `name`, else 0. */
int identity_certificate_name(const X509 *certificate, char name[IDENTITY_NAME_MAX + 1]);

/* A new key; ends the program when there are no random bytes. Freed by EVP_PKEY_free. */
EVP_PKEY *identity_key_new(void);

/* CPMP_OK or CPMP_ESYS. */
int identity_key_save(const char *path, EVP_PKEY *key, struct text *why);
/* CPMP_OK; CPMP_ENOENT without such a file; CPMP_EKEY when others can read it; CPMP_EPROTO when it
 * holds no Ed25519 key; CPMP_ESYS. */
int identity_key_load(const char *path, EVP_PKEY **key_p, struct text *why);

/* The same for a certificate, which everybody may read. */
int identity_certificate_save(const char *path, X509 *certificate, struct text *why);
int identity_certificate_load(const char *path, X509 **certificate_p, struct text *why);

/* A certificate as bytes (DER) of a message, added to `out`; and back: NULL when the bytes are not
 * just one certificate. Freed by X509_free. */
void identity_certificate_encode(X509 *certificate, struct text *out);
X509 *identity_certificate_decode(const void *bytes, size_t count);

/* A request (PKCS #10, DER) to certify the public half of `key`, signed by it: the proof of having
 * it. Added to `out`. */
void identity_request_encode(EVP_PKEY *key, struct text *out);
/* The key that a request is for, when it proves to have it; else NULL. Freed by EVP_PKEY_free. */
EVP_PKEY *identity_request_decode(const void *bytes, size_t count);

#endif
