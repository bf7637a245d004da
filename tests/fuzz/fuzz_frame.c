/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A batch of frames from another peer: cpi_frame_check lets through only what a receiver may walk
 * over and hand on without looking at sizes again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    size_t at = 0;

    while (at < bytes && cpi_frame_check(data + at, bytes - at, RANKS) == CPMP_OK) {
        const struct cpi_frame *frame = (const struct cpi_frame *)(data + at);
        frame_use(frame, bytes - at);
        at += cpi_frame_stride(frame->size);
    }
    return 0;
}
