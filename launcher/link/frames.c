/* SPDX-License-Identifier: BSD-3-Clause */
#include "link/frames.h"

#include <assert.h>
#include <string.h>

#include <cpmp.h>

#define KEPT_BYTES_MAX (64u << 10)

void
frames_release(struct frames_decoder *decoder)
{
    text_release(&decoder->bytes);
    memset(decoder, 0, sizeof(*decoder));
}

int
frames_in_frame(const struct frames_decoder *decoder)
{
    return decoder->bytes.used > 0;
}

void
frames_prefix(enum frames_kind kind, size_t count, unsigned char out[FRAMES_PREFIX_BYTES])
{
    assert(count <= FRAMES_BYTES_MAX);
    out[0] = (unsigned char)count;
    out[1] = (unsigned char)(count >> 8);
    out[2] = (unsigned char)(count >> 16);
    out[3] = (unsigned char)kind;
}

/* The length of the frame that begins at `prefix`, without it; -1 when there can be none such. */
static long
frame_length(const struct frames_decoder *decoder, const unsigned char *prefix)
{
    size_t length = (size_t)prefix[0] | (size_t)prefix[1] << 8 | (size_t)prefix[2] << 16;
    size_t limit = decoder->limit ? decoder->limit : FRAMES_BYTES_MAX;

    if (prefix[3] >= FRAMES_KINDS)
        return -1;
    if (prefix[3] != FRAMES_MESSAGE)
        limit = FRAMES_SMALL_MAX;
    return length <= limit ? (long)length : -1;
}

/* Gives out the frames that lie whole in `bytes`; *used_p is where the rest begins. */
static int
give_whole(struct frames_decoder *decoder, const char *bytes, size_t count, size_t *used_p,
           frames_fn *on_frame, void *arg)
{
    size_t used = 0;

    while (count - used >= FRAMES_PREFIX_BYTES) {
        const unsigned char *prefix = (const unsigned char *)bytes + used;
        long length = frame_length(decoder, prefix);

        if (length < 0)
            return CPMP_EPROTO;
        if (count - used - FRAMES_PREFIX_BYTES < (size_t)length)
            break;
        used += FRAMES_PREFIX_BYTES + (size_t)length;
        if (on_frame(arg, (enum frames_kind)prefix[3],
                     (const char *)prefix + FRAMES_PREFIX_BYTES, (size_t)length))
            return CPMP_ECANCELED;
    }
    *used_p = used;
    return CPMP_OK;
}

/* Adds what the frame under way still lacks, at most; *took_p tells how much. */
static int
top_up(struct frames_decoder *decoder, const char *bytes, size_t count, size_t *took_p)
{
    size_t want = FRAMES_PREFIX_BYTES;
    size_t lacks;

    if (decoder->bytes.used >= FRAMES_PREFIX_BYTES) {
        long length = frame_length(decoder, (const unsigned char *)decoder->bytes.bytes);

        if (length < 0)
            return CPMP_EPROTO;
        want += (size_t)length;
    }
    lacks = want - decoder->bytes.used;
    *took_p = lacks < count ? lacks : count;
    text_add(&decoder->bytes, bytes, *took_p);
    return CPMP_OK;
}

static void
frame_forget(struct frames_decoder *decoder)
{
    if (decoder->bytes.capacity > KEPT_BYTES_MAX)
        text_release(&decoder->bytes);
    else
        text_clear(&decoder->bytes);
}

static int
feed(struct frames_decoder *decoder, const char *bytes, size_t count, frames_fn *on_frame,
     void *arg)
{
    int error = CPMP_OK;
    size_t used;

    while (count > 0 && error == CPMP_OK) {
        if (decoder->bytes.used == 0) {
            error = give_whole(decoder, bytes, count, &used, on_frame, arg);
            if (error != CPMP_OK || used == count)
                break;
            bytes += used;
            count -= used;
        }
        error = top_up(decoder, bytes, count, &used);
        if (error != CPMP_OK)
            break;
        bytes += used;
        count -= used;
        error = give_whole(decoder, decoder->bytes.bytes, decoder->bytes.used, &used, on_frame,
                           arg);
        if (error == CPMP_OK && used > 0)
            frame_forget(decoder);
    }
    return error;
}

int
frames_feed(struct frames_decoder *decoder, const void *bytes, size_t count, frames_fn *on_frame,
            void *arg)
{
    if (decoder->error == CPMP_OK)
        decoder->error = feed(decoder, bytes, count, on_frame, arg);
    return decoder->error;
}
