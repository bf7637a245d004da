/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Control messages: whatever the bytes, and however the socket cuts them, the decoder must hand out
 * the same messages and come to the same end; and what it hands out must survive being packed
 * again.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "control/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* What came out of a decoder: a hash over the packed messages. */
struct outcome {
    uint64_t hash;
    size_t messages;
    int error;
    int in_message;
};

static int
on_message(void *arg, Cpmp__Control *message)
{
    struct outcome *outcome = arg;
    size_t bytes = control_message_bytes(message);
    unsigned char *packed;

    outcome->messages++;
    if (bytes == 0)
        return 0;  /* unknown fields made it grow past the limit */
    packed = malloc(bytes);
    assert(packed);
    control_message_pack(message, packed);
    for (size_t i = 0; i < bytes; i++)
        outcome->hash = (outcome->hash ^ packed[i]) * 0x100000001b3u;
    free(packed);
    return 0;
}

static struct outcome
decode(const uint8_t *data, size_t bytes, size_t piece)
{
    struct outcome outcome = {0};
    struct control_decoder decoder;

    control_decoder_init(&decoder);
    for (size_t at = 0; at < bytes && !outcome.error; at += piece) {
        size_t count = bytes - at < piece ? bytes - at : piece;
        outcome.error = control_decoder_feed(&decoder, data + at, count, on_message, &outcome);
    }
    outcome.in_message = control_decoder_in_message(&decoder);
    if (outcome.error)
        assert(control_decoder_feed(&decoder, "x", 1, on_message, NULL) == outcome.error);
    control_decoder_release(&decoder);
    return outcome;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const size_t pieces[] = {1, 3, 7, 64};
    struct outcome whole = decode(data, bytes, bytes ? bytes : 1);

    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct outcome cut = decode(data, bytes, pieces[i]);
        assert(cut.messages == whole.messages && cut.hash == whole.hash);
        assert(cut.error == whole.error);
        assert(cut.error || cut.in_message == whole.in_message);
    }
    return 0;
}
