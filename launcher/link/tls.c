/* SPDX-License-Identifier: BSD-3-Clause */
#include "link/tls.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cpmp.h>

#include "link/must.h"
#include "link/tls_state.h"
#include "text/memory.h"

#define KEPT_BYTES_MAX (64u << 10)

static const struct {
    int error;
    const char *text;
} faults[] = {
#define FAULT_ROW(name, code, words) [TLS_FAULT_##name] = {code, words},
    TLS_FAULT_MAP(FAULT_ROW)
#undef FAULT_ROW
};

struct tls *
tls_of(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

/* --- what OpenSSL reads and writes --- */

static size_t
output_bytes(const struct tls *tls)
{
    return tls->output.used - tls->output_at;
}

/* An idle session holds little memory, whatever went through it. */
static void
buffer_empty(struct text *buffer, size_t *at)
{
    *at = 0;
    if (buffer->capacity > KEPT_BYTES_MAX)
        text_release(buffer);
    else
        text_clear(buffer);
}

static int
bio_read(BIO *bio, char *out, int capacity)
{
    struct tls *tls = BIO_get_data(bio);
    size_t have = tls->input.used - tls->input_at;
    size_t count = have < (size_t)capacity ? have : (size_t)capacity;

    BIO_clear_retry_flags(bio);
    if (count == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(out, tls->input.bytes + tls->input_at, count);
    tls->input_at += count;
    if (tls->input_at == tls->input.used)
        buffer_empty(&tls->input, &tls->input_at);
    return (int)count;
}

static int
bio_write(BIO *bio, const char *bytes, int count)
{
    struct tls *tls = BIO_get_data(bio);

    text_add(&tls->output, bytes, (size_t)count);
    return count;
}

static long
bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static int
bio_new(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

BIO_METHOD *
tls_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "session");

    if (method == NULL)
        return NULL;
    if (BIO_meth_set_read(method, bio_read) == 1 && BIO_meth_set_write(method, bio_write) == 1 &&
        BIO_meth_set_ctrl(method, bio_control) == 1 && BIO_meth_set_create(method, bio_new) == 1)
        return method;
    BIO_meth_free(method);
    return NULL;
}

/* --- what went wrong --- */

/* Alerts of the other side come as errors numbered above this (SSL_AD_REASON_OFFSET). */
static enum tls_fault
fault_of_alert(const struct tls *tls, int alert)
{
    if (tls->context->kind == TLS_BY_KEY)
        return tls->ready ? TLS_FAULT_REFUSED : TLS_FAULT_REFUSED_KEY;
    switch (alert) {
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_DECRYPT_ERROR:
        return TLS_FAULT_REFUSED_POOL;
    case SSL_AD_CERTIFICATE_REVOKED:
        return TLS_FAULT_REFUSED_REVOKED;
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_BAD_CERTIFICATE:  /* what OpenSSL says of one that isn't valid yet */
        return TLS_FAULT_REFUSED_EXPIRED;
    case SSL_AD_CERTIFICATE_REQUIRED:
        return TLS_FAULT_REFUSED_STRANGER;
    case SSL_AD_PROTOCOL_VERSION:
        return TLS_FAULT_VERSION;
    default:
        return TLS_FAULT_REFUSED;
    }
}

static enum tls_fault
fault_of_reason(const struct tls *tls, int reason)
{
    if (reason > SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256)
        return fault_of_alert(tls, reason - SSL_AD_REASON_OFFSET);
    switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_UNEXPECTED_MESSAGE:
    case SSL_R_UNEXPECTED_RECORD:
    case SSL_R_EXCESSIVE_MESSAGE_SIZE:
    case SSL_R_BAD_PACKET:
    case SSL_R_RECORD_LENGTH_MISMATCH:
    case SSL_R_ENCRYPTED_LENGTH_TOO_LONG:
        return tls->ready ? TLS_FAULT_BROKEN : TLS_FAULT_NOT_TLS;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_NO_SHARED_CIPHER:
        return TLS_FAULT_VERSION;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return TLS_FAULT_STRANGER;
    default:
        return !tls->ready && tls->context->kind == TLS_BY_KEY ? TLS_FAULT_KEY : TLS_FAULT_BROKEN;
    }
}

static int
tls_error(const struct tls *tls)
{
    return faults[tls->fault].error;
}

static int
tls_fail(struct tls *tls, enum tls_fault fault, const char *detail)
{
    assert(fault != TLS_FAULT_NONE);
    tls->fault = fault;
    snprintf(tls->error_text, sizeof(tls->error_text), "%s%s%s", faults[fault].text,
             detail ? ": " : "", detail ? detail : "");
    return tls_error(tls);
}

/* The first error of libssl that OpenSSL queued tells what happened; the rest where it stood. A
 * certificate's fault is known already: on_certificate said it. */
static int
tls_fail_by_queue(struct tls *tls)
{
    unsigned long error = ERR_get_error();
    enum tls_fault fault = tls->fault;
    const char *detail = NULL;

    while (error != 0 && ERR_GET_LIB(error) != ERR_LIB_SSL)
        error = ERR_get_error();
    if (fault == TLS_FAULT_NONE)
        fault = error != 0 ? fault_of_reason(tls, ERR_GET_REASON(error)) : TLS_FAULT_BROKEN;
    if (fault == TLS_FAULT_BROKEN || fault == TLS_FAULT_REFUSED)
        detail = ERR_reason_error_string(error);
    ERR_clear_error();
    return tls_fail(tls, fault, detail);
}

enum tls_fault
tls_fault(const struct tls *tls)
{
    return tls->fault;
}

const char *
tls_error_text(const struct tls *tls)
{
    return tls->fault == TLS_FAULT_NONE ? faults[TLS_FAULT_NONE].text : tls->error_text;
}

/* --- a session --- */

/* Goes on with the handshake as far as the input lets it. */
static int
tls_handshake(struct tls *tls)
{
    int result;

    ERR_clear_error();
    result = SSL_do_handshake(tls->ssl);
    if (result != 1) {
        if (SSL_get_error(tls->ssl, result) == SSL_ERROR_WANT_READ)
            return CPMP_OK;
        return tls_fail_by_queue(tls);
    }
    /* Without the key there is no way here: no certificate is taken in its place. */
    if (tls->context->kind == TLS_BY_KEY && !SSL_session_reused(tls->ssl))
        return tls_fail(tls, TLS_FAULT_KEY, NULL);
    tls->ready = 1;
    return CPMP_OK;
}

struct tls *
tls_new(struct tls_context *context, int server)
{
    struct tls *tls = memory_new(1, sizeof(*tls));
    BIO *bio = BIO_new(context->bio);

    tls->ssl = SSL_new(context->ssl);
    must(tls->ssl != NULL && bio != NULL);
    tls->context = context;
    BIO_set_data(bio, tls);
    SSL_set_app_data(tls->ssl, tls);
    SSL_set_bio(tls->ssl, bio, bio);
    if (server)
        SSL_set_accept_state(tls->ssl);
    else
        SSL_set_connect_state(tls->ssl);
    tls_handshake(tls);
    return tls;
}

void
tls_free(struct tls *tls)
{
    if (tls == NULL)
        return;
    SSL_free(tls->ssl);
    ERR_clear_error();
    text_release(&tls->input);
    text_release(&tls->output);
    free(tls);
}

int
tls_feed(struct tls *tls, const void *bytes, size_t count)
{
    if (tls->fault != TLS_FAULT_NONE)
        return tls_error(tls);
    if (tls->ended)
        return CPMP_OK;  /* after the goodbye nothing counts */
    if (tls->input.used - tls->input_at + count > TLS_INPUT_BYTES_MAX)
        return tls_fail(tls, TLS_FAULT_INPUT, NULL);
    if (tls->input_at > 0) {
        text_drop(&tls->input, tls->input_at);
        tls->input_at = 0;
    }
    text_add(&tls->input, bytes, count);
    /* Some input asks for an answer (KeyUpdate). */
    if (output_bytes(tls) > TLS_OUTPUT_BYTES_MAX)
        return tls_fail(tls, TLS_FAULT_OUTPUT, NULL);
    return tls->ready ? CPMP_OK : tls_handshake(tls);
}

long
tls_read(struct tls *tls, void *out, size_t capacity)
{
    int count;

    if (tls->fault != TLS_FAULT_NONE)
        return tls_error(tls);
    if (!tls->ready || tls->ended || capacity == 0)
        return 0;
    ERR_clear_error();
    count = SSL_read(tls->ssl, out, capacity < INT_MAX ? (int)capacity : INT_MAX);
    if (count > 0)
        return count;
    switch (SSL_get_error(tls->ssl, count)) {
    case SSL_ERROR_WANT_READ:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        tls->ended = 1;
        return 0;
    default:
        return tls_fail_by_queue(tls);
    }
}

int
tls_write(struct tls *tls, const void *bytes, size_t count)
{
    const char *from = bytes;

    if (tls->fault != TLS_FAULT_NONE)
        return tls_error(tls);
    if (!tls->ready)
        return CPMP_EAGAIN;
    if (tls->closing)
        return CPMP_ESTATE;
    if (count > TLS_OUTPUT_BYTES_MAX || output_bytes(tls) > TLS_OUTPUT_BYTES_MAX - count)
        return tls_fail(tls, TLS_FAULT_OUTPUT, NULL);
    ERR_clear_error();
    while (count > 0) {
        int piece = SSL_write(tls->ssl, from, (int)count);  /* below TLS_OUTPUT_BYTES_MAX */
        if (piece <= 0)
            return tls_fail_by_queue(tls);
        from += piece;
        count -= (size_t)piece;
    }
    return CPMP_OK;
}

size_t
tls_outgoing(const struct tls *tls, const unsigned char **bytes_p)
{
    size_t count = output_bytes(tls);

    *bytes_p = count > 0 ? (const unsigned char *)tls->output.bytes + tls->output_at : NULL;
    return count;
}

void
tls_sent(struct tls *tls, size_t count)
{
    assert(count <= output_bytes(tls));
    tls->output_at += count;
    if (tls->output_at == tls->output.used) {
        buffer_empty(&tls->output, &tls->output_at);
    } else if (tls->output_at > tls->output.used / 2) {
        text_drop(&tls->output, tls->output_at);
        tls->output_at = 0;
    }
}

void
tls_close(struct tls *tls)
{
    if (tls->closing || !tls->ready || tls->fault != TLS_FAULT_NONE)
        return;
    tls->closing = 1;
    ERR_clear_error();
    SSL_shutdown(tls->ssl);
    ERR_clear_error();
}

int
tls_is_ready(const struct tls *tls)
{
    return tls->ready && tls->fault == TLS_FAULT_NONE;
}

int
tls_has_ended(const struct tls *tls)
{
    return tls->ended;
}

const struct tls_peer *
tls_peer(const struct tls *tls)
{
    return tls->ready && tls->has_peer ? &tls->peer : NULL;
}

int
tls_exporter(struct tls *tls, const char *label, unsigned char out[32])
{
    if (!tls_is_ready(tls))
        return CPMP_EAGAIN;
    ERR_clear_error();
    if (SSL_export_keying_material(tls->ssl, out, 32, label, strlen(label), NULL, 0, 0) == 1)
        return CPMP_OK;
    ERR_clear_error();
    return CPMP_ENOMEM;
}
