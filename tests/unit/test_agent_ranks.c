/* SPDX-License-Identifier: BSD-3-Clause */

/* A real agent with real ranks, as its launcher sees it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent_driver.h"
#include "process/descendants.h"

static int
setup(void **state)
{
    *state = driver_new();
    return 0;
}

static int
teardown(void **state)
{
    driver_free(*state);
    return 0;
}

static pid_t
number_after(const char *text, const char *word)
{
    const char *found = strstr(text, word);

    assert_non_null(found);
    return (pid_t)strtol(found + strlen(word), NULL, 10);
}

static void
expect_gone(pid_t pid)
{
    assert_true(pid > 1);
    assert_int_equal(-1, kill(pid, 0));
    assert_int_equal(ESRCH, errno);
}

/* --- starting --- */

static void
ranks_know_who_they_are(void **state)
{
    struct driver *driver = *state;

    driver_start_script(driver, 4, CONTROL_STDIN_NONE,
        "echo $CPMP_RANK/$CPMP_SIZE $CPMP_LOCAL_INDEX $CPMP_PEER $CPMP_JOB $OMPI_COMM_WORLD_RANK "
        "$OMPI_COMM_WORLD_SIZE $OMPI_COMM_WORLD_LOCAL_RANK $OMPI_COMM_WORLD_LOCAL_SIZE $GREETING "
        "$CPMP_SEGMENT_FD $CPMP_DOORBELL_FD $CPMP_HOST_FD");
    driver_wait_int(driver, &driver->exited, 4);
    driver_finish(driver, false);
    for (int i = 0; i < 4; i++) {
        char expected[128];
        snprintf(expected, sizeof(expected),
                 "%d/4 %d 0 0000000000001267 %d 4 %d 4 hello 100 101 102\n", i, i, i, i);
        assert_string_equal(expected, driver->ranks[i].out);
        assert_int_equal(2, driver->ranks[i].eofs);
        assert_int_equal(0, driver->ranks[i].code);
        assert_false(driver->ranks[i].signaled);
    }
}

/* Signals 32 and 33 belong to the C library, which lets nobody change what was inherited. */
static void
ranks_get_a_clean_process(void **state)
{
    struct driver *driver = *state;

    driver_start_script(driver, 1, CONTROL_STDIN_NONE,
        "echo $(ls /proc/self/fd); umask; "  /* 3 is the directory that ls reads */
        "grep SigBlk /proc/self/status; "
        "printf '%x\\n' $((0x$(sed -n 's/SigIgn:.//p' /proc/self/status) & ~0x180000000)); "
        "readlink /proc/$$/fd/0; test $(cut -d' ' -f5 /proc/$$/stat) = $$ && echo leader");
    driver_wait_int(driver, &driver->exited, 1);
    driver_finish(driver, false);
    assert_string_equal("0 1 100 101 102 2 3\n0022\nSigBlk:\t0000000000000000\n0\n/dev/null\n"
                        "leader\n", driver->ranks[0].out);
}

static void
expect_start_failure(struct driver *driver, const char *what, int error, const char *program)
{
    driver_wait_int(driver, &driver->failed, 1);
    driver_finish(driver, true);
    assert_int_equal(1, driver->failed);
    assert_int_equal(0, driver->started);
    assert_string_equal(what, driver->failed_what);
    assert_string_equal(program, driver->failed_program);
    assert_int_equal(error, driver->failed_error);
}

static void
a_missing_program_is_reported_once(void **state)
{
    char *argv[] = {(char *)"no-such-program-here", NULL};

    driver_start(*state, 3, CONTROL_STDIN_NONE, "", argv);
    expect_start_failure(*state, "run", ENOENT, argv[0]);
}

static void
a_program_that_may_not_be_run_is_told_from_a_missing_one(void **state)
{
    char *argv[] = {(char *)"/etc/passwd", NULL};

    driver_start(*state, 3, CONTROL_STDIN_NONE, "", argv);
    expect_start_failure(*state, "run", EACCES, argv[0]);
}

static void
a_missing_directory_is_reported(void **state)
{
    char *argv[] = {(char *)"true", NULL};

    driver_start(*state, 2, CONTROL_STDIN_NONE, "/no/such/directory", argv);
    expect_start_failure(*state, "directory", ENOENT, "/no/such/directory");
}

static void
a_program_is_found_relative_to_its_directory(void **state)
{
    struct driver *driver = *state;
    char directory[] = "/tmp/cpmp-test-XXXXXX";
    char path[64];
    char *argv[] = {(char *)"./script", (char *)"argument", NULL};
    FILE *file;

    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/script", directory);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("echo $1 in $(pwd)\n", file);  /* no "#!": a shell would run it, so do we */
    assert_int_equal(0, fclose(file));
    assert_int_equal(0, chmod(path, 0755));
    driver_start(driver, 1, CONTROL_STDIN_NONE, directory, argv);
    driver_wait_text(driver, 0, "argument in /tmp/cpmp-test-");
    driver_wait_int(driver, &driver->exited, 1);
    unlink(path);
    rmdir(directory);
    driver_finish(driver, false);
}

/* --- exits and signals --- */

static void
exit_codes_and_signals_are_told_apart(void **state)
{
    struct driver *driver = *state;

    driver_start_script(driver, 3, CONTROL_STDIN_NONE,
                        "test $CPMP_RANK = 2 && kill -SEGV $$; exit $((CPMP_RANK * 7))");
    driver_wait_int(driver, &driver->exited, 3);
    driver_finish(driver, false);
    assert_int_equal(0, driver->ranks[0].code);
    assert_int_equal(7, driver->ranks[1].code);
    assert_false(driver->ranks[1].signaled);
    assert_int_equal(SIGSEGV, driver->ranks[2].code);
    assert_true(driver->ranks[2].signaled);
}

static void
signals_reach_the_whole_group_of_each_rank(void **state)
{
    struct driver *driver = *state;

    driver_start_script(driver, 3, CONTROL_STDIN_NONE,
        "trap 'exit 5' USR1; (trap 'echo child; exit' USR1; echo ready; sleep 1000 & wait) & wait; "
        "wait");
    for (int i = 0; i < 3; i++)
        driver_wait_text(driver, i, "ready");
    driver_signal(driver, SIGUSR1);
    for (int i = 0; i < 3; i++)
        driver_wait_text(driver, i, "child");
    driver_wait_int(driver, &driver->exited, 3);
    driver_finish(driver, false);
    assert_int_equal(5, driver->ranks[1].code);
}

/* --- output --- */

static void
a_slow_launcher_slows_the_ranks_and_loses_nothing(void **state)
{
    struct driver *driver = *state;
    const uint64_t all = 4 * (3ull << 20);

    driver->withhold = true;
    driver_start_script(driver, 4, CONTROL_STDIN_NONE,
                        "head -c 2097152 /dev/zero; head -c 1048576 /dev/zero >&2");
    driver_wait_u64(driver, &driver->out_bytes, CONTROL_OUTPUT_WINDOW_BYTES);
    assert_int_equal(CONTROL_OUTPUT_WINDOW_BYTES, driver->out_bytes);
    driver->withhold = false;
    driver_acknowledge(driver);
    driver_wait_int(driver, &driver->exited, 4);
    driver_finish(driver, false);
    assert_int_equal(all, driver->out_bytes);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(3 << 20, driver->ranks[i].out_bytes);
        assert_int_equal(2, driver->ranks[i].eofs);
    }
}

static void
output_without_credit_at_the_end_is_kept_until_there_is_some(void **state)
{
    struct driver *driver = *state;

    driver->withhold = true;
    driver_start_script(driver, 16, CONTROL_STDIN_NONE,
                        "head -c 131072 /dev/zero | (cat; echo end)");
    driver_wait_u64(driver, &driver->out_bytes, CONTROL_OUTPUT_WINDOW_BYTES);
    driver_end(driver, false);
    driver->withhold = false;
    driver_acknowledge(driver);
    driver_wait_int(driver, &driver->exited, 16);
    driver_wait_bool(driver, &driver->done);
    for (int i = 0; i < 16; i++)
        assert_int_equal(131072 + 4, driver->ranks[i].out_bytes);
}

static void
a_grandchild_that_holds_the_pipe_does_not_hold_up_the_end(void **state)
{
    struct driver *driver = *state;

    driver_start_script(driver, 2, CONTROL_STDIN_NONE, "sleep 1000 & echo pid $!; exit 3");
    driver_wait_int(driver, &driver->exited, 2);
    driver_finish(driver, false);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(2, driver->ranks[i].eofs);
        expect_gone(number_after(driver->ranks[i].out, "pid "));
    }
}

/* --- input --- */

/* Each piece differs from the one before. */
static char
fed_byte(uint64_t position)
{
    return (char)('a' + (position / CONTROL_PIECE_BYTES + position % CONTROL_PIECE_BYTES) % 26);
}

static void
feed(struct driver *driver, int rank, uint64_t bytes)
{
    static char piece[CONTROL_PIECE_BYTES];

    for (uint64_t sent = 0; sent < bytes && !driver->stdin_closed; sent += sizeof(piece)) {
        for (size_t i = 0; i < sizeof(piece); i++)
            piece[i] = fed_byte(sent + i);
        if (driver->stdin_sent + sizeof(piece) > driver->stdin_taken + CONTROL_STDIN_WINDOW_BYTES)
            driver_wait_u64(driver, &driver->stdin_taken,
                            driver->stdin_sent + sizeof(piece) - CONTROL_STDIN_WINDOW_BYTES);
        driver_stdin(driver, rank, piece, sizeof(piece), false);
    }
    driver_stdin(driver, rank, NULL, 0, true);
}

static void
stdin_flows_to_one_rank_with_flow_control(void **state)
{
    struct driver *driver = *state;

    driver_start_script(driver, 2, 1, "cat");
    feed(driver, 1, 8 << 20);
    driver_wait_int(driver, &driver->exited, 2);
    driver_finish(driver, false);
    assert_int_equal(0, driver->ranks[0].out_bytes);
    assert_int_equal(8 << 20, driver->ranks[1].out_bytes);
    for (size_t i = 0; i < 8 << 20; i++)
        if (driver->ranks[1].out[i] != fed_byte(i))
            fail_msg("byte %zu differs", i);
    assert_true(driver->stdin_closed);
}

static void
stdin_for_all_gives_each_rank_all_of_it(void **state)
{
    struct driver *driver = *state;

    driver_start_script(driver, 4, CONTROL_STDIN_ALL, "test $CPMP_RANK = 2 && exec true; wc -c");
    feed(driver, CONTROL_STDIN_ALL, 2 << 20);
    driver_wait_int(driver, &driver->exited, 4);
    driver_finish(driver, false);
    for (int i = 0; i < 4; i++)
        assert_string_equal(i == 2 ? "" : "2097152\n", driver->ranks[i].out);
}

static void
a_reader_that_closes_is_no_error_and_the_launcher_hears_of_it(void **state)
{
    struct driver *driver = *state;

    driver_start_script(driver, 1, 0, "exec <&-; echo closed; sleep 1000");
    driver_wait_bool(driver, &driver->stdin_closed);
    driver_stdin(driver, 0, "late", 4, true);
    driver_finish(driver, true);
    assert_int_equal(SIGKILL, driver->ranks[0].code);
}

/* --- the end, in all its ways --- */

static void
running_ranks_and_daemons_are_killed_at_the_end(void **state)
{
    struct driver *driver = *state;

    driver_start_script(driver, 2, CONTROL_STDIN_NONE,
        "(setsid sh -c 'trap \"\" TERM HUP; echo daemon $$; exec >/dev/null 2>&1; "
        "while :; do sleep 1000; done' &) ; sleep 1000");
    for (int i = 0; i < 2; i++)
        driver_wait_text(driver, i, "daemon ");
    driver_finish(driver, true);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(SIGKILL, driver->ranks[i].code);
        expect_gone(number_after(driver->ranks[i].out, "daemon "));
    }
}

static void
end_without_kill_waits_for_ranks_and_can_be_sharpened(void **state)
{
    struct driver *driver = *state;

    driver_start_script(driver, 2, CONTROL_STDIN_NONE,
                        "test $CPMP_RANK = 1 && exit 4; echo up; sleep 1000");
    driver_wait_text(driver, 0, "up");
    driver_end(driver, false);
    driver_wait_int(driver, &driver->exited, 1);
    assert_false(driver->done);
    driver_finish(driver, true);
    assert_int_equal(SIGKILL, driver->ranks[0].code);
    assert_int_equal(4, driver->ranks[1].code);
}

static void
an_end_before_any_start_is_done_at_once(void **state)
{
    driver_finish(*state, false);
}

static const char *const sleepers =
    "(setsid sleep 1000 >/dev/null 2>&1 & echo daemon $!); sleep 1000 & echo up; wait";

static void
without_its_launcher_an_agent_ends_everything(void **state)
{
    struct driver *driver = *state;

    driver_start_script(driver, 2, CONTROL_STDIN_NONE, sleepers);
    driver_wait_text(driver, 0, "up");
    driver_wait_text(driver, 1, "up");
    close(driver->fd);
    driver->fd = -1;
    assert_int_equal(1, WEXITSTATUS(driver_agent_status(driver)));
    expect_gone(number_after(driver->ranks[0].out, "daemon "));
    expect_gone(driver->ranks[1].pid);
}

static void
sigterm_ends_the_lease_too(void **state)
{
    struct driver *driver = *state;

    driver_start_script(driver, 1, CONTROL_STDIN_NONE, sleepers);
    driver_wait_text(driver, 0, "up");
    kill(driver->pid, SIGTERM);
    driver_wait_bool(driver, &driver->ended);
    assert_int_equal(1, WEXITSTATUS(driver_agent_status(driver)));
    assert_non_null(strstr(driver->trouble, "SIGTERM"));
    expect_gone(number_after(driver->ranks[0].out, "daemon "));
}

/* What the ranks had started becomes the launcher's, for the launcher to kill. */
static void
ranks_die_with_an_agent_that_is_killed(void **state)
{
    struct driver *driver = *state;

    driver_start_script(driver, 2, CONTROL_STDIN_NONE, sleepers);
    driver_wait_text(driver, 0, "up");
    driver_wait_text(driver, 1, "up");
    kill(driver->pid, SIGKILL);
    driver_wait_bool(driver, &driver->ended);
    assert_int_equal(SIGKILL, WTERMSIG(driver_agent_status(driver)));
    assert_int_equal(driver->ranks[0].pid, waitpid(driver->ranks[0].pid, NULL, 0));
    assert_int_equal(driver->ranks[1].pid, waitpid(driver->ranks[1].pid, NULL, 0));
    assert_int_equal(4, descendants_signal(SIGKILL, 0, NULL, 0));
    driver_expect_no_children();
    expect_gone(number_after(driver->ranks[0].out, "daemon "));
}

/* --- messages that break the rules --- */

static void
expect_refusal(struct driver *driver)
{
    driver_wait_bool(driver, &driver->ended);
    assert_int_equal(1, WEXITSTATUS(driver_agent_status(driver)));
    assert_non_null(strstr(driver->trouble, "peer 0"));
}

static void
more_input_than_there_is_credit_for_is_refused(void **state)
{
    struct driver *driver = *state;
    char *piece = calloc(1, CONTROL_STDIN_WINDOW_BYTES + 1);

    assert_non_null(piece);
    driver_start_script(driver, 1, 0, "sleep 1000");
    driver_wait_int(driver, &driver->started, 1);
    driver_stdin(driver, 0, piece, CONTROL_STDIN_WINDOW_BYTES + 1, false);
    free(piece);
    expect_refusal(driver);
}

static void
a_message_out_of_order_is_refused(void **state)
{
    driver_signal(*state, SIGTERM);
    expect_refusal(*state);
}

static void
a_signal_that_is_none_is_refused(void **state)
{
    struct driver *driver = *state;

    driver_start_script(driver, 1, CONTROL_STDIN_NONE, "sleep 1000");
    driver_wait_int(driver, &driver->started, 1);
    driver_signal(driver, 4000);
    expect_refusal(driver);
}

static void
a_second_start_is_refused(void **state)
{
    struct driver *driver = *state;

    driver_start_script(driver, 1, CONTROL_STDIN_NONE, "sleep 1000");
    driver_start_script(driver, 1, CONTROL_STDIN_NONE, "sleep 1000");
    expect_refusal(driver);
}

static void
garbage_ends_the_lease(void **state)
{
    struct driver *driver = *state;
    char garbage[256];

    driver_start_script(driver, 1, CONTROL_STDIN_NONE, sleepers);
    driver_wait_text(driver, 0, "up");
    memset(garbage, 0xee, sizeof(garbage));
    assert_int_equal(sizeof(garbage), send(driver->fd, garbage, sizeof(garbage), MSG_NOSIGNAL));
    driver_wait_bool(driver, &driver->ended);
    assert_int_equal(1, WEXITSTATUS(driver_agent_status(driver)));
    expect_gone(number_after(driver->ranks[0].out, "daemon "));
}

#define AGENT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        AGENT_TEST(ranks_know_who_they_are),
        AGENT_TEST(ranks_get_a_clean_process),
        AGENT_TEST(a_missing_program_is_reported_once),
        AGENT_TEST(a_program_that_may_not_be_run_is_told_from_a_missing_one),
        AGENT_TEST(a_missing_directory_is_reported),
        AGENT_TEST(a_program_is_found_relative_to_its_directory),
        AGENT_TEST(exit_codes_and_signals_are_told_apart),
        AGENT_TEST(signals_reach_the_whole_group_of_each_rank),
        AGENT_TEST(a_slow_launcher_slows_the_ranks_and_loses_nothing),
        AGENT_TEST(output_without_credit_at_the_end_is_kept_until_there_is_some),
        AGENT_TEST(a_grandchild_that_holds_the_pipe_does_not_hold_up_the_end),
        AGENT_TEST(stdin_flows_to_one_rank_with_flow_control),
        AGENT_TEST(stdin_for_all_gives_each_rank_all_of_it),
        AGENT_TEST(a_reader_that_closes_is_no_error_and_the_launcher_hears_of_it),
        AGENT_TEST(running_ranks_and_daemons_are_killed_at_the_end),
        AGENT_TEST(end_without_kill_waits_for_ranks_and_can_be_sharpened),
        AGENT_TEST(an_end_before_any_start_is_done_at_once),
        AGENT_TEST(without_its_launcher_an_agent_ends_everything),
        AGENT_TEST(sigterm_ends_the_lease_too),
        AGENT_TEST(ranks_die_with_an_agent_that_is_killed),
        AGENT_TEST(more_input_than_there_is_credit_for_is_refused),
        AGENT_TEST(a_message_out_of_order_is_refused),
        AGENT_TEST(a_signal_that_is_none_is_refused),
        AGENT_TEST(a_second_start_is_refused),
        AGENT_TEST(garbage_ends_the_lease),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
