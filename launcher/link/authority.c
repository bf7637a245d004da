/* SPDX-License-Identifier: BSD-3-Clause */
#include "link/authority.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cpmp.h>

#include "link/must.h"
#include "text/hex.h"

#define SERIAL_BYTES 16

static void
serial_set(X509 *certificate)
{
    unsigned char bytes[SERIAL_BYTES];
    BIGNUM *number;

    must_random(bytes, sizeof(bytes));
    bytes[0] = (bytes[0] & 0x3f) | 0x40;  /* positive, and never 0 */
    number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    must(number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL);
    BN_free(number);
}

static void
extension_add(X509 *certificate, int what, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, what, value);

    must(extension != NULL && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static X509_NAME *
name_new(const char *name)
{
    X509_NAME *made = X509_NAME_new();

    must(made != NULL && X509_NAME_add_entry_by_txt(made, "CN", MBSTRING_ASC, (const void *)name,
                                                    -1, -1, 0) == 1);
    return made;
}

/* A certificate that lacks its issuer, extensions and signature. */
static X509 *
certificate_new(const char *name, EVP_PKEY *key, int64_t now_s, int64_t life_s)
{
    X509 *certificate = X509_new();
    X509_NAME *subject = name_new(name);

    must(certificate != NULL && X509_set_version(certificate, X509_VERSION_3) == 1 &&
         X509_set_subject_name(certificate, subject) == 1 &&
         X509_set_pubkey(certificate, key) == 1 &&
         ASN1_TIME_set(X509_getm_notBefore(certificate), now_s - AUTHORITY_SKEW_S) != NULL &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), now_s + life_s) != NULL);
    serial_set(certificate);
    X509_NAME_free(subject);
    return certificate;
}

int
authority_init(struct authority *authority, const char *name, int64_t now_s)
{
    X509 *certificate;

    if (!identity_name_is_valid(name))
        return CPMP_EINVAL;
    authority->key = identity_key_new();
    certificate = certificate_new(name, authority->key, now_s, AUTHORITY_LIFE_S);
    must(X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1);
    extension_add(certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
    extension_add(certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
    must(X509_sign(certificate, authority->key, NULL) > 0);
    authority->certificate = certificate;
    return CPMP_OK;
}

void
authority_release(struct authority *authority)
{
    EVP_PKEY_free(authority->key);
    X509_free(authority->certificate);
    memset(authority, 0, sizeof(*authority));
}

int
authority_save(struct authority *authority, const char *key_path, const char *certificate_path,
               struct text *why)
{
    int error = identity_key_save(key_path, authority->key, why);

    return error ? error
                 : identity_certificate_save(certificate_path, authority->certificate, why);
}

int
authority_load(struct authority *authority, const char *key_path, const char *certificate_path,
               struct text *why)
{
    struct authority loaded = {0};
    int error = identity_key_load(key_path, &loaded.key, why);

    if (error == CPMP_OK)
        error = identity_certificate_load(certificate_path, &loaded.certificate, why);
    if (error == CPMP_OK && (!authority_certificate_is_one(loaded.certificate) ||
                             X509_check_private_key(loaded.certificate, loaded.key) != 1)) {
        text_print(why, "%s is not the certificate of the authority's key %s; restore both from "
                   "one copy", certificate_path, key_path);
        error = CPMP_EPROTO;
    }
    ERR_clear_error();
    if (error != CPMP_OK) {
        authority_release(&loaded);
        return error;
    }
    *authority = loaded;
    return CPMP_OK;
}

int
authority_sign_peer(struct authority *authority, const char *name, EVP_PKEY *key, int64_t now_s,
                    X509 **certificate_p)
{
    unsigned char raw[IDENTITY_KEY_BYTES];
    X509 *certificate;

    if (!identity_name_is_valid(name) || !identity_public_key(key, raw))
        return CPMP_EINVAL;
    certificate = certificate_new(name, key, now_s, AUTHORITY_PEER_LIFE_S);
    must(X509_set_issuer_name(certificate, X509_get_subject_name(authority->certificate)) == 1);
    extension_add(certificate, NID_basic_constraints, "critical,CA:FALSE");
    extension_add(certificate, NID_key_usage, "critical,digitalSignature");
    extension_add(certificate, NID_ext_key_usage, "serverAuth,clientAuth");
    must(X509_sign(certificate, authority->key, NULL) > 0);
    *certificate_p = certificate;
    return CPMP_OK;
}

int
authority_certificate_is_one(X509 *certificate)
{
    unsigned char raw[IDENTITY_KEY_BYTES];
    char name[IDENTITY_NAME_MAX + 1];
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    int is_one = identity_public_key(key, raw) && identity_certificate_name(certificate, name) &&
                 X509_check_ca(certificate) == 1 && X509_verify(certificate, key) == 1;

    ERR_clear_error();
    return is_one;
}

int
authority_signed(X509 *authority, X509 *certificate, const EVP_PKEY *key)
{
    EVP_PKEY *certified = X509_get0_pubkey(certificate);
    unsigned char raw[IDENTITY_KEY_BYTES];
    char name[IDENTITY_NAME_MAX + 1];
    int is_signed = identity_public_key(certified, raw) && EVP_PKEY_eq(certified, key) == 1 &&
                    identity_certificate_name(certificate, name) &&
                    X509_verify(certificate, X509_get0_pubkey(authority)) == 1;

    ERR_clear_error();
    return is_signed;
}

void
authority_fingerprint(X509 *certificate, unsigned char out[AUTHORITY_FINGERPRINT_BYTES])
{
    unsigned char *spki = NULL;
    int count = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki);

    must(count > 0);
    SHA256(spki, (size_t)count, out);
    OPENSSL_free(spki);
}

void
authority_fingerprint_text(const unsigned char fingerprint[AUTHORITY_FINGERPRINT_BYTES],
                           char out[AUTHORITY_FINGERPRINT_TEXT])
{
    hex_print(fingerprint, AUTHORITY_FINGERPRINT_BYTES, out);
}

void
authority_sign(struct authority *authority, const void *bytes, size_t count,
               unsigned char signature[AUTHORITY_SIGNATURE_BYTES])
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    size_t length = AUTHORITY_SIGNATURE_BYTES;

    must(digest != NULL && EVP_DigestSignInit(digest, NULL, NULL, NULL, authority->key) == 1 &&
         EVP_DigestSign(digest, signature, &length, bytes, count) == 1);
    EVP_MD_CTX_free(digest);
}

int
authority_verify(X509 *authority, const void *bytes, size_t count,
                 const unsigned char signature[AUTHORITY_SIGNATURE_BYTES])
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    EVP_PKEY *key = X509_get0_pubkey(authority);
    int verified;

    must(digest != NULL);
    verified = key != NULL && EVP_DigestVerifyInit(digest, NULL, NULL, NULL, key) == 1 &&
               EVP_DigestVerify(digest, signature, AUTHORITY_SIGNATURE_BYTES, bytes, count) == 1;
    EVP_MD_CTX_free(digest);
    ERR_clear_error();
    return verified;
}
