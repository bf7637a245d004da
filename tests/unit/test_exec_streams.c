/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The launcher's standard streams, with real pipes in a real loop: what input.c takes from fd 0 and
 * what output.c makes of ranks' output on fd 1.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exec/input.h"
#include "exec/output.h"

static void
handle_close(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void
loop_end(uv_loop_t *loop)
{
    uv_walk(loop, handle_close, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    assert_int_equal(0, uv_loop_close(loop));
}

/* --- input --- */

/* One or two agents that take what they are sent when told to. */
struct agents {
    uv_loop_t loop;
    struct exec_input input;
    uint64_t sent[2];
    unsigned char next[2];  /* bytes come in order: 0, 1, ... 255, 0, ... */
    bool eof[2];
};

static void
on_sent(void *arg, uint32_t peer, const void *bytes, size_t count, bool eof)
{
    struct agents *agents = arg;
    const unsigned char *at = bytes;

    assert_false(agents->eof[peer]);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(agents->next[peer]++, at[i]);
    agents->sent[peer] += count;
    agents->eof[peer] = eof;
}

/* Makes `fd` the standard input, and begins to read it. */
static struct agents *
agents_new(int fd, uint32_t count)
{
    static const bool reads[2] = {true, true};
    struct agents *agents = calloc(1, sizeof(*agents));

    assert_non_null(agents);
    assert_int_equal(0, dup2(fd, STDIN_FILENO));
    close(fd);
    uv_loop_init(&agents->loop);
    assert_int_equal(0,
                     exec_input_init(&agents->input, &agents->loop, reads, count, on_sent, agents));
    return agents;
}

static void
agents_free(struct agents *agents)
{
    exec_input_close(&agents->input);
    loop_end(&agents->loop);
    free(agents);
}

/* A file of `bytes` bytes 0, 1, 2, ... */
static int
file_make(size_t bytes)
{
    char path[] = "/tmp/test_exec_streams.XXXXXX";
    unsigned char piece[256];
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    unlink(path);
    for (int i = 0; i < 256; i++)
        piece[i] = (unsigned char)i;
    for (size_t done = 0; done < bytes; done += sizeof(piece))
        assert_int_equal(sizeof(piece), write(fd, piece, sizeof(piece)));
    assert_int_equal(0, lseek(fd, 0, SEEK_SET));
    return fd;
}

static void
a_file_is_sent_no_further_than_there_is_credit(void **state)
{
    size_t total = 3 * CONTROL_STDIN_WINDOW_BYTES + 512;
    struct agents *agents = agents_new(file_make(total), 2);

    (void)state;
    while (uv_run(&agents->loop, UV_RUN_NOWAIT) != 0)
        continue;
    assert_int_equal(CONTROL_STDIN_WINDOW_BYTES, agents->sent[0]);
    assert_int_equal(CONTROL_STDIN_WINDOW_BYTES, agents->sent[1]);
    /* The slowest counts. */
    assert_int_equal(0, exec_input_taken(&agents->input, 0, CONTROL_STDIN_WINDOW_BYTES, false));
    assert_int_equal(CONTROL_STDIN_WINDOW_BYTES, agents->sent[0]);
    assert_int_equal(0, exec_input_taken(&agents->input, 1, 100, false));
    assert_int_equal(CONTROL_STDIN_WINDOW_BYTES + 100, agents->sent[1]);
    /* One that reads no more doesn't. */
    assert_int_equal(0, exec_input_taken(&agents->input, 1, 100, true));
    while (!agents->eof[0]) {
        assert_int_equal(0, exec_input_taken(&agents->input, 0, agents->sent[0], false));
        uv_run(&agents->loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(total, agents->sent[0]);
    assert_int_equal(CONTROL_STDIN_WINDOW_BYTES + 100, agents->sent[1]);
    agents_free(agents);
}

static void
what_cannot_have_been_taken_is_refused(void **state)
{
    struct agents *agents = agents_new(file_make(1024), 1);

    (void)state;
    assert_int_equal(1024, agents->sent[0]);
    assert_int_equal(-1, exec_input_taken(&agents->input, 0, 1025, false));
    assert_int_equal(-1, exec_input_taken(&agents->input, 1, 0, false));
    assert_int_equal(0, exec_input_taken(&agents->input, 0, 1000, false));
    assert_int_equal(-1, exec_input_taken(&agents->input, 0, 999, false));
    agents_free(agents);
}

static void
a_pipe_is_closed_once_nobody_reads(void **state)
{
    struct agents *agents;
    unsigned char bytes[] = {0, 1, 2};
    int pair[2];

    (void)state;
    assert_int_equal(0, pipe(pair));
    agents = agents_new(pair[0], 1);
    assert_int_equal(3, write(pair[1], bytes, 3));
    while (agents->sent[0] < 3)
        uv_run(&agents->loop, UV_RUN_ONCE);
    assert_int_equal(0, fcntl(STDIN_FILENO, F_GETFL) & O_NONBLOCK);
    assert_int_equal(0, exec_input_taken(&agents->input, 0, 3, true));
    assert_int_equal(-1, write(pair[1], bytes, 3));
    assert_int_equal(EPIPE, errno);
    assert_int_equal(0, read(STDIN_FILENO, bytes, 3));  /* it is /dev/null now */
    close(pair[1]);
    agents_free(agents);
}

static void
the_end_of_a_pipe_is_passed_on(void **state)
{
    struct agents *agents;
    int pair[2];

    (void)state;
    assert_int_equal(0, pipe(pair));
    agents = agents_new(pair[0], 1);
    close(pair[1]);
    while (!agents->eof[0])
        uv_run(&agents->loop, UV_RUN_ONCE);
    assert_int_equal(0, agents->sent[0]);
    agents_free(agents);
}

/* --- output --- */

struct sheet {
    uv_loop_t loop;
    struct exec_output output;
    struct exec_options options;
    uint64_t credit[2];
    int failed;
};

static void
on_credit(void *arg, uint32_t peer, uint64_t taken_bytes)
{
    struct sheet *sheet = arg;

    sheet->credit[peer] = taken_bytes;
}

static void
on_failed(void *arg, int error, const char *what)
{
    struct sheet *sheet = arg;

    (void)what;
    sheet->failed = error;
}

static const struct exec_output_hooks hooks = {.credit = on_credit, .failed = on_failed};

static struct sheet *
sheet_new(const struct exec_options *options, uint32_t ranks)
{
    struct sheet *sheet = calloc(1, sizeof(*sheet));

    sheet->options = *options;
    uv_loop_init(&sheet->loop);
    assert_int_equal(0, exec_output_init(&sheet->output, &sheet->loop, &sheet->options, ranks, 2,
                                         &hooks, sheet));
    return sheet;
}

static void
sheet_free(struct sheet *sheet)
{
    exec_output_close(&sheet->output);
    loop_end(&sheet->loop);
    exec_output_release(&sheet->output);
    free(sheet);
}

static void
says(struct sheet *sheet, uint32_t rank, uint32_t stream, const char *text)
{
    exec_output_take(&sheet->output, rank % 2, rank, stream, text, strlen(text), false);
}

static void
ends(struct sheet *sheet, uint32_t rank, uint32_t stream)
{
    exec_output_take(&sheet->output, rank % 2, rank, stream, NULL, 0, true);
}

/* What `script` makes the output module write to standard output, which is TAP's else. */
static void
output_expect(const char *expected, const struct exec_options *options,
              void (*script)(struct sheet *sheet))
{
    struct sheet *sheet;
    char seen[4096];
    ssize_t count;
    int pair[2], saved = dup(STDOUT_FILENO);

    assert_int_equal(0, pipe(pair));
    dup2(pair[1], STDOUT_FILENO);
    close(pair[1]);
    sheet = sheet_new(options, 3);
    script(sheet);
    exec_output_finish(&sheet->output);
    exec_output_flush(&sheet->output);
    sheet_free(sheet);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    count = read(pair[0], seen, sizeof(seen) - 1);
    close(pair[0]);
    seen[count > 0 ? count : 0] = '\0';
    assert_string_equal(expected, seen);
}

static void
pieces_of_lines(struct sheet *sheet)
{
    says(sheet, 0, 1, "zero ");
    says(sheet, 1, 1, "one\ntwo ");
    says(sheet, 0, 1, "is first\n");
    ends(sheet, 1, 1);
    says(sheet, 2, 1, "last");
}

static void
lines_of_different_ranks_do_not_mix(void **state)
{
    static const struct exec_options plain = {.output_copy = true};

    (void)state;
    output_expect("one\nzero is first\ntwo last", &plain, pieces_of_lines);
}

static void
tags_begin_each_line(void **state)
{
    static const struct exec_options tagged = {.output_copy = true, .tag_output = true};

    (void)state;
    output_expect("[1,1]<stdout>:one\n[1,0]<stdout>:zero is first\n[1,1]<stdout>:two \n"
                  "[1,2]<stdout>:last",
                  &tagged, pieces_of_lines);
}

static void
both_streams(struct sheet *sheet)
{
    says(sheet, 0, 2, "error\n");
    says(sheet, 0, 1, "fine\n");
}

static void
stderr_can_be_merged(void **state)
{
    static const struct exec_options merged = {
        .output_copy = true, .tag_output = true, .merge_stderr = true};

    (void)state;
    output_expect("[1,0]<stderr>:error\n[1,0]<stdout>:fine\n", &merged, both_streams);
}

static void
json_wraps_each_piece(void **state)
{
    static const struct exec_options json = {.output_copy = true, .json = true};

    (void)state;
    output_expect(
        "{\"type\":\"output\",\"rank\":1,\"stream\":\"stdout\",\"text\":\"one\\n\"}\n"
        "{\"type\":\"output\",\"rank\":0,\"stream\":\"stdout\",\"text\":\"zero is first\\n\"}\n"
        "{\"type\":\"output\",\"rank\":1,\"stream\":\"stdout\",\"text\":\"two \"}\n"
        "{\"type\":\"output\",\"rank\":2,\"stream\":\"stdout\",\"text\":\"last\"}\n",
        &json, pieces_of_lines);
}

static void
a_prompt_and_a_result(struct sheet *sheet)
{
    struct text line = {0};

    says(sheet, 0, 1, "prompt: ");
    while (sheet->output.holding)
        uv_run(&sheet->loop, UV_RUN_ONCE);
    text_add_string(&line, "[1] best: 7\n");
    exec_output_say(&sheet->output, false, &line);
    text_release(&line);
}

static void
on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static void
a_prompt_and_a_result_in_a_loop(struct sheet *sheet)
{
    uv_timer_t tick;

    uv_timer_init(&sheet->loop, &tick);
    uv_timer_start(&tick, on_tick, 1, 1);  /* the hold timer alone keeps no loop alive */
    a_prompt_and_a_result(sheet);
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&sheet->loop, UV_RUN_NOWAIT);
}

static void
an_unfinished_line_shows_soon_and_is_ended_for_the_launchers_own(void **state)
{
    static const struct exec_options plain = {.output_copy = true};

    (void)state;
    output_expect("prompt: \n[1] best: 7\n", &plain, a_prompt_and_a_result_in_a_loop);
}

/* Without a reader the pipe fills, then our queue, and then agents get no more credit. */
static void
a_slow_reader_withholds_credit(void **state)
{
    static const struct exec_options plain = {.output_copy = true};
    static char piece[64 << 10];
    struct sheet *sheet;
    uint64_t given = 0, read_bytes = 0;
    char sink[4096];
    int pair[2], saved = dup(STDOUT_FILENO);

    (void)state;
    memset(piece, '\n', sizeof(piece));
    assert_int_equal(0, pipe(pair));
    dup2(pair[1], STDOUT_FILENO);
    close(pair[1]);
    sheet = sheet_new(&plain, 2);
    while (sheet->credit[0] == given) {
        exec_output_take(&sheet->output, 0, 0, 1, piece, sizeof(piece), false);
        given += sizeof(piece);
        exec_output_flush(&sheet->output);
    }
    assert_true(exec_output_is_blocked(&sheet->output));
    assert_in_range(given, EXEC_OUTPUT_QUEUE_BYTES, EXEC_OUTPUT_QUEUE_BYTES + (1u << 20));
    while (read_bytes < given) {
        ssize_t count = read(pair[0], sink, sizeof(sink));
        assert_true(count > 0);
        read_bytes += (uint64_t)count;
        uv_run(&sheet->loop, UV_RUN_NOWAIT);
        exec_output_flush(&sheet->output);
    }
    assert_int_equal(given, sheet->credit[0]);
    assert_false(exec_output_is_blocked(&sheet->output));
    sheet_free(sheet);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    close(pair[0]);
}

static void
what_cannot_be_written_is_told(void **state)
{
    static const struct exec_options plain = {.output_copy = true};
    struct sheet *sheet;
    int full = open("/dev/full", O_WRONLY), saved = dup(STDOUT_FILENO), failed;

    (void)state;
    dup2(full, STDOUT_FILENO);
    close(full);
    sheet = sheet_new(&plain, 1);
    says(sheet, 0, 1, "lost\n");
    exec_output_flush(&sheet->output);
    failed = sheet->failed;
    says(sheet, 0, 1, "lost too\n");
    exec_output_flush(&sheet->output);
    assert_false(exec_output_is_blocked(&sheet->output));
    sheet_free(sheet);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    assert_int_equal(ENOSPC, failed);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_sent_no_further_than_there_is_credit),
        cmocka_unit_test(what_cannot_have_been_taken_is_refused),
        cmocka_unit_test(a_pipe_is_closed_once_nobody_reads),
        cmocka_unit_test(the_end_of_a_pipe_is_passed_on),
        cmocka_unit_test(lines_of_different_ranks_do_not_mix),
        cmocka_unit_test(tags_begin_each_line),
        cmocka_unit_test(stderr_can_be_merged),
        cmocka_unit_test(json_wraps_each_piece),
        cmocka_unit_test(an_unfinished_line_shows_soon_and_is_ended_for_the_launchers_own),
        cmocka_unit_test(a_slow_reader_withholds_credit),
        cmocka_unit_test(what_cannot_be_written_is_told),
    };

    signal(SIGPIPE, SIG_IGN);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
