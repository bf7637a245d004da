/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_LINK_TLS_STATE_H
#define CPI_LINK_TLS_STATE_H

/* What tls.c and tls_context.c share; for nobody else. */

#include <openssl/bio.h>

#include "link/tls.h"
#include "text/text.h"

enum tls_kind { TLS_BY_PEER, TLS_BY_KEY, TLS_BY_FINGERPRINT };

struct tls_context {
    SSL_CTX *ssl;
    BIO_METHOD *bio;        /* OpenSSL's way to input and output of a session */
    enum tls_kind kind;
    unsigned char secret[TLS_KEY_BYTES];  /* by key: the key; by fingerprint: that */
    tls_revoked_fn *revoked;
    void *arg;
};

struct tls {
    SSL *ssl;
    const struct tls_context *context;
    struct text input;      /* fed; OpenSSL has taken the first input_at of it */
    size_t input_at;
    struct text output;     /* to be sent; the first output_at of it are */
    size_t output_at;
    int ready, closing, ended, has_peer;
    enum tls_fault fault;
    struct tls_peer peer;
    char error_text[160];
};

/* The session that OpenSSL calls back for. */
struct tls *tls_of(const SSL *ssl);

/* A BIO over tls's input and output. NULL without memory. */
BIO_METHOD *tls_bio_method(void);

#endif
