/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What comes over an encrypted connection: bytes that whoever sits on the wire made up never open,
 * and what was sealed opens to what it was.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "agent/fabric_seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void must(int holds)
{
    if (!holds)
        abort();
}

/* The input as a message, header and all. */
static void message_open(struct seal *seal, const uint8_t *data, size_t bytes)
{
    uint8_t *memory = malloc(bytes > 0 ? bytes : 1);
    struct cpi_batch *batch = (struct cpi_batch *)(void *)memory;

    must(memory != NULL);
    if (bytes > 0)
        memcpy(memory, data, bytes);
    if (bytes >= SEAL_TAG_BYTES && cpi_batch_check(batch, bytes - SEAL_TAG_BYTES) == CPMP_OK)
        must(seal_open(seal, batch) == CPMP_EPROTO);
    free(memory);
}

/* The input as frames. */
static void frames_travel(struct seal *from, struct seal *to, const uint8_t *data, size_t bytes)
{
    uint8_t *memory = malloc(sizeof(struct cpi_batch) + bytes + SEAL_TAG_BYTES);
    struct cpi_batch *batch = (struct cpi_batch *)(void *)memory;
    struct iovec runs[2] = {{(void *)(uintptr_t)data, bytes / 3},
                            {(void *)(uintptr_t)(data + bytes / 3), bytes - bytes / 3}};

    must(memory != NULL);
    *batch = (struct cpi_batch){.magic = CPI_BATCH_MAGIC, .bytes = (uint32_t)bytes, .sequence = 1};
    must(seal_close(from, batch, runs, bytes > 0 ? 2 : 0, (uint8_t *)(batch + 1)) == CPMP_OK);
    must(seal_open(to, batch) == CPMP_OK && (bytes == 0 || memcmp(batch + 1, data, bytes) == 0));
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const uint8_t key[CPI_KEY_BYTES] = {1};
    const struct cpi_hello hello = {.nonce = {2}}, welcome = {.nonce = {3}};
    struct seal connector, acceptor;

    must(seal_init(&connector, key, &hello, &welcome, false) == CPMP_OK);
    must(seal_init(&acceptor, key, &hello, &welcome, true) == CPMP_OK);
    message_open(&acceptor, data, bytes);
    frames_travel(&connector, &acceptor, data, bytes);
    seal_release(&connector);
    seal_release(&acceptor);
    return 0;
}
