/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables, what is shown of other people's text, and how wide it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "text/table.h"
#include "text/visible.h"
#include "text/width.h"

/* --- what others have written --- */

static void
only_what_a_terminal_would_obey_is_escaped(void **state)
{
    static const char said[] = "a\tb\n\x1b[31m\r\x7f\0\xc2\x9b"
                               "\xc2\xa0\xc3\xa9\xe2\x82\xac\x9b\xe2\x82";
    struct text text = {0};

    (void)state;
    text_visible_add(&text, said, sizeof(said) - 1);
    assert_string_equal("a\tb\n\\x1b[31m\\x0d\\x7f\\x00\\xc2\\x9b"
                        "\xc2\xa0\xc3\xa9\xe2\x82\xac\\x9b\\xe2\\x82", text_string(&text));
    text_release(&text);
}

static void
a_word_stays_in_its_line_and_its_direction(void **state)
{
    struct text text = {0};

    (void)state;
    text_visible_word(&text, "a\tb\nc\xe2\x80\xae" "d\xe2\x81\xa6" "e\xe2\x80\x8f…é");
    assert_string_equal("a\\x09b\\x0ac\\xe2\\x80\\xaed\\xe2\\x81\\xa6e\\xe2\\x80\\x8f…é",
                        text_string(&text));
    text_release(&text);
}

/* --- widths --- */

static void
width_is(size_t expected, const char *string)
{
    assert_int_equal(expected, text_width(string, strlen(string)));
}

static void
widths_are_those_of_a_terminal(void **state)
{
    (void)state;
    width_is(0, "");
    width_is(3, "abc");
    width_is(4, "zürs");
    width_is(1, "e\xcc\x81");
    width_is(6, "計算機");
    width_is(2, "\xf0\x9f\x98\x80");
    width_is(2, "\xff\xfe");
    width_is(1, "…");
}

static void
clip_is(const char *expected, const char *string, size_t columns)
{
    struct text text = {0};

    text_width_clip(&text, string, columns);
    assert_string_equal(expected, text_string(&text));
    assert_true(text_width(text_string(&text), text.used) <= columns);
    text_release(&text);
}

static void
a_clipped_text_says_so_and_fits(void **state)
{
    (void)state;
    clip_is("abc", "abc", 3);
    clip_is("ab…", "abcd", 3);
    clip_is("…", "abcd", 1);
    clip_is("", "abcd", 0);
    clip_is("計…", "計算機", 4);
    clip_is("計…", "計算機", 3);
    clip_is("e\xcc\x81…", "e\xcc\x81xyz", 2);
}

/* --- tables --- */

static const struct table_column columns[] = {
    {"NAME", 0}, {"CORES", TABLE_RIGHT}, {"NOTE", TABLE_OPTIONAL}, {"MEANING", 0}};

static void
table_is(const char *expected, struct table *table, size_t width)
{
    struct text text = {0};

    table_write(table, &text, width);
    assert_string_equal(expected, text_string(&text));
    text_release(&text);
    table_release(table);
}

static void
row_add(struct table *table, const char *name, unsigned cores, const char *note,
        const char *meaning)
{
    table_cell(table, name);
    table_print(table, "%u", cores);
    table_cell(table, note);
    table_cell(table, meaning);
}

static void
columns_are_aligned_and_empty_ones_left_out(void **state)
{
    struct table table;

    (void)state;
    table_init(&table, columns, 4);
    row_add(&table, "計算", 4, "", "first");
    row_add(&table, "a-longer-one", 128, "", "");
    row_add(&table, "bad\x1b[2J", 1, "", "x");
    table_is("NAME          CORES  MEANING\n"
             "計算              4  first\n"
             "a-longer-one    128\n"
             "bad\\x1b[2J        1  x\n", &table, 0);
    table_init(&table, columns, 4);
    row_add(&table, "a", 4, "noted", "m");
    table_is("NAME  CORES  NOTE   MEANING\n"
             "a         4  noted  m\n", &table, 0);
    table_init(&table, columns, 4);
    table_is("NAME  CORES  MEANING\n", &table, 0);
}

static void
the_last_column_is_broken_between_words(void **state)
{
    struct table table;

    (void)state;
    table_init(&table, columns, 4);
    row_add(&table, "a", 4, "", "how much of this machine others may have");
    row_add(&table, "b", 5, "", "012345678901234567890123456789");
    table_is("NAME  CORES  MEANING\n"
             "a         4  how much of this\n"
             "             machine others may\n"
             "             have\n"
             "b         5  01234567890123456789\n"
             "             0123456789\n", &table, 33);
    table_init(&table, columns, 4);
    row_add(&table, "a", 4, "", "too narrow for breaking this");
    table_is("NAME  CORES  MEANING\n"
             "a         4  too narrow for breaking this\n", &table, 25);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_a_terminal_would_obey_is_escaped),
        cmocka_unit_test(a_word_stays_in_its_line_and_its_direction),
        cmocka_unit_test(widths_are_those_of_a_terminal),
        cmocka_unit_test(a_clipped_text_says_so_and_fits),
        cmocka_unit_test(columns_are_aligned_and_empty_ones_left_out),
        cmocka_unit_test(the_last_column_is_broken_between_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
