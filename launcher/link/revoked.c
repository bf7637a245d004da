/* SPDX-License-Identifier: BSD-3-Clause */
#include "link/revoked.h"

#include <assert.h>
#include <string.h>

#include <cpmp.h>

#include "system/saved.h"

#define MAGIC       "cpmp revoked 1\n"  /* 16 bytes with its end */
#define MAGIC_BYTES 16u

static uint64_t
little_read(const unsigned char *bytes, size_t count)
{
    uint64_t value = 0;

    for (size_t i = count; i > 0; i--)
        value = value << 8 | bytes[i - 1];
    return value;
}

static void
little_add(struct text *out, uint64_t value, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned char byte = (unsigned char)(value >> 8 * i);
        text_add(out, &byte, 1);
    }
}

void
revoked_release(struct revoked *revoked)
{
    text_release(&revoked->encoded);
    memset(revoked, 0, sizeof(*revoked));
}

const unsigned char *
revoked_id(const struct revoked *revoked, size_t at)
{
    assert(at < revoked->count);
    return (const unsigned char *)revoked->encoded.bytes + REVOKED_HEAD + at * IDENTITY_ID_BYTES;
}

/* Where `id` is, or belongs. */
static size_t
revoked_place(const struct revoked *revoked, const unsigned char id[IDENTITY_ID_BYTES])
{
    size_t low = 0, high = revoked->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (memcmp(revoked_id(revoked, middle), id, IDENTITY_ID_BYTES) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int
revoked_has(const struct revoked *revoked, const unsigned char id[IDENTITY_ID_BYTES])
{
    size_t place = revoked_place(revoked, id);

    return place < revoked->count &&
           memcmp(revoked_id(revoked, place), id, IDENTITY_ID_BYTES) == 0;
}

static int
ids_ascend(const unsigned char *ids, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (memcmp(ids + (i - 1) * IDENTITY_ID_BYTES, ids + i * IDENTITY_ID_BYTES,
                   IDENTITY_ID_BYTES) >= 0)
            return 0;
    }
    return 1;
}

int
revoked_decode(struct revoked *revoked, X509 *authority, const void *bytes, size_t count,
               int *newer_p)
{
    const unsigned char *at = bytes;
    struct revoked come = {0};

    if (count < REVOKED_HEAD + AUTHORITY_SIGNATURE_BYTES || count > REVOKED_BYTES_MAX ||
        memcmp(at, MAGIC, MAGIC_BYTES) != 0)
        return CPMP_EPROTO;
    come.serial = little_read(at + MAGIC_BYTES, 8);
    come.time_s = (int64_t)little_read(at + MAGIC_BYTES + 8, 8);
    come.count = little_read(at + MAGIC_BYTES + 16, 4);
    if (come.count > REVOKED_MAX ||
        count != REVOKED_HEAD + come.count * IDENTITY_ID_BYTES + AUTHORITY_SIGNATURE_BYTES ||
        !ids_ascend(at + REVOKED_HEAD, come.count))
        return CPMP_EPROTO;
    if (come.serial > revoked->serial) {
        size_t signed_bytes = count - AUTHORITY_SIGNATURE_BYTES;

        if (!authority_verify(authority, at, signed_bytes, at + signed_bytes))
            return CPMP_EKEY;
        text_add(&come.encoded, at, count);
        revoked_release(revoked);
        *revoked = come;
        *newer_p = 1;
        return CPMP_OK;
    }
    *newer_p = 0;
    return CPMP_OK;
}

int
revoked_add(struct revoked *revoked, struct authority *authority,
            const unsigned char id[IDENTITY_ID_BYTES], int64_t now_s)
{
    size_t place = revoked_place(revoked, id);
    unsigned char signature[AUTHORITY_SIGNATURE_BYTES];
    struct text made = {0};

    if (revoked_has(revoked, id))
        return CPMP_EEXIST;
    if (revoked->count == REVOKED_MAX)
        return CPMP_ELIMIT;
    text_add(&made, MAGIC, MAGIC_BYTES);
    little_add(&made, revoked->serial + 1, 8);
    little_add(&made, (uint64_t)now_s, 8);
    little_add(&made, revoked->count + 1, 4);
    if (place > 0)
        text_add(&made, revoked_id(revoked, 0), place * IDENTITY_ID_BYTES);
    text_add(&made, id, IDENTITY_ID_BYTES);
    if (place < revoked->count)
        text_add(&made, revoked_id(revoked, place), (revoked->count - place) * IDENTITY_ID_BYTES);
    authority_sign(authority, made.bytes, made.used, signature);
    text_add(&made, signature, sizeof(signature));
    text_release(&revoked->encoded);
    revoked->encoded = made;
    revoked->serial++;
    revoked->count++;
    revoked->time_s = now_s;
    assert(revoked_has(revoked, id));
    return CPMP_OK;
}

int
revoked_load(struct revoked *revoked, X509 *authority, const char *path, struct text *why)
{
    struct text bytes = {0};
    int newer, error = saved_read(path, REVOKED_BYTES_MAX, SAVED_FOR_ALL, &bytes, why);

    if (error == CPMP_OK) {
        error = revoked_decode(revoked, authority, text_string(&bytes), bytes.used, &newer);
        if (error != CPMP_OK)
            text_print(why, "%s is no list of revoked peers signed by this pool's authority; "
                       "remove it, and the other peers send a new one", path);
    }
    text_release(&bytes);
    return error == CPMP_ENOENT ? CPMP_OK : error;
}

int
revoked_save(const struct revoked *revoked, const char *path, struct text *why)
{
    if (revoked->serial == 0)
        return CPMP_OK;
    return saved_write(path, revoked->encoded.bytes, revoked->encoded.used, SAVED_FOR_ALL, why);
}
