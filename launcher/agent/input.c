/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent/input.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cpmp.h>

#include "agent/report.h"

#define RING_BYTES CONTROL_STDIN_WINDOW_BYTES
#define TELL_BYTES (RING_BYTES / 4)  /* tell the launcher in steps of this, or when all is taken */

static void reader_watch(struct input_reader *reader);

static void
input_check(const struct input *input)
{
    assert(input->taken_bytes <= input->given_bytes);
    assert(input->given_bytes - input->taken_bytes <= RING_BYTES);
    assert(input->told_bytes <= input->taken_bytes);
    assert(input->open_count <= input->readers_used && input->readers_used <= input->readers_count);
}

int
input_init(struct input *input, uv_loop_t *loop, struct control_stream *stream, int rank,
           size_t readers_count)
{
    memset(input, 0, offsetof(struct input, ring));
    input->readers = calloc(readers_count ? readers_count : 1, sizeof(*input->readers));
    if (input->readers == NULL)
        return CPMP_ENOMEM;
    input->loop = loop;
    input->stream = stream;
    input->rank = rank;
    input->readers_count = readers_count;
    return CPMP_OK;
}

void
input_release(struct input *input)
{
    for (size_t i = 0; i < input->readers_used; i++)
        if (input->readers[i].fd >= 0)
            close(input->readers[i].fd);
    free(input->readers);
    memset(input, 0, offsetof(struct input, ring));
}

/* --- credit --- */

static uint64_t
slowest_bytes(const struct input *input)
{
    uint64_t least = input->given_bytes;

    for (size_t i = 0; i < input->readers_used; i++)
        if (input->readers[i].fd >= 0 && input->readers[i].taken_bytes < least)
            least = input->readers[i].taken_bytes;
    return least;
}

/* Without a reader everything counts as taken, so that a launcher that hasn't heard goes on to the
 * end. */
static void
input_tell(struct input *input)
{
    bool closed = input->open_count == 0;
    bool news;

    input->taken_bytes = slowest_bytes(input);
    input_check(input);
    news = input->taken_bytes - input->told_bytes >= TELL_BYTES ||
           (input->taken_bytes > input->told_bytes && input->taken_bytes == input->given_bytes);
    if (!news && closed == input->closed)
        return;
    input->told_bytes = input->taken_bytes;
    input->closed = closed;
    report_stdin_taken(input->stream, input->rank, input->told_bytes, closed);
}

/* --- one reader --- */

static void
reader_close(struct input_reader *reader)
{
    struct input *input = reader->input;

    uv_close((uv_handle_t *)&reader->poll, NULL);
    close(reader->fd);
    reader->fd = -1;
    assert(input->open_count > 0);
    input->open_count--;
}

/* Writes what lies in one piece in the ring; false when the pipe took nothing. */
static bool
reader_write(struct input_reader *reader)
{
    struct input *input = reader->input;
    size_t place = reader->taken_bytes % RING_BYTES;
    size_t bytes = (size_t)(input->given_bytes - reader->taken_bytes);
    ssize_t written;

    if (bytes > RING_BYTES - place)
        bytes = RING_BYTES - place;
    if (bytes == 0)
        return false;
    written = write(reader->fd, input->ring + place, bytes);
    if (written >= 0) {
        reader->taken_bytes += (uint64_t)written;
        return written > 0;
    }
    if (errno == EAGAIN)
        return false;
    if (errno != EINTR)
        reader_close(reader);  /* EPIPE: it reads no more */
    return errno == EINTR;
}

/* Writes what the pipe takes, and watches for what comes next: room, or the other end being
 * closed. */
static void
reader_advance(struct input_reader *reader)
{
    while (reader->fd >= 0 && reader_write(reader))
        continue;
    if (reader->fd < 0)
        return;
    if (reader->input->eof && reader->taken_bytes == reader->input->given_bytes)
        reader_close(reader);
    else
        reader_watch(reader);
}

/* libuv reports the pipe's POLLERR (no reader left) as an error. */
static void
on_writable(uv_poll_t *poll, int status, int events)
{
    struct input_reader *reader = poll->data;

    (void)events;
    if (status < 0)
        reader_close(reader);
    else
        reader_advance(reader);
    input_tell(reader->input);
}

static void
reader_watch(struct input_reader *reader)
{
    int wanted = reader->taken_bytes < reader->input->given_bytes ? UV_WRITABLE : UV_DISCONNECT;
    int status = uv_poll_start(&reader->poll, wanted, on_writable);

    assert(status == 0);  /* fails for closing handles only */
    (void)status;
}

int
input_add(struct input *input, int fd)
{
    struct input_reader *reader = &input->readers[input->readers_used];
    int status;

    assert(input->readers_used < input->readers_count && input->given_bytes == 0);
    status = uv_poll_init(input->loop, &reader->poll, fd);
    if (status < 0) {
        errno = -status;
        return -1;
    }
    reader->poll.data = reader;
    reader->input = input;
    reader->fd = fd;
    input->readers_used++;
    input->open_count++;
    reader_watch(reader);
    return 0;
}

void
input_ready(struct input *input)
{
    if (input->readers_count > 0)
        input_tell(input);
}

/* --- from the launcher --- */

static void
ring_put(struct input *input, const char *data, size_t bytes)
{
    size_t place = input->given_bytes % RING_BYTES;
    size_t first = bytes < RING_BYTES - place ? bytes : RING_BYTES - place;

    memcpy(input->ring + place, data, first);
    memcpy(input->ring, data + first, bytes - first);
    input->given_bytes += bytes;
}

int
input_give(struct input *input, const void *data, size_t bytes, bool eof)
{
    if (bytes > RING_BYTES - (input->given_bytes - input->taken_bytes))
        return CPMP_EPROTO;
    if (input->eof && (bytes > 0 || !eof))
        return CPMP_EPROTO;
    if (bytes > 0)
        ring_put(input, data, bytes);
    input->eof = eof;
    for (size_t i = 0; i < input->readers_used; i++)
        if (input->readers[i].fd >= 0)
            reader_advance(&input->readers[i]);
    input_tell(input);
    return CPMP_OK;
}
