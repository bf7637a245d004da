/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/sink.h"

#include <errno.h>
#include <string.h>

static void
on_ready(void *arg)
{
    struct exec_sink *sink = arg;

    sink->waiting = false;
}

int
exec_sink_init(struct exec_sink *sink, uv_loop_t *loop, int fd,
               void (*on_failed)(void *arg, int error), void *arg)
{
    int status;

    memset(sink, 0, sizeof(*sink));
    sink->on_failed = on_failed;
    sink->arg = arg;
    status = exec_channel_init(&sink->channel, loop, fd, true, on_ready, sink);
    sink->open = status == 0;
    return status;
}

void
exec_sink_add(struct exec_sink *sink, const void *owner, const void *bytes, size_t count)
{
    if (sink->broken || !sink->open || count == 0)
        return;
    text_add(&sink->queue, bytes, count);
    sink->line_open = ((const char *)bytes)[count - 1] != '\n';
    sink->line_owner = owner;
}

void
exec_sink_begin_line(struct exec_sink *sink)
{
    if (sink->line_open)
        exec_sink_add(sink, NULL, "\n", 1);
}

size_t
exec_sink_pending_bytes(const struct exec_sink *sink)
{
    return sink->queue.used - sink->written;
}

static void
sink_break(struct exec_sink *sink, int error)
{
    sink->broken = true;
    sink->written = 0;
    text_release(&sink->queue);
    sink->on_failed(sink->arg, error);
}

void
exec_sink_wait(struct exec_sink *sink)
{
    if (sink->waiting)
        return;
    sink->waiting = true;
    exec_channel_wait(&sink->channel);
}

void
exec_sink_flush(struct exec_sink *sink)
{
    while (!sink->waiting && sink->open && exec_sink_pending_bytes(sink) > 0) {
        ssize_t count = exec_channel_write(&sink->channel, sink->queue.bytes + sink->written,
                                           exec_sink_pending_bytes(sink));
        if (count >= 0) {
            sink->written += (size_t)count;
        } else if (errno == EAGAIN) {
            exec_sink_wait(sink);
        } else {
            sink_break(sink, errno);
            return;
        }
    }
    if (exec_sink_pending_bytes(sink) == 0 || sink->written > sink->queue.used / 2) {
        text_drop(&sink->queue, sink->written);
        sink->written = 0;
    }
}

void
exec_sink_close(struct exec_sink *sink)
{
    if (!sink->open)
        return;
    sink->open = false;
    exec_channel_close(&sink->channel);
    sink->written = 0;
    text_release(&sink->queue);
}
