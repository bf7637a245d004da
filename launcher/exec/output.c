/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/output.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "control/rules.h"
#include "exec/display.h"
#include "exec/file.h"
#include "system/file.h"
#include "text/json.h"
#include "text/memory.h"
#include "text/visible.h"

static const char *const stream_names[] = {"stdout", "stderr"};
static const char status_clear[] = "\r\033[K";

static void hold_end(uv_timer_t *timer);

static void
on_out_failed(void *arg, int error)
{
    struct exec_output *output = arg;

    output->hooks->failed(output->arg, error, "standard output");
}

/* There is nowhere left to complain to, and what the ranks compute doesn't depend on it. */
static void
on_err_failed(void *arg, int error)
{
    (void)arg;
    (void)error;
}

int
exec_output_init(struct exec_output *output, uv_loop_t *loop, const struct exec_options *options,
                 uint32_t ranks, uint32_t peers, const struct exec_output_hooks *hooks, void *arg)
{
    int status;

    memset(output, 0, sizeof(*output));
    output->options = options;
    output->hooks = hooks;
    output->arg = arg;
    output->ranks = ranks;
    output->peers = peers;
    output->by_line =
        ranks > 1 || options->tag_output || options->timestamp_output || options->json;
    output->streams = memory_new((size_t)ranks * 2, sizeof(*output->streams));
    for (size_t i = 0; i < (size_t)ranks * 2; i++)
        output->streams[i].file_fd = -1;
    uv_timer_init(loop, &output->hold_timer);
    output->hold_timer.data = output;
    uv_unref((uv_handle_t *)&output->hold_timer);
    status = exec_sink_init(&output->out, loop, STDOUT_FILENO, on_out_failed, output);
    if (status == 0)
        status = exec_sink_init(&output->err, loop, STDERR_FILENO, on_err_failed, output);
    return status;
}

/* --- files --- */

static void
file_path(const struct exec_output *output, size_t index, struct text *path)
{
    text_clear(path);
    exec_options_rank_directory(output->options, output->ranks, (uint32_t)(index / 2), path);
    text_print(path, "/%s", stream_names[index % 2]);
}

/* mkdir -p for the directories of the file `path`. */
static int
directories_make(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        int made;

        *slash = '\0';
        made = mkdir(path, 0777);
        if (made != 0 && errno != EEXIST)
            return -1;  /* `path` is cut where it went wrong */
        *slash = '/';
    }
    return 0;
}

/* Half of the descriptors are left for all else; files beyond are opened for each write. */
static int
file_fd_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > 1024)
        return 512;
    return (int)limit.rlim_cur / 2;
}

int
exec_output_make_files(struct exec_output *output, struct text *error)
{
    struct text path = {0};
    int fd_limit = file_fd_limit();

    if (output->options->output_directory == NULL)
        return 0;
    for (size_t i = 0; i < (size_t)output->ranks * 2; i++) {
        struct exec_stream *stream = &output->streams[i];
        const char *why = NULL;

        file_path(output, i, &path);
        if (directories_make(path.bytes) == 0)
            stream->file_fd = exec_file_make(path.bytes, &why);
        else
            why = strerror(errno);
        if (stream->file_fd < 0) {
            text_print(error, "--output-filename %s: %s can't be made: %s",
                            output->options->output_directory, path.bytes, why);
            text_release(&path);
            return -1;
        }
        if (stream->file_fd > fd_limit) {
            close(stream->file_fd);
            stream->file_fd = -1;
        }
    }
    text_release(&path);
    return 0;
}

static void
file_write(struct exec_output *output, size_t index, const char *bytes, size_t count)
{
    struct exec_stream *stream = &output->streams[index];
    struct text path = {0};
    int fd = stream->file_fd;

    if (stream->file_broken || count == 0)
        return;
    file_path(output, index, &path);
    if (fd < 0)
        fd = open(path.bytes, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0 || file_write_all(fd, bytes, count, FILE_AT_POSITION) != 0) {
        stream->file_broken = true;
        output->hooks->failed(output->arg, errno, path.bytes);
    }
    if (stream->file_fd < 0 && fd >= 0)
        close(fd);
    text_release(&path);
}

static void
file_close(struct exec_stream *stream)
{
    if (stream->file_fd >= 0)
        close(stream->file_fd);
    stream->file_fd = -1;
}

/* --- lines --- */

/* Open MPI 4's tags: "Thu Nov 20 21:34:02 2025[1,0]<stdout>:". */
static void
tag_add(const struct exec_output *output, size_t index, struct text *text)
{
    if (output->options->timestamp_output) {
        time_t now = time(NULL);
        struct tm local;
        char stamp[64];

        localtime_r(&now, &local);
        strftime(stamp, sizeof(stamp), "%a %b %e %H:%M:%S %Y", &local);
        text_add_string(text, stamp);
    }
    if (output->options->tag_output)
        text_print(text, "[1,%zu]", index / 2);
    if (output->options->tag_output || output->options->timestamp_output)
        text_print(text, "<%s>:", stream_names[index % 2]);
}

static void
sink_add_tagged(struct exec_output *output, struct exec_sink *sink, size_t index, const char *bytes,
                size_t count)
{
    const struct exec_stream *owner = &output->streams[index];
    struct text tag = {0};

    tag_add(output, index, &tag);
    while (count > 0) {
        const char *newline = memchr(bytes, '\n', count);
        size_t line = newline != NULL ? (size_t)(newline - bytes) + 1 : count;

        if (sink->line_open && sink->line_owner != owner)
            exec_sink_begin_line(sink);
        if (!sink->line_open)
            exec_sink_add(sink, owner, tag.bytes, tag.used);
        exec_sink_add(sink, owner, bytes, line);
        bytes += line;
        count -= line;
    }
    text_release(&tag);
}

static void
sink_add_json(struct exec_sink *sink, size_t index, const char *bytes, size_t count)
{
    struct text line = {0};

    json_open(&line, NULL, '{');
    json_string(&line, "type", "output");
    json_number(&line, "rank", index / 2);
    json_string(&line, "stream", stream_names[index % 2]);
    json_bytes(&line, bytes, count, true);
    json_close(&line, '}');
    text_add_string(&line, "\n");
    exec_sink_add(sink, NULL, line.bytes, line.used);
    text_release(&line);
}

static void
stream_emit(struct exec_output *output, size_t index, const char *bytes, size_t count)
{
    bool merged = index % 2 == 0 || output->options->merge_stderr;
    struct exec_sink *sink = merged ? &output->out : &output->err;

    if (count == 0)
        return;
    if (output->options->json && sink == &output->out)
        sink_add_json(sink, index, bytes, count);
    else if (output->options->tag_output || output->options->timestamp_output)
        sink_add_tagged(output, sink, index, bytes, count);
    else
        exec_sink_add(sink, &output->streams[index], bytes, count);
}

static void
stream_emit_held(struct exec_output *output, size_t index)
{
    struct text *held = &output->streams[index].held;

    stream_emit(output, index, text_string(held), held->used);
    text_release(held);
}

/* Gives out whole lines, and holds what follows the last of them. */
static void
stream_take_lines(struct exec_output *output, size_t index, const char *bytes, size_t count)
{
    struct text *held = &output->streams[index].held;
    const char *newline = count > 0 ? memrchr(bytes, '\n', count) : NULL;
    size_t whole = newline != NULL ? (size_t)(newline - bytes) + 1 : 0;

    if (count == 0)
        return;
    if (whole > 0 && held->used > 0) {
        text_add(held, bytes, whole);
        stream_emit_held(output, index);
    } else {
        stream_emit(output, index, bytes, whole);
    }
    text_add(held, bytes + whole, count - whole);
    if (held->used > EXEC_OUTPUT_HOLD_BYTES)
        stream_emit_held(output, index);
    if (held->used > 0 && !output->holding) {
        output->holding = true;
        uv_timer_start(&output->hold_timer, hold_end, EXEC_OUTPUT_HOLD_MS, 0);
    }
}

static void
held_emit_all(struct exec_output *output)
{
    output->holding = false;
    for (size_t i = 0; i < (size_t)output->ranks * 2; i++)
        if (output->streams[i].held.used > 0)
            stream_emit_held(output, i);
}

static void
hold_end(uv_timer_t *timer)
{
    held_emit_all(timer->data);
}

void
exec_output_take(struct exec_output *output, uint32_t peer, uint32_t rank, uint32_t stream,
                 const void *bytes, size_t count, bool eof)
{
    size_t index = (size_t)rank * 2 + (stream - 1);

    assert(rank < output->ranks && (stream == 1 || stream == 2));
    output->received_bytes[peer] += count;
    if (output->options->output_directory != NULL) {
        file_write(output, index, bytes, count);
        if (eof)
            file_close(&output->streams[index]);
    }
    if (output->options->output_directory != NULL && !output->options->output_copy)
        return;
    if (output->by_line)
        stream_take_lines(output, index, bytes, count);
    else
        stream_emit(output, index, bytes, count);
    if (eof)
        stream_emit_held(output, index);
}

void
exec_output_say(struct exec_output *output, bool to_stderr, const struct text *text)
{
    struct exec_sink *sink = to_stderr ? &output->err : &output->out;

    if (text->used == 0)
        return;
    exec_sink_begin_line(sink);
    if (sink->channel.is_terminal) {
        struct text visible = {0};
        text_visible_add(&visible, text->bytes, text->used);
        exec_sink_add(sink, NULL, visible.bytes, visible.used);
        text_release(&visible);
        return;
    }
    exec_sink_add(sink, NULL, text->bytes, text->used);
}

/* --- flushing --- */

void
exec_output_set_status(struct exec_output *output, const char *line)
{
    if (strcmp(line, text_string(&output->status)) == 0)
        return;
    text_clear(&output->status);
    text_add_string(&output->status, line);
    output->status_stale = true;
}

/* The status line was shown only when nothing was queued, so it is on the screen, and goes from
 * there before anything else is written. False while it can't: the terminal is stopped (Ctrl-S). */
static bool
status_hide(struct exec_output *output)
{
    if (!output->status_shown)
        return true;
    if (exec_channel_write(&output->err.channel, status_clear, sizeof(status_clear) - 1) < 0 &&
        errno == EAGAIN) {
        exec_sink_wait(&output->err);
        return false;
    }
    output->status_shown = false;
    return true;
}

static void
status_show(struct exec_output *output)
{
    struct text *line = &output->status;
    bool clear = !output->err.line_open && !output->err.waiting && !output->err.broken;

    /* Elsewhere than on a terminal an open line is in nobody's way. */
    if (output->out.channel.is_terminal)
        clear = clear && !output->out.line_open && !output->out.waiting;
    output->status_stale = false;
    if (!clear || line->used == 0)
        return;
    output->status_shown = exec_channel_write(&output->err.channel, line->bytes, line->used) >= 0;
}

static size_t
pending_bytes(const struct exec_output *output)
{
    return exec_sink_pending_bytes(&output->out) + exec_sink_pending_bytes(&output->err);
}

static void
credit_give(struct exec_output *output)
{
    if (pending_bytes(output) > EXEC_OUTPUT_QUEUE_BYTES && !output->generous)
        return;
    for (uint32_t i = 0; i < output->peers; i++) {
        if (output->credited_bytes[i] == output->received_bytes[i])
            continue;
        output->credited_bytes[i] = output->received_bytes[i];
        output->hooks->credit(output->arg, i, output->credited_bytes[i]);
    }
}

void
exec_output_flush(struct exec_output *output)
{
    bool clear = (pending_bytes(output) == 0 && !output->status_stale) || status_hide(output);

    if (clear) {
        exec_sink_flush(&output->out);
        exec_sink_flush(&output->err);
        if (!output->status_shown)
            status_show(output);
    }
    credit_give(output);
}

void
exec_output_set_generous(struct exec_output *output)
{
    output->generous = true;
}

bool
exec_output_is_blocked(const struct exec_output *output)
{
    return pending_bytes(output) > 0 || (output->status_shown && output->status_stale);
}

/* Tags and JSON make more of what came than was counted: eight times as much is room enough. */
bool
exec_output_is_flooded(const struct exec_output *output)
{
    return pending_bytes(output) >
           EXEC_OUTPUT_QUEUE_BYTES + (size_t)output->peers * 8 * CONTROL_OUTPUT_WINDOW_BYTES;
}

void
exec_output_finish(struct exec_output *output)
{
    held_emit_all(output);
    for (size_t i = 0; i < (size_t)output->ranks * 2; i++)
        file_close(&output->streams[i]);
}

void
exec_output_close(struct exec_output *output)
{
    exec_sink_close(&output->out);
    exec_sink_close(&output->err);
    uv_close((uv_handle_t *)&output->hold_timer, NULL);
}

void
exec_output_release(struct exec_output *output)
{
    for (size_t i = 0; i < (size_t)output->ranks * 2; i++) {
        file_close(&output->streams[i]);
        text_release(&output->streams[i].held);
    }
    free(output->streams);
    text_release(&output->status);
}
