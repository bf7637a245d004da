/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Tokens: whatever the text, what is taken for a token must print as a token that says the same,
 * and what is none must come with a reason. The input is tried as a text and, with the right
 * checksum behind it, as a token's bytes; and as the address of a peer, in words and in bytes.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include <cpmp.h>

#include "link/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void
try_token(const char *string)
{
    struct token token = {0}, again = {0};
    struct text printed = {0}, why = {0};

    if (token_parse(string, &token, &why) == CPMP_OK) {
        token_print(&token, &printed);
        assert(token_parse(text_string(&printed), &again, &why) == CPMP_OK);
        assert(memcmp(&token, &again, sizeof(token)) == 0);
    } else {
        assert(why.used > 0);
    }
    text_release(&printed);
    text_release(&why);
}

/* What token_print would make of these bytes. */
static void
try_bytes(const uint8_t *data, size_t bytes)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned char digest[SHA256_DIGEST_LENGTH];
    struct text string = {0};

    SHA256(data, bytes, digest);
    text_add_string(&string, "cpmp1-");
    for (size_t at = 0; at < (bytes + 4) * 8; at += 5) {
        unsigned letter = 0;
        for (size_t bit = at; bit < at + 5; bit++) {
            unsigned byte = bit / 8 < bytes ? data[bit / 8]
                                            : bit / 8 < bytes + 4 ? digest[bit / 8 - bytes] : 0;
            letter = letter << 1 | (byte >> (7 - bit % 8) & 1);
        }
        text_add(&string, &letters[letter], 1);
    }
    try_token(text_string(&string));
    text_release(&string);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct address address, back;
    struct text text = {0};
    char shown[ADDRESS_TEXT_MAX];

    text_add(&text, data, bytes);
    try_token(text_string(&text));
    try_bytes(data, bytes);
    if (address_parse_listen(text_string(&text), &address)) {
        address_print(&address, shown);
        assert(address_parse(shown, &back) && address_equal(&address, &back));
    }
    if (address_decode(&address, data, (unsigned)bytes) > 0) {
        uint8_t encoded[3 + ADDRESS_BYTES_MAX];
        unsigned count = address_encode(&address, encoded, sizeof(encoded));
        assert(count > 0 && count <= bytes && memcmp(encoded, data, count) == 0);
    }
    text_release(&text);
    return 0;
}
