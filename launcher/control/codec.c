/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/codec.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "text/memory.h"

#define FIRST_CAPACITY_BYTES 4096u

void
control_decoder_init(struct control_decoder *decoder)
{
    memset(decoder, 0, sizeof(*decoder));
}

void
control_decoder_release(struct control_decoder *decoder)
{
    free(decoder->bytes);
    memset(decoder, 0, sizeof(*decoder));
}

int
control_decoder_in_message(const struct control_decoder *decoder)
{
    return decoder->have_bytes > 0;
}

static size_t
prefix_read(const unsigned char *bytes)
{
    return (size_t)bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 |
           (size_t)bytes[3] << 24;
}

/* Grows by doubling, and only as bytes really arrive: a length alone reserves nothing. */
static int
decoder_reserve(struct control_decoder *decoder, size_t need_bytes)
{
    size_t capacity = decoder->capacity_bytes ? decoder->capacity_bytes : FIRST_CAPACITY_BYTES;
    unsigned char *bytes;

    if (need_bytes <= decoder->capacity_bytes)
        return CPMP_OK;
    while (capacity < need_bytes)
        capacity *= 2;
    bytes = realloc(decoder->bytes, capacity);
    if (bytes == NULL)
        return CPMP_ENOMEM;
    decoder->bytes = bytes;
    decoder->capacity_bytes = capacity;
    return CPMP_OK;
}

static int
message_unpack(const unsigned char *bytes, size_t count, control_message_fn *on_message, void *arg)
{
    Cpmp__Control *message = cpmp__control__unpack(NULL, count, bytes);
    int stop;

    if (message == NULL)
        return CPMP_EPROTO;
    if (message->body_case == CPMP__CONTROL__BODY__NOT_SET) {
        cpmp__control__free_unpacked(message, NULL);
        return CPMP_EPROTO;
    }
    stop = on_message(arg, message);
    cpmp__control__free_unpacked(message, NULL);
    return stop ? CPMP_ECANCELED : CPMP_OK;
}

/* Decodes the messages that lie whole in `bytes`; *used_p is where the rest begins. */
static int
decode_whole(const unsigned char *bytes, size_t count, size_t *used_p,
             control_message_fn *on_message, void *arg)
{
    size_t used = 0;

    while (count - used >= CONTROL_PREFIX_BYTES) {
        size_t length = prefix_read(bytes + used);
        int error;

        if (length == 0 || length > CONTROL_BYTES_MAX)
            return CPMP_EPROTO;
        if (count - used - CONTROL_PREFIX_BYTES < length)
            break;
        error = message_unpack(bytes + used + CONTROL_PREFIX_BYTES, length, on_message, arg);
        if (error)
            return error;
        used += CONTROL_PREFIX_BYTES + length;
    }
    *used_p = used;
    return CPMP_OK;
}

/* Adds to the message under way what it still lacks, at most; returns how many bytes were taken. */
static int
decoder_top_up(struct control_decoder *decoder, const unsigned char *bytes, size_t count,
               size_t *taken_p)
{
    size_t want = CONTROL_PREFIX_BYTES;
    size_t take;
    int error;

    if (decoder->have_bytes >= CONTROL_PREFIX_BYTES) {
        size_t length = prefix_read(decoder->bytes);
        if (length == 0 || length > CONTROL_BYTES_MAX)
            return CPMP_EPROTO;
        want += length;
    }
    take = want - decoder->have_bytes < count ? want - decoder->have_bytes : count;
    error = decoder_reserve(decoder, decoder->have_bytes + take);
    if (error)
        return error;
    memcpy(decoder->bytes + decoder->have_bytes, bytes, take);
    decoder->have_bytes += take;
    *taken_p = take;
    return CPMP_OK;
}

static int
feed(struct control_decoder *decoder, const unsigned char *bytes, size_t count,
     control_message_fn *on_message, void *arg)
{
    size_t used;
    int error;

    while (count > 0) {
        if (decoder->have_bytes == 0) {
            error = decode_whole(bytes, count, &used, on_message, arg);
            if (error)
                return error;
            bytes += used;
            count -= used;
            if (count == 0)
                break;
        }
        error = decoder_top_up(decoder, bytes, count, &used);
        if (error)
            return error;
        bytes += used;
        count -= used;
        error = decode_whole(decoder->bytes, decoder->have_bytes, &used, on_message, arg);
        if (error)
            return error;
        assert(used == 0 || used == decoder->have_bytes);
        decoder->have_bytes -= used;
    }
    return CPMP_OK;
}

int
control_decoder_feed(struct control_decoder *decoder, const void *bytes, size_t count,
                     control_message_fn *on_message, void *arg)
{
    if (!decoder->error)
        decoder->error = feed(decoder, bytes, count, on_message, arg);
    return decoder->error;
}

size_t
control_message_bytes(const Cpmp__Control *message)
{
    size_t length = cpmp__control__get_packed_size(message);

    if (length == 0 || length > CONTROL_BYTES_MAX)
        return 0;
    return CONTROL_PREFIX_BYTES + length;
}

void
control_message_pack(const Cpmp__Control *message, void *out)
{
    unsigned char *bytes = out;
    size_t length = cpmp__control__pack(message, bytes + CONTROL_PREFIX_BYTES);

    bytes[0] = (unsigned char)length;
    bytes[1] = (unsigned char)(length >> 8);
    bytes[2] = (unsigned char)(length >> 16);
    bytes[3] = (unsigned char)(length >> 24);
}

ProtobufCMessage *
control_message_copy(const ProtobufCMessage *message)
{
    size_t count = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = memory_new(1, count);
    ProtobufCMessage *copy;

    protobuf_c_message_pack(message, bytes);
    copy = protobuf_c_message_unpack(message->descriptor, NULL, count, bytes);
    free(bytes);
    if (copy == NULL)
        memory_none();
    return copy;
}
