/* SPDX-License-Identifier: BSD-3-Clause */
/* Days in the life of a shared machine: at each moment what is seen, and what the warden says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cpmp.h>
#include <string.h>

#include "peer/warden.h"

#define GIB (UINT64_C(1) << 30)

struct story {
    struct policy policy;
    struct warden warden;
    struct warden_view view;
    struct warden_verdict verdict;
};

static int
story_begin(void **state)
{
    static struct story story;

    memset(&story, 0, sizeof(story));
    policy_init(&story.policy);
    warden_init(&story.warden);
    story.view = (struct warden_view){.cores = 4, .people_idle_us = WARDEN_NOBODY,
                                      .memory_bytes = 16 * GIB, .available_bytes = 14 * GIB};
    *state = &story;
    return 0;
}

static int
story_end(void **state)
{
    struct story *story = *state;

    policy_release(&story->policy);
    return 0;
}

static void
owner(struct story *story, const char *pair)
{
    struct text why = {0};

    if (policy_set_pair(&story->policy, pair, NULL, &why) != CPMP_OK)
        fail_msg("%s", text_string(&why));
}

/* The moment at `seconds`; `word` is expected for ranks that run, and its reason to have `why`. */
static void
at(struct story *story, unsigned seconds, enum warden_word word, const char *why)
{
    story->view.now_us = UINT64_C(1000000) * seconds;
    warden_step(&story->warden, &story->policy, &story->view, &story->verdict);
    if (story->verdict.running != word || strstr(story->verdict.running_why, why) == NULL)
        fail_msg("%u s: %d, \"%s\"", seconds, (int)story->verdict.running,
                 story->verdict.running_why);
}

static void
takes(struct story *story, uint32_t ranks, const char *why)
{
    if (story->verdict.ranks_free != ranks || story->verdict.takes_new != (ranks > 0) ||
        strstr(story->verdict.new_why, why) == NULL)
        fail_msg("%u free, \"%s\"", story->verdict.ranks_free, story->verdict.new_why);
}

static void
others_come_stay_and_go(void **state)
{
    struct story *story = *state;

    at(story, 1, WARDEN_RUN, "");
    takes(story, 4, "");
    story->view.others_permille = 900;
    at(story, 2, WARDEN_RUN, "");
    takes(story, 0, "other programs take 90%");
    at(story, 11, WARDEN_RUN, "");
    at(story, 12, WARDEN_SUSPEND, "other programs take 90% of this machine");
    story->view.others_permille = 100;
    at(story, 13, WARDEN_SUSPEND, "");
    takes(story, 0, "other programs");
    at(story, 72, WARDEN_SUSPEND, "");
    at(story, 73, WARDEN_RUN, "");
    takes(story, 4, "");
}

static void
a_short_burst_is_no_reason(void **state)
{
    struct story *story = *state;

    for (unsigned second = 0; second < 100; second++) {
        story->view.others_permille = second % 10 == 9 ? 100 : 1000;
        at(story, second, WARDEN_RUN, "");
    }
    story->view.others_permille = 500;  /* at the ceiling is not above it */
    at(story, 200, WARDEN_RUN, "");
    at(story, 300, WARDEN_RUN, "");
}

static void
a_disturbance_begins_the_quiet_anew(void **state)
{
    struct story *story = *state;

    story->view.others_permille = 900;
    at(story, 0, WARDEN_RUN, "");
    at(story, 10, WARDEN_SUSPEND, "");
    story->view.others_permille = 0;
    at(story, 20, WARDEN_SUSPEND, "");
    story->view.others_permille = 600;
    at(story, 79, WARDEN_SUSPEND, "60%");
    story->view.others_permille = 0;
    at(story, 80, WARDEN_SUSPEND, "");
    at(story, 139, WARDEN_SUSPEND, "");
    at(story, 140, WARDEN_RUN, "");
}

static void
ten_minutes_suspended_end_in_leaving(void **state)
{
    struct story *story = *state;

    story->view.others_permille = 1000;
    at(story, 0, WARDEN_RUN, "");
    at(story, 10, WARDEN_SUSPEND, "");
    at(story, 609, WARDEN_SUSPEND, "");
    at(story, 610, WARDEN_LEAVE, "suspended for 600 s: other programs take 100%");
    story->view.others_permille = 0;
    at(story, 700, WARDEN_LEAVE, "");
    at(story, 760, WARDEN_RUN, "");
    takes(story, 4, "");
}

static void
another_reason_doesnt_begin_the_ten_minutes_anew(void **state)
{
    struct story *story = *state;

    story->view.on_battery = true;
    at(story, 0, WARDEN_SUSPEND, "battery");
    story->view.on_battery = false;
    story->view.others_permille = 1000;
    at(story, 300, WARDEN_SUSPEND, "other programs");
    at(story, 600, WARDEN_LEAVE, "other programs");
}

static void
who_comes_back_finds_ranks_suspended_at_once(void **state)
{
    struct story *story = *state;

    owner(story, "idle=5min");
    story->view.people_idle_us = 400000000;
    at(story, 1000, WARDEN_RUN, "");
    story->view.people_idle_us = 0;
    at(story, 1001, WARDEN_SUSPEND, "somebody used this machine 0 s ago; ranks run when that was "
                                    "300 s ago");
    takes(story, 0, "somebody");
    story->view.people_idle_us = 300000000;
    at(story, 1301, WARDEN_SUSPEND, "");
    at(story, 1361, WARDEN_RUN, "");
    story->view.people_idle_us = WARDEN_NOBODY;
    at(story, 1362, WARDEN_RUN, "");
}

static void
the_plug_is_pulled(void **state)
{
    struct story *story = *state;

    at(story, 1, WARDEN_RUN, "");
    story->view.on_battery = true;
    at(story, 2, WARDEN_SUSPEND, "runs on battery");
    owner(story, "battery=yes");
    at(story, 3, WARDEN_SUSPEND, "");
    at(story, 63, WARDEN_RUN, "");
}

static void
the_night_ends_with_its_grace(void **state)
{
    struct story *story = *state;

    owner(story, "hours=mon-fri 18:00-08:00");
    owner(story, "hours-grace=5min");
    story->view.week_minute = 24 * 60 + 7 * 60 + 59;
    at(story, 0, WARDEN_RUN, "");
    takes(story, 4, "");
    story->view.week_minute++;
    at(story, 60, WARDEN_RUN, "");
    takes(story, 0, "shared in other hours: mon-fri 18:00-08:00");
    story->view.week_minute += 5;
    at(story, 359, WARDEN_RUN, "");
    at(story, 360, WARDEN_LEAVE, "the hours in which this machine is shared are over");
    story->view.week_minute = 24 * 60 + 18 * 60;
    at(story, 36000, WARDEN_RUN, "");
    takes(story, 4, "");
}

static void
no_more_sharing_is_now(void **state)
{
    struct story *story = *state;

    at(story, 1, WARDEN_RUN, "");
    owner(story, "share=no");
    at(story, 1, WARDEN_LEAVE, "its owner shares this machine no more");
    takes(story, 0, "its owner doesn't share this machine");
    owner(story, "share=yes");
    at(story, 2, WARDEN_RUN, "");
    takes(story, 4, "");
}

static void
load_never_suspends_where_the_owner_says_so(void **state)
{
    struct story *story = *state;

    owner(story, "cpu-others=100%");
    story->view.others_permille = 1000;
    at(story, 0, WARDEN_RUN, "");
    at(story, 10000, WARDEN_RUN, "");
    takes(story, 0, "no core is free: 0 ranks run here, other programs take 100%");
}

static void
a_clock_that_goes_back_stands_still(void **state)
{
    struct story *story = *state;

    story->view.others_permille = 1000;
    at(story, 100, WARDEN_RUN, "");
    at(story, 50, WARDEN_RUN, "");
    at(story, 109, WARDEN_RUN, "");
    at(story, 110, WARDEN_SUSPEND, "");
}

static void
ceilings_cut_what_is_free(void **state)
{
    struct story *story = *state;

    owner(story, "cpu=50%");
    owner(story, "memory=4G");
    at(story, 0, WARDEN_RUN, "");
    takes(story, 2, "");
    assert_int_equal(story->verdict.millicores_free, 2000);
    assert_true(story->verdict.memory_free_bytes == 4 * GIB);
    owner(story, "cores=1");
    at(story, 1, WARDEN_RUN, "");
    takes(story, 1, "");
    story->view.jobs_ranks = 1;
    story->view.jobs_millicores = 1000;
    at(story, 2, WARDEN_RUN, "");
    takes(story, 0, "1 ranks run here");
    assert_int_equal(story->verdict.ranks_max, 1);
    owner(story, "cores=all");
    owner(story, "cpu=10%");
    story->view.jobs_ranks = 0;
    story->view.jobs_millicores = 0;
    at(story, 3, WARDEN_RUN, "");
    takes(story, 1, "");
    assert_int_equal(story->verdict.millicores_free, 400);
}

static void
the_load_of_others_cuts_what_is_free(void **state)
{
    struct story *story = *state;

    story->view.others_permille = 100;  /* 0.4 of 4 cores */
    at(story, 0, WARDEN_RUN, "");
    takes(story, 4, "");
    assert_int_equal(story->verdict.millicores_free, 3600);
    story->view.others_permille = 400;  /* 1.6 */
    at(story, 1, WARDEN_RUN, "");
    takes(story, 2, "");
    story->view.jobs_ranks = 2;
    story->view.jobs_millicores = 2000;
    at(story, 2, WARDEN_RUN, "");
    takes(story, 0, "no core is free");
}

static void
memory_that_was_promised_isnt_promised_again(void **state)
{
    struct story *story = *state;

    story->view.jobs_memory_bytes = 8 * GIB;
    story->view.jobs_resident_bytes = 1 * GIB;
    story->view.available_bytes = 9 * GIB;
    at(story, 0, WARDEN_RUN, "");
    assert_true(story->verdict.memory_free_bytes == 2 * GIB);
    story->view.jobs_resident_bytes = 8 * GIB;
    at(story, 1, WARDEN_RUN, "");
    assert_true(story->verdict.memory_free_bytes == 4 * GIB);
    story->view.available_bytes = 0;
    at(story, 2, WARDEN_RUN, "");
    takes(story, 0, "no memory is free");
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, story_begin, story_end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(others_come_stay_and_go),
        STORY(a_short_burst_is_no_reason),
        STORY(a_disturbance_begins_the_quiet_anew),
        STORY(ten_minutes_suspended_end_in_leaving),
        STORY(another_reason_doesnt_begin_the_ten_minutes_anew),
        STORY(who_comes_back_finds_ranks_suspended_at_once),
        STORY(the_plug_is_pulled),
        STORY(the_night_ends_with_its_grace),
        STORY(no_more_sharing_is_now),
        STORY(load_never_suspends_where_the_owner_says_so),
        STORY(a_clock_that_goes_back_stands_still),
        STORY(ceilings_cut_what_is_free),
        STORY(the_load_of_others_cuts_what_is_free),
        STORY(memory_that_was_promised_isnt_promised_again),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
