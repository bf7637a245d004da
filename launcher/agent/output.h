/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_AGENT_OUTPUT_H
#define CPI_AGENT_OUTPUT_H

/*
 * What the ranks write to stdout and stderr, on its way to the launcher.
 *
 * All pipes draw on one window of credit. A pipe with something to read and no credit left is no
 * longer watched and waits its turn in a queue; the rank behind it blocks when its pipe is full, so
 * a slow reader of the launcher's output slows the ranks and nothing is held in memory or lost.
 *
 * A pipe ends when its last writer is gone, which may be long after the rank: whoever inherited it
 * can still write. When all processes are known to be dead, output_cut makes "empty" the end,
 * because a descriptor that was passed to a stranger would keep a pipe open for ever.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/list.h"
#include "control/rules.h"
#include "control/stream.h"

struct output;

struct output_pipe {
    struct cpi_list held;  /* in output.held while it waits for credit */
    struct output *output;
    uv_poll_t poll;
    int fd;                /* -1: not open */
    uint32_t rank;
    uint32_t number;       /* 1 stdout, 2 stderr */
};

struct output {
    uv_loop_t *loop;
    struct control_stream *stream;
    struct output_pipe *pipes;
    size_t pipes_count, pipes_used;
    size_t open_count;
    struct cpi_list held;
    size_t held_count;
    uint64_t sent_bytes, taken_bytes;
    bool cut;
    void (*on_drained)(void *arg);  /* once, after output_cut: the last pipe has ended */
    void *arg;
    char buffer[CONTROL_PIECE_BYTES];
};

/* For up to `pipes_count` pipes. CPMP_OK or CPMP_ENOMEM. */
int output_init(struct output *output, uv_loop_t *loop, struct control_stream *stream,
                size_t pipes_count, void (*on_drained)(void *arg), void *arg);

/* Only after the loop has closed the handles. */
void output_release(struct output *output);

/* Relays what comes from `fd`, which it takes over. 0, or -1 with errno and `fd` is the
 * caller's. */
int output_add(struct output *output, uint32_t rank, uint32_t number, int fd);

/* The launcher has taken so many bytes since the start. CPMP_EPROTO when that can't be. */
int output_credit(struct output *output, uint64_t taken_bytes);

/* No process that could write is left: what the pipes hold is all there will be. */
void output_cut(struct output *output);

bool output_is_drained(const struct output *output);

#endif
