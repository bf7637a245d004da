/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Admission: whatever the bytes, a request is answered, and with a certificate only when its proof
 * is right; and a joiner takes no answer that its token's authority did not sign. The seeds are a
 * request that counts here (session and secret are zeroes, an open pool's) and a reply of another
 * authority.
 */

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include <cpmp.h>

#include "link/admit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void
on_name(void *arg, const char *wanted, const unsigned char id[IDENTITY_ID_BYTES],
        char name[IDENTITY_NAME_MAX + 1])
{
    (void)arg;
    (void)id;
    assert(wanted[0] == '\0' || identity_name_is_valid(wanted));
    snprintf(name, IDENTITY_NAME_MAX + 1, "%s", wanted[0] ? wanted : "peer");
}

static int
on_admitted(void *arg, const unsigned char id[IDENTITY_ID_BYTES], const char *name,
            struct text *why)
{
    (void)arg;
    (void)id;
    (void)why;
    assert(identity_name_is_valid(name));
    return CPMP_OK;
}

static size_t
on_peers(void *arg, struct admit_peer *peers)
{
    (void)arg;
    (void)peers;
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const unsigned char exporter[32];
    static struct authority pool;
    static EVP_PKEY *key;
    static struct token token;
    static struct invitation invitation = {.open = 1};
    static struct invitations invitations = {.list = &invitation, .count = 1};
    static const struct revoked nobody;
    const struct admit_rules rules = {
        .authority = &pool, .invitations = &invitations, .revoked = &nobody, .name = on_name,
        .admitted = on_admitted, .peers = on_peers,
    };
    struct admit_result result = {0};
    char name[IDENTITY_NAME_MAX + 1] = "";
    struct text reply = {0}, why = {0};

    if (key == NULL) {
        if (authority_init(&pool, "fuzz", 1790000000) != CPMP_OK)
            abort();
        key = identity_key_new();
        authority_fingerprint(pool.certificate, token.fingerprint);
        token_key(token.secret, invitation.key);
        token_name(invitation.key, invitation.name);
    }
    if (admit_answer(&rules, exporter, data, bytes, 1790000000, &reply, name, &why) ==
        ADMIT_REFUSAL_NONE)
        assert(identity_name_is_valid(name));
    assert(reply.used > 0);
    assert(admit_accept(&token, key, reply.bytes, reply.used, &result, &why) == CPMP_EKEY);
    assert(admit_accept(&token, key, data, bytes, &result, &why) != CPMP_OK);
    assert(result.certificate == NULL && ERR_peek_error() == 0);
    text_release(&reply);
    text_release(&why);
    return 0;
}
