/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <cpmp.h>

#include "link/authority.h"
#include "link/revoked.h"
#include "system/saved.h"

#define NOW_S INT64_C(1790000000)

static char directory[] = "/tmp/cpmp-identity.XXXXXX";
static struct authority pool;

/* A path in the test's directory; valid until the next but three. */
static const char *
in_directory(const char *name)
{
    static char paths[4][128];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
    return path;
}

static int
directory_make(void **state)
{
    (void)state;
    return mkdtemp(directory) == NULL || authority_init(&pool, "attic", NOW_S) != CPMP_OK;
}

static int
directory_remove(void **state)
{
    static const char *const names[] = {"key", "crt", "ca.key", "ca.crt", "revoked", "file"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(in_directory(names[i]));
    authority_release(&pool);
    return rmdir(directory) != 0 || ERR_peek_error() != 0;
}

/* The words of an error, which must be there. */
static void
assert_said(struct text *why, const char *words)
{
    if (strstr(text_string(why), words) == NULL)
        fail_msg("\"%s\" is not in: %s", words, text_string(why));
    text_clear(why);
}

static void
files_are_there_whole_or_not_at_all(void **state)
{
    struct text why = {0}, bytes = {0};
    const char *path = in_directory("file");
    struct stat status;

    (void)state;
    assert_int_equal(saved_read(path, 10, SAVED_FOR_ALL, &bytes, &why), CPMP_ENOENT);
    assert_int_equal(why.used, 0);
    assert_int_equal(saved_write(path, "first", 5, SAVED_FOR_OWNER, &why), CPMP_OK);
    assert_int_equal(saved_write(path, "second", 6, SAVED_FOR_OWNER, &why), CPMP_OK);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(saved_read(path, 6, SAVED_FOR_OWNER, &bytes, &why), CPMP_OK);
    assert_string_equal(text_string(&bytes), "second");
    assert_int_equal(saved_read(path, 5, SAVED_FOR_OWNER, &bytes, &why), CPMP_ELIMIT);
    assert_said(&why, "longer than 5 bytes");
    assert_int_equal(saved_write(in_directory("no/file"), "x", 1, SAVED_FOR_ALL, &why), CPMP_ESYS);
    assert_said(&why, "No such file or directory");
    text_release(&bytes);
    text_release(&why);
}

static void
a_key_others_can_read_is_refused(void **state)
{
    EVP_PKEY *key = identity_key_new(), *loaded = NULL;
    struct text why = {0};
    const char *path = in_directory("key");

    (void)state;
    assert_int_equal(identity_key_load(path, &loaded, &why), CPMP_ENOENT);
    assert_int_equal(identity_key_save(path, key, &why), CPMP_OK);
    assert_int_equal(identity_key_load(path, &loaded, &why), CPMP_OK);
    assert_int_equal(EVP_PKEY_eq(key, loaded), 1);
    EVP_PKEY_free(loaded);
    loaded = NULL;
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(identity_key_load(path, &loaded, &why), CPMP_EKEY);
    assert_said(&why, "chmod 600");
    assert_int_equal(saved_write(path, "no key", 6, SAVED_FOR_OWNER, &why), CPMP_OK);
    assert_int_equal(identity_key_load(path, &loaded, &why), CPMP_EPROTO);
    assert_said(&why, "no Ed25519 key");
    assert_null(loaded);
    EVP_PKEY_free(key);
    text_release(&why);
}

static void
only_ed25519_keys_are_identities(void **state)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    unsigned char raw[IDENTITY_KEY_BYTES];
    X509 *certificate = NULL;

    (void)state;
    assert_non_null(key);
    assert_int_equal(identity_public_key(key, raw), 0);
    assert_int_equal(authority_sign_peer(&pool, "garage", key, NOW_S, &certificate), CPMP_EINVAL);
    assert_null(certificate);
    EVP_PKEY_free(key);
}

static void
names_are_safe_on_terminals_and_in_files(void **state)
{
    static const char *const good[] = {"a", "host-1", "Rack.7_b", "0"};
    static const char *const bad[] = {"", "-a", ".", "..", "a b", "a/b", "a\033[2J", "\303\251",
        "a234567890123456789012345678901234567890123456789012345678901234"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(identity_name_is_valid(good[i]), 1);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(identity_name_is_valid(bad[i]), 0);
}

static void
a_request_proves_that_one_has_the_key(void **state)
{
    EVP_PKEY *key = identity_key_new(), *read;
    struct text request = {0};

    (void)state;
    identity_request_encode(key, &request);
    read = identity_request_decode(request.bytes, request.used);
    assert_non_null(read);
    assert_int_equal(EVP_PKEY_eq(key, read), 1);
    EVP_PKEY_free(read);
    for (size_t i = 0; i < request.used; i++) {
        request.bytes[i] ^= 4;
        assert_null(identity_request_decode(request.bytes, request.used));
        request.bytes[i] ^= 4;
    }
    assert_null(identity_request_decode(request.bytes, request.used - 1));
    text_add(&request, "x", 1);
    assert_null(identity_request_decode(request.bytes, request.used));
    text_release(&request);
    EVP_PKEY_free(key);
}

static void
the_authority_signs_peers_and_says_who_is_its_own(void **state)
{
    struct authority other = {0};
    EVP_PKEY *key = identity_key_new();
    X509 *certificate = NULL, *copy;
    struct text der = {0};
    char name[IDENTITY_NAME_MAX + 1];

    (void)state;
    assert_int_equal(authority_init(&other, "attic", NOW_S), CPMP_OK);
    assert_int_equal(authority_init(&other, "at tic", NOW_S), CPMP_EINVAL);
    assert_int_equal(authority_sign_peer(&pool, "garage", key, NOW_S, &certificate), CPMP_OK);
    identity_certificate_encode(certificate, &der);
    copy = identity_certificate_decode(der.bytes, der.used);
    assert_non_null(copy);
    assert_null(identity_certificate_decode(der.bytes, der.used - 1));
    assert_int_equal(identity_certificate_name(copy, name), 1);
    assert_string_equal(name, "garage");
    assert_int_equal(authority_signed(pool.certificate, copy, key), 1);
    assert_int_equal(authority_signed(pool.certificate, copy, pool.key), 0);
    assert_int_equal(authority_signed(other.certificate, copy, key), 0);
    assert_int_equal(authority_certificate_is_one(pool.certificate), 1);
    assert_int_equal(authority_certificate_is_one(copy), 0);
    X509_free(copy);
    X509_free(certificate);
    EVP_PKEY_free(key);
    text_release(&der);
    authority_release(&other);
}

static void
certificates_begin_a_day_early_and_end_in_ten_years(void **state)
{
    EVP_PKEY *key = identity_key_new();
    X509 *certificate = NULL;
    time_t early = NOW_S - AUTHORITY_DAY_S + 1, earlier = early - 2;
    time_t late = NOW_S + 10 * 365 * (int64_t)AUTHORITY_DAY_S, later = late + 4 * AUTHORITY_DAY_S;

    (void)state;
    assert_int_equal(authority_sign_peer(&pool, "garage", key, NOW_S, &certificate), CPMP_OK);
    assert_true(X509_cmp_time(X509_get0_notBefore(certificate), &early) < 0);
    assert_true(X509_cmp_time(X509_get0_notBefore(certificate), &earlier) > 0);
    assert_true(X509_cmp_time(X509_get0_notAfter(certificate), &late) > 0);
    assert_true(X509_cmp_time(X509_get0_notAfter(certificate), &later) < 0);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void
an_authority_survives_its_files(void **state)
{
    struct authority loaded = {0};
    unsigned char before[AUTHORITY_FINGERPRINT_BYTES], after[AUTHORITY_FINGERPRINT_BYTES];
    char shown[AUTHORITY_FINGERPRINT_TEXT];
    const char *key = in_directory("ca.key"), *certificate = in_directory("ca.crt");
    struct text why = {0};
    EVP_PKEY *wrong = identity_key_new();

    (void)state;
    assert_int_equal(authority_save(&pool, key, certificate, &why), CPMP_OK);
    assert_int_equal(authority_load(&loaded, key, certificate, &why), CPMP_OK);
    authority_fingerprint(pool.certificate, before);
    authority_fingerprint(loaded.certificate, after);
    assert_memory_equal(before, after, sizeof(before));
    authority_fingerprint_text(before, shown);
    assert_int_equal(strlen(shown), 64);
    authority_release(&loaded);
    assert_int_equal(identity_key_save(key, wrong, &why), CPMP_OK);
    assert_int_equal(authority_load(&loaded, key, certificate, &why), CPMP_EPROTO);
    assert_said(&why, "not the certificate of the authority's key");
    EVP_PKEY_free(wrong);
    text_release(&why);
}

/* --- who is shut out --- */

static void
id_make(unsigned char id[IDENTITY_ID_BYTES], unsigned number)
{
    unsigned char key[IDENTITY_KEY_BYTES] = {(unsigned char)number, (unsigned char)(number >> 8)};

    identity_id(key, id);
}

static void
the_list_knows_who_is_shut_out(void **state)
{
    struct revoked ours = {0}, theirs = {0};
    unsigned char id[IDENTITY_ID_BYTES];
    int newer;

    (void)state;
    for (unsigned i = 0; i < 100; i += 2) {
        id_make(id, i);
        assert_int_equal(revoked_add(&ours, &pool, id, NOW_S + i), CPMP_OK);
        assert_int_equal(revoked_add(&ours, &pool, id, NOW_S + i), CPMP_EEXIST);
    }
    assert_int_equal(revoked_decode(&theirs, pool.certificate, ours.encoded.bytes,
                                    ours.encoded.used, &newer), CPMP_OK);
    assert_int_equal(newer, 1);
    assert_int_equal(theirs.serial, 50);
    assert_int_equal(theirs.time_s, NOW_S + 98);
    for (unsigned i = 0; i < 100; i++) {
        id_make(id, i);
        assert_int_equal(revoked_has(&theirs, id), i % 2 == 0);
    }
    revoked_release(&ours);
    revoked_release(&theirs);
}

static void
an_old_list_brings_nobody_back(void **state)
{
    struct revoked list = {0};
    struct text old = {0};
    unsigned char one[IDENTITY_ID_BYTES], two[IDENTITY_ID_BYTES];
    int newer = 7;

    (void)state;
    id_make(one, 1);
    id_make(two, 2);
    revoked_add(&list, &pool, one, NOW_S);
    text_add(&old, list.encoded.bytes, list.encoded.used);
    revoked_add(&list, &pool, two, NOW_S);
    assert_int_equal(revoked_decode(&list, pool.certificate, old.bytes, old.used, &newer), CPMP_OK);
    assert_int_equal(newer, 0);
    assert_int_equal(revoked_has(&list, two), 1);
    revoked_release(&list);
    text_release(&old);
}

static void
only_the_authority_shuts_out(void **state)
{
    struct authority other = {0};
    struct revoked forged = {0}, list = {0};
    unsigned char id[IDENTITY_ID_BYTES];
    int newer;

    (void)state;
    id_make(id, 1);
    assert_int_equal(authority_init(&other, "attic", NOW_S), CPMP_OK);
    revoked_add(&forged, &other, id, NOW_S);
    assert_int_equal(revoked_decode(&list, pool.certificate, forged.encoded.bytes,
                                    forged.encoded.used, &newer), CPMP_EKEY);
    revoked_release(&forged);
    revoked_add(&forged, &pool, id, NOW_S);
    for (size_t i = 0; i < forged.encoded.used; i++) {
        forged.encoded.bytes[i] ^= 2;  /* the serial becomes 3, not 0 */
        assert_true(revoked_decode(&list, pool.certificate, forged.encoded.bytes,
                                   forged.encoded.used, &newer) < 0);
        forged.encoded.bytes[i] ^= 2;
        assert_true(revoked_decode(&list, pool.certificate, forged.encoded.bytes, i, &newer) < 0);
    }
    assert_int_equal(list.count, 0);
    assert_int_equal(revoked_has(&list, id), 0);
    revoked_release(&forged);
    authority_release(&other);
}

static void
the_list_survives_its_file(void **state)
{
    struct revoked list = {0}, loaded = {0};
    struct text why = {0};
    const char *path = in_directory("revoked");
    unsigned char id[IDENTITY_ID_BYTES];

    (void)state;
    id_make(id, 1);
    assert_int_equal(revoked_save(&list, path, &why), CPMP_OK);  /* nothing to say yet */
    assert_int_equal(revoked_load(&loaded, pool.certificate, path, &why), CPMP_OK);
    assert_int_equal(loaded.serial, 0);
    revoked_add(&list, &pool, id, NOW_S);
    assert_int_equal(revoked_save(&list, path, &why), CPMP_OK);
    assert_int_equal(revoked_load(&loaded, pool.certificate, path, &why), CPMP_OK);
    assert_int_equal(revoked_has(&loaded, id), 1);
    assert_int_equal(saved_write(path, "cut", 3, SAVED_FOR_ALL, &why), CPMP_OK);
    assert_int_equal(revoked_load(&loaded, pool.certificate, path, &why), CPMP_EPROTO);
    assert_said(&why, "signed by this pool's authority");
    assert_int_equal(revoked_has(&loaded, id), 1);
    revoked_release(&list);
    revoked_release(&loaded);
    text_release(&why);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_there_whole_or_not_at_all),
        cmocka_unit_test(a_key_others_can_read_is_refused),
        cmocka_unit_test(only_ed25519_keys_are_identities),
        cmocka_unit_test(names_are_safe_on_terminals_and_in_files),
        cmocka_unit_test(a_request_proves_that_one_has_the_key),
        cmocka_unit_test(the_authority_signs_peers_and_says_who_is_its_own),
        cmocka_unit_test(certificates_begin_a_day_early_and_end_in_ten_years),
        cmocka_unit_test(an_authority_survives_its_files),
        cmocka_unit_test(the_list_knows_who_is_shut_out),
        cmocka_unit_test(an_old_list_brings_nobody_back),
        cmocka_unit_test(only_the_authority_shuts_out),
        cmocka_unit_test(the_list_survives_its_file),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, directory_make, directory_remove);
}
