/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_OUTPUT_H
#define CPI_EXEC_OUTPUT_H

/*
 * What the ranks write, on its way to the launcher's stdout and stderr and to files, and what the
 * launcher itself has to say in between.
 *
 * The bytes of one rank and stream stay in order and are not altered. With more than one rank, or
 * with tags, whole lines are kept together: the beginning of a line is held back until its end
 * comes, up to EXEC_OUTPUT_HOLD_BYTES and EXEC_OUTPUT_HOLD_MS, so that a prompt still shows. With
 * --json what comes on stdout is wrapped:
 * {"type":"output","rank":N,"stream":"stdout","text":"..."}.
 *
 * Agents have credit. They get more once what is queued here is below EXEC_OUTPUT_QUEUE_BYTES, so a
 * slow reader of cpexec's output slows the ranks.
 */

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "exec/options.h"
#include "exec/sink.h"
#include "text/text.h"

#define EXEC_OUTPUT_QUEUE_BYTES (1u << 20)
#define EXEC_OUTPUT_HOLD_BYTES  (8u << 10)
#define EXEC_OUTPUT_HOLD_MS     50

struct exec_output_hooks {
    /* `peer` may have sent so many bytes more than in `taken_bytes`, counted since the start. */
    void (*credit)(void *arg, uint32_t peer, uint64_t taken_bytes);
    /* `what` (a file's name, "standard output") can't be written; told once for each. */
    void (*failed)(void *arg, int error, const char *what);
};

/* One rank's stdout or stderr. */
struct exec_stream {
    struct text held;  /* the beginning of a line */
    int file_fd;            /* under --output-filename; -1: to be opened for each write */
    bool file_broken;
};

struct exec_output {
    const struct exec_options *options;
    const struct exec_output_hooks *hooks;
    void *arg;
    struct exec_sink out, err;
    uint32_t ranks, peers;
    struct exec_stream *streams;      /* [ranks][2] */
    bool by_line;
    bool holding;                     /* the timer runs */
    uv_timer_t hold_timer;
    bool generous;
    uint64_t received_bytes[EXEC_PEERS_MAX], credited_bytes[EXEC_PEERS_MAX];
    struct text status;          /* the status line that should stand; empty: none */
    bool status_shown, status_stale;
};

/* 0, or a negative libuv error. */
int
exec_output_init(struct exec_output *output, uv_loop_t *loop, const struct exec_options *options,
                 uint32_t ranks, uint32_t peers, const struct exec_output_hooks *hooks, void *arg);

/* Makes the directories and empty files of --output-filename. 0, or -1 with `error`. */
int exec_output_make_files(struct exec_output *output, struct text *error);

/* `stream` is 1 or 2. */
void exec_output_take(struct exec_output *output, uint32_t peer, uint32_t rank, uint32_t stream,
                      const void *bytes, size_t count, bool eof);

/* Whole lines of the launcher's own, to stdout or stderr. They may have words of ranks in them, so
 * on a terminal control characters are made visible. */
void exec_output_say(struct exec_output *output, bool to_stderr, const struct text *text);

/* The status line on a terminal; "" for none. */
void exec_output_set_status(struct exec_output *output, const char *line);

/* Writes what can be written, gives credit. To be called before the loop sleeps. */
void exec_output_flush(struct exec_output *output);

/* Credit no longer depends on our reader: for the end, when no more can come than pipes hold. */
void exec_output_set_generous(struct exec_output *output);

/* Something waits for a slow reader. */
bool exec_output_is_blocked(const struct exec_output *output);

/* More waits than credit allows: partial results, which have none. */
bool exec_output_is_flooded(const struct exec_output *output);

/* Lines that nobody will end any more are given out too. */
void exec_output_finish(struct exec_output *output);

/* Closes handles; exec_output_release when the loop has closed them. */
void exec_output_close(struct exec_output *output);
void exec_output_release(struct exec_output *output);

#endif
