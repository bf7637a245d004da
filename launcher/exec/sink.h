/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_SINK_H
#define CPI_EXEC_SINK_H

/*
 * A place that output goes to: a queue in front of stdout, stderr or a file. Adding never blocks
 * and never fails; flushing writes what can be written now. After the first error the sink is
 * broken: on_failed has been told once, and what is added is thrown away.
 */

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

#include "exec/channel.h"
#include "text/text.h"

struct exec_sink {
    struct exec_channel channel;
    struct text queue;
    size_t written;            /* bytes at the front of the queue that are out already */
    bool waiting;              /* until the channel is ready */
    bool broken;
    bool open;
    bool line_open;            /* the last byte added was not a newline */
    const void *line_owner;    /* who added it */
    void (*on_failed)(void *arg, int error);
    void *arg;
};

/* `fd` stays the caller's and open. 0, or a negative libuv error. */
int exec_sink_init(struct exec_sink *sink, uv_loop_t *loop, int fd,
                   void (*on_failed)(void *arg, int error), void *arg);

/* `owner` says whose bytes these are, to tell whose line is open. */
void exec_sink_add(struct exec_sink *sink, const void *owner, const void *bytes, size_t count);

/* Ends an open line, so that what follows begins one. */
void exec_sink_begin_line(struct exec_sink *sink);

/* Nothing is written by itself: this is to be called before the loop sleeps. */
void exec_sink_flush(struct exec_sink *sink);

/* A write of the caller's own found no room: have the loop wake up when there is some. */
void exec_sink_wait(struct exec_sink *sink);

size_t exec_sink_pending_bytes(const struct exec_sink *sink);

/* Drops what is queued. The struct must live until the loop has closed its handles. */
void exec_sink_close(struct exec_sink *sink);

#endif
