/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What comes from other peers and is looked at with OpenSSL: lists of revoked peers, certificates
 * and requests. A list that the authority did not sign must change nothing; the seeds are signed by
 * another one than this program's, so none may be taken.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <cpmp.h>

#include "link/revoked.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct authority pool;
    struct revoked list = {0};
    X509 *certificate;
    EVP_PKEY *key;
    int newer;

    if (pool.key == NULL && authority_init(&pool, "fuzz", 1790000000) != CPMP_OK)
        abort();
    /* Serial 0 is never newer than what everybody has. */
    if (revoked_decode(&list, pool.certificate, data, bytes, &newer) == CPMP_OK)
        assert(newer == 0);
    assert(list.count == 0 && list.serial == 0 && list.encoded.bytes == NULL);
    certificate = identity_certificate_decode(data, bytes);
    if (certificate != NULL) {
        char name[IDENTITY_NAME_MAX + 1];
        if (identity_certificate_name(certificate, name))
            assert(identity_name_is_valid(name));
        assert(!authority_signed(pool.certificate, certificate, pool.key));
        (void)authority_certificate_is_one(certificate);
    }
    X509_free(certificate);
    key = identity_request_decode(data, bytes);
    EVP_PKEY_free(key);
    assert(ERR_peek_error() == 0);
    return 0;
}
