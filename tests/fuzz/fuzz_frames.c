/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Frames of links: whatever the bytes, and however they are cut, the decoder gives out the same
 * frames, each within its limit, and comes to the same end.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "link/frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct outcome {
    uint64_t hash;
    size_t frames, limit;
    int error, in_frame;
};

static int
on_frame(void *arg, enum frames_kind kind, const char *bytes, size_t count)
{
    struct outcome *outcome = arg;

    assert(kind < FRAMES_KINDS);
    assert(count <= (kind == FRAMES_MESSAGE ? outcome->limit : FRAMES_SMALL_MAX));
    outcome->frames++;
    outcome->hash = (outcome->hash ^ (uint64_t)kind ^ count << 8) * 0x100000001b3u;
    for (size_t i = 0; i < count; i++)
        outcome->hash = (outcome->hash ^ (uint8_t)bytes[i]) * 0x100000001b3u;
    return outcome->frames == 1000;
}

static struct outcome
decode(const uint8_t *data, size_t bytes, size_t piece, size_t limit)
{
    struct outcome outcome = {.limit = limit};
    struct frames_decoder decoder = {.limit = limit};

    for (size_t at = 0; at < bytes && !outcome.error; at += piece) {
        size_t count = bytes - at < piece ? bytes - at : piece;
        outcome.error = frames_feed(&decoder, data + at, count, on_frame, &outcome);
    }
    outcome.in_frame = frames_in_frame(&decoder);
    if (outcome.error)
        assert(frames_feed(&decoder, "x", 1, on_frame, &outcome) == outcome.error);
    frames_release(&decoder);
    return outcome;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const size_t pieces[] = {1, 3, 5, 64}, limits[] = {FRAMES_BYTES_MAX, 600};

    for (size_t k = 0; k < 2; k++) {
        struct outcome whole = decode(data, bytes, bytes ? bytes : 1, limits[k]);

        for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
            struct outcome cut = decode(data, bytes, pieces[i], limits[k]);
            assert(cut.frames == whole.frames && cut.hash == whole.hash);
            assert(cut.error == whole.error);
            assert(cut.error || cut.in_frame == whole.in_frame);
        }
    }
    return 0;
}
