/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_CONTROL_CODEC_H
#define CPI_CONTROL_CODEC_H

/*
 * Control messages as bytes: each is its length (4 bytes, little-endian), then a packed
 * Cpmp__Control.
 *
 * The decoder takes bytes as they come, in pieces of any size, and hands out whole messages. It
 * does no I/O. What is no message (a length of 0 or above the limit, bytes that protobuf refuses, a
 * message without a body that this version knows) ends it for good: after an error nothing more is
 * decoded. What the messages mean and promise: control/rules.h.
 */

#include <stddef.h>
#include <stdint.h>

#include "wire/control.pb-c.h"

#define CONTROL_BYTES_MAX    (1u << 20)  /* a packed message */
#define CONTROL_PREFIX_BYTES 4u

/* `message` is valid during the call only. Returns 0 to go on, other than 0 to stop decoding (the
 * owner is closing the stream). */
typedef int control_message_fn(void *arg, Cpmp__Control *message);

struct control_decoder {
    unsigned char *bytes;  /* the message under way, prefix included; owned */
    size_t capacity_bytes;
    size_t have_bytes;
    int error;             /* first error; sticky */
};

void control_decoder_init(struct control_decoder *decoder);
void control_decoder_release(struct control_decoder *decoder);

/* Decodes `count` more bytes and calls `on_message` for each message that they complete. CPMP_OK,
 * CPMP_EPROTO, CPMP_ENOMEM, or CPMP_ECANCELED when on_message stopped it. */
int control_decoder_feed(struct control_decoder *decoder, const void *bytes, size_t count,
                         control_message_fn *on_message, void *arg);

/* 1 when a message has begun and not ended: an end of file here cuts it. */
int control_decoder_in_message(const struct control_decoder *decoder);

/* Bytes that `message` takes on the stream, prefix included; 0 when it is too large to be sent. */
size_t control_message_bytes(const Cpmp__Control *message);

/* Writes `message`, control_message_bytes() long, to `out`. */
void control_message_pack(const Cpmp__Control *message, void *out);

/* A copy of any protobuf message, for the caller to free as an unpacked one. */
ProtobufCMessage *control_message_copy(const ProtobufCMessage *message);

#endif
