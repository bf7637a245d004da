/* SPDX-License-Identifier: BSD-3-Clause */
#include "link/identity.h"

#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include <cpmp.h>

#include "link/must.h"
#include "system/saved.h"

void
identity_id(const unsigned char key[IDENTITY_KEY_BYTES], unsigned char id[IDENTITY_ID_BYTES])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];

    SHA256(key, IDENTITY_KEY_BYTES, digest);
    memcpy(id, digest, IDENTITY_ID_BYTES);
}

int
identity_public_key(const EVP_PKEY *key, unsigned char raw[IDENTITY_KEY_BYTES])
{
    size_t bytes = IDENTITY_KEY_BYTES;

    return key != NULL && EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 &&
           EVP_PKEY_get_raw_public_key(key, raw, &bytes) == 1 && bytes == IDENTITY_KEY_BYTES;
}

static int
is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

int
identity_name_is_valid(const char *name)
{
    size_t length = strnlen(name, IDENTITY_NAME_MAX + 1);

    if (length == 0 || length > IDENTITY_NAME_MAX || !is_letter_or_digit(name[0]))
        return 0;
    for (size_t i = 1; i < length; i++) {
        if (!is_letter_or_digit(name[i]) && strchr("-._", name[i]) == NULL)
            return 0;
    }
    return 1;
}

int
identity_certificate_name(const X509 *certificate, char name[IDENTITY_NAME_MAX + 1])
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    const ASN1_STRING *value;
    char text[IDENTITY_NAME_MAX + 1];
    int length;

    if (at < 0)
        return 0;
    value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    length = ASN1_STRING_length(value);
    if (length < 1 || length > (int)IDENTITY_NAME_MAX)
        return 0;
    memcpy(text, ASN1_STRING_get0_data(value), (size_t)length);
    text[length] = '\0';
    if (strlen(text) != (size_t)length || !identity_name_is_valid(text))
        return 0;
    memcpy(name, text, (size_t)length + 1);
    return 1;
}

EVP_PKEY *
identity_key_new(void)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

    must(key != NULL);
    return key;
}

/* --- files --- */

static int
save_bio(const char *path, BIO *bio, enum saved_access access, struct text *why)
{
    char *bytes;
    long count = BIO_get_mem_data(bio, &bytes);
    int error = saved_write(path, bytes, (size_t)count, access, why);

    if (access == SAVED_FOR_OWNER)
        OPENSSL_cleanse(bytes, (size_t)count);
    BIO_free(bio);
    return error;
}

int
identity_key_save(const char *path, EVP_PKEY *key, struct text *why)
{
    BIO *bio = BIO_new(BIO_s_mem());

    must(bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    return save_bio(path, bio, SAVED_FOR_OWNER, why);
}

/* OpenSSL would ask on the terminal for the passphrase of an encrypted key. */
static int
no_passphrase(char *out, int capacity, int writing, void *arg)
{
    (void)out;
    (void)capacity;
    (void)writing;
    (void)arg;
    return -1;
}

int
identity_key_load(const char *path, EVP_PKEY **key_p, struct text *why)
{
    unsigned char raw[IDENTITY_KEY_BYTES];
    struct text pem = {0};
    EVP_PKEY *key = NULL;
    int error = saved_read(path, IDENTITY_PEM_BYTES_MAX, SAVED_FOR_OWNER, &pem, why);

    if (error == CPMP_OK) {
        BIO *bio = BIO_new_mem_buf(text_string(&pem), (int)pem.used);
        must(bio != NULL);
        key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
        BIO_free(bio);
        ERR_clear_error();
        if (!identity_public_key(key, raw)) {
            text_print(why, "%s holds no Ed25519 key in PEM; restore it from a copy", path);
            EVP_PKEY_free(key);
            error = CPMP_EPROTO;
        }
    }
    if (pem.bytes != NULL)
        OPENSSL_cleanse(pem.bytes, pem.used);
    text_release(&pem);
    if (error == CPMP_OK)
        *key_p = key;
    return error;
}

int
identity_certificate_save(const char *path, X509 *certificate, struct text *why)
{
    BIO *bio = BIO_new(BIO_s_mem());

    must(bio != NULL && PEM_write_bio_X509(bio, certificate) == 1);
    return save_bio(path, bio, SAVED_FOR_ALL, why);
}

int
identity_certificate_load(const char *path, X509 **certificate_p, struct text *why)
{
    struct text pem = {0};
    int error = saved_read(path, IDENTITY_PEM_BYTES_MAX, SAVED_FOR_ALL, &pem, why);

    if (error == CPMP_OK) {
        BIO *bio = BIO_new_mem_buf(text_string(&pem), (int)pem.used);
        X509 *certificate;
        must(bio != NULL);
        certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
        BIO_free(bio);
        ERR_clear_error();
        if (certificate == NULL) {
            text_print(why, "%s holds no certificate in PEM; restore it from a copy", path);
            error = CPMP_EPROTO;
        } else {
            *certificate_p = certificate;
        }
    }
    text_release(&pem);
    return error;
}

/* --- messages --- */

void
identity_certificate_encode(X509 *certificate, struct text *out)
{
    unsigned char *der = NULL;
    int count = i2d_X509(certificate, &der);

    must(count > 0);
    text_add(out, der, (size_t)count);
    OPENSSL_free(der);
}

X509 *
identity_certificate_decode(const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    X509 *certificate;

    if (count == 0 || count > IDENTITY_DER_BYTES_MAX)
        return NULL;
    certificate = d2i_X509(NULL, &at, (long)count);
    if (certificate != NULL && at != (const unsigned char *)bytes + count) {
        X509_free(certificate);
        certificate = NULL;
    }
    ERR_clear_error();
    return certificate;
}

/* The request has no name: what a peer is called is the pool's to say. */
void
identity_request_encode(EVP_PKEY *key, struct text *out)
{
    X509_REQ *request = X509_REQ_new();
    unsigned char *der = NULL;
    int count;

    must(request != NULL && X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 &&
         X509_REQ_set_pubkey(request, key) == 1 && X509_REQ_sign(request, key, NULL) > 0);
    count = i2d_X509_REQ(request, &der);
    must(count > 0);
    text_add(out, der, (size_t)count);
    OPENSSL_free(der);
    X509_REQ_free(request);
}

EVP_PKEY *
identity_request_decode(const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    unsigned char raw[IDENTITY_KEY_BYTES];
    X509_REQ *request;
    EVP_PKEY *key = NULL;

    if (count == 0 || count > IDENTITY_DER_BYTES_MAX)
        return NULL;
    request = d2i_X509_REQ(NULL, &at, (long)count);
    if (request != NULL && at == (const unsigned char *)bytes + count) {
        key = X509_REQ_get_pubkey(request);
        /* The kind first: verifying with some others is slow enough to be an attack. */
        if (!identity_public_key(key, raw) || X509_REQ_verify(request, key) != 1) {
            EVP_PKEY_free(key);
            key = NULL;
        }
    }
    X509_REQ_free(request);
    ERR_clear_error();
    return key;
}
