/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/stream.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cpmp.h>

#include "system/clock.h"

static void stream_fly(struct control_stream *stream);
static void stream_flush(struct control_stream *stream);

static struct control_stream *
stream_of(void *data)
{
    return data;
}

/* --- the end --- */

static void
buffer_release(struct control_buffer *buffer)
{
    free(buffer->bytes);
    memset(buffer, 0, sizeof(*buffer));
}

static void
on_handle_closed(uv_handle_t *handle)
{
    struct control_stream *stream = stream_of(handle->data);
    struct tls *tls = stream->tls;

    if (--stream->open_handles > 0)
        return;
    buffer_release(&stream->waiting);
    buffer_release(&stream->flying);
    buffer_release(&stream->plain);
    control_decoder_release(&stream->decoder);
    stream->tls = NULL;
    stream->hooks->on_closed(stream->arg, stream->error, stream->why);
    tls_free(tls);  /* `why` may be its text; the stream's own memory may be gone */
}

static void
stream_break(struct control_stream *stream, int error, const char *why)
{
    if (stream->closing)
        return;
    stream->closing = 1;
    stream->error = error;
    stream->why = why;
    uv_close(&stream->socket.handle, on_handle_closed);
    if (stream->tls != NULL)
        uv_close((uv_handle_t *)&stream->beat.timer, on_handle_closed);
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
    if (stream->closing || stream->finishing)
        return;
    stream->finishing = 1;
    if (stream->tls != NULL) {
        tls_close(stream->tls);
        stream_flush(stream);
    }
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
    status = uv_write(&stream->write, &stream->socket.stream, &piece, 1, on_written);
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
    int written = uv_try_write(&stream->socket.stream, &piece, 1);

    if (written > 0) {
        stream->waiting.used -= (size_t)written;
        memmove(stream->waiting.bytes, stream->waiting.bytes + written, stream->waiting.used);
    }
    if (stream->waiting.used > 0)
        stream_fly(stream);
}

/* Packs `message` behind what `buffer` holds. */
static int
buffer_pack(struct control_buffer *buffer, const Cpmp__Control *message, size_t bytes)
{
    if (buffer_reserve(buffer, bytes) != CPMP_OK)
        return CPMP_ENOMEM;
    control_message_pack(message, buffer->bytes + buffer->used);
    buffer->used += bytes;
    return CPMP_OK;
}

/* What the session has to say joins the queue, and what is queued goes out. */
static void
stream_flush(struct control_stream *stream)
{
    const unsigned char *bytes;
    size_t count = stream->tls != NULL ? tls_outgoing(stream->tls, &bytes) : 0;

    if (stream->closing)
        return;
    if (count > 0 && buffer_reserve(&stream->waiting, count) != CPMP_OK) {
        stream_break(stream, CPMP_ENOMEM, "out of memory");
        return;
    }
    if (count > 0) {
        memcpy(stream->waiting.bytes + stream->waiting.used, bytes, count);
        stream->waiting.used += count;
        tls_sent(stream->tls, count);
        stream->beat.spoken = true;
    }
    if (stream->deaf)
        stream->waiting.used = 0;
    if (stream->flying.used == 0 && stream->waiting.used > 0)
        stream_write_now(stream);
}

static int
message_queue(struct control_stream *stream, const Cpmp__Control *message, size_t bytes)
{
    if (stream->tls == NULL)
        return buffer_pack(&stream->waiting, message, bytes);
    stream->plain.used = 0;
    if (buffer_pack(&stream->plain, message, bytes) != CPMP_OK)
        return CPMP_ENOMEM;
    return tls_write(stream->tls, stream->plain.bytes, bytes);
}

int
control_stream_send(struct control_stream *stream, const Cpmp__Control *message)
{
    size_t bytes;
    int error;

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
    error = message_queue(stream, message, bytes);
    if (error != CPMP_OK) {
        stream_break(stream, error,
                     error == CPMP_ENOMEM ? "out of memory" : tls_error_text(stream->tls));
        return error;
    }
    stream_flush(stream);
    return CPMP_OK;
}

/* --- receiving --- */

/* Heartbeats are between the two streams; on a plain one there are none. */
static int
on_decoded(void *arg, Cpmp__Control *message)
{
    struct control_stream *stream = arg;
    bool beat = stream->tls != NULL && message->body_case == CPMP__CONTROL__BODY_HEARTBEAT;

    stream->beat.absent = beat && message->heartbeat->absent;
    if (!beat)
        stream->hooks->on_message(stream->arg, message);
    return stream->closing;
}

static void
stream_decode(struct control_stream *stream, const void *bytes, size_t count)
{
    int error = control_decoder_feed(&stream->decoder, bytes, count, on_decoded, stream);

    if (error == CPMP_ENOMEM)
        stream_break(stream, error, "out of memory");
    else if (error != CPMP_OK && error != CPMP_ECANCELED)
        stream_break(stream, error, "malformed message");
}

/* Hands on what the session has decrypted. */
static void
stream_decrypt(struct control_stream *stream)
{
    unsigned char bytes[16384];  /* a record of TLS */
    long count;

    while (!stream->closing && (count = tls_read(stream->tls, bytes, sizeof(bytes))) != 0) {
        if (count < 0)
            stream_break(stream, (int)count, tls_error_text(stream->tls));
        else
            stream_decode(stream, bytes, (size_t)count);
    }
    stream_flush(stream);
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct control_stream *stream = stream_of(handle->data);

    (void)suggested;
    *buffer = uv_buf_init(stream->read_bytes, sizeof(stream->read_bytes));
}

static bool lease_is_over(struct control_stream *stream);

static void
on_read(uv_stream_t *socket, ssize_t count, const uv_buf_t *buffer)
{
    struct control_stream *stream = stream_of(socket->data);

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
    if (stream->tls == NULL) {
        stream_decode(stream, buffer->base, (size_t)count);
        return;
    }
    if (lease_is_over(stream))
        return;
    tls_feed(stream->tls, buffer->base, (size_t)count);  /* its error stays and comes again */
    stream_decrypt(stream);
}

void
control_stream_pause(struct control_stream *stream, int pause)
{
    if (stream->closing)
        return;
    stream->beat.deaf = pause;
    if (pause)
        uv_read_stop(&stream->socket.stream);
    else
        uv_read_start(&stream->socket.stream, on_alloc, on_read);  /* EALREADY is fine */
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

/* --- heartbeats --- */

/* Bytes have come: does the lease still hold? Renews it, if so. What came while a strict side slept
 * beyond its lease comes too late. */
static bool
lease_is_over(struct control_stream *stream)
{
    struct control_beat *beat = &stream->beat;
    uint64_t now_us = clock_boot_us();

    if (beat->strict && !beat->absent && now_us - beat->heard_us >= beat->lease_us) {
        stream_break(stream, CPMP_EPEER, "this process or its machine slept beyond the lease");
        return true;
    }
    beat->heard_us = now_us;
    return false;
}

static void
heartbeat_send(struct control_stream *stream, bool absent)
{
    Cpmp__Control message = CPMP__CONTROL__INIT;
    Cpmp__Heartbeat heartbeat = CPMP__HEARTBEAT__INIT;

    heartbeat.count = ++stream->beat.count;
    heartbeat.absent = absent;
    message.body_case = CPMP__CONTROL__BODY_HEARTBEAT;
    message.heartbeat = &heartbeat;
    control_stream_send(stream, &message);
}

void
control_stream_absent(struct control_stream *stream)
{
    if (stream->tls != NULL)
        heartbeat_send(stream, true);
}

static void
silence_break(struct control_stream *stream, bool late)
{
    struct control_beat *beat = &stream->beat;

    if (late) {
        stream_break(stream, CPMP_EPEER, "this process or its machine slept beyond the lease");
        return;
    }
    snprintf(stream->silence, sizeof(stream->silence), "silent for %.3g s",
             (double)beat->lease_us / 1e6);
    stream_break(stream, CPMP_EPEER, stream->silence);
}

/* What comes to an absent side isn't read, and would only fill its socket. */
static void
on_beat(uv_timer_t *timer)
{
    struct control_stream *stream = stream_of(timer->data);
    struct control_beat *beat = &stream->beat;
    uint64_t now_us = clock_boot_us(), since_us = now_us - beat->beat_us;
    bool late = since_us > 2 * CONTROL_BEAT_MS * 1000u;

    beat->beat_us = now_us;
    if (beat->absent || beat->deaf || (late && !beat->strict))
        beat->heard_us = now_us;
    if (now_us - beat->heard_us >= beat->lease_us) {
        silence_break(stream, late);
        return;
    }
    if (!beat->spoken && !beat->absent && stream_is_drained(stream))
        heartbeat_send(stream, false);
    beat->spoken = false;
}

/* The first call: the handshake's last bytes may have brought messages along. */
static void
on_first_beat(uv_timer_t *timer)
{
    struct control_stream *stream = stream_of(timer->data);

    uv_timer_start(timer, on_beat, CONTROL_BEAT_MS, CONTROL_BEAT_MS);
    stream_decrypt(stream);
}

/* --- beginnings --- */

static void
stream_clear(struct control_stream *stream, const struct control_stream_hooks *hooks, void *arg)
{
    memset(stream, 0, offsetof(struct control_stream, read_bytes));
    stream->hooks = hooks;
    stream->arg = arg;
    stream->socket.handle.data = stream;
    stream->write.data = stream;
    stream->open_handles = 1;
    control_decoder_init(&stream->decoder);
}

int
control_stream_init(struct control_stream *stream, uv_loop_t *loop, int fd,
                    const struct control_stream_hooks *hooks, void *arg)
{
    int status;

    if (fd_prepare(fd) != CPMP_OK)
        return CPMP_ESYS;
    stream_clear(stream, hooks, arg);
    if (uv_pipe_init(loop, &stream->socket.pipe, 0) < 0)
        return CPMP_ESYS;
    status = uv_pipe_open(&stream->socket.pipe, fd);
    if (status == 0)
        status = uv_read_start(&stream->socket.stream, on_alloc, on_read);
    if (status < 0)
        stream_break(stream, CPMP_ESYS, uv_strerror(status));
    return CPMP_OK;
}

/* Keep-alive is for the time in which the other side is absent: nothing else breaks it then. */
static void
socket_tune(uv_tcp_t *tcp)
{
    int fd = -1, interval_s = 5, probes = 3;

    uv_tcp_nodelay(tcp, 1);
    uv_tcp_keepalive(tcp, 1, (unsigned)interval_s);
    if (uv_fileno((uv_handle_t *)tcp, &fd) == 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
    }
}

int
control_stream_init_tls(struct control_stream *stream, uv_loop_t *loop, int fd, struct tls *tls,
                        bool strict, uint64_t lease_ms,
                        const struct control_stream_hooks *hooks, void *arg)
{
    int status;

    stream_clear(stream, hooks, arg);
    if (fd_prepare(fd) != CPMP_OK || uv_tcp_init(loop, &stream->socket.tcp) < 0) {
        int error = errno;
        close(fd);
        tls_free(tls);
        errno = error;
        return CPMP_ESYS;
    }
    uv_timer_init(loop, &stream->beat.timer);
    stream->beat.timer.data = stream;
    stream->open_handles++;
    stream->tls = tls;
    stream->beat.strict = strict;
    stream->beat.lease_us = lease_ms * 1000;
    stream->beat.heard_us = stream->beat.beat_us = clock_boot_us();
    status = uv_tcp_open(&stream->socket.tcp, fd);
    if (status == 0)
        status = uv_read_start(&stream->socket.stream, on_alloc, on_read);
    if (status < 0) {
        stream_break(stream, CPMP_ESYS, uv_strerror(status));
        return CPMP_OK;
    }
    socket_tune(&stream->socket.tcp);
    uv_timer_start(&stream->beat.timer, on_first_beat, 0, 0);
    stream_flush(stream);
    return CPMP_OK;
}
