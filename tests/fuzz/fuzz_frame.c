/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What comes from another peer: cpi_frame_check lets through only frames that a receiver may walk
 * over and hand on without looking at sizes again, cpi_batch_next only those that lie in their
 * batch, cpi_hello_check only a whole greeting.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "wire/fabric.h"
#include "wire/frame.h"

#define RANKS 16u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void must(int holds)
{
    if (!holds)
        abort();
}

/* What a receiver does with a frame it was told is right. */
static void frame_use(const struct cpi_frame *frame, size_t available)
{
    size_t payload = cpi_frame_payload_bytes(frame);
    const uint8_t *start = (const uint8_t *)(frame + 1);
    volatile uint8_t touched = 0;

    must(frame->size <= available && frame->size <= CPI_FRAME_MAX);
    must(frame->kind > CPI_FRAME_PAD && frame->kind < CPI_FRAME_KIND_END);
    must(frame->source < RANKS || frame->source == CPI_RANK_AGENT);
    must(frame->dest < RANKS || frame->dest == CPI_RANK_AGENT);
    for (size_t i = 0; i < payload; i++)
        touched ^= start[i];
    if (frame->kind == CPI_FRAME_CTS) {
        struct cpi_frame_cts cts;
        must(payload >= sizeof cts);
        memcpy(&cts, start, sizeof cts);
        touched ^= (uint8_t)cts.receiver;
    }
}

/* The input as the frames of a batch, whose header says what it should, but for the count. */
static void batch_walk(const uint8_t *data, size_t bytes)
{
    size_t frame_bytes = bytes & ~(size_t)(CPI_FRAME_ALIGN - 1), seen = 0;
    char *memory = malloc(sizeof(struct cpi_batch) + frame_bytes);
    struct cpi_batch *batch = (struct cpi_batch *)(void *)memory;
    const struct cpi_frame *frame = NULL;
    struct cpi_batch_reader reader;
    uint32_t count = 0;
    int error;

    must(memory != NULL);
    *batch = (struct cpi_batch){.magic = CPI_BATCH_MAGIC, .bytes = (uint32_t)frame_bytes,
                                .frames = bytes > 0 ? data[bytes - 1] % 16 : 0};
    if (frame_bytes > 0)
        memcpy(batch + 1, data, frame_bytes);
    error = cpi_batch_check(batch, sizeof *batch + frame_bytes);
    must(error != CPMP_OK || batch->frames <= frame_bytes / CPI_FRAME_ALIGN);
    if (error == CPMP_OK) {
        cpi_batch_reader_init(&reader, batch);
        while ((error = cpi_batch_next(&reader, RANKS, &frame)) == CPMP_OK && frame != NULL) {
            frame_use(frame, frame_bytes - seen);
            seen += cpi_frame_stride(frame->size);
            count++;
        }
        must(error != CPMP_OK || (seen == frame_bytes && count == batch->frames));
    }
    free(memory);
}

/* A greeting that is whole: its first words are made right, the rest is the input. */
static void hello_look(const uint8_t *data, size_t bytes)
{
    struct cpi_hello hello = {0};

    memcpy(&hello, data, bytes < sizeof hello ? bytes : sizeof hello);
    if (bytes > 0 && data[0] % 2 == 0) {
        hello.magic = CPI_HELLO_MAGIC;
        hello.version = CPI_FABRIC_VERSION;
        hello.frame_version = CPI_FRAME_VERSION;
    }
    if (cpi_hello_check(&hello, bytes, CPI_ROLE_HELLO) == CPMP_OK)
        must(bytes >= sizeof hello && hello.role == CPI_ROLE_HELLO && hello.from != hello.to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    size_t at = 0;

    batch_walk(data, bytes);
    hello_look(data, bytes);

    while (at < bytes && cpi_frame_check(data + at, bytes - at, RANKS) == CPMP_OK) {
        const struct cpi_frame *frame = (const struct cpi_frame *)(data + at);
        frame_use(frame, bytes - at);
        at += cpi_frame_stride(frame->size);
    }
    return 0;
}
