/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent/fabric_hello.h"

#include <string.h>
#include <sys/random.h>

#define TAGS_LABEL "cmp tags"  /* keeps tags apart from codes; as long as a magic and versions */

/* What codes and tags are made over: a greeting without its code, and the nonce it answers. */
struct coded {
    uint8_t bytes[offsetof(struct cpi_hello, code) + CPI_NONCE_BYTES];
    size_t used;
};

static bool
code_compute(const struct fabric_library *library, const uint8_t *key, const struct coded *coded,
             uint8_t code[CPI_CODE_BYTES])
{
    size_t bytes = 0;

    return library->mac(NULL, "HMAC", NULL, "SHA256", NULL, key, CPI_KEY_BYTES, coded->bytes,
                        coded->used, code, CPI_CODE_BYTES, &bytes) != NULL &&
           bytes == CPI_CODE_BYTES;
}

static void
coded_set(struct coded *coded, const struct cpi_hello *hello, const struct cpi_hello *greeting)
{
    coded->used = offsetof(struct cpi_hello, code);
    memcpy(coded->bytes, greeting, coded->used);
    if (hello != NULL) {
        memcpy(coded->bytes + coded->used, hello->nonce, CPI_NONCE_BYTES);
        coded->used += CPI_NONCE_BYTES;
    }
}

int
hello_make(const struct fabric_library *library, const uint8_t *key,
           const struct cpi_hello *hello, struct cpi_hello *made)
{
    struct coded coded;

    made->magic = CPI_HELLO_MAGIC;
    made->version = CPI_FABRIC_VERSION;
    made->frame_version = CPI_FRAME_VERSION;
    made->role = hello ? CPI_ROLE_WELCOME : CPI_ROLE_HELLO;
    if (getrandom(made->nonce, sizeof(made->nonce), 0) != (ssize_t)sizeof(made->nonce))
        return CPMP_ESYS;
    coded_set(&coded, hello, made);
    return code_compute(library, key, &coded, made->code) ? CPMP_OK : CPMP_ESYS;
}

/* Takes the same time wherever the first difference is. */
static bool
codes_equal(const uint8_t *first, const uint8_t *second)
{
    unsigned difference = 0;

    for (size_t i = 0; i < CPI_CODE_BYTES; i++)
        difference |= (unsigned)(first[i] ^ second[i]);
    return difference == 0;
}

bool
hello_code_right(const struct fabric_library *library, const uint8_t *key,
                 const struct cpi_hello *hello, const struct cpi_hello *got)
{
    uint8_t code[CPI_CODE_BYTES];
    struct coded coded;

    coded_set(&coded, hello, got);
    return code_compute(library, key, &coded, code) && codes_equal(code, got->code);
}

int
hello_tags(const struct fabric_library *library, const uint8_t *key,
           const struct cpi_hello *hello, const struct cpi_hello *welcome,
           struct hello_tags *tags)
{
    struct coded coded = {.used = sizeof(TAGS_LABEL) - 1};
    uint8_t code[CPI_CODE_BYTES];

    memcpy(coded.bytes, TAGS_LABEL, coded.used);
    memcpy(coded.bytes + coded.used, hello->nonce, CPI_NONCE_BYTES);
    memcpy(coded.bytes + coded.used + CPI_NONCE_BYTES, welcome->nonce, CPI_NONCE_BYTES);
    coded.used += 2 * CPI_NONCE_BYTES;
    if (!code_compute(library, key, &coded, code))
        return CPMP_ESYS;
    memcpy(&tags->to_acceptor, code, sizeof(uint64_t));
    memcpy(&tags->to_connector, code + sizeof(uint64_t), sizeof(uint64_t));
    return CPMP_OK;
}
