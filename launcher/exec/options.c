/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/options.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/rules.h"
#include "ring/segment.h"
#include "text/environment.h"
#include "text/memory.h"

struct parse {
    struct exec_options *options;
    struct exec_program *program;  /* the one that local options belong to */
    char **environment;
    const char *option;            /* as typed, for messages */
    struct text *error;
};

typedef int option_set(struct parse *parse, const char *value);

struct option {
    const char *names;        /* without dashes; the first is shown */
    const char *argument;     /* NULL: none; with a space in it: two words; [=…]: optional */
    const char *initial;      /* default, as it would be typed */
    const char *environment;  /* variable that overrides the default */
    option_set *set;
    const char *help;         /* NULL: not in --help */
};

/* --- values --- */

static int
refuse(struct parse *parse, const char *value, const char *why)
{
    text_print(parse->error, "%s %s: %s", parse->option, value, why);
    return -1;
}

static bool
is_number(const char *text)
{
    return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* Digits only: no sign, no space, nothing behind. */
static int
number_read(const char *text, unsigned long limit, unsigned long *value_p)
{
    unsigned long value;

    if (!is_number(text))
        return -1;
    errno = 0;
    value = strtoul(text, NULL, 10);
    if (errno != 0 || value > limit)
        return -1;
    *value_p = value;
    return 0;
}

/* The same for what counts ranks, of which a job has so many; else it is refused, with `what` for
 * what is no number at all. */
static int
ranks_read(struct parse *parse, const char *value, unsigned long *ranks_p, const char *what)
{
    if (number_read(value, INT_MAX, ranks_p) == 0)
        return 0;
    if (!is_number(value))
        return refuse(parse, value, what);
    text_print(parse->error, "%s %s: a job can have %u ranks at most", parse->option, value,
                    CPI_SEGMENT_WORLD_MAX);
    return -1;
}

static int
set_ranks(struct parse *parse, const char *value)
{
    unsigned long ranks;

    if (ranks_read(parse, value, &ranks, "the number of ranks is a whole number, as in -np 4") != 0)
        return -1;
    if (ranks == 0)
        return refuse(parse, value, "a job has at least one rank");
    parse->program->ranks = (uint32_t)ranks;
    return 0;
}

static int
set_per_peer(struct parse *parse, const char *value)
{
    unsigned long ranks;

    if (ranks_read(parse, value, &ranks, "the number of ranks on each peer is a whole number") != 0)
        return -1;
    if (ranks == 0)
        return refuse(parse, value, "the number of ranks on each peer is 1 or more");
    parse->options->per_peer = (uint32_t)ranks;
    return 0;
}

static int
set_one_per_peer(struct parse *parse, const char *value)
{
    (void)value;
    parse->options->per_peer = 1;
    return 0;
}

/* "4:2:1": so many peers, with such shares. */
static int
weights_read(struct parse *parse, const char *value)
{
    char *words = memory_copy_text(value);
    char *rest = words;
    const char *word;
    uint32_t count = 0;
    unsigned long weight;

    while ((word = strsep(&rest, ":")) != NULL) {
        if (count == EXEC_PEERS_MAX || number_read(word, EXEC_WEIGHT_MAX, &weight) != 0 ||
            weight == 0) {
            free(words);
            return refuse(parse, value, "shares are up to 64 numbers from 1 to 1000, as in 4:2:1");
        }
        parse->options->weights[count++] = (uint32_t)weight;
    }
    free(words);
    parse->options->peers = count;
    parse->options->weighted = true;
    return 0;
}

static int
set_peers(struct parse *parse, const char *value)
{
    unsigned long peers;

    if (strchr(value, ':') != NULL)
        return weights_read(parse, value);
    if (number_read(value, EXEC_PEERS_MAX, &peers) != 0 || peers == 0)
        return refuse(parse, value, "give 1 to 64 peers, or their shares as in 4:2:1");
    parse->options->peers = (uint32_t)peers;
    parse->options->weighted = false;
    for (uint32_t i = 0; i < peers; i++)
        parse->options->weights[i] = 1;
    return 0;
}

static int
set_export(struct parse *parse, const char *value)
{
    struct exec_program *program = parse->program;

    if (*value == '\0' || *value == '=')
        return refuse(parse, value, "a variable has a name: -x NAME or -x NAME=VALUE");
    program->exports = memory_grow(program->exports, program->exports_count + 1,
                                        sizeof(*program->exports));
    program->exports[program->exports_count++] = value;
    return 0;
}

static int
set_directory(struct parse *parse, const char *value)
{
    if (*value == '\0')
        return refuse(parse, value, "the directory has no name");
    parse->program->directory = value;
    return 0;
}

/* A note will name what was accepted and has no effect, each word once. */
static void
ignored_add(struct parse *parse, const char *word, size_t length)
{
    struct text *ignored = &parse->options->ignored;

    if (ignored->used > 0 && memmem(ignored->bytes, ignored->used, word, length) != NULL)
        return;
    text_print(ignored, "%s%.*s", ignored->used > 0 ? ", " : "", (int)length, word);
}

static bool
word_is(const char *word, size_t length, const char *name)
{
    return strlen(name) == length && strncasecmp(word, name, length) == 0;
}

/* What may follow a place: ":PE=2:SPAN". */
static int
map_by_modifiers(struct parse *parse, const char *value, const char *at)
{
    while (*at == ':') {
        size_t length = strcspn(++at, ":");
        bool effectless = word_is(at, length, "span") || word_is(at, length, "nooversubscribe") ||
                          (length > 3 && strncasecmp(at, "pe=", 3) == 0 &&
                           strspn(at + 3, "0123456789") == length - 3);

        if (effectless)
            ignored_add(parse, at, length);
        else if (!word_is(at, length, "oversubscribe"))
            return refuse(parse, value,
                          "what may follow a place is oversubscribe, nooversubscribe, span, pe=N");
        at += length;
    }
    return 0;
}

/* "ppr:N:node", so many ranks on each peer. */
static int
map_by_ppr(struct parse *parse, const char *value)
{
    size_t digits = strcspn(value + 4, ":");
    const char *place = value + 4 + digits + (value[4 + digits] == ':');
    size_t length = strcspn(place, ":");
    char number[16] = "";
    unsigned long ranks;

    if (digits < sizeof(number))
        memcpy(number, value + 4, digits);
    if (number_read(number, INT_MAX, &ranks) != 0 || ranks == 0)
        return refuse(parse, value, "give the ranks for each peer, as in ppr:2:node");
    if (!word_is(place, length, "node") && !word_is(place, length, "peer"))
        return refuse(parse, value,
                      "ranks are not bound to parts of a machine, so only ppr:N:node is possible");
    parse->options->per_peer = (uint32_t)ranks;
    return map_by_modifiers(parse, value, place + length);
}

/* Parts of a machine are all the same to ranks that aren't bound: each of mpirun's names for them
 * means to fill a machine before the next. */
static int
set_map_by(struct parse *parse, const char *value)
{
    static const char *const in_turn[] = {"node", "peer"};
    static const char *const parts[] = {"slot",    "core",    "hwthread", "socket",  "package",
                                        "numa",    "l1cache", "l2cache",  "l3cache", "board"};
    size_t length = strcspn(value, ":");

    if (length == 3 && strncasecmp(value, "ppr:", 4) == 0)
        return map_by_ppr(parse, value);
    for (size_t i = 0; i < sizeof(in_turn) / sizeof(in_turn[0]); i++) {
        if (word_is(value, length, in_turn[i])) {
            parse->options->map_by = EXEC_MAP_BY_NODE;
            return map_by_modifiers(parse, value, value + length);
        }
    }
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (word_is(value, length, parts[i])) {
            parse->options->map_by = EXEC_MAP_BY_SLOT;
            return map_by_modifiers(parse, value, value + length);
        }
    }
    return refuse(parse, value,
                  "ranks are placed by slot (the default), by node, or as in ppr:2:node");
}

static int
set_by_node(struct parse *parse, const char *value)
{
    (void)value;
    parse->options->map_by = EXEC_MAP_BY_NODE;
    return 0;
}

static int
set_hosts(struct parse *parse, const char *value)
{
    parse->options->hosts = value;
    return 0;
}

static int
set_hostfile(struct parse *parse, const char *value)
{
    parse->options->hostfile = value;
    return 0;
}

static int
set_stdin(struct parse *parse, const char *value)
{
    unsigned long rank;

    if (strcmp(value, "all") == 0)
        parse->options->stdin_rank = CONTROL_STDIN_ALL;
    else if (strcmp(value, "none") == 0)
        parse->options->stdin_rank = CONTROL_STDIN_NONE;
    else if (ranks_read(parse, value, &rank,
                        "standard input goes to `all`, `none` or the rank of that number") != 0)
        return -1;
    else
        parse->options->stdin_rank = (int)rank;
    return 0;
}

/* As Open MPI has it: DIR, or DIR:nocopy when the terminal is not to get the output too. */
static int
set_output_directory(struct parse *parse, const char *value)
{
    static const char modifier[] = ":nocopy";
    size_t length = strlen(value), cut = sizeof(modifier) - 1;

    parse->options->output_copy = true;
    if (length >= cut && strcmp(value + length - cut, modifier) == 0) {
        parse->options->output_copy = false;
        length -= cut;
    }
    if (length == 0)
        return refuse(parse, value, "the directory has no name");
    free((char *)parse->options->output_directory);
    parse->options->output_directory = memory_copy_text(value);
    ((char *)parse->options->output_directory)[length] = '\0';
    return 0;
}

static int
set_events(struct parse *parse, const char *value)
{
    if (*value == '\0')
        return refuse(parse, value, "the file has no name");
    parse->options->events_path = value;
    return 0;
}

static int
set_timeout(struct parse *parse, const char *value)
{
    char *end;
    double seconds;

    errno = 0;
    seconds = strtod(value, &end);
    if (((*value < '0' || *value > '9') && *value != '.') || errno != 0 || *end != '\0' ||
        !isfinite(seconds) || seconds > 1e9)
        return refuse(parse, value,
                      "the time limit is a number of seconds, up to 1000000000; 0 is none");
    /* 0 is "no limit", as in mpirun; anything above it is a limit. */
    parse->options->timeout_us = (uint64_t)(seconds * 1e6);
    if (seconds > 0 && parse->options->timeout_us == 0)
        parse->options->timeout_us = 1;
    return 0;
}

#define SET_FLAG(member)                                                                           \
    static int set_##member(struct parse *parse, const char *value)                                \
    {                                                                                              \
        (void)value;                                                                               \
        parse->options->member = true;                                                             \
        return 0;                                                                                  \
    }
SET_FLAG(tag_output)
SET_FLAG(timestamp_output)
SET_FLAG(merge_stderr)
SET_FLAG(json)
SET_FLAG(encrypt)
SET_FLAG(display_map)
SET_FLAG(report_bindings)
SET_FLAG(no_launch)
SET_FLAG(verbose)
SET_FLAG(help)
SET_FLAG(version)

static int
set_sandbox(struct parse *parse, const char *value)
{
    return exec_sandbox_parse(&parse->options->sandbox, value != NULL ? value : "", parse->error);
}

static int
set_nothing(struct parse *parse, const char *value)
{
    (void)value;
    ignored_add(parse, parse->option, strlen(parse->option));
    return 0;
}

/* Asks for what happens anyway, so there is nothing to note. */
static int
set_granted(struct parse *parse, const char *value)
{
    (void)parse;
    (void)value;
    return 0;
}

/* --- the table --- */

static const struct option option_table[] = {
    {"np n c", "N", NULL, NULL, set_ranks, "ranks of PROGRAM (default: one for each core)"},
    {"N npernode", "N", NULL, NULL, set_per_peer, "ranks on each peer"},
    {"x", "NAME[=VALUE]", NULL, NULL, set_export, "give PROGRAM this environment variable"},
    {"wdir wd", "DIR", NULL, NULL, set_directory, "run PROGRAM in DIR"},
    {"peers", "K|4:2:1", "1", NULL, set_peers,
     "an embedded pool of K peers, or with such CPU shares"},
    {"map-by", "slot|node", "slot", NULL, set_map_by, "fill peers one by one, or in turn"},
    {"host H", "HOSTS", NULL, NULL, set_hosts, "hosts to run on (so far: localhost)"},
    {"hostfile machinefile default-hostfile", "FILE", NULL, NULL, set_hostfile,
     "file with such hosts"},
    {"stdin", "all|none|N", "0", NULL, set_stdin, "ranks that get standard input (default: 0)"},
    {"tag-output", NULL, NULL, NULL, set_tag_output, "begin lines with [1,RANK]<stdout>:"},
    {"timestamp-output", NULL, NULL, NULL, set_timestamp_output, "begin lines with the time"},
    {"output-filename", "DIR", NULL, NULL, set_output_directory,
     "copy output to DIR/1/rank.N/stdout (DIR:nocopy: move)"},
    {"events", "FILE", NULL, NULL, set_events, "write partial results to FILE as JSON lines"},
    {"json", NULL, NULL, NULL, set_json, "map, output and report as JSON lines on stdout"},
    {"display-map", NULL, NULL, NULL, set_display_map, "show which rank runs where"},
    {"report-bindings", NULL, NULL, NULL, set_report_bindings, "show the cores ranks are bound to"},
    {"encrypt", NULL, NULL, NULL, set_encrypt, "encrypt what peers send each other"},
    {"timeout", "S", "0", "MPIEXEC_TIMEOUT", set_timeout, "end the job after S seconds (exit 110)"},
    {"sandbox", "[=LIMITS]", NULL, NULL, set_sandbox, "run ranks caged, as foreign ones are"},
    {"verbose v", NULL, NULL, NULL, set_verbose, "tell when agents and ranks start and end"},
    {"version V", NULL, NULL, NULL, set_version, "print the version"},
    {"help h", NULL, NULL, NULL, set_help, "print this page"},
    {"do-not-launch", NULL, NULL, NULL, set_no_launch, NULL},
    {"merge-stderr-to-stdout", NULL, NULL, NULL, set_merge_stderr, NULL},
    {"pernode", NULL, NULL, NULL, set_one_per_peer, NULL},
    {"bynode", NULL, NULL, NULL, set_by_node, NULL},
    {"oversubscribe byslot allow-run-as-root q quiet bind-to-none", NULL, NULL, NULL, set_granted,
     NULL},
    {"bind-to rank-by cpu-set cpu-list cpus-per-proc cpus-per-rank", "X", NULL, NULL, set_nothing,
     NULL},
    {"mca gmca omca pmca prtemca", "NAME VALUE", NULL, NULL, set_nothing, NULL},
    {"am tune prefix report-pid report-uri max-restarts personality preload-files", "X", NULL, NULL,
     set_nothing, NULL},
    {"nooversubscribe nolocal use-hwthread-cpus hetero-nodes bind-to-core bind-to-socket "
     "display-allocation "
     "display-devel-map display-topo enable-recovery disable-recovery continuous "
     "forward-signals-none "
     "leave-session-attached debug-daemons get-stack-traces report-state-on-timeout preload-binary "
     "index-argv-by-rank noprefix novm", NULL, NULL, NULL, set_nothing, NULL},
};

#define OPTION_COUNT (sizeof(option_table) / sizeof(option_table[0]))

void
exec_options_each(exec_option_visit *visit, void *arg)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        visit(arg, option_table[i].names, option_table[i].argument, option_table[i].initial,
              option_table[i].environment, option_table[i].help);
}

static bool
names_have(const char *names, const char *name, size_t length)
{
    for (const char *at = names; *at != '\0'; at += strspn(at, " ")) {
        size_t word = strcspn(at, " ");
        if (word == length && strncmp(at, name, length) == 0)
            return true;
        at += word;
    }
    return false;
}

static const struct option *
option_find(const char *name, size_t length)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (names_have(option_table[i].names, name, length))
            return &option_table[i];
    return NULL;
}

/* --- the command line --- */

static struct exec_program *
program_add(struct parse *parse)
{
    struct exec_options *options = parse->options;
    size_t count = options->programs_count;

    options->programs = memory_grow(options->programs, count + 1, sizeof(*options->programs));
    parse->program = &options->programs[count];
    memset(parse->program, 0, sizeof(*parse->program));
    options->programs_count = count + 1;
    return parse->program;
}

/* The option at argv[at]; returns how many words it took, or -1. */
static int
option_take(struct parse *parse, int left, char **words)
{
    const char *name = words[0] + (words[0][1] == '-' ? 2 : 1);
    const char *equals = strchr(name, '=');
    const struct option *option;
    int want;

    option = option_find(name, equals != NULL ? (size_t)(equals - name) : strlen(name));
    if (option == NULL) {
        text_print(parse->error, "unknown option %s; cpexec --help lists them", words[0]);
        return -1;
    }
    parse->option = words[0];
    bool may = option->argument != NULL && option->argument[0] == '[';
    want = option->argument == NULL || may ? 0 : strchr(option->argument, ' ') != NULL ? 2 : 1;
    if (equals != NULL && (want == 1 || may))
        return option->set(parse, equals + 1) == 0 ? 1 : -1;
    if (equals != NULL) {
        text_print(parse->error, "%s: this option takes %s", words[0],
                        want == 0 ? "no value" : "its values as two words");
        return -1;
    }
    if (want >= left || (want > 0 && strcmp(words[1], ":") == 0)) {
        text_print(parse->error, "%s: a value is missing: %s %s", words[0], words[0],
                        option->argument);
        return -1;
    }
    return option->set(parse, want > 0 ? words[1] : NULL) == 0 ? 1 + want : -1;
}

/* Options and program up to the next ':'. Returns how many words it took, ':' included, or -1. */
static int
program_take(struct parse *parse, int count, char **words)
{
    int at = 0, taken;

    program_add(parse);
    while (at < count && words[at][0] == '-' && words[at][1] != '\0') {
        if (strcmp(words[at], "--") == 0) {
            at++;
            break;
        }
        taken = option_take(parse, count - at, words + at);
        if (taken < 0)
            return -1;
        at += taken;
    }
    parse->program->argv = words + at;
    while (at < count && strcmp(words[at], ":") != 0)
        at++;
    return at < count ? at + 1 : at;
}

static bool
program_is_missing(const struct exec_program *program)
{
    return program->argv[0] == NULL || strcmp(program->argv[0], ":") == 0;
}

static int
outputs_check(struct parse *parse)
{
    const struct exec_options *options = parse->options;

    if (!options->json || options->events_path == NULL || strcmp(options->events_path, "-") != 0)
        return 0;
    text_add_string(parse->error,
                         "--events - and --json both write to standard output: leave --events out, "
                         "as --json tells partial results too, or give it the name of a file");
    return -1;
}

/* Cuts argv at the colons, and checks what can only be checked when all is known. */
static int
programs_finish(struct parse *parse, int argc, char **argv)
{
    struct exec_options *options = parse->options;

    for (size_t i = 0; i < options->programs_count; i++) {
        struct exec_program *program = &options->programs[i];
        if (program_is_missing(program)) {
            text_add_string(parse->error,
                                 "no program to run: cpexec [OPTION]... PROGRAM [ARGUMENT]...; "
                                 "cpexec --help tells more");
            return -1;
        }
        if (options->programs_count > 1 && program->ranks == 0) {
            text_print(parse->error, "%s: with several programs each needs its -np N",
                            program->argv[0]);
            return -1;
        }
    }
    for (size_t i = 1; i < options->programs_count; i++) {
        char **word = options->programs[i - 1].argv;
        while (word < argv + argc && strcmp(*word, ":") != 0)
            word++;
        *word = NULL;
    }
    return 0;
}

/* Defaults go the way of what is typed, so there is one reading of each value. */
static int
defaults_set(struct parse *parse)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = &option_table[i];
        const char *value = NULL;

        if (option->environment != NULL)
            value = environment_get(parse->environment, option->environment);
        parse->option = value != NULL ? option->environment : option->names;
        if (value == NULL)
            value = option->initial;
        if (value != NULL && option->set(parse, value) != 0)
            return -1;
    }
    return 0;
}

int
exec_options_parse(struct exec_options *options, int argc, char **argv, char **environment,
                   struct text *error)
{
    struct parse parse = {.options = options, .environment = environment, .error = error};
    int at = 1, taken;

    memset(options, 0, sizeof(*options));
    options->output_copy = true;
    if (defaults_set(&parse) != 0)
        return -1;
    do {  /* a ':' at the end asks for one more, which isn't there */
        taken = program_take(&parse, argc - at, argv + at);
        if (taken < 0)
            return -1;
        at += taken;
    } while (at < argc || (taken > 0 && strcmp(argv[at - 1], ":") == 0));
    if (options->help || options->version)
        return 0;
    return outputs_check(&parse) == 0 ? programs_finish(&parse, argc, argv) : -1;
}

void
exec_options_release(struct exec_options *options)
{
    for (size_t i = 0; i < options->programs_count; i++)
        free(options->programs[i].exports);
    free(options->programs);
    free((char *)options->output_directory);
    exec_sandbox_release(&options->sandbox);
    text_release(&options->ignored);
    memset(options, 0, sizeof(*options));
}

void
exec_options_rank_directory(const struct exec_options *options, uint32_t ranks, uint32_t rank,
                            struct text *path)
{
    int digits = snprintf(NULL, 0, "%u", ranks - 1);

    text_print(path, "%s/1/rank.%0*u", options->output_directory, digits, rank);
}

/* --- help --- */

static void
names_add(struct text *text, const char *names)
{
    for (const char *at = names; *at != '\0'; at += strspn(at, " ")) {
        size_t word = strcspn(at, " ");
        text_print(text, "%s%s%.*s", at == names ? "" : ", ", word > 2 ? "--" : "-", (int)word,
                        at);
        at += word;
    }
}

void
exec_options_help(struct text *text)
{
    text_add_string(text,
        "usage: cpexec [OPTION]... PROGRAM [ARGUMENT]... [: [OPTION]... PROGRAM ...]\n"
        "Runs PROGRAM as the ranks of a job, as mpirun does. More: man cpexec\n\n");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = &option_table[i];
        struct text left = {0};
        size_t first = strcspn(option->names, " ");

        if (option->help == NULL)
            continue;
        if (i == 0)
            names_add(&left, option->names);
        else
            text_print(&left, "%s%.*s", first > 2 ? "--" : "-", (int)first, option->names);
        if (option->argument != NULL)
            text_print(&left, " %s", option->argument);
        text_print(text, "  %-22s %s\n", text_string(&left), option->help);
        text_release(&left);
    }
}
