/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cpmp.h>

#include "link/tls.h"

/* A pool's authority and two members. */
struct pool {
    EVP_PKEY *authority_key, *key[2];
    X509 *authority, *certificate[2];
};

static struct pool here, elsewhere;

#define DAY_S (24 * 3600L)

static void
authority_mark(X509 *certificate)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
                                                    "critical,CA:TRUE");

    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static X509 *
certificate_make(const char *name, EVP_PKEY *key, const char *issuer, EVP_PKEY *issuer_key,
                 long from_s, long until_s)
{
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_NAME_new(), *by = X509_NAME_new();

    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const void *)name, -1, -1, 0);
    X509_NAME_add_entry_by_txt(by, "CN", MBSTRING_ASC, (const void *)issuer, -1, -1, 0);
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), from_s);
    X509_gmtime_adj(X509_getm_notAfter(certificate), until_s);
    X509_set_subject_name(certificate, subject);
    X509_set_issuer_name(certificate, by);
    X509_set_pubkey(certificate, key);
    if (key == issuer_key)
        authority_mark(certificate);
    assert_true(X509_sign(certificate, issuer_key, NULL) > 0);
    X509_NAME_free(subject);
    X509_NAME_free(by);
    return certificate;
}

static void
pool_make(struct pool *pool, const char *name)
{
    static const char *const members[] = {"alpha", "beta"};

    pool->authority_key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    pool->authority = certificate_make(name, pool->authority_key, name, pool->authority_key,
                                       -DAY_S, DAY_S);
    for (int i = 0; i < 2; i++) {
        pool->key[i] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        pool->certificate[i] = certificate_make(members[i], pool->key[i], name,
                                                pool->authority_key, -DAY_S, DAY_S);
    }
}

static void
pool_free(struct pool *pool)
{
    EVP_PKEY_free(pool->authority_key);
    X509_free(pool->authority);
    for (int i = 0; i < 2; i++) {
        EVP_PKEY_free(pool->key[i]);
        X509_free(pool->certificate[i]);
    }
}

static int
pools_setup(void **state)
{
    (void)state;
    pool_make(&here, "home");
    pool_make(&elsewhere, "home");  /* the same name, another key */
    return 0;
}

static int
pools_teardown(void **state)
{
    (void)state;
    pool_free(&here);
    pool_free(&elsewhere);
    return 0;
}

static struct tls_context *
member(const struct pool *pool, int which, tls_revoked_fn *revoked, int takes_joiners)
{
    struct tls_membership membership = {
        .key = pool->key[which], .certificate = pool->certificate[which],
        .authority = pool->authority, .revoked = revoked, .takes_joiners = takes_joiners,
    };
    struct tls_context *context = tls_context_new_peer(&membership);

    assert_non_null(context);
    return context;
}

static int
everybody_is_revoked(void *arg, const unsigned char id[IDENTITY_ID_BYTES])
{
    (void)arg;
    (void)id;
    return 1;
}

/* Moves up to `piece` bytes at a time; 1 when something moved. */
static int
carry(struct tls *from, struct tls *to, size_t piece)
{
    const unsigned char *bytes;
    size_t count = tls_outgoing(from, &bytes);

    if (count == 0)
        return 0;
    count = count < piece ? count : piece;
    tls_feed(to, bytes, count);
    tls_sent(from, count);
    return 1;
}

/* Two sessions in memory; the contexts are theirs. */
struct pair {
    struct tls_context *client_context, *server_context;
    struct tls *client, *server;
};

static void
settle(struct pair *pair, size_t piece)
{
    while (carry(pair->client, pair->server, piece) | carry(pair->server, pair->client, piece))
        ;
}

static struct pair
glue(struct tls_context *client, struct tls_context *server, size_t piece)
{
    struct pair pair = {client, server, tls_new(client, 0), tls_new(server, 1)};
    char nothing[1];

    settle(&pair, piece);
    /* A client learns of a refusal by reading. */
    assert_true(tls_read(pair.client, nothing, sizeof(nothing)) <= 0);
    assert_true(ERR_peek_error() == 0);
    return pair;
}

static void
part(struct pair *pair)
{
    tls_free(pair->client);
    tls_free(pair->server);
    tls_context_free(pair->client_context);
    if (pair->server_context != pair->client_context)
        tls_context_free(pair->server_context);
    assert_true(ERR_peek_error() == 0);
}

static void
assert_talk(struct tls *from, struct tls *to, size_t bytes)
{
    unsigned char *said = malloc(bytes), *heard = malloc(bytes);
    size_t have = 0;

    for (size_t i = 0; i < bytes; i++)
        said[i] = (unsigned char)(i * 7 + (i >> 8));
    assert_int_equal(tls_write(from, said, bytes), CPMP_OK);
    while (have < bytes) {
        long count = tls_read(to, heard + have, bytes - have);
        assert_true(count >= 0);
        have += (size_t)count;
        assert_true(count > 0 || carry(from, to, 10000));
    }
    assert_memory_equal(said, heard, bytes);
    free(said);
    free(heard);
}

static void
members_know_each_other(void **state)
{
    static const size_t pieces[] = {1, 100, 100000};
    unsigned char key[IDENTITY_KEY_BYTES], id[IDENTITY_ID_BYTES], ours[32], theirs[32];

    (void)state;
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct pair pair = glue(member(&here, 0, NULL, 0), member(&here, 1, NULL, 0), pieces[i]);

        assert_true(tls_is_ready(pair.client) && tls_is_ready(pair.server));
        assert_string_equal(tls_peer(pair.server)->name, "alpha");
        assert_string_equal(tls_peer(pair.client)->name, "beta");
        assert_int_equal(identity_public_key(here.key[0], key), 1);
        assert_memory_equal(tls_peer(pair.server)->key, key, sizeof(key));
        identity_id(key, id);
        assert_memory_equal(tls_peer(pair.server)->id, id, sizeof(id));
        assert_talk(pair.client, pair.server, 300000);
        assert_talk(pair.server, pair.client, 1);
        assert_int_equal(tls_exporter(pair.client, "proof", ours), CPMP_OK);
        assert_int_equal(tls_exporter(pair.server, "proof", theirs), CPMP_OK);
        assert_memory_equal(ours, theirs, 32);
        part(&pair);
    }
}

static void
goodbye_is_told_from_a_cut(void **state)
{
    struct pair pair = glue(member(&here, 0, NULL, 0), member(&here, 1, NULL, 0), 1000);
    char byte;

    (void)state;
    assert_int_equal(tls_write(pair.client, "x", 1), CPMP_OK);
    tls_close(pair.client);
    assert_int_equal(tls_write(pair.client, "y", 1), CPMP_ESTATE);
    settle(&pair, 1000);
    assert_int_equal(tls_has_ended(pair.server), 0);
    assert_int_equal(tls_read(pair.server, &byte, 1), 1);
    assert_int_equal(tls_read(pair.server, &byte, 1), 0);
    assert_int_equal(tls_has_ended(pair.server), 1);
    assert_talk(pair.server, pair.client, 10);  /* the other way stays open */
    part(&pair);
}

static void
assert_refused(struct pair *pair, enum tls_fault client, enum tls_fault server)
{
    assert_int_equal(tls_fault(pair->server), server);
    assert_int_equal(tls_fault(pair->client), client);
    assert_int_equal(tls_is_ready(pair->client), 0);
    assert_int_equal(tls_is_ready(pair->server), 0);
    assert_null(tls_peer(pair->server));
    assert_true(tls_write(pair->client, "x", 1) < 0);
    assert_true(tls_feed(pair->server, "x", 1) < 0);
    assert_true(strlen(tls_error_text(pair->client)) > 10);
    part(pair);
}

static void
members_of_another_pool_are_refused(void **state)
{
    struct pair pair = glue(member(&here, 0, NULL, 0), member(&elsewhere, 1, NULL, 0), 1000);

    (void)state;
    assert_refused(&pair, TLS_FAULT_POOL, TLS_FAULT_REFUSED_POOL);
}

static void
what_is_revoked_is_refused(void **state)
{
    struct pair pair = glue(member(&here, 0, NULL, 0),
                            member(&here, 1, everybody_is_revoked, 0), 1000);

    (void)state;
    assert_refused(&pair, TLS_FAULT_REFUSED_REVOKED, TLS_FAULT_REVOKED);
    pair = glue(member(&here, 0, everybody_is_revoked, 0), member(&here, 1, NULL, 0), 1000);
    assert_refused(&pair, TLS_FAULT_REVOKED, TLS_FAULT_REFUSED_REVOKED);
}

/* A member of `here` with a certificate valid from and until, seconds from now. */
static void
assert_refused_by_time(long from_s, long until_s, enum tls_fault fault)
{
    struct pool pool = here;
    struct pair pair;

    pool.certificate[0] = certificate_make("alpha", here.key[0], "home", here.authority_key,
                                           from_s, until_s);
    pair = glue(member(&pool, 0, NULL, 0), member(&here, 1, NULL, 0), 1000);
    X509_free(pool.certificate[0]);
    assert_refused(&pair, TLS_FAULT_REFUSED_EXPIRED, fault);
}

static void
certificates_hold_in_their_time(void **state)
{
    (void)state;
    assert_refused_by_time(-2 * DAY_S, -DAY_S, TLS_FAULT_EXPIRED);
    assert_refused_by_time(DAY_S, 2 * DAY_S, TLS_FAULT_EARLY);
}

static void
a_certificate_with_a_name_for_no_terminal_is_refused(void **state)
{
    struct pool pool = here;
    struct pair pair;

    (void)state;
    pool.certificate[0] = certificate_make("\033[2Jx", here.key[0], "home", here.authority_key,
                                           -DAY_S, DAY_S);
    pair = glue(member(&pool, 0, NULL, 0), member(&here, 1, NULL, 0), 1000);
    X509_free(pool.certificate[0]);
    assert_int_equal(tls_fault(pair.server), TLS_FAULT_CERTIFICATE);
    part(&pair);
}

/* A member signs for a friend: members are no authorities. */
static void
members_sign_nobody(void **state)
{
    struct pool pool = here;
    struct pair pair;

    (void)state;
    pool.key[0] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    pool.certificate[0] = certificate_make("gamma", pool.key[0], "beta", here.key[1], -DAY_S,
                                           DAY_S);
    pool.authority = here.certificate[1];
    pair = glue(member(&pool, 0, NULL, 0), member(&here, 1, NULL, 0), 1000);
    EVP_PKEY_free(pool.key[0]);
    X509_free(pool.certificate[0]);
    assert_int_equal(tls_is_ready(pair.server), 0);
    assert_true(tls_fault(pair.server) != TLS_FAULT_NONE);
    part(&pair);
}

static void
a_key_that_is_not_the_certificates_makes_no_context(void **state)
{
    struct tls_membership membership = {
        .key = here.key[0], .certificate = here.certificate[1], .authority = here.authority,
    };

    (void)state;
    assert_null(tls_context_new_peer(&membership));
    assert_true(ERR_peek_error() == 0);
}

static void
fingerprint_of(X509 *authority, unsigned char fingerprint[TLS_FINGERPRINT_BYTES])
{
    unsigned char *spki = NULL;
    int bytes = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(authority), &spki);

    SHA256(spki, (size_t)bytes, fingerprint);
    OPENSSL_free(spki);
}

static void
joiners_know_the_pool_by_its_fingerprint(void **state)
{
    unsigned char fingerprint[TLS_FINGERPRINT_BYTES];
    struct pair pair;

    (void)state;
    fingerprint_of(here.authority, fingerprint);
    pair = glue(tls_context_new_joiner(fingerprint), member(&here, 1, NULL, 1), 1000);
    assert_true(tls_is_ready(pair.client) && tls_is_ready(pair.server));
    assert_null(tls_peer(pair.server));
    assert_string_equal(tls_peer(pair.client)->name, "beta");
    assert_talk(pair.client, pair.server, 1000);
    part(&pair);

    pair = glue(tls_context_new_joiner(fingerprint), member(&elsewhere, 1, NULL, 1), 1000);
    assert_refused(&pair, TLS_FAULT_POOL, TLS_FAULT_REFUSED_POOL);

    /* A server that takes no joiners refuses them in the handshake. */
    pair = glue(tls_context_new_joiner(fingerprint), member(&here, 1, NULL, 0), 1000);
    assert_refused(&pair, TLS_FAULT_REFUSED_STRANGER, TLS_FAULT_STRANGER);

    /* Taking joiners doesn't mean taking anybody's certificate. */
    pair = glue(member(&elsewhere, 0, NULL, 0), member(&here, 1, NULL, 1), 1000);
    assert_refused(&pair, TLS_FAULT_POOL, TLS_FAULT_REFUSED_POOL);
}

static struct tls_context *
keyed(unsigned char first)
{
    unsigned char key[TLS_KEY_BYTES] = {first, 1, 2, 3};
    struct tls_context *context = tls_context_new_key(key);

    assert_non_null(context);
    return context;
}

static void
a_key_opens_and_another_does_not(void **state)
{
    struct pair pair = glue(keyed(1), keyed(1), 1000);

    (void)state;
    assert_true(tls_is_ready(pair.client) && tls_is_ready(pair.server));
    assert_null(tls_peer(pair.client));
    assert_talk(pair.client, pair.server, 100000);
    assert_talk(pair.server, pair.client, 100000);
    part(&pair);
    pair = glue(keyed(1), keyed(2), 1000);
    assert_refused(&pair, TLS_FAULT_REFUSED_KEY, TLS_FAULT_KEY);
}

static void
a_certificate_is_no_key_and_a_key_no_certificate(void **state)
{
    struct pair pair = glue(keyed(1), member(&here, 1, NULL, 1), 1000);

    (void)state;
    assert_int_equal(tls_is_ready(pair.client), 0);
    assert_int_equal(tls_fault(pair.client), TLS_FAULT_KEY);
    part(&pair);
    pair = glue(member(&here, 0, NULL, 0), keyed(1), 1000);
    assert_int_equal(tls_is_ready(pair.server), 0);
    assert_int_equal(tls_fault(pair.server), TLS_FAULT_KEY);
    part(&pair);
}

static void
what_is_not_tls_is_called_so(void **state)
{
    static const struct {
        const char *bytes;
        size_t count;
    } garbage[] = {
        {"GET / HTTP/1.1\r\nHost: here\r\n\r\n", 30}, {"SSH-2.0-OpenSSH_9.2\r\n", 21},
        {"\1\2\3\4\5\6\7\10\11\12\13\14", 12}, {"\26\3\1\377\377 and so on", 15},
        {"\26\3\1\0\5\1\2\3\4\5", 10}, {"\27\3\3\0\5hello", 10},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
        struct tls_context *context = member(&here, 1, NULL, 1);
        struct tls *server = tls_new(context, 1);

        assert_int_equal(tls_feed(server, garbage[i].bytes, garbage[i].count), CPMP_EPROTO);
        assert_int_equal(tls_fault(server), TLS_FAULT_NOT_TLS);
        assert_true(ERR_peek_error() == 0);
        tls_free(server);
        tls_context_free(context);
    }
}

static void
damage_on_the_way_ends_the_session(void **state)
{
    struct pair pair = glue(keyed(1), keyed(1), 1000);
    const unsigned char *bytes;
    unsigned char copy[64], out[8];
    size_t count;

    (void)state;
    assert_int_equal(tls_write(pair.client, "hello", 5), CPMP_OK);
    count = tls_outgoing(pair.client, &bytes);
    assert_in_range(count, 6, sizeof(copy));
    memcpy(copy, bytes, count);
    copy[count - 1] ^= 1;
    assert_int_equal(tls_feed(pair.server, copy, count), CPMP_OK);
    assert_int_equal(tls_read(pair.server, out, sizeof(out)), CPMP_EPROTO);
    assert_int_equal(tls_fault(pair.server), TLS_FAULT_BROKEN);
    assert_int_equal(tls_feed(pair.server, copy, count), CPMP_EPROTO);
    part(&pair);
}

static void
buffers_are_bounded(void **state)
{
    struct pair pair = glue(keyed(1), keyed(1), 1000);
    size_t much = 1u << 20;
    char *bytes = calloc(1, much);
    int error = CPMP_OK;

    (void)state;
    assert_int_equal(tls_write(pair.client, bytes, much), CPMP_OK);
    while (error == CPMP_OK && carry(pair.client, pair.server, 50000))
        error = tls_feed(pair.server, "", 0);
    assert_int_equal(error, CPMP_ELIMIT);
    assert_int_equal(tls_fault(pair.server), TLS_FAULT_INPUT);
    for (size_t sent = 0; error != CPMP_OK || sent < 3 * TLS_OUTPUT_BYTES_MAX; sent += much) {
        error = tls_write(pair.client, bytes, much);
        if (error != CPMP_OK)
            break;
    }
    assert_int_equal(error, CPMP_ELIMIT);
    assert_int_equal(tls_fault(pair.client), TLS_FAULT_OUTPUT);
    free(bytes);
    part(&pair);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_know_each_other),
        cmocka_unit_test(goodbye_is_told_from_a_cut),
        cmocka_unit_test(members_of_another_pool_are_refused),
        cmocka_unit_test(what_is_revoked_is_refused),
        cmocka_unit_test(certificates_hold_in_their_time),
        cmocka_unit_test(a_certificate_with_a_name_for_no_terminal_is_refused),
        cmocka_unit_test(members_sign_nobody),
        cmocka_unit_test(a_key_that_is_not_the_certificates_makes_no_context),
        cmocka_unit_test(joiners_know_the_pool_by_its_fingerprint),
        cmocka_unit_test(a_key_opens_and_another_does_not),
        cmocka_unit_test(a_certificate_is_no_key_and_a_key_no_certificate),
        cmocka_unit_test(what_is_not_tls_is_called_so),
        cmocka_unit_test(damage_on_the_way_ends_the_session),
        cmocka_unit_test(buffers_are_bounded),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, pools_setup, pools_teardown);
}
