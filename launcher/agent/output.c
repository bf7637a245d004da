/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent/output.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cpmp.h>

#include "agent/report.h"

static void
output_check(const struct output *output)
{
    assert(output->sent_bytes - output->taken_bytes <= CONTROL_OUTPUT_WINDOW_BYTES);
    assert(output->held_count <= output->open_count && output->open_count <= output->pipes_used);
    assert(output->pipes_used <= output->pipes_count);
}

int
output_init(struct output *output, uv_loop_t *loop, struct control_stream *stream,
            size_t pipes_count, void (*on_drained)(void *arg), void *arg)
{
    memset(output, 0, offsetof(struct output, buffer));
    output->pipes = calloc(pipes_count ? pipes_count : 1, sizeof(*output->pipes));
    if (output->pipes == NULL)
        return CPMP_ENOMEM;
    output->loop = loop;
    output->stream = stream;
    output->pipes_count = pipes_count;
    output->on_drained = on_drained;
    output->arg = arg;
    cpi_list_init(&output->held);
    return CPMP_OK;
}

void
output_release(struct output *output)
{
    for (size_t i = 0; i < output->pipes_used; i++)
        if (output->pipes[i].fd >= 0)
            close(output->pipes[i].fd);
    free(output->pipes);
    memset(output, 0, offsetof(struct output, buffer));
}

static size_t
credit_bytes(const struct output *output)
{
    return CONTROL_OUTPUT_WINDOW_BYTES - (size_t)(output->sent_bytes - output->taken_bytes);
}

static void
pipe_end(struct output_pipe *pipe)
{
    struct output *output = pipe->output;

    report_output(output->stream, pipe->rank, pipe->number, NULL, 0, true);
    assert(cpi_list_empty(&pipe->held));
    uv_close((uv_handle_t *)&pipe->poll, NULL);
    close(pipe->fd);
    pipe->fd = -1;
    assert(output->open_count > 0);
    output->open_count--;
    if (output->open_count == 0 && output->cut)
        output->on_drained(output->arg);
}

static void
pipe_hold(struct output_pipe *pipe)
{
    uv_poll_stop(&pipe->poll);
    cpi_list_append(&pipe->output->held, &pipe->held);
    pipe->output->held_count++;
}

static void
pipe_read(struct output_pipe *pipe)
{
    struct output *output = pipe->output;
    size_t want = credit_bytes(output);
    ssize_t count;

    if (want == 0) {
        pipe_hold(pipe);
        return;
    }
    if (want > sizeof(output->buffer))
        want = sizeof(output->buffer);
    count = read(pipe->fd, output->buffer, want);
    if (count > 0) {
        output->sent_bytes += (uint64_t)count;
        report_output(output->stream, pipe->rank, pipe->number, output->buffer, (size_t)count,
                      false);
        output_check(output);
        return;
    }
    if (count < 0 && (errno == EINTR || (errno == EAGAIN && !output->cut)))
        return;
    if (count < 0 && errno != EAGAIN)
        report_trouble(output->stream, CONTROL_TROUBLE_WARNING,
                       "cannot read what rank %u writes: %s; the rest of it is lost", pipe->rank,
                       strerror(errno));
    pipe_end(pipe);
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;  /* an error shows in read */
    (void)events;
    pipe_read(poll->data);
}

static void
pipe_watch(struct output_pipe *pipe)
{
    int status = uv_poll_start(&pipe->poll, UV_READABLE, on_readable);

    assert(status == 0);  /* fails for closing handles only */
    (void)status;
}

int
output_add(struct output *output, uint32_t rank, uint32_t number, int fd)
{
    struct output_pipe *pipe = &output->pipes[output->pipes_used];
    int status;

    assert(output->pipes_used < output->pipes_count);
    status = uv_poll_init(output->loop, &pipe->poll, fd);
    if (status < 0) {
        errno = -status;
        return -1;
    }
    cpi_list_init(&pipe->held);
    pipe->output = output;
    pipe->poll.data = pipe;
    pipe->fd = fd;
    pipe->rank = rank;
    pipe->number = number;
    output->pipes_used++;
    output->open_count++;
    pipe_watch(pipe);
    return 0;
}

/* Once no writer is left, a pipe is read until it is empty or out of credit. */
static void
pipe_read_out(struct output_pipe *pipe)
{
    while (pipe->fd >= 0 && cpi_list_empty(&pipe->held))
        pipe_read(pipe);
}

int
output_credit(struct output *output, uint64_t taken_bytes)
{
    if (taken_bytes < output->taken_bytes || taken_bytes > output->sent_bytes)
        return CPMP_EPROTO;
    output->taken_bytes = taken_bytes;
    for (size_t n = output->held_count; n > 0 && credit_bytes(output) > 0; n--) {
        struct output_pipe *pipe = CPI_CONTAINER(output->held.next, struct output_pipe, held);
        cpi_list_remove(&pipe->held);
        output->held_count--;
        if (output->cut)
            pipe_read_out(pipe);
        else
            pipe_watch(pipe);
    }
    return CPMP_OK;
}

void
output_cut(struct output *output)
{
    if (output->cut)
        return;
    output->cut = true;
    if (output->open_count == 0)
        output->on_drained(output->arg);
    for (size_t i = 0; i < output->pipes_used; i++)
        pipe_read_out(&output->pipes[i]);
}

bool
output_is_drained(const struct output *output)
{
    return output->cut && output->open_count == 0;
}
