/* SPDX-License-Identifier: BSD-3-Clause */
#include "link/identity.h"

#include <assert.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

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
