/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_AGENT_INPUT_H
#define CPI_AGENT_INPUT_H

/*
 * Standard input, on its way from the launcher to the ranks here that have one: rank 0, another, or
 * every rank (each then reads all of it at its own pace).
 *
 * One ring of CONTROL_STDIN_WINDOW_BYTES holds what the slowest reader has not taken; the
 * launcher's credit keeps it from overflowing. A reader that has closed its end (or exited) is no
 * error: it just doesn't count any more, and when none is left the launcher is told to stop.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "control/rules.h"
#include "control/stream.h"

struct input;

struct input_reader {
    struct input *input;
    uv_poll_t poll;
    int fd;               /* the pipe's end to write to; -1: gone */
    uint64_t taken_bytes; /* by this reader since the start */
};

struct input {
    uv_loop_t *loop;
    struct control_stream *stream;
    int rank;             /* as in Start.stdin_rank */
    struct input_reader *readers;
    size_t readers_count, readers_used;
    size_t open_count;
    uint64_t given_bytes; /* by the launcher since the start */
    uint64_t taken_bytes; /* by the slowest open reader */
    uint64_t told_bytes;  /* what the launcher knows of it */
    bool eof;
    bool closed;          /* every reader is gone, and the launcher knows */
    char ring[CONTROL_STDIN_WINDOW_BYTES];
};

/* For up to `readers_count` readers; `rank` is Start.stdin_rank. CPMP_OK or CPMP_ENOMEM. */
int input_init(struct input *input, uv_loop_t *loop, struct control_stream *stream, int rank,
               size_t readers_count);

/* Only after the loop has closed the handles. */
void input_release(struct input *input);

/* Feeds `fd`, which it takes over. 0, or -1 with errno and `fd` is the caller's. Every reader is
 * added before the first input_give. */
int input_add(struct input *input, int fd);

/* Every reader has been added: when there is none to feed, tell the launcher. */
void input_ready(struct input *input);

/* More data, and whether it is the end. CPMP_EPROTO when it is more than the launcher had credit
 * for, or comes after the end. */
int input_give(struct input *input, const void *data, size_t bytes, bool eof);

#endif
