/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Executables from outside: whatever the bytes, reading one ends, stays within the file and the
 * limits, hands out strings that end, and does so again the same way. The same bytes as ld.so's
 * cache: every path lies within it.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "content/elf_cache.h"
#include "content/elf_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct input {
    const uint8_t *data;
    size_t bytes;
};

static int64_t
input_read(void *arg, uint64_t offset, void *bytes, size_t count)
{
    const struct input *input = arg;
    size_t there;

    assert(offset <= INT64_MAX);
    if (offset >= input->bytes)
        return 0;
    there = input->bytes - (size_t)offset;
    if (there > count)
        there = count;
    memcpy(bytes, input->data + offset, there);
    return (int64_t)there;
}

static void
looks_right(const struct elf_file *file)
{
    assert(file->needed_count <= ELF_NEEDED_MAX);
    assert(memchr(file->interpreter, 0, sizeof(file->interpreter)));
    assert(memchr(file->rpath, 0, sizeof(file->rpath)));
    assert(memchr(file->runpath, 0, sizeof(file->runpath)));
    for (uint32_t i = 0; i < file->needed_count; i++)
        assert(memchr(file->needed[i], 0, ELF_NAME_BYTES));
    assert(elf_machine_text(file->machine) != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct elf_file file, again;
    struct input input = {data, bytes};
    const char *path;
    uint8_t *cache;
    int error = elf_file_read(input_read, &input, &file);

    if (error == CPMP_OK)
        looks_right(&file);
    assert(elf_file_read(input_read, &input, &again) == error);
    assert(memcmp(&file, &again, sizeof(file)) == 0);

    cache = malloc(bytes ? bytes : 1);  /* of its exact size, so that a step beyond is seen */
    assert(cache);
    memcpy(cache, data, bytes);
    for (size_t i = 0; (path = elf_cache_find(cache, bytes, "libc.so.6", i)) != NULL; i++)
        assert((const uint8_t *)path + strlen(path) < cache + bytes);
    free(cache);
    return 0;
}
