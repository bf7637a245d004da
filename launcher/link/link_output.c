/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "link/link_state.h"
#include "text/memory.h"

#define FLYING_BYTES_MAX (256u << 10)
#define RECORD_BYTES     16384u  /* of plaintext in a TLS record */

size_t
link_queued_bytes(const struct link *link)
{
    const unsigned char *bytes;

    return link->early.used + (link->tls != NULL ? tls_outgoing(link->tls, &bytes) : 0);
}

int
link_has_room(struct link *link)
{
    if (link->state >= LINK_ENDING || link->got_bye)
        return 0;
    if (link_queued_bytes(link) <= LINK_ROOM_BYTES)
        return 1;
    link->lacks_room = 1;
    return 0;
}

static void
on_shut(uv_shutdown_t *request, int status)
{
    (void)request;
    (void)status;  /* the end of file, or the timer, ends it either way */
}

/* All is written. */
static void
flushed(struct link *link)
{
    if (link->state == LINK_ENDING && !link->shutting) {
        link->shutting = 1;
        if (link->deaf ||
            uv_shutdown(&link->shutdown, (uv_stream_t *)link->tcp, on_shut) < 0)
            link_destroy(link);
    }
}

/* What comes in may still say why, so only sending ends here. */
static void
go_deaf(struct link *link)
{
    const unsigned char *bytes;

    link->deaf = 1;
    tls_sent(link->tls, tls_outgoing(link->tls, &bytes));
}

static void
on_written(uv_write_t *request, int status)
{
    struct link *link = request->data;

    free(link->flying);
    link->flying = NULL;
    link->writing = 0;
    if (link->state == LINK_GONE || link->tls == NULL)
        return;
    if (status < 0)
        go_deaf(link);
    link_flush(link);
}

/* The socket is full: a copy goes by libuv, which calls back when there is room. */
static void
fly(struct link *link, const unsigned char *bytes, size_t count)
{
    uv_buf_t piece;
    int status;

    count = count < FLYING_BYTES_MAX ? count : FLYING_BYTES_MAX;
    link->flying = memory_new(1, count);
    memcpy(link->flying, bytes, count);
    tls_sent(link->tls, count);
    piece = uv_buf_init(link->flying, (unsigned)count);
    link->write.data = link;
    link->writing = 1;
    status = uv_write(&link->write, (uv_stream_t *)link->tcp, &piece, 1, on_written);
    if (status < 0) {
        free(link->flying);
        link->flying = NULL;
        link->writing = 0;
        go_deaf(link);
    }
}

static void
tell_room(struct link *link)
{
    if (link->lacks_room && link->state < LINK_ENDING &&
        link_queued_bytes(link) <= LINK_ROOM_BYTES) {
        link->lacks_room = 0;
        if (link->hooks->on_room != NULL)
            link->hooks->on_room(link->arg, link);
    }
}

void
link_flush(struct link *link)
{
    const unsigned char *bytes;
    size_t count;

    if (link->tcp == NULL || link->tls == NULL)
        return;
    if (link->deaf)
        go_deaf(link);
    while (!link->writing && (count = tls_outgoing(link->tls, &bytes)) > 0) {
        uv_buf_t piece = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)count);
        int written = uv_try_write((uv_stream_t *)link->tcp, &piece, 1);

        if (written > 0)
            tls_sent(link->tls, (size_t)written);
        else if (written == UV_EAGAIN || written == 0)
            fly(link, bytes, count);
        else
            go_deaf(link);
    }
    if (!link->writing)
        flushed(link);
    tell_room(link);
}

/* Prefix and content share a record as far as they fit. */
static int
frame_encrypt(struct link *link, const unsigned char *prefix, const void *bytes, size_t count)
{
    char first[RECORD_BYTES];
    size_t part = count < sizeof(first) - FRAMES_PREFIX_BYTES ? count
                                                             : sizeof(first) - FRAMES_PREFIX_BYTES;
    int error;

    memcpy(first, prefix, FRAMES_PREFIX_BYTES);
    if (part > 0)
        memcpy(first + FRAMES_PREFIX_BYTES, bytes, part);
    error = tls_write(link->tls, first, FRAMES_PREFIX_BYTES + part);
    if (error == CPMP_OK && part < count)
        error = tls_write(link->tls, (const char *)bytes + part, count - part);
    return error;
}

void
link_frame(struct link *link, enum frames_kind kind, const void *bytes, size_t count)
{
    unsigned char prefix[FRAMES_PREFIX_BYTES];

    frames_prefix(kind, count, prefix);
    if (kind == FRAMES_MESSAGE && link->state < LINK_UP) {
        text_add(&link->early, prefix, sizeof(prefix));
        text_add(&link->early, bytes, count);
        return;
    }
    if (frame_encrypt(link, prefix, bytes, count) != CPMP_OK)
        link_fail_tls(link);
    else
        link_flush(link);
}

int
link_send(struct link *link, const void *bytes, size_t count)
{
    if (link->state >= LINK_ENDING || link->got_bye)
        return CPMP_ESTATE;
    if (count > FRAMES_BYTES_MAX)
        return CPMP_ELIMIT;
    if (link_queued_bytes(link) + count > LINK_QUEUE_BYTES_MAX) {
        link_fail(link, LINK_END_BACKLOG, "the other side does not read what it is sent");
        return CPMP_ELIMIT;
    }
    link->used_ms = uv_now(link->loop);
    link_frame(link, FRAMES_MESSAGE, bytes, count);
    return CPMP_OK;
}

void
link_inherit(struct link *link, struct link *from)
{
    struct text early = from->early;

    if (from->state >= LINK_UP || link->state != LINK_UP || early.used == 0)
        return;
    memset(&from->early, 0, sizeof(from->early));
    if (tls_write(link->tls, early.bytes, early.used) != CPMP_OK)
        link_fail_tls(link);
    else
        link_flush(link);
    text_release(&early);
}

void
link_ping(struct link *link)
{
    uint64_t now_us = uv_hrtime() / 1000;
    unsigned char bytes[8];

    link->ping_us = now_us;
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(now_us >> 8 * i);
    link_frame(link, FRAMES_PING, bytes, sizeof(bytes));
}
