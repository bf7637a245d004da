/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "exec/job.h"
#include "ring/segment.h"

/* A job of `ranks` ranks, half on peer 0 and half on peer 1, and what it last asked for. */
struct story {
    struct exec_map map;
    struct exec_place places[64];
    struct exec_job job;
    struct exec_actions actions;
    uint64_t now_us;
};

static void
story_begin(struct story *story, uint32_t ranks, uint64_t limit_us)
{
    memset(story, 0, sizeof(*story));
    story->map.ranks = ranks;
    story->map.peers = 2;
    story->map.places = story->places;
    for (uint32_t i = 0; i < ranks; i++) {
        story->places[i].peer = i >= ranks / 2;
        story->map.peer_ranks[story->places[i].peer]++;
    }
    story->map.millicores[0] = story->map.millicores[1] = 1000;
    story->now_us = 1000;
    exec_job_init(&story->job, &story->map, limit_us, story->now_us);
}

static void
story_end(struct story *story)
{
    exec_job_release(&story->job);
}

static int
step(struct story *story, struct exec_event event)
{
    event.now_us = ++story->now_us;
    return exec_job_step(&story->job, &event, &story->actions);
}

static int
on_peer(struct story *story, enum exec_event_type type, uint32_t peer)
{
    return step(story, (struct exec_event){.type = type, .peer = peer, .text = "why"});
}

static int
on_rank(struct story *story, enum exec_event_type type, uint32_t rank, struct exec_event event)
{
    event.type = type;
    event.rank = rank;
    event.peer = story->places[rank].peer;
    event.pid = 100 + rank;
    return step(story, event);
}

static void
exited(struct story *story, uint32_t rank, int code, uint32_t stage)
{
    assert_int_equal(0, on_rank(story, EXEC_EVENT_EXITED, rank,
                                (struct exec_event){.code = code, .stage = stage}));
}

static void
killed(struct story *story, uint32_t rank, int number)
{
    assert_int_equal(0, on_rank(story, EXEC_EVENT_EXITED, rank,
                                (struct exec_event){.code = number, .signaled = true}));
}

static void
time_passes(struct story *story, bool blocked)
{
    uint64_t deadline_us = exec_job_deadline_us(&story->job);

    assert_true(deadline_us != UINT64_MAX);
    if (deadline_us > story->now_us)
        story->now_us = deadline_us;
    assert_int_equal(0,
                     step(story, (struct exec_event){.type = EXEC_EVENT_TIME, .blocked = blocked}));
}

static void
all_run(struct story *story)
{
    assert_int_equal(0, on_peer(story, EXEC_EVENT_READY, 0));
    assert_false(story->actions.start);
    assert_int_equal(0, on_peer(story, EXEC_EVENT_READY, 1));
    assert_true(story->actions.start);
    for (uint32_t i = 0; i < story->map.ranks; i++)
        assert_int_equal(0, on_rank(story, EXEC_EVENT_STARTED, i, (struct exec_event){0}));
}

static void
all_done(struct story *story)
{
    on_peer(story, EXEC_EVENT_DONE, 0);
    on_peer(story, EXEC_EVENT_DONE, 1);
    assert_true(story->actions.over);
    assert_int_equal(EXEC_JOB_OVER, story->job.state);
    assert_int_equal(0, on_peer(story, EXEC_EVENT_LOST, 0));
}

static void
a_good_job_ends_when_its_ranks_have(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story, 4, 0);
    all_run(&story);
    assert_true(exec_job_deadline_us(&story.job) == UINT64_MAX);
    for (uint32_t i = 0; i < 4; i++) {
        assert_false(story.actions.end);
        exited(&story, i, 0, CPI_RANK_ENDED);
    }
    assert_true(story.actions.end);
    assert_false(story.actions.kill);
    all_done(&story);
    assert_int_equal(0, exec_job_exit_code(&story.job));
    story_end(&story);
}

static void
the_lowest_rank_that_failed_by_itself_gives_the_code(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story, 4, 0);
    all_run(&story);
    exited(&story, 3, 5, CPI_RANK_STARTED);
    assert_int_equal(SIGTERM, story.actions.signal);
    exited(&story, 2, 4, CPI_RANK_STARTED);  /* by itself too: it has a code of its own */
    killed(&story, 0, SIGTERM);              /* because it was told to */
    assert_int_equal(0, on_rank(&story, EXEC_EVENT_EXITED, 1,
                                (struct exec_event){.code = 9, .ended = true}));
    assert_true(story.actions.end);
    all_done(&story);
    assert_int_equal(4, exec_job_exit_code(&story.job));
    assert_int_equal(3, story.job.first.rank);
    assert_int_equal(2, story.job.failures);
    story_end(&story);
}

static void
a_rank_killed_by_a_signal_gives_128_and_its_number(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story, 2, 0);
    all_run(&story);
    killed(&story, 1, SIGSEGV);
    assert_int_equal(SIGTERM, story.actions.signal);
    killed(&story, 0, SIGTERM);
    all_done(&story);
    assert_int_equal(128 + SIGSEGV, exec_job_exit_code(&story.job));
    assert_int_equal(EXEC_CAUSE_SIGNALED, story.job.first.cause);
    story_end(&story);
}

static void
a_rank_that_leaves_without_ending_is_an_error(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story, 2, 0);
    all_run(&story);
    exited(&story, 0, 0, CPI_RANK_JOINED);
    assert_int_equal(EXEC_CAUSE_LEFT, story.job.first.cause);
    assert_int_equal(SIGTERM, story.actions.signal);
    killed(&story, 1, SIGTERM);
    all_done(&story);
    assert_int_equal(1, exec_job_exit_code(&story.job));
    story_end(&story);
}

static void
a_rank_that_has_left_with_a_code_lets_the_others_leave_too(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story, 2, 0);
    all_run(&story);
    exited(&story, 1, 3, CPI_RANK_ENDED);
    assert_int_equal(0, story.actions.signal);
    exited(&story, 0, 3, CPI_RANK_ENDED);
    assert_true(story.actions.end);
    all_done(&story);
    assert_int_equal(3, exec_job_exit_code(&story.job));
    story_end(&story);
    story_begin(&story, 2, 0);
    all_run(&story);
    exited(&story, 1, 3, CPI_RANK_ENDED);
    time_passes(&story, false);
    assert_int_equal(SIGTERM, story.actions.signal);
    story_end(&story);
}

static void
an_abort_gives_its_code_whatever_else_fails(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story, 4, 0);
    all_run(&story);
    assert_int_equal(0, on_rank(&story, EXEC_EVENT_ABORT, 3,
                                (struct exec_event){.code = 7, .text = "said"}));
    assert_int_equal(SIGTERM, story.actions.signal);
    assert_string_equal("said", text_string(&story.job.first.text));
    exited(&story, 0, 1, CPI_RANK_JOINED);
    exited(&story, 3, 0, CPI_RANK_JOINED);
    killed(&story, 1, SIGTERM);
    killed(&story, 2, SIGTERM);
    all_done(&story);
    assert_int_equal(7, exec_job_exit_code(&story.job));
    story_end(&story);
}

static void
an_abort_with_code_0_is_no_success(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story, 2, 0);
    all_run(&story);
    on_rank(&story, EXEC_EVENT_ABORT, 0, (struct exec_event){.code = 256, .text = ""});
    killed(&story, 0, SIGTERM);
    killed(&story, 1, SIGTERM);
    all_done(&story);
    assert_int_equal(1, exec_job_exit_code(&story.job));
    story_end(&story);
}

static void
ranks_that_do_not_go_are_killed_and_then_their_agents(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story, 2, 0);
    all_run(&story);
    exited(&story, 0, 1, CPI_RANK_STARTED);
    assert_true(exec_job_deadline_us(&story.job) - story.now_us <= EXEC_JOB_GRACE_US);
    time_passes(&story, false);
    assert_true(story.actions.end && story.actions.kill);
    time_passes(&story, false);
    assert_true(story.actions.kill_agents);
    on_peer(&story, EXEC_EVENT_LOST, 0);
    on_peer(&story, EXEC_EVENT_LOST, 1);
    assert_true(story.actions.over);
    assert_int_equal(1, exec_job_exit_code(&story.job));
    story_end(&story);
}

static void
a_program_that_is_not_there_is_127_and_one_that_cannot_run_126(void **state)
{
    static const struct {
        const char *what;
        int number, code;
    } cases[] = {{"run", ENOENT, 127}, {"run", EACCES, 126}, {"run", ENOEXEC, 126},
                 {"run", ENOMEM, 1},   {"directory", ENOENT, 1}, {"start", EAGAIN, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct story story;
        story_begin(&story, 8, 0);
        on_peer(&story, EXEC_EVENT_READY, 0);
        on_peer(&story, EXEC_EVENT_READY, 1);
        for (uint32_t rank = 0; rank < 8; rank += 4)
            assert_int_equal(0, on_rank(&story, EXEC_EVENT_START_FAILED, rank,
                                        (struct exec_event){.what = cases[i].what,
                                                            .text = "a.out",
                                                            .code = cases[i].number}));
        assert_true(story.actions.end);  /* none of the others of these peers will be started */
        all_done(&story);
        assert_int_equal(cases[i].code, exec_job_exit_code(&story.job));
        assert_int_equal(EXEC_CAUSE_START, story.job.first.cause);
        story_end(&story);
    }
}

static void
a_lost_agent_ends_the_job(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story, 4, 0);
    all_run(&story);
    on_peer(&story, EXEC_EVENT_LOST, 1);
    assert_int_equal(SIGTERM, story.actions.signal);
    killed(&story, 0, SIGTERM);
    killed(&story, 1, SIGTERM);
    assert_true(story.actions.end);
    on_peer(&story, EXEC_EVENT_DONE, 0);
    assert_true(story.actions.over);
    assert_int_equal(1, exec_job_exit_code(&story.job));
    assert_int_equal(EXEC_RANK_LOST, story.job.ranks[3].state);
    story_end(&story);
}

static void
ranks_that_ignore_the_end_of_a_job_with_a_lost_peer_have_less_time(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story, 4, 0);
    all_run(&story);
    on_peer(&story, EXEC_EVENT_LOST, 1);
    assert_true(exec_job_deadline_us(&story.job) - story.now_us <= EXEC_JOB_LOST_US);
    time_passes(&story, false);
    assert_true(story.actions.end && story.actions.kill);
    on_peer(&story, EXEC_EVENT_DONE, 0);
    assert_true(story.actions.over);
    story_end(&story);
}

static void
a_peer_that_is_taken_away_ends_the_job(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story, 4, 0);
    all_run(&story);
    on_peer(&story, EXEC_EVENT_TAKEN_AWAY, 1);
    assert_int_equal(EXEC_CAUSE_TAKEN, story.job.first.cause);
    assert_int_equal(1, story.job.first.peer);
    assert_int_equal(SIGTERM, story.actions.signal);
    killed(&story, 2, SIGKILL);
    killed(&story, 3, SIGKILL);
    killed(&story, 0, SIGTERM);
    killed(&story, 1, SIGTERM);
    assert_true(story.actions.end);
    all_done(&story);
    assert_int_equal(0, story.job.failures);
    assert_int_equal(1, exec_job_exit_code(&story.job));
    story_end(&story);
}

static void
an_agent_that_never_comes_up_ends_the_start(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story, 4, 0);
    on_peer(&story, EXEC_EVENT_READY, 0);
    time_passes(&story, false);
    assert_true(story.actions.kill);
    assert_int_equal(EXEC_CAUSE_READY, story.job.first.cause);
    assert_int_equal(1, story.job.first.peer);
    on_peer(&story, EXEC_EVENT_DONE, 0);
    time_passes(&story, false);
    assert_true(story.actions.kill_agents);
    on_peer(&story, EXEC_EVENT_LOST, 1);
    assert_true(story.actions.over);
    assert_int_equal(1, exec_job_exit_code(&story.job));
    story_end(&story);
}

static void
the_time_limit_gives_110(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story, 2, 5000000);
    all_run(&story);
    time_passes(&story, false);
    assert_int_equal(SIGTERM, story.actions.signal);
    killed(&story, 0, SIGTERM);
    killed(&story, 1, SIGTERM);
    all_done(&story);
    assert_int_equal(110, exec_job_exit_code(&story.job));
    story_end(&story);
}

static void
the_first_signal_is_passed_on_and_the_second_kills(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story, 2, 0);
    all_run(&story);
    step(&story, (struct exec_event){.type = EXEC_EVENT_SIGNAL, .code = SIGINT});
    assert_int_equal(SIGINT, story.actions.signal);
    step(&story, (struct exec_event){.type = EXEC_EVENT_SIGNAL, .code = SIGINT});
    assert_true(story.actions.end && story.actions.kill);
    step(&story, (struct exec_event){.type = EXEC_EVENT_SIGNAL, .code = SIGINT});
    time_passes(&story, false);
    assert_true(story.actions.kill_agents);
    on_peer(&story, EXEC_EVENT_LOST, 0);
    on_peer(&story, EXEC_EVENT_LOST, 1);
    assert_int_equal(128 + SIGINT, exec_job_exit_code(&story.job));
    story_end(&story);
}

static void
a_signal_before_ranks_run_ends_at_once(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story, 2, 0);
    step(&story, (struct exec_event){.type = EXEC_EVENT_SIGNAL, .code = SIGTERM});
    assert_true(story.actions.kill);
    on_peer(&story, EXEC_EVENT_READY, 0);
    on_peer(&story, EXEC_EVENT_READY, 1);
    assert_false(story.actions.start);
    all_done(&story);
    assert_int_equal(128 + SIGTERM, exec_job_exit_code(&story.job));
    story_end(&story);
}

static void
a_slow_reader_is_waited_for_unless_a_signal_came(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story, 2, 0);
    all_run(&story);
    exited(&story, 0, 0, CPI_RANK_ENDED);
    exited(&story, 1, 0, CPI_RANK_ENDED);
    for (int i = 0; i < 10; i++) {
        time_passes(&story, true);
        assert_false(story.actions.kill_agents);
    }
    step(&story, (struct exec_event){.type = EXEC_EVENT_SIGNAL, .code = SIGTERM});
    time_passes(&story, true);
    assert_true(story.actions.kill_agents);
    story_end(&story);
}

static void
output_that_cannot_be_written_ends_the_job(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story, 2, 0);
    all_run(&story);
    step(&story, (struct exec_event){.type = EXEC_EVENT_OUTPUT_FAILED, .code = EPIPE, .text = "x"});
    assert_int_equal(SIGTERM, story.actions.signal);
    killed(&story, 0, SIGTERM);
    killed(&story, 1, SIGTERM);
    all_done(&story);
    assert_int_equal(128 + SIGPIPE, exec_job_exit_code(&story.job));
    story_end(&story);
}

static void
nonsense_is_refused_and_changes_nothing(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story, 4, 0);
    assert_int_equal(-1, on_peer(&story, EXEC_EVENT_READY, 2));
    assert_int_equal(-1, step(&story, (struct exec_event){.type = EXEC_EVENT_STARTED, .rank = 4}));
    assert_int_equal(-1, on_rank(&story, EXEC_EVENT_EXITED, 0, (struct exec_event){0}));
    all_run(&story);
    assert_int_equal(-1, on_peer(&story, EXEC_EVENT_READY, 1));
    assert_int_equal(-1, on_rank(&story, EXEC_EVENT_STARTED, 1, (struct exec_event){0}));
    /* a rank of the other peer */
    assert_int_equal(-1, step(&story, (struct exec_event){.type = EXEC_EVENT_EXITED, .rank = 3}));
    exited(&story, 1, 0, CPI_RANK_STARTED);
    assert_int_equal(-1, on_rank(&story, EXEC_EVENT_EXITED, 1, (struct exec_event){0}));
    assert_int_equal(-1, on_rank(&story, EXEC_EVENT_ABORT, 1, (struct exec_event){.text = ""}));
    assert_int_equal(EXEC_CAUSE_NONE, story.job.first.cause);
    story_end(&story);
}

static uint32_t
pick(uint64_t *seed, uint32_t limit)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33) % limit;
}

static void
step_at_random(struct story *story, uint64_t *seed)
{
    static const char *const whats[] = {"run", "directory", "start"};
    uint32_t rank = pick(seed, story->map.ranks);
    struct exec_event event = {
        .type = (enum exec_event_type)pick(seed, EXEC_EVENT_TIME + 1),
        .rank = rank,
        .peer = pick(seed, 8) ? story->places[rank].peer : pick(seed, 3),
        .stage = pick(seed, 3),
        .signaled = pick(seed, 4) == 0,
        .ended = pick(seed, 4) == 0,
        .blocked = pick(seed, 2) == 0,
        .code = (int32_t)pick(seed, 12),
        .what = whats[pick(seed, 3)],
        .text = "text",
    };

    if (event.type == EXEC_EVENT_SIGNAL)
        event.code = SIGINT;
    if (pick(seed, 6) == 0 && exec_job_deadline_us(&story->job) != UINT64_MAX)
        story->now_us = exec_job_deadline_us(&story->job);
    step(story, event);
}

/* Whatever comes in whatever order: the invariants hold (exec_job_step checks them), and once
 * agents are lost or done the job is over, with a code that fits what happened. */
static void
any_course_ends(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        struct story story;
        uint64_t at = seed;

        story_begin(&story, 2 + pick(&at, 6), pick(&at, 2) ? 1000000 : 0);
        if (pick(&at, 4) > 0)
            all_run(&story);
        for (uint32_t i = pick(&at, 60); i > 0 && !story.actions.over; i--)
            step_at_random(&story, &at);
        on_peer(&story, EXEC_EVENT_LOST, 0);
        on_peer(&story, EXEC_EVENT_LOST, 1);
        assert_int_equal(EXEC_JOB_OVER, story.job.state);
        assert_true(exec_job_deadline_us(&story.job) == UINT64_MAX);
        assert_in_range(exec_job_exit_code(&story.job), 0, 255);
        assert_true((exec_job_exit_code(&story.job) != 0) ==
                    (story.job.first.cause != EXEC_CAUSE_NONE));
        story_end(&story);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_job_ends_when_its_ranks_have),
        cmocka_unit_test(the_lowest_rank_that_failed_by_itself_gives_the_code),
        cmocka_unit_test(a_rank_killed_by_a_signal_gives_128_and_its_number),
        cmocka_unit_test(a_rank_that_leaves_without_ending_is_an_error),
        cmocka_unit_test(a_rank_that_has_left_with_a_code_lets_the_others_leave_too),
        cmocka_unit_test(an_abort_gives_its_code_whatever_else_fails),
        cmocka_unit_test(an_abort_with_code_0_is_no_success),
        cmocka_unit_test(ranks_that_do_not_go_are_killed_and_then_their_agents),
        cmocka_unit_test(a_program_that_is_not_there_is_127_and_one_that_cannot_run_126),
        cmocka_unit_test(a_lost_agent_ends_the_job),
        cmocka_unit_test(ranks_that_ignore_the_end_of_a_job_with_a_lost_peer_have_less_time),
        cmocka_unit_test(a_peer_that_is_taken_away_ends_the_job),
        cmocka_unit_test(an_agent_that_never_comes_up_ends_the_start),
        cmocka_unit_test(the_time_limit_gives_110),
        cmocka_unit_test(the_first_signal_is_passed_on_and_the_second_kills),
        cmocka_unit_test(a_signal_before_ranks_run_ends_at_once),
        cmocka_unit_test(a_slow_reader_is_waited_for_unless_a_signal_came),
        cmocka_unit_test(output_that_cannot_be_written_ends_the_job),
        cmocka_unit_test(nonsense_is_refused_and_changes_nothing),
        cmocka_unit_test(any_course_ends),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
