/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "control/rules.h"
#include "exec/options.h"

#define WORDS_MAX 32

static char *no_environment[] = {NULL};

/* What a parse gave; options borrow the words, so those stay here. */
struct parsed {
    struct exec_options options;
    struct text error;
    char line[512];
    char *words[WORDS_MAX];
    int result;
};

static void
parse_with(struct parsed *parsed, const char *line, char **environment)
{
    char *rest = parsed->line, *word;
    int count = 0;

    memset(parsed, 0, sizeof(*parsed));
    assert_true(strlen(line) < sizeof(parsed->line));
    memcpy(parsed->line, line, strlen(line) + 1);
    while ((word = strsep(&rest, " ")) != NULL)
        parsed->words[count++] = word;
    parsed->result = exec_options_parse(&parsed->options, count, parsed->words, environment,
                                        &parsed->error);
}

static void
parse(struct parsed *parsed, const char *line)
{
    parse_with(parsed, line, no_environment);
}

static void
release(struct parsed *parsed)
{
    exec_options_release(&parsed->options);
    text_release(&parsed->error);
}

static void
refused(const char *line, const char *word)
{
    struct parsed parsed;

    parse(&parsed, line);
    assert_int_equal(-1, parsed.result);
    if (strstr(text_string(&parsed.error), word) == NULL)
        fail_msg("%s: \"%s\" lacks \"%s\"", line, text_string(&parsed.error), word);
    release(&parsed);
}

static void
a_program_alone_has_the_defaults(void **state)
{
    struct parsed parsed;

    (void)state;
    parse(&parsed, "cpexec a.out -np 3");
    assert_int_equal(0, parsed.result);
    assert_int_equal(1, parsed.options.programs_count);
    assert_string_equal("a.out", parsed.options.programs[0].argv[0]);
    assert_string_equal("-np", parsed.options.programs[0].argv[1]);
    assert_string_equal("3", parsed.options.programs[0].argv[2]);
    assert_null(parsed.options.programs[0].argv[3]);
    assert_int_equal(0, parsed.options.programs[0].ranks);
    assert_int_equal(1, parsed.options.peers);
    assert_false(parsed.options.weighted);
    assert_int_equal(0, parsed.options.stdin_rank);
    assert_int_equal(0, parsed.options.timeout_us);
    assert_true(parsed.options.output_copy);
    release(&parsed);
}

static void
the_number_of_ranks_has_many_names(void **state)
{
    static const char *const lines[] = {"cpexec -np 4 a", "cpexec -n 4 a", "cpexec -c 4 a",
                                        "cpexec --np 4 a", "cpexec --n=4 a", "cpexec -np 9 -n 4 a"};

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct parsed parsed;
        parse(&parsed, lines[i]);
        assert_int_equal(0, parsed.result);
        assert_int_equal(4, parsed.options.programs[0].ranks);
        release(&parsed);
    }
}

static void
programs_are_parted_by_colons_and_keep_their_own_options(void **state)
{
    struct parsed parsed;

    (void)state;
    parse(&parsed, "cpexec -np 1 -x A=1 a x : -wdir /tmp -np 2 -x B b y z : -np 3 c");
    assert_int_equal(0, parsed.result);
    assert_int_equal(3, parsed.options.programs_count);
    const struct exec_program *programs = parsed.options.programs;
    assert_string_equal("x", programs[0].argv[1]);
    assert_null(programs[0].argv[2]);
    assert_int_equal(1, programs[0].exports_count);
    assert_null(programs[0].directory);
    assert_int_equal(2, programs[1].ranks);
    assert_string_equal("/tmp", programs[1].directory);
    assert_string_equal("B", programs[1].exports[0]);
    assert_string_equal("z", programs[1].argv[2]);
    assert_null(programs[1].argv[3]);
    assert_string_equal("c", programs[2].argv[0]);
    assert_int_equal(0, programs[2].exports_count);
    release(&parsed);
}

static void
two_dashes_end_the_options(void **state)
{
    struct parsed parsed;

    (void)state;
    parse(&parsed, "cpexec -np 1 -- -odd --help");
    assert_int_equal(0, parsed.result);
    assert_string_equal("-odd", parsed.options.programs[0].argv[0]);
    assert_false(parsed.options.help);
    release(&parsed);
}

static void
peers_are_a_number_or_shares(void **state)
{
    struct parsed parsed;

    (void)state;
    parse(&parsed, "cpexec --peers 3 a");
    assert_int_equal(3, parsed.options.peers);
    assert_false(parsed.options.weighted);
    assert_int_equal(1, parsed.options.weights[2]);
    release(&parsed);
    parse(&parsed, "cpexec --peers 4:2:1 a");
    assert_int_equal(3, parsed.options.peers);
    assert_true(parsed.options.weighted);
    assert_int_equal(4, parsed.options.weights[0]);
    assert_int_equal(1, parsed.options.weights[2]);
    release(&parsed);
}

static void
what_mpirun_takes_and_we_do_anyway_is_accepted(void **state)
{
    struct parsed parsed;

    (void)state;
    parse(&parsed, "cpexec --oversubscribe --allow-run-as-root -q -np 2 a");
    assert_int_equal(0, parsed.result);
    assert_int_equal(0, parsed.options.ignored.used);
    release(&parsed);
    parse(&parsed,
          "cpexec --mca btl tcp,self --mca a b --bind-to core --use-hwthread-cpus -np 2 a");
    assert_int_equal(0, parsed.result);
    assert_string_equal("--mca, --bind-to, --use-hwthread-cpus",
                        text_string(&parsed.options.ignored));
    assert_string_equal("a", parsed.options.programs[0].argv[0]);
    release(&parsed);
}

static void
values_are_read_and_kept(void **state)
{
    struct parsed parsed;

    (void)state;
    parse(&parsed,
          "cpexec --stdin all --timeout 1.5 --output-filename d:nocopy --events e --json "
          "--tag-output --timestamp-output --display-map --report-bindings --map-by node:PE=2 "
          "-N 2 a");
    assert_int_equal(0, parsed.result);
    assert_int_equal(CONTROL_STDIN_ALL, parsed.options.stdin_rank);
    assert_int_equal(1500000, parsed.options.timeout_us);
    assert_string_equal("d", parsed.options.output_directory);
    assert_false(parsed.options.output_copy);
    assert_string_equal("e", parsed.options.events_path);
    assert_true(parsed.options.json && parsed.options.tag_output &&
                parsed.options.timestamp_output);
    assert_true(parsed.options.display_map && parsed.options.report_bindings);
    assert_int_equal(EXEC_MAP_BY_NODE, parsed.options.map_by);
    assert_int_equal(2, parsed.options.per_peer);
    release(&parsed);
}

static void
the_environment_sets_a_default_that_the_command_line_overrides(void **state)
{
    char *environment[] = {"MPIEXEC_TIMEOUT=7", NULL}, *wrong[] = {"MPIEXEC_TIMEOUT=soon", NULL};
    struct parsed parsed;

    (void)state;
    parse_with(&parsed, "cpexec a", environment);
    assert_int_equal(7000000, parsed.options.timeout_us);
    release(&parsed);
    parse_with(&parsed, "cpexec --timeout 2 a", environment);
    assert_int_equal(2000000, parsed.options.timeout_us);
    release(&parsed);
    parse_with(&parsed, "cpexec a", wrong);
    assert_int_equal(-1, parsed.result);
    assert_non_null(strstr(text_string(&parsed.error), "MPIEXEC_TIMEOUT soon"));
    release(&parsed);
}

static void
what_is_wrong_is_named(void **state)
{
    (void)state;
    refused("cpexec", "no program");
    refused("cpexec -np 4", "no program");
    refused("cpexec -np 1 a :", "no program");
    refused("cpexec : a", "no program");
    refused("cpexec -np", "-np: a value is missing");
    refused("cpexec -np : a", "-np: a value is missing");
    refused("cpexec --mca x", "--mca: a value is missing");
    refused("cpexec -np 0 a", "-np 0");
    refused("cpexec -np -1 a", "-np -1");
    refused("cpexec -np 4x a", "-np 4x");
    refused("cpexec -np 99999999999999999999 a", "65536 ranks at most");
    refused("cpexec -N 0 a", "-N 0");
    refused("cpexec --nonsense a", "--nonsense");
    refused("cpexec --json=yes a", "no value");
    refused("cpexec --mca=x y a", "two words");
    refused("cpexec --peers 0 a", "1 to 64");
    refused("cpexec --peers 65 a", "1 to 64");
    refused("cpexec --peers 4: a", "4:2:1");
    refused("cpexec --peers 1:0 a", "4:2:1");
    refused("cpexec --peers 1:1001 a", "4:2:1");
    refused("cpexec --stdin some a", "--stdin some");
    refused("cpexec --timeout -3 a", "--timeout -3");
    refused("cpexec --timeout nan a", "--timeout nan");
    refused("cpexec --output-filename :nocopy a", "no name");
    refused("cpexec -x =1 a", "a name");
    refused("cpexec a : -np 2 b", "a: with several programs");
}


static void
help_fits_on_a_screen_and_names_what_has_help(void **state)
{
    struct text text = {0};
    size_t lines = 0, longest = 0;

    (void)state;
    exec_options_help(&text);
    for (const char *at = text.bytes; *at != '\0'; at = strchr(at, '\n') + 1) {
        size_t length = strcspn(at, "\n");
        longest = length > longest ? length : longest;
        lines++;
    }
    assert_in_range(lines, 10, 24);
    assert_in_range(longest, 40, 80);
    assert_non_null(strstr(text.bytes, "--output-filename DIR"));
    text_release(&text);
}

static void
remember_names(void *arg, const char *names, const char *argument, const char *initial,
               const char *environment, const char *help)
{
    struct text *all = arg;

    (void)argument;
    (void)initial;
    (void)environment;
    (void)help;
    text_print(all, "%s ", names);
}

static void
no_name_is_declared_twice(void **state)
{
    struct text all = {0};
    char *rest, *word, *seen[256];
    size_t count = 0;

    (void)state;
    exec_options_each(remember_names, &all);
    for (rest = all.bytes; (word = strsep(&rest, " ")) != NULL;) {
        for (size_t i = 0; i < count; i++)
            assert_true(strcmp(seen[i], word) != 0);
        if (*word != '\0')
            seen[count++] = word;
        assert_true(count < 256);
    }
    assert_true(count > 20);
    text_release(&all);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_alone_has_the_defaults),
        cmocka_unit_test(the_number_of_ranks_has_many_names),
        cmocka_unit_test(programs_are_parted_by_colons_and_keep_their_own_options),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(peers_are_a_number_or_shares),
        cmocka_unit_test(what_mpirun_takes_and_we_do_anyway_is_accepted),
        cmocka_unit_test(values_are_read_and_kept),
        cmocka_unit_test(the_environment_sets_a_default_that_the_command_line_overrides),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(help_fits_on_a_screen_and_names_what_has_help),
        cmocka_unit_test(no_name_is_declared_twice),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
