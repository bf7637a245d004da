/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_LINK_TLS_H
#define CPI_LINK_TLS_H

/*
 * A TLS 1.3 session without I/O: bytes of the network in and out, bytes of the user in and out.
 * Who has a socket does this, in any loop:
 *
 *     read from the socket  -> tls_feed, then tls_read until it gives 0
 *     something to say      -> tls_write (once tls_is_ready)
 *     after any of them     -> write what tls_outgoing shows, tls_sent what the socket took
 *     any error             -> write what tls_outgoing still shows (the alert that tells the other
 *                              side why), close; tls_error_text says it to people
 *
 * Three kinds of contexts say who may be on the other side:
 * - peer: both sides show an Ed25519 certificate that the pool's authority signed, valid now and
 *   not revoked;
 * - key: both sides know 32 secret bytes (external PSK with (EC)DHE, RFC 8446 section 2.2); no
 *   certificates, and another key fails the handshake;
 * - joiner: only the server shows one, signed by an authority whose fingerprint the client knows.
 *
 * Nothing but TLS 1.3 with X25519 and AEAD of 128 bits and more; no tickets, no resumption, no
 * early data, no compression, and 1.3 has no renegotiation. OpenSSL's error queue is empty after
 * every function here. Running out of memory ends the program (text/memory.h).
 *
 * A client is ready when it has verified the server, before the server has looked at it: that the
 * server takes it shows in the server's first bytes, and a refusal comes out of tls_read.
 */

#include <stddef.h>

#include <openssl/types.h>

#include "link/identity.h"

#define TLS_KEY_BYTES         32u
#define TLS_FINGERPRINT_BYTES 32u
#define TLS_INPUT_BYTES_MAX   (256u << 10)  /* fed, not yet read by OpenSSL */
#define TLS_OUTPUT_BYTES_MAX  (20u << 20)   /* ciphertext that nobody took; above a queue's bound */

/* What can go wrong: name, error code, text for people; "it" is the other side. */
#define TLS_FAULT_MAP(X)                                                                           \
    X(NONE, CPMP_OK, "no error")                                                                   \
    X(NOT_TLS, CPMP_EPROTO, "what it sent is not TLS")                                             \
    X(VERSION, CPMP_EVERSION, "it does not speak TLS 1.3 as cpmp does")                            \
    X(BROKEN, CPMP_EPROTO, "what it sent is damaged")                                              \
    X(KEY, CPMP_EKEY, "the other side has another job key")                                        \
    X(POOL, CPMP_EKEY, "its certificate is of another pool")                                       \
    X(REVOKED, CPMP_EKEY, "its certificate was revoked")                                           \
    X(EXPIRED, CPMP_EKEY, "its certificate has expired, or a clock is wrong")                      \
    X(EARLY, CPMP_EKEY, "its certificate is not valid yet: a clock is wrong")                      \
    X(CERTIFICATE, CPMP_EKEY, "its certificate is not one of a peer")                              \
    X(STRANGER, CPMP_EKEY, "it shows no certificate of this pool")                                 \
    X(REFUSED_KEY, CPMP_EKEY, "the other side has another job key, it says")                       \
    X(REFUSED_POOL, CPMP_EKEY, "it says that our certificate is of another pool")                  \
    X(REFUSED_REVOKED, CPMP_EKEY, "it says that our certificate was revoked")                      \
    X(REFUSED_EXPIRED, CPMP_EKEY, "it says that our certificate has expired, or a clock is wrong") \
    X(REFUSED_STRANGER, CPMP_EKEY, "it takes members of its pool only")                            \
    X(REFUSED, CPMP_EPROTO, "it ended the connection")                                             \
    X(INPUT, CPMP_ELIMIT, "more was fed than is read")                                             \
    X(OUTPUT, CPMP_ELIMIT, "the other side does not read")

enum tls_fault {
#define TLS_FAULT_ENUM(name, error, text) TLS_FAULT_##name,
    TLS_FAULT_MAP(TLS_FAULT_ENUM)
#undef TLS_FAULT_ENUM
    TLS_FAULT_COUNT
};

/* Who is on the other side, by its verified certificate. */
struct tls_peer {
    unsigned char id[IDENTITY_ID_BYTES];
    unsigned char key[IDENTITY_KEY_BYTES];
    char name[IDENTITY_NAME_MAX + 1];
};

struct tls_context;
struct tls;

/* Whether the peer `id` is shut out of the pool. */
typedef int tls_revoked_fn(void *arg, const unsigned char id[IDENTITY_ID_BYTES]);

/* What a member of a pool brings along. Contexts take references of their own. */
struct tls_membership {
    EVP_PKEY *key;           /* private */
    X509 *certificate;       /* of that key, by the authority */
    X509 *authority;
    tls_revoked_fn *revoked; /* asked in each handshake; NULL: nobody is */
    void *arg;
    /* As a server, let in clients without certificate: joiners, of whom tls_peer gives NULL and who
     * may ask for admission and nothing else. A certificate that is shown is verified in any
     * case. */
    int takes_joiners;
};

/* All are for clients and servers alike, but the joiner's for clients only. NULL when OpenSSL
 * refuses them: key and certificate don't fit together, or one is not Ed25519. A context must
 * outlive its sessions. */
struct tls_context *tls_context_new_peer(const struct tls_membership *membership);
struct tls_context *tls_context_new_key(const unsigned char key[TLS_KEY_BYTES]);
/* `fingerprint`: SHA-256 of the authority's SubjectPublicKeyInfo (authority_fingerprint). */
struct tls_context *tls_context_new_joiner(const unsigned char fingerprint[TLS_FINGERPRINT_BYTES]);
void tls_context_free(struct tls_context *context);

/* A session. A client's has its first bytes in tls_outgoing at once. */
struct tls *tls_new(struct tls_context *context, int server);
void tls_free(struct tls *tls);

/* Takes all of `bytes`, which came from the network, and goes on with the handshake. CPMP_OK or the
 * session's error, which stays. Call tls_read until it gives 0 before feeding more than
 * TLS_INPUT_BYTES_MAX. */
int tls_feed(struct tls *tls, const void *bytes, size_t count);

/* Up to `capacity` bytes (at most INT_MAX) of what the other side said into `out`: how many; 0 when
 * there is no more now; negative: the session's error. */
long tls_read(struct tls *tls, void *out, size_t capacity);

/* Encrypts all of `bytes`. CPMP_OK; CPMP_EAGAIN before the session is ready (nothing is kept);
 * CPMP_ESTATE after tls_close; else the session's error. */
int tls_write(struct tls *tls, const void *bytes, size_t count);

/* What is to be sent: how many bytes, and where they lie until the next call of tls_feed, _read,
 * _write, _close or _sent. */
size_t tls_outgoing(const struct tls *tls, const unsigned char **bytes_p);
/* The first `count` of them are on their way. */
void tls_sent(struct tls *tls, size_t count);

/* Says goodbye (close_notify), so that the other side can tell an end from a cut. Reading goes
 * on. */
void tls_close(struct tls *tls);

/* Whether the handshake is done here: the other side is who it should be (for clients see
 * above). */
int tls_is_ready(const struct tls *tls);
/* Whether the other side said goodbye: what came is all there was. An end of the socket without it
 * is a cut. */
int tls_has_ended(const struct tls *tls);

/* The verified peer: NULL before the session is ready, in sessions by key, and for a joiner. */
const struct tls_peer *tls_peer(const struct tls *tls);

/* 32 bytes that only the two ends of this very session know (RFC 8446 section 7.5), different for
 * each `label`; for proofs that can't be carried over to another session. CPMP_OK, or CPMP_EAGAIN
 * before the session is ready. */
int tls_exporter(struct tls *tls, const char *label, unsigned char out[32]);

enum tls_fault tls_fault(const struct tls *tls);
/* The session's error for people; for REFUSED and BROKEN with OpenSSL's words for it. Valid as long
 * as `tls`. */
const char *tls_error_text(const struct tls *tls);

#endif
