/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "text/options.h"

struct target {
    const char *name;
    unsigned long limit;
    int flags, pairs;
};

static int
set_name(struct options_parse *parse, const char *value)
{
    ((struct target *)parse->target)->name = value;
    return 0;
}

static int
set_limit(struct options_parse *parse, const char *value)
{
    if (options_number(value, 100, &((struct target *)parse->target)->limit) == 0)
        return 0;
    return options_refuse(parse, value, "give a number up to 100");
}

static int
set_flag(struct options_parse *parse, const char *value)
{
    assert_null(value);
    ((struct target *)parse->target)->flags++;
    return 0;
}

static int
set_pair(struct options_parse *parse, const char *value)
{
    assert_non_null(value);
    ((struct target *)parse->target)->pairs++;
    return 0;
}

static int
set_maybe(struct options_parse *parse, const char *value)
{
    ((struct target *)parse->target)->name = value != NULL ? value : "none";
    return 0;
}

static const struct options_row common[] = {
    {"name n", "NAME", NULL, "THE_NAME", set_name, "what it is called"},
};

static const struct options_row own[] = {
    {"limit", "N", "20", NULL, set_limit, "at most so many"},
    {"flag f", NULL, NULL, NULL, set_flag, "raise it"},
    {"pair", "A B", NULL, NULL, set_pair, NULL},
    {"m maybe", "[=X]", NULL, NULL, set_maybe, "perhaps"},
};

static const struct options_table tables[] = {{common, 1}, {own, 4}};

static struct target target;
static struct text error;
static char *environment[] = {"THE_NAME=from outside", NULL};

static struct options_parse
parse_new(void)
{
    target = (struct target){0};
    text_release(&error);
    return (struct options_parse){.tables = tables, .table_count = 2, .program = "prog",
                                  .target = &target, .environment = environment, .error = &error};
}

static void
takes(int expected, int left, char **words)
{
    struct options_parse parse = parse_new();

    assert_int_equal(expected, options_take(&parse, left, words));
    assert_int_equal(expected < 0, error.used > 0);
}

static void
values_come_with_the_option_or_after_it(void **state)
{
    (void)state;
    takes(2, 2, (char *[]){"--limit", "4", NULL});
    assert_int_equal(4, target.limit);
    takes(1, 2, (char *[]){"-limit=5", "4", NULL});
    assert_int_equal(5, target.limit);
    takes(1, 1, (char *[]){"--flag", NULL});
    assert_int_equal(1, target.flags);
    takes(1, 1, (char *[]){"-f", NULL});
    takes(2, 3, (char *[]){"-n", "-f", "x", NULL});
    assert_string_equal("-f", target.name);
    takes(1, 2, (char *[]){"--maybe", "b", NULL});
    assert_string_equal("none", target.name);
    takes(1, 2, (char *[]){"--maybe=b", "c", NULL});
    assert_string_equal("b", target.name);
    takes(3, 3, (char *[]){"--pair", "a", "b", NULL});
    assert_int_equal(1, target.pairs);
}

static void
what_is_wrong_is_told(void **state)
{
    (void)state;
    takes(-1, 1, (char *[]){"--nothing", NULL});
    assert_string_equal("unknown option --nothing; prog --help lists them", text_string(&error));
    takes(-1, 1, (char *[]){"--limit", NULL});
    assert_string_equal("--limit: a value is missing: --limit N", text_string(&error));
    takes(-1, 2, (char *[]){"--pair", "a", NULL});
    takes(-1, 1, (char *[]){"--pair=a", NULL});
    assert_string_equal("--pair=a: this option takes its values as two words",
                        text_string(&error));
    takes(-1, 1, (char *[]){"--flag=1", NULL});
    takes(-1, 2, (char *[]){"--limit", "101", NULL});
    assert_string_equal("--limit 101: give a number up to 100", text_string(&error));
    takes(-1, 2, (char *[]){"--limit", "-1", NULL});
    takes(-1, 2, (char *[]){"--limit", "", NULL});
    takes(-1, 2, (char *[]){"--limit", "99999999999999999999999", NULL});
}

static void
defaults_go_the_way_of_what_is_typed(void **state)
{
    struct options_parse parse = parse_new();

    (void)state;
    assert_int_equal(0, options_defaults(&parse));
    assert_int_equal(20, target.limit);
    assert_string_equal("from outside", target.name);
    assert_int_equal(0, target.flags);
}

static void
help_has_a_line_for_each_that_has_some(void **state)
{
    struct text text = {0};

    (void)state;
    options_help(&text, &tables[1]);
    assert_string_equal("  --limit N              at most so many\n"
                        "  --flag                 raise it\n"
                        "  -m, --maybe[=X]        perhaps\n", text_string(&text));
    text_release(&text);
    text_release(&error);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_with_the_option_or_after_it),
        cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(defaults_go_the_way_of_what_is_typed),
        cmocka_unit_test(help_has_a_line_for_each_that_has_some),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
