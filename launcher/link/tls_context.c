/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include "link/tls_state.h"
#include "text/memory.h"

#define CERTIFICATES_BYTES_MAX 4096  /* a peer's and its authority's take 700 */
#define PSK_IDENTITY           "cpmp"
#define CONTEXT_NAME           ((const unsigned char *)PSK_IDENTITY)
/* Both with SHA-256, as a pre-shared key is bound to one hash. */
#define SUITES                 "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"

/* --- who is on the other side --- */

/* What is wrong is kept for people, and for the alert that OpenSSL makes of `error`. */
static int
refuse(X509_STORE_CTX *store, struct tls *tls, enum tls_fault fault, int error)
{
    tls->fault = fault;
    X509_STORE_CTX_set_error(store, error);
    return 0;
}

static int
refuse_chain(X509_STORE_CTX *store, struct tls *tls)
{
    switch (X509_STORE_CTX_get_error(store)) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return refuse(store, tls, TLS_FAULT_EXPIRED, X509_V_ERR_CERT_HAS_EXPIRED);
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return refuse(store, tls, TLS_FAULT_EARLY, X509_V_ERR_CERT_NOT_YET_VALID);
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:  /* a pool of the same name */
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return refuse(store, tls, TLS_FAULT_POOL, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    default:
        return refuse(store, tls, TLS_FAULT_CERTIFICATE, X509_V_ERR_INVALID_PURPOSE);
    }
}

/* The authority among the certificates that came along, by its fingerprint. */
static X509 *
pinned_authority(X509_STORE_CTX *store, const unsigned char *fingerprint)
{
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_untrusted(store);

    for (int i = 0; i < sk_X509_num(chain); i++) {
        X509 *certificate = sk_X509_value(chain, i);
        unsigned char *spki = NULL;
        unsigned char digest[SHA256_DIGEST_LENGTH];
        int bytes = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki);

        if (bytes <= 0)
            continue;
        SHA256(spki, (size_t)bytes, digest);
        OPENSSL_free(spki);
        if (memcmp(digest, fingerprint, sizeof(digest)) == 0)
            return certificate;
    }
    return NULL;
}

/* Trusts the authority of the pinned fingerprint and no other. */
static int
verify_by_fingerprint(X509_STORE_CTX *store, const struct tls_context *context)
{
    X509 *authority = pinned_authority(store, context->secret);
    STACK_OF(X509) *trusted = sk_X509_new_null();
    int verified;

    if (authority == NULL || trusted == NULL || sk_X509_push(trusted, authority) == 0) {
        sk_X509_free(trusted);
        X509_STORE_CTX_set_error(store, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
        return 0;
    }
    X509_STORE_CTX_set0_trusted_stack(store, trusted);
    verified = X509_verify_cert(store) == 1;
    X509_STORE_CTX_set0_trusted_stack(store, NULL);
    sk_X509_free(trusted);
    return verified;
}

static int
on_certificate(X509_STORE_CTX *store, void *arg)
{
    const struct tls_context *context = arg;
    struct tls *tls = tls_of(X509_STORE_CTX_get_ex_data(store,
                                                        SSL_get_ex_data_X509_STORE_CTX_idx()));
    X509 *certificate = X509_STORE_CTX_get0_cert(store);
    struct tls_peer *peer = &tls->peer;
    int verified;

    if (context->kind == TLS_BY_KEY)
        return refuse(store, tls, TLS_FAULT_KEY, X509_V_ERR_APPLICATION_VERIFICATION);
    verified = context->kind == TLS_BY_FINGERPRINT ? verify_by_fingerprint(store, context)
                                                   : X509_verify_cert(store) == 1;
    if (!verified)
        return refuse_chain(store, tls);
    if (!identity_public_key(X509_get0_pubkey(certificate), peer->key) ||
        !identity_certificate_name(certificate, peer->name))
        return refuse(store, tls, TLS_FAULT_CERTIFICATE, X509_V_ERR_INVALID_PURPOSE);
    identity_id(peer->key, peer->id);
    if (context->revoked != NULL && context->revoked(context->arg, peer->id))
        return refuse(store, tls, TLS_FAULT_REVOKED, X509_V_ERR_CERT_REVOKED);
    tls->has_peer = 1;
    return 1;
}

/* --- sessions by key --- */

static SSL_SESSION *
psk_session(SSL *ssl)
{
    static const unsigned char aes_128_gcm_sha256[] = {0x13, 0x01};
    const struct tls_context *context = tls_of(ssl)->context;
    SSL_SESSION *session = SSL_SESSION_new();

    if (session != NULL &&
        SSL_SESSION_set1_master_key(session, context->secret, TLS_KEY_BYTES) == 1 &&
        SSL_SESSION_set_cipher(session, SSL_CIPHER_find(ssl, aes_128_gcm_sha256)) == 1 &&
        SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1 &&
        SSL_SESSION_set1_id_context(session, CONTEXT_NAME, strlen(PSK_IDENTITY)) == 1)
        return session;
    SSL_SESSION_free(session);
    return NULL;
}

static int
on_psk_client(SSL *ssl, const EVP_MD *digest, const unsigned char **id_p, size_t *id_bytes_p,
              SSL_SESSION **session_p)
{
    SSL_SESSION *session = psk_session(ssl);

    (void)digest;  /* SHA-256 in every suite that is on */
    if (session == NULL)
        return 0;
    *id_p = (const unsigned char *)PSK_IDENTITY;
    *id_bytes_p = strlen(PSK_IDENTITY);
    *session_p = session;
    return 1;
}

static int
on_psk_server(SSL *ssl, const unsigned char *id, size_t id_bytes, SSL_SESSION **session_p)
{
    *session_p = NULL;
    if (id_bytes == strlen(PSK_IDENTITY) && memcmp(id, PSK_IDENTITY, id_bytes) == 0)
        *session_p = psk_session(ssl);
    return 1;
}

/* --- contexts --- */

static int
context_settings(SSL_CTX *ssl)
{
    SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_cert_list(ssl, CERTIFICATES_BYTES_MAX);
    SSL_CTX_set_verify_depth(ssl, 0);  /* the authority signs peers, nobody in between */
    SSL_CTX_set_read_ahead(ssl, 1);
    return SSL_CTX_set_num_tickets(ssl, 0) == 1 &&
           SSL_CTX_set_session_id_context(ssl, CONTEXT_NAME, strlen(PSK_IDENTITY)) == 1 &&
           SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_ciphersuites(ssl, SUITES) == 1 &&
           SSL_CTX_set1_groups_list(ssl, "X25519") == 1 &&
           SSL_CTX_set1_sigalgs_list(ssl, "ed25519") == 1;
}

static struct tls_context *
context_new(enum tls_kind kind)
{
    struct tls_context *context = memory_new(1, sizeof(*context));

    context->kind = kind;
    context->ssl = SSL_CTX_new(TLS_method());
    context->bio = tls_bio_method();
    if (context->ssl == NULL || context->bio == NULL || !context_settings(context->ssl)) {
        tls_context_free(context);
        return NULL;
    }
    SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(context->ssl, on_certificate, context);
    return context;
}

/* The authority's certificate goes along for joiners, who know its fingerprint only. */
static int
context_use(SSL_CTX *ssl, const struct tls_membership *membership)
{
    unsigned char raw[IDENTITY_KEY_BYTES];

    return identity_public_key(membership->key, raw) &&
           SSL_CTX_use_certificate(ssl, membership->certificate) == 1 &&
           SSL_CTX_use_PrivateKey(ssl, membership->key) == 1 &&
           SSL_CTX_check_private_key(ssl) == 1 &&
           SSL_CTX_add1_chain_cert(ssl, membership->authority) == 1 &&
           X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl), membership->authority) == 1;
}

struct tls_context *
tls_context_new_peer(const struct tls_membership *membership)
{
    struct tls_context *context = context_new(TLS_BY_PEER);

    if (context == NULL)
        return NULL;
    context->revoked = membership->revoked;
    context->arg = membership->arg;
    if (membership->takes_joiners)
        SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER, NULL);
    if (!context_use(context->ssl, membership)) {
        tls_context_free(context);
        return NULL;
    }
    return context;
}

struct tls_context *
tls_context_new_key(const unsigned char key[TLS_KEY_BYTES])
{
    struct tls_context *context = context_new(TLS_BY_KEY);

    if (context == NULL)
        return NULL;
    memcpy(context->secret, key, TLS_KEY_BYTES);
    SSL_CTX_set_psk_use_session_callback(context->ssl, on_psk_client);
    SSL_CTX_set_psk_find_session_callback(context->ssl, on_psk_server);
    return context;
}

struct tls_context *
tls_context_new_joiner(const unsigned char fingerprint[TLS_FINGERPRINT_BYTES])
{
    struct tls_context *context = context_new(TLS_BY_FINGERPRINT);

    if (context != NULL)
        memcpy(context->secret, fingerprint, TLS_FINGERPRINT_BYTES);
    return context;
}

void
tls_context_free(struct tls_context *context)
{
    if (context == NULL)
        return;
    SSL_CTX_free(context->ssl);
    BIO_meth_free(context->bio);
    OPENSSL_cleanse(context->secret, sizeof(context->secret));
    ERR_clear_error();
    free(context);
}
