/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/input.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PIECES_A_TURN 8  /* then others have their turn in the loop */

/* What may be sent now without getting ahead of the slowest reader. */
static uint64_t
input_credit(const struct exec_input *input)
{
    uint64_t slowest = input->sent_bytes;

    for (uint32_t i = 0; i < input->peers; i++)
        if (input->reads[i] && input->taken_bytes[i] < slowest)
            slowest = input->taken_bytes[i];
    assert(input->sent_bytes - slowest <= CONTROL_STDIN_WINDOW_BYTES);
    return CONTROL_STDIN_WINDOW_BYTES - (input->sent_bytes - slowest);
}

static void
input_hand_out(struct exec_input *input, size_t count, bool eof)
{
    for (uint32_t i = 0; i < input->peers; i++)
        if (input->reads[i])
            input->send(input->arg, i, input->buffer, count, eof);
    input->sent_bytes += count;
}

static void
input_finish(struct exec_input *input)
{
    input_hand_out(input, 0, true);
    exec_input_close(input);
}

/* Reads one piece. False when there is no more for now. */
static bool
input_read_piece(struct exec_input *input)
{
    uint64_t credit = input_credit(input);
    size_t want = credit < sizeof(input->buffer) ? (size_t)credit : sizeof(input->buffer);
    ssize_t count;

    if (want == 0)
        return false;  /* exec_input_taken goes on */
    count = exec_channel_read(&input->channel, input->buffer, want);
    if (count > 0) {
        input_hand_out(input, (size_t)count, false);
        return true;
    }
    if (count < 0 && errno == EAGAIN)
        exec_channel_wait(&input->channel);
    else
        input_finish(input);  /* the end; an error (EIO of a lost terminal, EISDIR) is one too */
    return false;
}

static void
input_pump(void *arg)
{
    struct exec_input *input = arg;

    if (!input->open)
        return;
    if (input->channel.is_terminal && !exec_terminal_is_ours(STDIN_FILENO)) {
        exec_channel_wait(&input->channel);
        return;
    }
    /* A terminal gives a line at a time and tells of its edges only, so it is read until it is
     * empty. */
    for (int i = 0; input->channel.is_terminal || i < PIECES_A_TURN; i++)
        if (!input_read_piece(input))
            return;
    if (input_credit(input) > 0)
        exec_channel_wait(&input->channel);
}

int
exec_input_init(struct exec_input *input, uv_loop_t *loop, const bool *reads, uint32_t peers,
                exec_input_send *send, void *arg)
{
    int status;

    memset(input, 0, offsetof(struct exec_input, buffer));
    status = exec_channel_init(&input->channel, loop, STDIN_FILENO, false, input_pump, input);
    if (status < 0)
        return status;
    input->send = send;
    input->arg = arg;
    input->peers = peers;
    memcpy(input->reads, reads, peers * sizeof(*reads));
    input->open = true;
    input_pump(input);
    return 0;
}

static bool
anyone_reads(const struct exec_input *input)
{
    for (uint32_t i = 0; i < input->peers; i++)
        if (input->reads[i])
            return true;
    return false;
}

int
exec_input_taken(struct exec_input *input, uint32_t peer, uint64_t bytes, bool closed)
{
    if (peer >= input->peers || bytes > input->sent_bytes || bytes < input->taken_bytes[peer])
        return -1;
    input->taken_bytes[peer] = bytes;
    if (closed)
        input->reads[peer] = false;
    if (!input->open)
        return 0;
    if (anyone_reads(input))
        input_pump(input);
    else
        exec_input_close(input);
    return 0;
}

void
exec_input_continue(struct exec_input *input)
{
    if (input->open)
        input_pump(input);
}

void
exec_input_close(struct exec_input *input)
{
    int nothing;

    if (!input->open)
        return;
    input->open = false;
    exec_channel_close(&input->channel);
    nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nothing >= 0) {
        dup2(nothing, STDIN_FILENO);
        close(nothing);
    }
}
