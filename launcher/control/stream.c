/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/stream.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cpmp.h>

static void stream_fly(struct control_stream *stream);

static struct control_stream *
stream_of(void *data)
{
    return data;
}

/* --- the end --- */

static void
on_pipe_closed(uv_handle_t *handle)
{
    struct control_stream *stream = stream_of(handle->data);

    free(stream->waiting.bytes);
    free(stream->flying.bytes);
    memset(&stream->waiting, 0, sizeof(stream->waiting));
    memset(&stream->flying, 0, sizeof(stream->flying));
    control_decoder_release(&stream->decoder);
    stream->hooks->on_closed(stream->arg, stream->error, stream->why);
}

static void
stream_break(struct control_stream *stream, int error, const char *why)
{
    if (stream->closing)
        return;
    stream->closing = 1;
    stream->error = error;
    stream->why = why;
    uv_close((uv_handle_t *)&stream->pipe, on_pipe_closed);
}

void
control_stream_close(struct control_stream *stream)
{
    stream_break(stream, CPMP_ECANCELED, "closed");
}

static int
stream_is_drained(const struct control_stream *stream)
{
    return stream->flying.used == 0 && stream->waiting.used == 0;
}

void
control_stream_finish(struct control_stream *stream)
{
    stream->finishing = 1;
    if (stream_is_drained(stream))
        control_stream_close(stream);
}

/* --- sending --- */

static int
buffer_reserve(struct control_buffer *buffer, size_t more)
{
    size_t capacity = buffer->capacity ? buffer->capacity : 4096;
    char *bytes;

    if (buffer->capacity - buffer->used >= more)
        return CPMP_OK;
    while (capacity - buffer->used < more)
        capacity *= 2;
    bytes = realloc(buffer->bytes, capacity);
    if (bytes == NULL)
        return CPMP_ENOMEM;
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return CPMP_OK;
}

size_t
control_stream_queued_bytes(const struct control_stream *stream)
{
    return stream->waiting.used + stream->flying.used;
}

int
control_stream_has_room(struct control_stream *stream)
{
    if (stream->closing || stream->finishing)
        return 0;
    if (control_stream_queued_bytes(stream) <= CONTROL_ROOM_BYTES)
        return 1;
    stream->lacks_room = 1;
    return 0;
}

static int
is_gone(int status)
{
    return status == UV_EPIPE || status == UV_ECONNRESET;
}

static void
on_written(uv_write_t *write, int status)
{
    struct control_stream *stream = stream_of(write->data);

    stream->flying.used = 0;
    if (stream->closing)
        return;
    /* Whoever is gone may have left last words: on_read finds them, and then the end. */
    if (is_gone(status)) {
        stream->deaf = 1;
        stream->waiting.used = 0;
    } else if (status < 0) {
        stream_break(stream, CPMP_ESYS, uv_strerror(status));
        return;
    }
    if (stream->waiting.used > 0)
        stream_fly(stream);
    else if (stream->finishing)
        control_stream_close(stream);
    if (stream->lacks_room && control_stream_has_room(stream)) {
        stream->lacks_room = 0;
        if (stream->hooks->on_room)
            stream->hooks->on_room(stream->arg);
    }
}

/* Gives everything that waits to libuv, as one write. */
static void
stream_fly(struct control_stream *stream)
{
    struct control_buffer empty = stream->flying;
    uv_buf_t piece;
    int status;

    assert(stream->flying.used == 0);
    stream->flying = stream->waiting;
    stream->waiting = empty;
    piece = uv_buf_init(stream->flying.bytes, (unsigned)stream->flying.used);
    status = uv_write(&stream->write, (uv_stream_t *)&stream->pipe, &piece, 1, on_written);
    if (status < 0) {
        stream->flying.used = 0;
        stream_break(stream, CPMP_ESYS, uv_strerror(status));
    }
}

/* When nothing is queued the socket mostly takes the message at once. */
static void
stream_write_now(struct control_stream *stream)
{
    uv_buf_t piece = uv_buf_init(stream->waiting.bytes, (unsigned)stream->waiting.used);
    int written = uv_try_write((uv_stream_t *)&stream->pipe, &piece, 1);

    if (written > 0) {
        stream->waiting.used -= (size_t)written;
        memmove(stream->waiting.bytes, stream->waiting.bytes + written, stream->waiting.used);
    }
    if (stream->waiting.used > 0)
        stream_fly(stream);
}

int
control_stream_send(struct control_stream *stream, const Cpmp__Control *message)
{
    size_t bytes;

    if (stream->closing || stream->finishing)
        return CPMP_ESTATE;
    bytes = control_message_bytes(message);
    if (bytes == 0)
        return CPMP_ELIMIT;
    if (stream->deaf)
        return CPMP_OK;
    if (control_stream_queued_bytes(stream) + bytes > CONTROL_QUEUE_BYTES_MAX) {
        stream_break(stream, CPMP_ELIMIT, "the other side does not read");
        return CPMP_ELIMIT;
    }
    if (buffer_reserve(&stream->waiting, bytes) != CPMP_OK) {
        stream_break(stream, CPMP_ENOMEM, "out of memory");
        return CPMP_ENOMEM;
    }
    control_message_pack(message, stream->waiting.bytes + stream->waiting.used);
    stream->waiting.used += bytes;
    if (stream->flying.used == 0)
        stream_write_now(stream);
    return CPMP_OK;
}

/* --- receiving --- */

static int
on_decoded(void *arg, Cpmp__Control *message)
{
    struct control_stream *stream = arg;

    stream->hooks->on_message(stream->arg, message);
    return stream->closing;
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct control_stream *stream = stream_of(handle->data);

    (void)suggested;
    *buffer = uv_buf_init(stream->read_bytes, sizeof(stream->read_bytes));
}

static void
on_read(uv_stream_t *pipe, ssize_t count, const uv_buf_t *buffer)
{
    struct control_stream *stream = stream_of(pipe->data);
    int error;

    if (count == 0 || stream->closing)
        return;
    if (count == UV_EOF || is_gone((int)count)) {
        bool within = control_decoder_in_message(&stream->decoder);
        stream_break(stream, within ? CPMP_EPROTO : CPMP_OK,
                     within ? "end of file within a message" : "end of file");
        return;
    }
    if (count < 0) {
        stream_break(stream, CPMP_ESYS, uv_strerror((int)count));
        return;
    }
    error = control_decoder_feed(&stream->decoder, buffer->base, (size_t)count, on_decoded, stream);
    if (error == CPMP_ENOMEM)
        stream_break(stream, error, "out of memory");
    else if (error != CPMP_OK && error != CPMP_ECANCELED)
        stream_break(stream, error, "malformed message");
}

void
control_stream_pause(struct control_stream *stream, int pause)
{
    if (stream->closing)
        return;
    if (pause)
        uv_read_stop((uv_stream_t *)&stream->pipe);
    else
        uv_read_start((uv_stream_t *)&stream->pipe, on_alloc, on_read);  /* EALREADY is fine */
}

/* What libuv would refuse is refused before libuv has a part in it. */
static int
fd_prepare(int fd)
{
    int type = 0;
    socklen_t bytes = sizeof(type);
    int flags = fcntl(fd, F_GETFD);

    if (flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0)
        return CPMP_ESYS;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) < 0)
        return CPMP_ESYS;
    if (type != SOCK_STREAM) {
        errno = EPROTOTYPE;
        return CPMP_ESYS;
    }
    return CPMP_OK;
}

int
control_stream_init(struct control_stream *stream, uv_loop_t *loop, int fd,
                    const struct control_stream_hooks *hooks, void *arg)
{
    int status;

    if (fd_prepare(fd) != CPMP_OK)
        return CPMP_ESYS;
    memset(stream, 0, offsetof(struct control_stream, read_bytes));
    if (uv_pipe_init(loop, &stream->pipe, 0) < 0)
        return CPMP_ESYS;
    stream->hooks = hooks;
    stream->arg = arg;
    stream->pipe.data = stream;
    stream->write.data = stream;
    control_decoder_init(&stream->decoder);
    status = uv_pipe_open(&stream->pipe, fd);
    if (status == 0)
        status = uv_read_start((uv_stream_t *)&stream->pipe, on_alloc, on_read);
    if (status < 0)
        stream_break(stream, CPMP_ESYS, uv_strerror(status));
    return CPMP_OK;
}
