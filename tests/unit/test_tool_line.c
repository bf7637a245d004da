/* SPDX-License-Identifier: BSD-3-Clause */
/* cpmp's command line: which subcommand, its options, its operands; and help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "tool/tool.h"

#define WORDS_MAX 16

static struct tool tool;
static char *environment[] = {NULL};
static char *words[WORDS_MAX];

static int
parse(const char *line)
{
    static char copy[256];
    char *rest = copy;
    int count = 0;

    tool_release(&tool);
    memset(&tool, 0, sizeof(tool));
    tool.environment = environment;
    tool.now_s = 1795259000;
    assert_true(strlen(line) < sizeof(copy));
    memcpy(copy, line, strlen(line) + 1);
    while (*rest != '\0') {
        words[count++] = rest;
        rest += strcspn(rest, " ");
        if (*rest == ' ')
            *rest++ = '\0';
    }
    words[count] = NULL;
    return tool_parse(&tool, count, words);
}

static void
takes(const char *line, const char *command, size_t operands)
{
    assert_int_equal(0, parse(line));
    assert_string_equal(command, tool.command->name);
    assert_int_equal(operands, tool.operand_count);
    assert_int_equal(0, tool.error.used);
}

static void
refuses(const char *line, const char *why)
{
    assert_int_equal(TOOL_USAGE, parse(line));
    if (strstr(text_string(&tool.error), why) == NULL)
        fail_msg("%s: no \"%s\" in: %s", line, why, text_string(&tool.error));
}

static void
commands_have_one_or_two_words(void **state)
{
    (void)state;
    takes("peers", "peers", 0);
    takes("pool", "pool", 0);
    takes("pool invite", "pool invite", 0);
    takes("policy", "policy", 0);
    takes("policy cpu hours", "policy", 2);
    takes("policy set cpu=50% hours=always", "policy set", 2);
    assert_string_equal("cpu=50%", tool.operands[0]);
    assert_string_equal("hours=always", tool.operands[1]);
    takes("help pool invite", "help", 2);
}

static void
options_stand_anywhere(void **state)
{
    (void)state;
    takes("--state d job 12ab --json", "job", 1);
    assert_string_equal("d", tool.options.state);
    assert_string_equal("12ab", tool.operands[0]);
    assert_true(tool.options.json);
    takes("job --json --state=e 12ab", "job", 1);
    assert_string_equal("e", tool.options.state);
    assert_string_equal("12ab", tool.operands[0]);
    takes("peers -l", "peers", 0);
    assert_true(tool.options.detailed);
    takes("history", "history", 0);
    assert_int_equal(20, tool.options.limit);
    takes("history --limit 3 --since 1h", "history", 0);
    assert_int_equal(3, tool.options.limit);
    assert_int_equal(1795259000 - 3600, tool.options.since_s);
    takes("pool invite --lifetime 2d", "pool invite", 0);
    assert_int_equal(2 * 86400, tool.options.lifetime_s);
    takes("ring --count 100000 --sure", "ring", 0);
    assert_int_equal(100000, tool.options.count);
}

static void
what_is_wrong_is_told(void **state)
{
    (void)state;
    refuses("", "no command was given; cpmp --help");
    refuses("--json", "no command was given");
    refuses("pers", "there is no command pers; did you mean peers? cpmp --help");
    refuses("frobnicate", "there is no command frobnicate; cpmp --help");
    refuses("--long peers", "unknown option --long; cpmp --help lists them");
    refuses("jobs --long", "unknown option --long; cpmp jobs --help lists them");
    refuses("pool invte", "invte: that is one word too many; usage: cpmp pool");
    refuses("job", "something is missing; usage: cpmp job ID");
    refuses("job 1 2", "2: that is one word too many");
    refuses("peers --state", "--state: a value is missing");
    refuses("ring --lookup 12", "40 hexadecimal digits");
    refuses("ring --lookup 123456789012345678901234567890123456789x", "40 hexadecimal digits");
    refuses("ring --count 0", "from 1 to 100000");
    refuses("ring --count 100001", "from 1 to 100000");
    refuses("history --since yesterday", "give a date");
    refuses("history --limit x", "give a number");
    refuses("pool invite --lifetime 0", "give a time");
    refuses("--state= peers", "no name");
}

static void
help_and_version_need_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(0, parse("--help"));
    assert_true(tool.options.help);
    assert_null(tool.command);
    assert_int_equal(0, parse("job --help"));
    assert_true(tool.options.help);
    assert_string_equal("job", tool.command->name);
    assert_int_equal(0, parse("-V"));
    assert_true(tool.options.version);
}

static void
fits_a_screen(const struct text *text)
{
    const char *line = text_string(text);
    size_t lines = 0;

    for (; *line != '\0'; line += strcspn(line, "\n") + 1, lines++)
        assert_true(strcspn(line, "\n") <= 80);
    assert_true(lines >= 4);
    assert_true(lines <= 24);
}

static void
each_page_of_help_fits_a_screen(void **state)
{
    const struct tool_command *command;
    struct text all = {0};

    (void)state;
    tool_help(&all, NULL);
    fits_a_screen(&all);
    for (size_t i = 0; (command = tool_command_at(i)) != NULL; i++) {
        struct text page = {0};

        assert_non_null(strstr(text_string(&all), command->name));
        tool_help(&page, command);
        fits_a_screen(&page);
        assert_non_null(strstr(text_string(&page), command->summary));
        for (size_t j = 0; j < command->options.count; j++)
            assert_non_null(strstr(text_string(&page), command->options.rows[j].help));
        text_release(&page);
    }
    text_release(&all);
}

static void
help_of_a_command_is_asked_for_by_name(void **state)
{
    (void)state;
    assert_int_equal(0, parse("help pool invite"));
    assert_int_equal(TOOL_OK, tool_help_run(&tool));
    assert_non_null(strstr(text_string(&tool.out), "--lifetime"));
    assert_int_equal(0, parse("help"));
    assert_int_equal(TOOL_OK, tool_help_run(&tool));
    assert_non_null(strstr(text_string(&tool.out), "COMMAND"));
    assert_int_equal(0, parse("help rin"));
    assert_int_equal(TOOL_USAGE, tool_help_run(&tool));
    assert_non_null(strstr(text_string(&tool.error), "did you mean ring?"));
    tool_release(&tool);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_have_one_or_two_words),
        cmocka_unit_test(options_stand_anywhere),
        cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(help_and_version_need_nothing_else),
        cmocka_unit_test(each_page_of_help_fits_a_screen),
        cmocka_unit_test(help_of_a_command_is_asked_for_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
