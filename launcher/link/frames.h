/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_LINK_FRAMES_H
#define CPI_LINK_FRAMES_H

/*
 * Frames of a link inside its TLS session: 4 bytes, little-endian, the length of what follows (24
 * bits) and the kind (8 bits), then that. The decoder takes bytes in pieces of any size and gives
 * out whole frames; it reserves memory only as bytes arrive, and after an error it gives nothing.
 */

#include <stddef.h>

#include "text/text.h"

#define FRAMES_BYTES_MAX    (1u << 20)  /* of a message */
#define FRAMES_PREFIX_BYTES 4u
#define FRAMES_SMALL_MAX    256u        /* of any other kind */

enum frames_kind {
    FRAMES_MESSAGE = 0,   /* the user's */
    FRAMES_HELLO = 1,     /* the first of each side */
    FRAMES_PING = 2,      /* asks for a pong with the same bytes */
    FRAMES_PONG = 3,
    FRAMES_BYE = 4,       /* the last: why, in words; the other side sends what it has, and ends */
    FRAMES_KINDS
};

/* The bytes are valid during the call only. Not 0 stops decoding (the link is ending). */
typedef int frames_fn(void *arg, enum frames_kind kind, const char *bytes, size_t count);

/* Zeroed memory is a decoder whose messages are limited to FRAMES_BYTES_MAX. */
struct frames_decoder {
    struct text bytes;    /* the frame under way */
    size_t limit;         /* of a message; 0: FRAMES_BYTES_MAX */
    int error;
};

void frames_release(struct frames_decoder *decoder);

/* CPMP_OK; CPMP_EPROTO for a frame of an unknown kind or beyond its limit; CPMP_ECANCELED when
 * on_frame stopped it. */
int frames_feed(struct frames_decoder *decoder, const void *bytes, size_t count,
                frames_fn *on_frame, void *arg);

/* 1 when a frame has begun and not ended. */
int frames_in_frame(const struct frames_decoder *decoder);

/* What stands before `count` bytes of that kind. */
void frames_prefix(enum frames_kind kind, size_t count, unsigned char out[FRAMES_PREFIX_BYTES]);

#endif
