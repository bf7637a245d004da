/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_LINK_IDENTITY_H
#define CPI_LINK_IDENTITY_H

/*
 * Who a peer is: an Ed25519 key. Its id, which is also its place on the ring, is a hash of the
 * public key, so nobody can pick a place. Names are for people; ids decide.
 */

#include <openssl/types.h>

#define IDENTITY_ID_BYTES  20u  /* m = 160 of the ring */
#define IDENTITY_KEY_BYTES 32u  /* a raw Ed25519 public key */
#define IDENTITY_NAME_MAX  63u  /* longest name of a peer or pool, as of a host's label */

/* The first 20 bytes of SHA-256(key). */
void identity_id(const unsigned char key[IDENTITY_KEY_BYTES], unsigned char id[IDENTITY_ID_BYTES]);

/* 1 when `key` is Ed25519, and its raw public half is in `raw`; else 0. */
int identity_public_key(const EVP_PKEY *key, unsigned char raw[IDENTITY_KEY_BYTES]);

/* Whether `name` can be a peer's or a pool's: 1 to IDENTITY_NAME_MAX letters, digits, '.', '-' and
 * '_', the first of them a letter or digit. So it is safe on a terminal and in a file's name. */
int identity_name_is_valid(const char *name);

/* The name (commonName) of a certificate's subject. 1 and a valid name in `name`, else 0. */
int identity_certificate_name(const X509 *certificate, char name[IDENTITY_NAME_MAX + 1]);

#endif
