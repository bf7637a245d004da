/* SPDX-License-Identifier: BSD-3-Clause */
/* Amounts and times for people, and which name was meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text/nearest.h"
#include "text/units.h"

static void
text_is(const char *expected, struct text *text)
{
    assert_string_equal(expected, text_string(text));
    text_release(text);
}

#define EXPECT(expected, call, ...)                                                                \
    do {                                                                                           \
        struct text text_ = {0};                                                                   \
        call(&text_, __VA_ARGS__);                                                                 \
        text_is(expected, &text_);                                                                 \
    } while (0)

static void
bytes_have_three_digits_or_so(void **state)
{
    (void)state;
    EXPECT("0 B", units_bytes, 0);
    EXPECT("1023 B", units_bytes, 1023);
    EXPECT("1.0 KiB", units_bytes, 1024);
    EXPECT("8.0 GiB", units_bytes, 8ull << 30);
    EXPECT("1.0 MiB", units_bytes, (1ull << 20) - 1);
    EXPECT("16.0 EiB", units_bytes, UINT64_MAX);
}

static void
cores_have_a_tenth(void **state)
{
    (void)state;
    EXPECT("0", units_cores, 0);
    EXPECT("2", units_cores, 2000);
    EXPECT("1.5", units_cores, 1500);
    EXPECT("0.3", units_cores, 250);
    EXPECT("1", units_cores, 990);
}

static void
durations_have_the_unit_that_fits(void **state)
{
    (void)state;
    EXPECT("0.35 ms", units_duration, 350);
    EXPECT("1.5 ms", units_duration, 1500);
    EXPECT("150 ms", units_duration, 150000);
    EXPECT("1.5 s", units_duration, 1500000);
    EXPECT("59 s", units_duration, 59999999);
    EXPECT("3 min", units_duration, 200 * 1000000ull);
    EXPECT("2 h 5 min", units_duration, 7500 * 1000000ull);
    EXPECT("36 h", units_duration, 36 * 3600 * 1000000ull);
    EXPECT("4 days", units_duration, 100 * 3600 * 1000000ull);
    EXPECT("3 min ago", units_ago, 1000, 820);
    EXPECT("just now", units_ago, 1000, 1000);
    EXPECT("in 59 min", units_ago, 1000, 1000 + 3599);
}

static void
duration_is(uint64_t expected, const char *string)
{
    uint64_t seconds;

    assert_int_equal(0, units_parse_duration(string, &seconds));
    assert_int_equal(expected, seconds);
}

static void
durations_are_read(void **state)
{
    uint64_t seconds = 7;
    static const char *const none[] = {"", "h", "-1", "1 fortnight", "1.5h", "99999999999",
                                       "99999999999999999999999", "1h ", "4294967296"};

    (void)state;
    duration_is(90, "90");
    duration_is(90, "90s");
    duration_is(5400, "90 min");
    duration_is(3600, "1h");
    duration_is(2 * 86400, "2days");
    duration_is(7 * 86400, "1w");
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_int_equal(-1, units_parse_duration(none[i], &seconds));
    assert_int_equal(7, seconds);
}

static void
times_are_read_and_written_as_local_ones(void **state)
{
    const uint64_t now = 1795259000; /* 2026-11-21 11:03:20 UTC */
    uint64_t time = 7;

    (void)state;
    setenv("TZ", "UTC-2", 1);
    tzset();
    EXPECT("2026-11-21 13:03", units_date, now);
    assert_int_equal(0, units_parse_since("2026-11-21", now, &time));
    EXPECT("2026-11-21 00:00", units_date, time);
    assert_int_equal(0, units_parse_since("2026-11-20 07:05", now, &time));
    EXPECT("2026-11-20 07:05", units_date, time);
    assert_int_equal(0, units_parse_since("2026-11-20T07:05:01", now, &time));
    EXPECT("2026-11-20 07:05", units_date, time);
    assert_int_equal(0, units_parse_since("07:05", now, &time));
    EXPECT("2026-11-21 07:05", units_date, time);
    assert_int_equal(0, units_parse_since("1h", now, &time));
    assert_int_equal(now - 3600, time);
    assert_int_equal(0, units_parse_since("9000w", now, &time));
    assert_int_equal(0, time);
    time = 7;
    assert_int_equal(-1, units_parse_since("yesterday", now, &time));
    assert_int_equal(-1, units_parse_since("2026-11-21 x", now, &time));
    assert_int_equal(-1, units_parse_since("", now, &time));
    assert_int_equal(7, time);
}

static const char *
name_at(const void *arg, size_t index)
{
    static const char *const names[] = {"peers", "jobs", "job", "ring", "policy", "pool invite"};
    (void)arg;

    return index < sizeof(names) / sizeof(names[0]) ? names[index] : NULL;
}

static void
the_nearest_names_are_offered(void **state)
{
    (void)state;
    EXPECT("peers", nearest_add, "pers", name_at, NULL);
    EXPECT("peers", nearest_add, "peer", name_at, NULL);
    EXPECT("jobs or job", nearest_add, "jos", name_at, NULL);
    EXPECT("pool invite", nearest_add, "pool", name_at, NULL);
    EXPECT("pool invite", nearest_add, "invite", name_at, NULL);
    EXPECT("policy or pool invite", nearest_add, "po", name_at, NULL);
    EXPECT("", nearest_add, "frobnicate", name_at, NULL);
    EXPECT("", nearest_add, "", name_at, NULL);
    EXPECT("", nearest_add, "x", name_at, NULL);
    EXPECT("", nearest_add, "a-very-long-name-that-nobody-has-typed-on-purpose-so-far", name_at,
           NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_have_three_digits_or_so),
        cmocka_unit_test(cores_have_a_tenth),
        cmocka_unit_test(durations_have_the_unit_that_fits),
        cmocka_unit_test(durations_are_read),
        cmocka_unit_test(times_are_read_and_written_as_local_ones),
        cmocka_unit_test(the_nearest_names_are_offered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
