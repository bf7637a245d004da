/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exec/events.h"
#include "text/json.h"

static void
expect(struct text *text, const char *expected)
{
    assert_string_equal(expected, text_string(text));
    text_release(text);
}

static void
commas_stand_between_members_only(void **state)
{
    struct text text = {0};

    (void)state;
    for (int line = 0; line < 2; line++) {
        json_open(&text, NULL, '{');
        json_number(&text, "n", UINT64_MAX);
        json_open(&text, "list", '[');
        json_open(&text, NULL, '{');
        json_close(&text, '}');
        json_string(&text, NULL, "a");
        json_close(&text, ']');
        json_bool(&text, "yes", true);
        json_null(&text, "nothing");
        json_decimal(&text, "d", 1.5, 3);
        json_decimal(&text, "inf", (double)INFINITY, 3);
        json_close(&text, '}');
        text_add_string(&text, "\n");
    }
#define LINE                                                                                       \
    "{\"n\":18446744073709551615,\"list\":[{},\"a\"],\"yes\":true,\"nothing\":null,\"d\":1.500,"   \
    "\"inf\":null}\n"
    expect(&text, LINE LINE);
}

static void
strings_are_escaped(void **state)
{
    struct text text = {0};

    (void)state;
    json_string(&text, NULL, "a\"b\\c\n\t\r\b\f\x01\x7f/\xc3\xa9");
    expect(&text, "\"a\\\"b\\\\c\\n\\t\\r\\b\\f\\u0001\\u007f/\xc3\xa9\"");
    json_string(&text, NULL, "\xff<\xc3");
    expect(&text, "\"\xef\xbf\xbd<\xef\xbf\xbd\"");
}

static void
utf8_is_told_from_what_only_looks_like_it(void **state)
{
    static const char *const good[] = {"",
                                       "abc",
                                       "\xc3\xa9",
                                       "\xe2\x82\xac",
                                       "\xf0\x9f\x98\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc3",
                                      "\xc3(",
                                      "\xe0\x80\x80",
                                      "\xed\xa0\x80",
                                      "\xf0\x80\x80\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xe2\x82",
                                      "a\xff"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(text_utf8_is_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(text_utf8_is_valid(bad[i], strlen(bad[i])));
}

/* The examples of RFC 4648, section 10. */
static void
bytes_that_are_no_text_go_as_base64(void **state)
{
    static const char *const coded[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=",
                                        "Zm9vYmFy"};
    struct text text = {0}, expected = {0};

    (void)state;
    for (size_t i = 0; i <= 6; i++) {
        json_bytes(&text, "foobar", i, false);
        text_print(&expected, "\"base64\":\"%s\"", coded[i]);
        expect(&text, expected.bytes);
        text_release(&expected);
    }
    json_bytes(&text, "\xff\x00", 2, true);
    expect(&text, "\"base64\":\"/wA=\"");
    json_bytes(&text, "a\0b", 3, true);
    expect(&text, "\"text\":\"a\\u0000b\"");
}

static void
events_are_taken_once_and_shown(void **state)
{
    struct exec_events events;
    struct text text = {0}, error = {0};
    struct exec_emitted best = {
        .rank = 1, .sequence = 1, .topic = "best", .bytes = "75\n42", .count = 5, .is_text = true};

    (void)state;
    assert_int_equal(0, exec_events_init(&events, 2, NULL, false, &error));
    assert_true(exec_events_take(&events, &best, &text));
    assert_string_equal("[1] best: 75", text_string(&events.latest));
    expect(&text, "[1] best: 75\n[1] best: 42\n");
    assert_false(exec_events_take(&events, &best, &text));
    assert_int_equal(0, text.used);
    best.rank = 0;
    best.count = 0;
    assert_true(exec_events_take(&events, &best, &text));
    expect(&text, "[0] best: \n");
    best.sequence = 2;
    best.is_text = false;
    best.count = 3;
    assert_true(exec_events_take(&events, &best, &text));
    expect(&text, "[0] best: 3 bytes (--events FILE keeps them)\n");
    best.sequence = 3;
    assert_true(exec_events_take(&events, &best, &text));
    expect(&text, "[0] best: 3 bytes\n");
    text_release(&text);
    exec_events_release(&events);
}

static void
events_go_to_the_file_when_there_is_one(void **state)
{
    char path[] = "/tmp/test_exec_json.XXXXXX", content[256];
    struct exec_events events;
    struct text text = {0}, error = {0};
    struct exec_emitted emitted = {.rank = 0,
                                   .sequence = 9,
                                   .topic = "t",
                                   .bytes = "v",
                                   .count = 1,
                                   .is_text = true,
                                   .time_s = 12.25};
    int fd = mkstemp(path);
    ssize_t count;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(0, exec_events_init(&events, 1, path, false, &error));
    assert_true(exec_events_take(&events, &emitted, &text));
    assert_int_equal(0, text.used);
    assert_int_equal(0, exec_events_flush(&events));
    count = read(fd, content, sizeof(content) - 1);
    assert_true(count > 0);
    content[count] = '\0';
    assert_string_equal(
        "{\"rank\":0,\"sequence\":9,\"topic\":\"t\",\"text\":\"v\",\"time\":12.250000}\n", content);
    exec_events_release(&events);
    close(fd);
    unlink(path);
}

static void
a_full_disk_is_told_once(void **state)
{
    struct exec_events events;
    struct text text = {0}, error = {0};
    struct exec_emitted emitted = {.topic = "t", .bytes = "v", .count = 1, .sequence = 1};

    (void)state;
    assert_int_equal(0, exec_events_init(&events, 1, "/dev/full", false, &error));
    exec_events_take(&events, &emitted, &text);
    assert_int_equal(ENOSPC, exec_events_flush(&events));
    emitted.sequence = 2;
    exec_events_take(&events, &emitted, &text);
    assert_int_equal(0, exec_events_flush(&events));
    exec_events_release(&events);
    assert_int_equal(-1, exec_events_init(&events, 1, "/nowhere/file", false, &error));
    assert_non_null(strstr(text_string(&error), "/nowhere/file"));
    exec_events_release(&events);
    text_release(&error);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_stand_between_members_only),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(utf8_is_told_from_what_only_looks_like_it),
        cmocka_unit_test(bytes_that_are_no_text_go_as_base64),
        cmocka_unit_test(events_are_taken_once_and_shown),
        cmocka_unit_test(events_go_to_the_file_when_there_is_one),
        cmocka_unit_test(a_full_disk_is_told_once),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
