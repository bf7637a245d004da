/* SPDX-License-Identifier: BSD-3-Clause */
#include "link/token.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <cpmp.h>

#define PREFIX         "cpmp1-"
#define PREFIX_LENGTH  6u
#define FLAG_OPEN      1u
#define CHECK_BYTES    4u
#define HEAD_BYTES     (1u + 8u + AUTHORITY_FINGERPRINT_BYTES + TOKEN_SECRET_BYTES + 1u)
#define BYTES_MAX      (HEAD_BYTES + TOKEN_ADDRESSES_MAX * (3u + ADDRESS_BYTES_MAX) + CHECK_BYTES)

static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";

_Static_assert(PREFIX_LENGTH + (BYTES_MAX * 8 + 4) / 5 < TOKEN_TEXT_MAX, "the longest token fits");

static void
check_make(const unsigned char *bytes, size_t count, unsigned char check[CHECK_BYTES])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];

    SHA256(bytes, count, digest);
    memcpy(check, digest, CHECK_BYTES);
}

/* --- base32 --- */

static void
base32_add(struct text *out, const unsigned char *bytes, size_t count)
{
    unsigned bits = 0, have = 0;

    for (size_t i = 0; i < count; i++) {
        bits = bits << 8 | bytes[i];
        for (have += 8; have >= 5; have -= 5)
            text_add(out, &letters[bits >> (have - 5) & 31], 1);
    }
    if (have > 0)
        text_add(out, &letters[bits << (5 - have) & 31], 1);
}

/* How many bytes `text` gives; 0 when it is no base32 or more than `capacity`. What the last letter
 * has too many bits for must be 0, so that every token has one text. */
static size_t
base32_read(const char *text, unsigned char *out, size_t capacity)
{
    unsigned bits = 0, have = 0;
    size_t count = 0;

    for (; *text != '\0'; text++) {
        const char *letter = strchr(letters, *text);

        if (letter == NULL)
            return 0;
        bits = (bits << 5 | (unsigned)(letter - letters)) & 0xfff;
        have += 5;
        if (have < 8)
            continue;
        if (count == capacity)
            return 0;
        have -= 8;
        out[count++] = (unsigned char)(bits >> have);
    }
    return have < 5 && (bits & ((1u << have) - 1)) == 0 ? count : 0;
}

/* --- a token --- */

void
token_print(const struct token *token, struct text *out)
{
    unsigned char bytes[BYTES_MAX] = {token->open ? FLAG_OPEN : 0};
    size_t used = 1;

    assert(token->address_count <= TOKEN_ADDRESSES_MAX);
    for (unsigned i = 0; i < 8; i++)
        bytes[used++] = (unsigned char)((uint64_t)token->expiry_s >> (56 - 8 * i));
    memcpy(bytes + used, token->fingerprint, sizeof(token->fingerprint));
    used += sizeof(token->fingerprint);
    memcpy(bytes + used, token->secret, sizeof(token->secret));
    used += sizeof(token->secret);
    bytes[used++] = (unsigned char)token->address_count;
    for (size_t i = 0; i < token->address_count; i++)
        used += address_encode(&token->addresses[i], bytes + used, (unsigned)(BYTES_MAX - used));
    check_make(bytes, used, bytes + used);
    used += CHECK_BYTES;
    text_add_string(out, PREFIX);
    base32_add(out, bytes, used);
    OPENSSL_cleanse(bytes, sizeof(bytes));
}

static int
token_decode(struct token *token, const unsigned char *bytes, size_t count)
{
    size_t at = 1;

    if (count < HEAD_BYTES || (bytes[0] & ~FLAG_OPEN) != 0)
        return 0;
    token->open = bytes[0] & FLAG_OPEN;
    for (unsigned i = 0; i < 8; i++)
        token->expiry_s = (int64_t)((uint64_t)token->expiry_s << 8 | bytes[at++]);
    memcpy(token->fingerprint, bytes + at, sizeof(token->fingerprint));
    at += sizeof(token->fingerprint);
    memcpy(token->secret, bytes + at, sizeof(token->secret));
    at += sizeof(token->secret);
    token->address_count = bytes[at++];
    if (token->expiry_s < 0 || token->address_count == 0 ||
        token->address_count > TOKEN_ADDRESSES_MAX)
        return 0;
    for (size_t i = 0; i < token->address_count; i++) {
        unsigned took = address_decode(&token->addresses[i], bytes + at, (unsigned)(count - at));

        if (took == 0 || !address_is_usable(&token->addresses[i]))
            return 0;
        at += took;
    }
    return at == count;
}

/* Without blanks and capitals. 0 when it is too long. */
static int
text_clean(const char *text, char out[TOKEN_TEXT_MAX])
{
    size_t length = 0;

    for (; *text != '\0'; text++) {
        if (isspace((unsigned char)*text))
            continue;
        if (length == TOKEN_TEXT_MAX - 1)
            return 0;
        out[length++] = *text >= 'A' && *text <= 'Z' ? (char)(*text - 'A' + 'a') : *text;
    }
    out[length] = '\0';
    return 1;
}

static int
say(struct text *why, int error, const char *words)
{
    text_add_string(why, words);
    return error;
}

/* "cpmp" and the number of a version that isn't ours. */
static int
is_of_another_version(const char *text)
{
    size_t digits;

    if (strncmp(text, "cpmp", 4) != 0)
        return 0;
    digits = strspn(text + 4, "0123456789");
    return digits > 0 && text[4 + digits] == '-';
}

int
token_parse(const char *text, struct token *token, struct text *why)
{
    unsigned char bytes[BYTES_MAX], check[CHECK_BYTES];
    char clean[TOKEN_TEXT_MAX];
    struct token parsed = {0};
    size_t count;
    int error = CPMP_OK;

    if (!text_clean(text, clean))
        return say(why, CPMP_EPROTO, "it is too long for a token; copy just the one line that "
                                     "`cpmp pool invite` printed");
    if (strncmp(clean, PREFIX, PREFIX_LENGTH) != 0)
        return is_of_another_version(clean)
                   ? say(why, CPMP_EVERSION, "the token is of another version of cpmp; install the "
                                             "version that the pool runs")
                   : say(why, CPMP_EPROTO, "it is no token; a token begins with \"" PREFIX "\"");
    count = base32_read(clean + PREFIX_LENGTH, bytes, sizeof(bytes));
    if (count < CHECK_BYTES + 1)
        error = say(why, CPMP_EPROTO, "the token is mistyped or cut short; copy it again");
    if (error == CPMP_OK) {
        count -= CHECK_BYTES;
        check_make(bytes, count, check);
        if (memcmp(check, bytes + count, CHECK_BYTES) != 0)
            error = say(why, CPMP_EPROTO, "the token is mistyped or cut short; copy it again");
        else if (!token_decode(&parsed, bytes, count))
            error = say(why, CPMP_EPROTO, "the token says nothing that this version of cpmp "
                                          "understands; ask for another");
    }
    if (error == CPMP_OK)
        *token = parsed;
    OPENSSL_cleanse(bytes, sizeof(bytes));
    OPENSSL_cleanse(clean, sizeof(clean));
    OPENSSL_cleanse(&parsed, sizeof(parsed));
    return error;
}

int
token_has_expired(const struct token *token, int64_t now_s)
{
    return token->expiry_s != 0 && now_s >= token->expiry_s;
}

/* Hashes of different beginnings, so that the public name says nothing of the key. */
void
token_key(const unsigned char secret[TOKEN_SECRET_BYTES], unsigned char key[TOKEN_KEY_BYTES])
{
    unsigned char input[8 + TOKEN_SECRET_BYTES] = "cpmp key";

    memcpy(input + 8, secret, TOKEN_SECRET_BYTES);
    SHA256(input, sizeof(input), key);
    OPENSSL_cleanse(input, sizeof(input));
}

void
token_name(const unsigned char key[TOKEN_KEY_BYTES], unsigned char name[TOKEN_NAME_BYTES])
{
    unsigned char input[9 + TOKEN_KEY_BYTES] = "cpmp name";
    unsigned char digest[SHA256_DIGEST_LENGTH];

    memcpy(input + 9, key, TOKEN_KEY_BYTES);
    SHA256(input, sizeof(input), digest);
    memcpy(name, digest, TOKEN_NAME_BYTES);
    OPENSSL_cleanse(input, sizeof(input));
}
