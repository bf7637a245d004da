/* SPDX-License-Identifier: BSD-3-Clause */
#include "content/elf_cache.h"

#include <stdint.h>
#include <string.h>

#define MAGIC       "glibc-ld.so.cache1.1"
#define MAGIC_BYTES (sizeof(MAGIC) - 1)
#define HEAD_BYTES  48u  /* magic, count, length of strings, flags, extensions, reserved */
#define ENTRY_BYTES 24u  /* flags, key, value, version, capabilities */

static uint32_t
number_at(const unsigned char *bytes, size_t offset)
{
    uint32_t number;

    memcpy(&number, bytes + offset, sizeof(number));
    return number;
}

/* NULL: no string there. */
static const char *
string_at(const unsigned char *bytes, size_t count, size_t offset)
{
    if (offset >= count || memchr(bytes + offset, 0, count - offset) == NULL)
        return NULL;
    return (const char *)bytes + offset;
}

const char *
elf_cache_find(const void *cache, size_t cache_bytes, const char *name, size_t index)
{
    const unsigned char *bytes = cache;
    uint32_t entries;

    if (cache_bytes < HEAD_BYTES || memcmp(bytes, MAGIC, MAGIC_BYTES) != 0)
        return NULL;
    entries = number_at(bytes, MAGIC_BYTES);
    if (entries > (cache_bytes - HEAD_BYTES) / ENTRY_BYTES)
        return NULL;
    for (uint32_t i = 0; i < entries; i++) {
        size_t entry = HEAD_BYTES + (size_t)i * ENTRY_BYTES;
        const char *key = string_at(bytes, cache_bytes, number_at(bytes, entry + 4));
        const char *path = string_at(bytes, cache_bytes, number_at(bytes, entry + 8));
        if (key != NULL && path != NULL && strcmp(key, name) == 0 && index-- == 0)
            return path;
    }
    return NULL;
}
