/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_INPUT_H
#define CPI_EXEC_INPUT_H

/*
 * The launcher's standard input, on its way to the agents whose ranks get it.
 *
 * No more is read than the slowest of these agents has credit for (CONTROL_STDIN_WINDOW_BYTES ahead
 * of what its ranks have taken), so a slow rank slows the writer at the other end of the pipe and
 * nothing piles up. Once nobody reads any more, standard input is closed, so that `yes | cpexec -np
 * 1 head -1` ends. A terminal is read only while the launcher is in the foreground.
 */

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "control/rules.h"
#include "exec/channel.h"
#include "exec/options.h"

struct exec_input;

/* Sends data (`count` may be 0 at the end of file) to `peer`. */
typedef void exec_input_send(void *arg, uint32_t peer, const void *bytes, size_t count, bool eof);

struct exec_input {
    struct exec_channel channel;
    exec_input_send *send;
    void *arg;
    uint32_t peers;
    bool reads[EXEC_PEERS_MAX];           /* this peer still wants it */
    uint64_t taken_bytes[EXEC_PEERS_MAX];
    uint64_t sent_bytes;
    bool open;
    unsigned char buffer[CONTROL_PIECE_BYTES];
};

/* Begins to read fd 0 for those peers where `reads` is set. 0, or a negative libuv error. */
int exec_input_init(struct exec_input *input, uv_loop_t *loop, const bool *reads, uint32_t peers,
                    exec_input_send *send, void *arg);

/* What StdinTaken of `peer` says. -1 when it can't be: more than was sent, or less than before. */
int exec_input_taken(struct exec_input *input, uint32_t peer, uint64_t bytes, bool closed);

/* The launcher was continued, and may be in the foreground now. */
void exec_input_continue(struct exec_input *input);

/* Stops reading and closes fd 0 (it becomes /dev/null). May be called again. */
void exec_input_close(struct exec_input *input);

#endif
