/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cpmp.h>
#include <string.h>

#include "peer/hours.h"

enum { MON, TUE, WED, THU, FRI, SAT, SUN };

#define AT(day, hour, minute) ((uint32_t)((day) * 1440 + (hour) * 60 + (minute)))

static struct hours
parsed(const char *text)
{
    struct hours hours;
    struct text why = {0};

    if (hours_parse(text, &hours, &why) != CPMP_OK)
        fail_msg("%s: %s", text, text_string(&why));
    return hours;
}

static void
nights_and_weekends(void **state)
{
    struct hours hours = parsed("mon-fri 18:00-08:00, sat-sun");

    (void)state;
    assert_false(hours_contain(&hours, AT(MON, 7, 59)));  /* Sunday's night isn't in the list */
    assert_false(hours_contain(&hours, AT(MON, 17, 59)));
    assert_true(hours_contain(&hours, AT(MON, 18, 0)));
    assert_true(hours_contain(&hours, AT(MON, 23, 59)));
    assert_true(hours_contain(&hours, AT(TUE, 0, 0)));
    assert_true(hours_contain(&hours, AT(TUE, 7, 59)));
    assert_false(hours_contain(&hours, AT(TUE, 8, 0)));
    assert_true(hours_contain(&hours, AT(FRI, 20, 0)));
    assert_true(hours_contain(&hours, AT(SAT, 12, 0)));
    assert_true(hours_contain(&hours, AT(SUN, 23, 59)));
}

static void
a_night_goes_over_the_end_of_the_week(void **state)
{
    struct hours hours = parsed("sun 22:00-06:00");

    (void)state;
    assert_true(hours_contain(&hours, AT(SUN, 22, 0)));
    assert_true(hours_contain(&hours, AT(MON, 5, 59)));
    assert_false(hours_contain(&hours, AT(MON, 6, 0)));
    assert_false(hours_contain(&hours, AT(SUN, 5, 0)));
}

static void
ranges_of_days_go_over_the_end_of_the_week(void **state)
{
    struct hours hours = parsed("SAT-mon 10:00-11:00");

    (void)state;
    assert_true(hours_contain(&hours, AT(SAT, 10, 30)));
    assert_true(hours_contain(&hours, AT(SUN, 10, 30)));
    assert_true(hours_contain(&hours, AT(MON, 10, 30)));
    assert_false(hours_contain(&hours, AT(TUE, 10, 30)));
    assert_false(hours_contain(&hours, AT(FRI, 10, 30)));
}

static void
times_alone_hold_every_day_and_days_may_have_several(void **state)
{
    struct hours hours = parsed("22:00-6:00");

    (void)state;
    for (int day = MON; day <= SUN; day++) {
        assert_true(hours_contain(&hours, AT(day, 23, 0)));
        assert_true(hours_contain(&hours, AT(day, 5, 59)));
        assert_false(hours_contain(&hours, AT(day, 6, 0)));
    }
    hours = parsed("tue thu 8:00-12:00 20:00-24:00");
    assert_true(hours_contain(&hours, AT(TUE, 11, 59)));
    assert_false(hours_contain(&hours, AT(TUE, 12, 0)));
    assert_true(hours_contain(&hours, AT(THU, 23, 59)));
    assert_false(hours_contain(&hours, AT(FRI, 0, 0)));
    assert_false(hours_contain(&hours, AT(WED, 9, 0)));
}

static void
the_next_change_is_found(void **state)
{
    struct hours hours = parsed("mon-fri 18:00-08:00, sat-sun");
    struct hours always = parsed(" always ");
    struct hours never = parsed("never");

    (void)state;
    assert_int_equal(hours_until_change(&hours, AT(MON, 12, 0)), 360);
    assert_int_equal(hours_until_change(&hours, AT(FRI, 18, 0)), 54 * 60);
    assert_int_equal(hours_until_change(&hours, AT(SUN, 23, 0)), 60);
    assert_int_equal(hours_until_change(&always, 5), 0);
    assert_int_equal(hours_until_change(&never, 5), 0);
    assert_true(hours_contain(&always, HOURS_WEEK_MINUTES - 1));
    assert_false(hours_contain(&never, 0));
    assert_string_equal(always.text, "always");
}

static void
the_week_begins_on_monday(void **state)
{
    struct tm sunday = {.tm_wday = 0, .tm_hour = 23, .tm_min = 59};
    struct tm monday = {.tm_wday = 1};
    struct text text = {0};

    (void)state;
    assert_int_equal(hours_week_minute(&sunday), HOURS_WEEK_MINUTES - 1);
    assert_int_equal(hours_week_minute(&monday), 0);
    hours_add_minute(&text, AT(WED, 7, 5));
    assert_string_equal(text_string(&text), "Wed 07:05");
    text_release(&text);
}

static void
what_is_no_time_is_refused_with_words(void **state)
{
    static const char *const wrong[] = {
        "",          "mon-",        "mon-x",       "monday",      "mon 8-9",    "mon 08:00",
        "25:00-1:00", "24:00-1:00", "8:60-9:00",   "8:00-24:01",  "8:00-8:00",  "mon,",
        ",mon",      "mon always",  "8:00-9:000",  "8:00-9:00x",  "mon 8:00-9:00-10:00",
        "-",         "8:00-9:00 mon"};
    struct hours hours = {.text = "untouched"};

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct text why = {0};

        if (hours_parse(wrong[i], &hours, &why) != CPMP_EINVAL || why.used == 0)
            fail_msg("\"%s\" was taken", wrong[i]);
        text_release(&why);
    }
    assert_string_equal(hours.text, "untouched");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nights_and_weekends),
        cmocka_unit_test(a_night_goes_over_the_end_of_the_week),
        cmocka_unit_test(ranges_of_days_go_over_the_end_of_the_week),
        cmocka_unit_test(times_alone_hold_every_day_and_days_may_have_several),
        cmocka_unit_test(the_next_change_is_found),
        cmocka_unit_test(the_week_begins_on_monday),
        cmocka_unit_test(what_is_no_time_is_refused_with_words),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
