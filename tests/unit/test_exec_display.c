/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "exec/display.h"
#include "exec/report.h"
#include "exec/trace.h"
#include "ring/segment.h"

/* Three ranks of two programs on two peers. */
static char *first_argv[] = {"./master", "-v", NULL}, *second_argv[] = {"./worker", NULL};
static struct exec_program programs[] = {{.argv = first_argv}, {.argv = second_argv}};
static struct exec_options options = {
    .programs = programs, .programs_count = 2, .timeout_us = 2500000};
static struct exec_place places[] = {{0, 0}, {0, 1}, {1, 1}};
static struct exec_map map = {
    .ranks = 3, .peers = 2, .places = places, .peer_ranks = {2, 1}, .millicores = {1500, 500}};
static char *names[] = {"pc/0", "pc/1"};

static struct exec_job job;
static struct exec_view view = {
    .options = &options, .map = &map, .peer_names = names, .job = &job, .cores = 2, .id = 0xabc};

static int
job_make(void **state)
{
    struct exec_actions actions;

    (void)state;
    exec_job_init(&job, &map, 0, 0);
    for (uint32_t i = 0; i < 2; i++)
        exec_job_step(&job, &(struct exec_event){.type = EXEC_EVENT_READY, .peer = i}, &actions);
    for (uint32_t i = 0; i < 3; i++)
        exec_job_step(&job, &(struct exec_event){.type = EXEC_EVENT_STARTED, .rank = i,
                                                 .peer = places[i].peer, .pid = 70 + i}, &actions);
    return 0;
}

static int
job_drop(void **state)
{
    (void)state;
    exec_job_release(&job);
    return 0;
}

static void
happens(struct exec_event event)
{
    struct exec_actions actions;

    assert_int_equal(0, exec_job_step(&job, &event, &actions));
}

static void
box_has(const char *const *words)
{
    struct text text = {0};

    exec_display_failure(&text, &view);
    for (; *words != NULL; words++)
        if (strstr(text_string(&text), *words) == NULL)
            fail_msg("%s lacks \"%s\"", text_string(&text), *words);
    assert_memory_equal("----", text.bytes, 4);
    assert_memory_equal("---\n", text.bytes + text.used - 4, 4);
    text_release(&text);
}
#define BOX_HAS(...) box_has((const char *const[]){__VA_ARGS__, NULL})

static void
the_map_names_each_rank_once(void **state)
{
    struct text text = {0};

    (void)state;
    exec_display_map(&text, &view);
    assert_string_equal("Map of job 0000000000000abc: 3 ranks, 2 peers, 2 cores\n"
                        "  peer 0  pc/0, 1.50 cores: 2 ranks\n"
                        "    rank 0: ./master -v\n"
                        "    rank 1: ./worker\n"
                        "  peer 1  pc/1, 0.50 cores: 1 rank\n"
                        "    rank 2: ./worker\n",
                        text_string(&text));
    text_release(&text);
}

static void
no_failure_no_box(void **state)
{
    struct text text = {0};

    (void)state;
    exec_display_failure(&text, &view);
    assert_int_equal(0, text.used);
}

static void
the_box_tells_what_happened_and_where(void **state)
{
    (void)state;
    happens((struct exec_event){.type = EXEC_EVENT_EXITED, .rank = 2, .peer = 1, .code = 5});
    BOX_HAS("Rank 2 (peer 1, pc/1, pid 72) exited with code 5", "./worker");
}

static void
a_program_that_lacks_something_is_led_to_the_manual(void **state)
{
    (void)state;
    happens((struct exec_event){.type = EXEC_EVENT_EXITED, .rank = 1, .code = 127});
    BOX_HAS("Rank 1 (peer 0, pc/0, pid 71) exited with code 127", "cpmp(7)");
}

static void
the_box_counts_the_others(void **state)
{
    (void)state;
    happens((struct exec_event){
        .type = EXEC_EVENT_EXITED, .rank = 0, .code = SIGSEGV, .signaled = true});
    happens((struct exec_event){.type = EXEC_EVENT_EXITED, .rank = 1, .code = 1});
    BOX_HAS("Rank 0 (peer 0, pc/0, pid 70)", "signal 11", "(and 1 more rank failed)");
}

static void
ranks_that_all_exit_alike_are_one_line(void **state)
{
    struct text text = {0};

    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        happens((struct exec_event){.type = EXEC_EVENT_EXITED, .rank = i, .peer = places[i].peer,
                                    .stage = CPI_RANK_ENDED, .code = 3});
    exec_display_failure(&text, &view);
    assert_string_equal("cpexec: all 3 ranks exited with code 3\n", text_string(&text));
    text_clear(&text);
    exec_display_failure_plain(&text, &view);
    assert_string_equal("All 3 ranks exited with code 3\n", text_string(&text));
    text_release(&text);
    job.ranks[2].stage = CPI_RANK_JOINED;
    BOX_HAS("Rank 0 (peer 0", "exited with code 3", "(and 2 more ranks failed)");
}

static void
an_abort_is_told_in_its_own_words(void **state)
{
    (void)state;
    happens((struct exec_event){.type = EXEC_EVENT_ABORT, .rank = 1, .code = 7,
                                .text = "MPI_ABORT was invoked on rank 1"});
    happens((struct exec_event){.type = EXEC_EVENT_ABORT, .rank = 0, .code = 7, .text = "again"});
    BOX_HAS("MPI_ABORT was invoked on rank 1\nThat was rank 1 (peer 0",
            "pid 71); cpexec exits with 7.\n", "(and 1 more rank did so too)");
}

static void
codes_that_an_exit_status_cannot_hold_are_told_with_it(void **state)
{
    (void)state;
    happens((struct exec_event){.type = EXEC_EVENT_ABORT, .rank = 1, .code = 256, .text = ""});
    BOX_HAS("Rank 1 (peer 0, pc/0, pid 71) ended the job; code 256 is not within 1 to 255, so "
            "cpexec exits with 1.\n");
}

static void
a_rank_that_left_is_told_what_to_call(void **state)
{
    (void)state;
    happens((struct exec_event){.type = EXEC_EVENT_EXITED, .rank = 1, .stage = CPI_RANK_JOINED});
    BOX_HAS("without leaving the job", "MPI_Finalize", "cpmp_end");
}

static void
what_is_too_large_for_a_program_is_told_with_the_limits(void **state)
{
    (void)state;
    job.ranks[1].state = EXEC_RANK_WAITING;
    job.running--;
    job.waiting++;
    happens((struct exec_event){.type = EXEC_EVENT_START_FAILED, .rank = 1, .code = E2BIG,
                                .what = "run", .text = "./worker"});
    BOX_HAS("./worker can't be run: Argument list too long", "128 KiB", "ulimit -s");
}

static void
signals_that_cpexec_passes_on_are_told_as_such(void **state)
{
    (void)state;
    happens((struct exec_event){
        .type = EXEC_EVENT_EXITED, .rank = 1, .code = SIGUSR2, .signaled = true});
    BOX_HAS("was killed by signal 12", "cpexec passes it on to all ranks");
}

static void
a_lost_peer_is_named(void **state)
{
    (void)state;
    happens((struct exec_event){.type = EXEC_EVENT_LOST, .peer = 1, .text = "it was killed"});
    BOX_HAS("Peer 1 (pc/1) was lost, with 1 rank of this job (2): it was killed",
            "Its agent (cpmp-agent) was killed or failed");
}

static void
a_lost_machine_is_told_as_such(void **state)
{
    (void)state;
    view.remote = true;
    happens((struct exec_event){.type = EXEC_EVENT_LOST, .peer = 1, .text = "it is silent"});
    BOX_HAS("Peer 1 (pc/1) was lost, with 1 rank of this job (2): it is silent",
            "or the network between");
    view.remote = false;
}

static void
a_peer_that_is_taken_away_is_told_with_the_reason(void **state)
{
    (void)state;
    happens((struct exec_event){
        .type = EXEC_EVENT_TAKEN_AWAY, .peer = 1, .text = "somebody works here"});
    BOX_HAS("Peer 1 (pc/1), with 1 rank of this job (2), was taken away",
            "by its owner: somebody works here", "Run the job again");
}

static void
output_and_limits_are_told(void **state)
{
    (void)state;
    happens((struct exec_event){.type = EXEC_EVENT_OUTPUT_FAILED, .code = ENOSPC, .text = "d/1/x"});
    BOX_HAS("d/1/x can't be written: No space left", "Make room");
}

static void
ranks_that_were_late_are_named(void **state)
{
    (void)state;
    happens((struct exec_event){.type = EXEC_EVENT_EXITED, .rank = 1, .stage = CPI_RANK_ENDED});
    job.limit_us = 10;
    happens((struct exec_event){.type = EXEC_EVENT_TIME, .now_us = 10});
    happens((struct exec_event){.type = EXEC_EVENT_EXITED, .rank = 2, .peer = 1, .ended = true});
    BOX_HAS("limit that --timeout", "Still running then: 2 of 3 ranks (0,2).\n");
    job.ranks[1].late = true;
    BOX_HAS("Still running then: 3 of 3 ranks.\n");
    job.ranks[0].late = false;
    BOX_HAS("Still running then: 2 of 3 ranks (1-2).\n");
}

static void
nobody_is_told_that_nobody_reads(void **state)
{
    struct text text = {0};

    (void)state;
    happens((struct exec_event){.type = EXEC_EVENT_OUTPUT_FAILED, .code = EPIPE, .text = "out"});
    exec_display_failure(&text, &view);
    assert_int_equal(0, text.used);
}

static void
status_expect(const char *expected, const char *latest, size_t columns)
{
    struct text text = {0};

    exec_display_status(&text, &view, latest, columns);
    assert_string_equal(expected, text_string(&text));
    text_release(&text);
}

static void
the_status_line_fits_and_moves_no_cursor(void **state)
{
    (void)state;
    status_expect("3 of 3 ranks running", "", 80);
    job.ranks[0].progress_done = 1;
    job.ranks[0].progress_total = 2;
    job.ranks[1].progress_total = 2;
    status_expect("3 of 3 ranks running | 25 % | [1] b: 7", "[1] b: 7", 80);
    status_expect("3 of 3 ranks running | 25 % | a\\x1bb c", "a\x1b" "b\tc", 80);
    status_expect("3 of 3", "x", 6);
    status_expect("3 of 3 ranks running | 25 % | \xc3\xa9", "\xc3\xa9\xc3\xa9", 31);
    status_expect("3 of 3 ranks running | 25 % | \\xff", "\xff", 80);
    job.ranks[0].progress_total = job.ranks[1].progress_total = 0;
    status_expect("3 of 3 ranks running | 1 done", "", 80);
}

static void
verbose_lines_have_their_times(void **state)
{
    struct text text = {0};

    (void)state;
    exec_trace_times(&text, &view, 1000000, 3000000);
    assert_string_equal("cpexec: 2.000 s: no rank has started\n", text_string(&text));
    text_clear(&text);
    happens((struct exec_event){.type = EXEC_EVENT_EXITED, .rank = 1, .code = 9, .signaled = true,
                                .cpu_us = 20000, .now_us = 2500000});
    job.ranks[1].started_us = 1200000;
    exec_trace_agent(&text, &view, 1, 33, 100000);
    exec_trace_started(&text, &view, 1, 1000000);
    exec_trace_exited(&text, &view, 1, 1000000);
    exec_trace_times(&text, &view, 1000000, 3000000);
    assert_string_equal(
        "cpexec: 0.100 s: the agent of peer 1 (pc/1, pid 33) is ready: 0.50 cores, 1 rank to "
        "start\n"
        "cpexec: 0.200 s: rank 1 (peer 0, pc/0, pid 71) has started\n"
        "cpexec: 1.500 s: rank 1 (peer 0, pc/0, pid 71) was killed by signal 9 (Killed) after "
        "1.300 s, 0.020 s of them on a core\n"
        "cpexec: 2.000 s: start-up took 0.200 s, the run 1.300 s, the end 0.500 s\n",
        text_string(&text));
    text_release(&text);
}

static void
the_report_has_every_rank_and_peer(void **state)
{
    struct text text = {0};
    struct exec_peer_report reports[2] = {{.frames_out = 3}, {.strangers = 1}};

    (void)state;
    happens((struct exec_event){.type = EXEC_EVENT_EXITED, .rank = 0, .code = 0, .stage = 2,
                                .cpu_us = 1500000, .max_rss_kib = 99});
    happens((struct exec_event){.type = EXEC_EVENT_EXITED, .rank = 1, .code = 9, .signaled = true});
    job.ranks[0].progress_done = 3;
    job.ranks[0].progress_total = 4;
    job.ranks[2].progress_done = 1;
    exec_report_final(&text, &view, reports, 2000000, 137, "box\n");
    assert_string_equal(
        "{\"type\":\"report\",\"job\":\"0000000000000abc\",\"exit_code\":137,\"cause\":\"signal\","
        "\"cause_rank\":1,\"message\":\"box\\n\",\"wall_s\":2.000000,"
        "\"progress\":{\"done\":4,\"total\":4},\"ranks\":["
        "{\"rank\":0,\"peer\":0,\"pid\":70,\"state\":\"exited\",\"exit_code\":0,\"failed\":false,"
        "\"cpu_s\":1.500000,\"max_rss_kib\":99,\"progress\":{\"done\":3,\"total\":4}},"
        "{\"rank\":1,\"peer\":0,\"pid\":71,\"state\":\"killed\",\"signal\":9,\"failed\":true,"
        "\"cpu_s\":0.000000,\"max_rss_kib\":0},"
        "{\"rank\":2,\"peer\":1,\"pid\":72,\"state\":\"running\",\"failed\":false,"
        "\"cpu_s\":0.000000,\"max_rss_kib\":0,\"progress\":{\"done\":1,\"total\":0}}],\"peers\":["
        "{\"peer\":0,\"name\":\"pc/"
        "0\",\"lost\":false,\"frames_out\":3,\"frames_in\":0,\"bytes_out\":0,"
        "\"bytes_in\":0,\"batches_out\":0,\"strangers\":0},"
        "{\"peer\":1,\"name\":\"pc/"
        "1\",\"lost\":false,\"frames_out\":0,\"frames_in\":0,\"bytes_out\":0,"
        "\"bytes_in\":0,\"batches_out\":0,\"strangers\":1}]}\n",
        text_string(&text));
    text_release(&text);
}

static void
the_map_for_programs_has_every_rank(void **state)
{
    struct text text = {0};

    (void)state;
    exec_report_map(&text, &view);
    assert_string_equal(
        "{\"type\":\"map\",\"job\":\"0000000000000abc\",\"cores\":2,\"programs\":["
        "{\"argv\":[\"./master\",\"-v\"]},{\"argv\":[\"./worker\"]}],\"peers\":["
        "{\"peer\":0,\"name\":\"pc/0\",\"cores\":1.500,\"ranks\":2},"
        "{\"peer\":1,\"name\":\"pc/1\",\"cores\":0.500,\"ranks\":1}],\"ranks\":["
        "{\"rank\":0,\"peer\":0,\"program\":0},{\"rank\":1,\"peer\":0,\"program\":1},"
        "{\"rank\":2,\"peer\":1,\"program\":1}]}\n",
        text_string(&text));
    text_release(&text);
}

#define WITH_JOB(test) cmocka_unit_test_setup_teardown(test, job_make, job_drop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_JOB(the_map_names_each_rank_once),
        WITH_JOB(no_failure_no_box),
        WITH_JOB(the_box_tells_what_happened_and_where),
        WITH_JOB(a_program_that_lacks_something_is_led_to_the_manual),
        WITH_JOB(the_box_counts_the_others),
        WITH_JOB(ranks_that_all_exit_alike_are_one_line),
        WITH_JOB(an_abort_is_told_in_its_own_words),
        WITH_JOB(codes_that_an_exit_status_cannot_hold_are_told_with_it),
        WITH_JOB(a_rank_that_left_is_told_what_to_call),
        WITH_JOB(what_is_too_large_for_a_program_is_told_with_the_limits),
        WITH_JOB(signals_that_cpexec_passes_on_are_told_as_such),
        WITH_JOB(a_lost_peer_is_named),
        WITH_JOB(a_lost_machine_is_told_as_such),
        WITH_JOB(a_peer_that_is_taken_away_is_told_with_the_reason),
        WITH_JOB(output_and_limits_are_told),
        WITH_JOB(ranks_that_were_late_are_named),
        WITH_JOB(nobody_is_told_that_nobody_reads),
        WITH_JOB(the_status_line_fits_and_moves_no_cursor),
        WITH_JOB(verbose_lines_have_their_times),
        WITH_JOB(the_report_has_every_rank_and_peer),
        WITH_JOB(the_map_for_programs_has_every_rank),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
