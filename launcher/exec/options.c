/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/options.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cpmp.h>

#include "control/rules.h"
#include "proto/computer/computer.h"
#include "ring/segment.h"
#include "text/memory.h"
#include "text/options.h"

/* What options set. */
struct target {
    struct exec_options *options;
    struct exec_program *program;  /* the one that local options belong to */
};

static struct exec_options *
options_of(struct options_parse *parse)
{
    return ((struct target *)parse->target)->options;
}

static struct exec_program *
program_of(struct options_parse *parse)
{
    return ((struct target *)parse->target)->program;
}

/* --- values --- */

static bool
is_number(const char *text)
{
    return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* What counts ranks, of which a job has so many; else it is refused, with `what` for what is no
 * number at all. */
static int
ranks_read(struct options_parse *parse, const char *value, unsigned long *ranks_p, const char *what)
{
    if (options_number(value, INT_MAX, ranks_p) == 0)
        return 0;
    if (!is_number(value))
        return options_refuse(parse, value, what);
    text_print(parse->error, "%s %s: a job can have %u ranks at most", parse->option, value,
                    CPI_SEGMENT_WORLD_MAX);
    return -1;
}

static int
set_ranks(struct options_parse *parse, const char *value)
{
    unsigned long ranks;

    if (ranks_read(parse, value, &ranks, "the number of ranks is a whole number, as in -np 4") != 0)
        return -1;
    if (ranks == 0)
        return options_refuse(parse, value, "a job has at least one rank");
    program_of(parse)->ranks = (uint32_t)ranks;
    return 0;
}

static int
set_per_peer(struct options_parse *parse, const char *value)
{
    unsigned long ranks;

    if (ranks_read(parse, value, &ranks, "the number of ranks on each peer is a whole number") != 0)
        return -1;
    if (ranks == 0)
        return options_refuse(parse, value, "the number of ranks on each peer is 1 or more");
    options_of(parse)->per_peer = (uint32_t)ranks;
    return 0;
}

static int
set_one_per_peer(struct options_parse *parse, const char *value)
{
    (void)value;
    options_of(parse)->per_peer = 1;
    return 0;
}

/* "4:2:1": so many peers, with such shares. */
static int
weights_read(struct options_parse *parse, const char *value)
{
    char *words = memory_copy_text(value);
    char *rest = words;
    const char *word;
    uint32_t count = 0;
    unsigned long weight;

    while ((word = strsep(&rest, ":")) != NULL) {
        if (count == EXEC_PEERS_MAX || options_number(word, EXEC_WEIGHT_MAX, &weight) != 0 ||
            weight == 0) {
            free(words);
            return options_refuse(parse, value,
                                  "shares are up to 64 numbers from 1 to 1000, as in 4:2:1");
        }
        options_of(parse)->weights[count++] = (uint32_t)weight;
    }
    free(words);
    options_of(parse)->peers = count;
    options_of(parse)->weighted = true;
    return 0;
}

static int
set_peers(struct options_parse *parse, const char *value)
{
    unsigned long peers;

    options_of(parse)->peers_given = true;
    if (strchr(value, ':') != NULL)
        return weights_read(parse, value);
    if (options_number(value, EXEC_PEERS_MAX, &peers) != 0 || peers == 0)
        return options_refuse(parse, value, "give 1 to 64 peers, or their shares as in 4:2:1");
    options_of(parse)->peers = (uint32_t)peers;
    options_of(parse)->weighted = false;
    for (uint32_t i = 0; i < peers; i++)
        options_of(parse)->weights[i] = 1;
    return 0;
}

static int
set_export(struct options_parse *parse, const char *value)
{
    struct exec_program *program = program_of(parse);

    if (*value == '\0' || *value == '=')
        return options_refuse(parse, value, "a variable has a name: -x NAME or -x NAME=VALUE");
    program->exports = memory_grow(program->exports, program->exports_count + 1,
                                        sizeof(*program->exports));
    program->exports[program->exports_count++] = value;
    return 0;
}

static int
set_directory(struct options_parse *parse, const char *value)
{
    if (*value == '\0')
        return options_refuse(parse, value, "the directory has no name");
    program_of(parse)->directory = value;
    return 0;
}

/* A note will name what was accepted and has no effect, each word once. */
static void
ignored_add(struct options_parse *parse, const char *word, size_t length)
{
    struct text *ignored = &options_of(parse)->ignored;

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
map_by_modifiers(struct options_parse *parse, const char *value, const char *at)
{
    while (*at == ':') {
        size_t length = strcspn(++at, ":");
        bool effectless = word_is(at, length, "span") || word_is(at, length, "nooversubscribe") ||
                          (length > 3 && strncasecmp(at, "pe=", 3) == 0 &&
                           strspn(at + 3, "0123456789") == length - 3);

        if (effectless)
            ignored_add(parse, at, length);
        else if (!word_is(at, length, "oversubscribe"))
            return options_refuse(parse, value,
                                  "what may follow a place is oversubscribe, nooversubscribe, "
                                  "span, pe=N");
        at += length;
    }
    return 0;
}

/* "ppr:N:node", so many ranks on each peer. */
static int
map_by_ppr(struct options_parse *parse, const char *value)
{
    size_t digits = strcspn(value + 4, ":");
    const char *place = value + 4 + digits + (value[4 + digits] == ':');
    size_t length = strcspn(place, ":");
    char number[16] = "";
    unsigned long ranks;

    if (digits < sizeof(number))
        memcpy(number, value + 4, digits);
    if (options_number(number, INT_MAX, &ranks) != 0 || ranks == 0)
        return options_refuse(parse, value, "give the ranks for each peer, as in ppr:2:node");
    if (!word_is(place, length, "node") && !word_is(place, length, "peer"))
        return options_refuse(parse, value,
                              "ranks are not bound to parts of a machine, so only ppr:N:node is "
                              "possible");
    options_of(parse)->per_peer = (uint32_t)ranks;
    return map_by_modifiers(parse, value, place + length);
}

/* Parts of a machine are all the same to ranks that aren't bound: each of mpirun's names for them
 * means to fill a machine before the next. */
static int
set_map_by(struct options_parse *parse, const char *value)
{
    static const char *const in_turn[] = {"node", "peer"};
    static const char *const parts[] = {"slot",    "core",    "hwthread", "socket",  "package",
                                        "numa",    "l1cache", "l2cache",  "l3cache", "board"};
    size_t length = strcspn(value, ":");

    if (length == 3 && strncasecmp(value, "ppr:", 4) == 0)
        return map_by_ppr(parse, value);
    for (size_t i = 0; i < sizeof(in_turn) / sizeof(in_turn[0]); i++) {
        if (word_is(value, length, in_turn[i])) {
            options_of(parse)->map_by = EXEC_MAP_BY_NODE;
            return map_by_modifiers(parse, value, value + length);
        }
    }
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (word_is(value, length, parts[i])) {
            options_of(parse)->map_by = EXEC_MAP_BY_SLOT;
            return map_by_modifiers(parse, value, value + length);
        }
    }
    return options_refuse(parse, value,
                          "ranks are placed by slot (the default), by node, or as in ppr:2:node");
}

static int
set_by_node(struct options_parse *parse, const char *value)
{
    (void)value;
    options_of(parse)->map_by = EXEC_MAP_BY_NODE;
    return 0;
}

static int
set_hosts(struct options_parse *parse, const char *value)
{
    options_of(parse)->hosts = value;
    return 0;
}

static int
set_pool(struct options_parse *parse, const char *value)
{
    if (*value == '\0')
        return options_refuse(parse, value, "a pool has a name; none: this machine only");
    options_of(parse)->pool = value;
    return 0;
}

static int
set_require(struct options_parse *parse, const char *value)
{
    char why[REQUIRE_WHY_BYTES];

    if (require_parse(value, &options_of(parse)->require, why) == CPMP_OK)
        return 0;
    return options_refuse(parse, value, why);
}

/* Names between commas; may be given again. */
static int
set_preload(struct options_parse *parse, const char *value)
{
    struct exec_options *options = options_of(parse);

    for (const char *at = value; *at != '\0';) {
        size_t length = strcspn(at, ",");
        if (length > 0) {
            char *name = memory_new(1, length + 1);
            memcpy(name, at, length);
            options->preload = memory_grow(options->preload, options->preload_count + 1,
                                           sizeof(char *));
            options->preload[options->preload_count++] = name;
        }
        at += length + (at[length] == ',');
    }
    return 0;
}

static int
set_wait(struct options_parse *parse, const char *value)
{
    unsigned long seconds;

    options_of(parse)->wait_us = COMPUTER_FOREVER;
    if (value == NULL)
        return 0;
    if (options_number(value, 365ul * 24 * 3600, &seconds) != 0)
        return options_refuse(parse, value, "a time to wait is a number of seconds");
    options_of(parse)->wait_us = (uint64_t)seconds * 1000000u;
    return 0;
}

static int
set_oversubscribe(struct options_parse *parse, const char *value)
{
    (void)value;
    options_of(parse)->oversubscribe = true;
    return 0;
}

static int
set_hostfile(struct options_parse *parse, const char *value)
{
    options_of(parse)->hostfile = value;
    return 0;
}

static int
set_stdin(struct options_parse *parse, const char *value)
{
    unsigned long rank;

    if (strcmp(value, "all") == 0)
        options_of(parse)->stdin_rank = CONTROL_STDIN_ALL;
    else if (strcmp(value, "none") == 0)
        options_of(parse)->stdin_rank = CONTROL_STDIN_NONE;
    else if (ranks_read(parse, value, &rank,
                        "standard input goes to `all`, `none` or the rank of that number") != 0)
        return -1;
    else
        options_of(parse)->stdin_rank = (int)rank;
    return 0;
}

/* As Open MPI has it: DIR, or DIR:nocopy when the terminal is not to get the output too. */
static int
set_output_directory(struct options_parse *parse, const char *value)
{
    static const char modifier[] = ":nocopy";
    size_t length = strlen(value), cut = sizeof(modifier) - 1;

    options_of(parse)->output_copy = true;
    if (length >= cut && strcmp(value + length - cut, modifier) == 0) {
        options_of(parse)->output_copy = false;
        length -= cut;
    }
    if (length == 0)
        return options_refuse(parse, value, "the directory has no name");
    free((char *)options_of(parse)->output_directory);
    options_of(parse)->output_directory = memory_copy_text(value);
    ((char *)options_of(parse)->output_directory)[length] = '\0';
    return 0;
}

static int
set_events(struct options_parse *parse, const char *value)
{
    if (*value == '\0')
        return options_refuse(parse, value, "the file has no name");
    options_of(parse)->events_path = value;
    return 0;
}

static int
set_timeout(struct options_parse *parse, const char *value)
{
    char *end;
    double seconds;

    errno = 0;
    seconds = strtod(value, &end);
    if (((*value < '0' || *value > '9') && *value != '.') || errno != 0 || *end != '\0' ||
        !isfinite(seconds) || seconds > 1e9)
        return options_refuse(parse, value,
                              "the time limit is a number of seconds, up to 1000000000; 0 is none");
    /* 0 is "no limit", as in mpirun; anything above it is a limit. */
    options_of(parse)->timeout_us = (uint64_t)(seconds * 1e6);
    if (seconds > 0 && options_of(parse)->timeout_us == 0)
        options_of(parse)->timeout_us = 1;
    return 0;
}

#define SET_FLAG(member)                                                                           \
    static int set_##member(struct options_parse *parse, const char *value)                        \
    {                                                                                              \
        (void)value;                                                                               \
        options_of(parse)->member = true;                                                          \
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
set_sandbox(struct options_parse *parse, const char *value)
{
    return exec_sandbox_parse(&options_of(parse)->sandbox, value != NULL ? value : "",
                              parse->error);
}

static int
set_nothing(struct options_parse *parse, const char *value)
{
    (void)value;
    ignored_add(parse, parse->option, strlen(parse->option));
    return 0;
}

/* Asks for what happens anyway, so there is nothing to note. */
static int
set_granted(struct options_parse *parse, const char *value)
{
    (void)parse;
    (void)value;
    return 0;
}

/* --- the table --- */

static const struct options_row option_table[] = {
    {"np n c", "N", NULL, NULL, set_ranks, "ranks of PROGRAM (default: one for each core)"},
    {"N npernode", "N", NULL, NULL, set_per_peer, "ranks on each peer"},
    {"x", "NAME[=VALUE]", NULL, NULL, set_export, "give PROGRAM this environment variable"},
    {"wdir wd", "DIR", NULL, NULL, set_directory, "run PROGRAM in DIR"},
    {"peers", "K|4:2:1", "1", NULL, set_peers,
     "an embedded pool of K peers, or with such CPU shares"},
    {"map-by", "slot|node", "slot", NULL, set_map_by, "fill peers one by one, or in turn"},
    {"pool", "NAME|none", NULL, "CPMP_POOL", set_pool,
     "run on this pool (default: that of the cpmpd here)"},
    {"host H", "PEERS", NULL, NULL, set_hosts, "peers to run on: names, NAME:RANKS, with * and ?"},
    {"require", "TERMS", NULL, NULL, set_require, "peers must have arch=x86_64,memory>=4G, ..."},
    {"preload-files", "FILES", NULL, NULL, set_preload, "send these files along, too"},
    {"wait", "[=S]", NULL, NULL, set_wait, "wait until there are free cores enough"},
    {"oversubscribe", NULL, NULL, NULL, set_oversubscribe, "more ranks than free cores are fine"},
    {"hostfile machinefile default-hostfile", "FILE", NULL, NULL, set_hostfile, NULL},
    {"stdin", "all|none|N", "0", NULL, set_stdin, "ranks that get standard input (default: 0)"},
    {"tag-output", NULL, NULL, NULL, set_tag_output, NULL},
    {"timestamp-output", NULL, NULL, NULL, set_timestamp_output, NULL},
    {"output-filename", "DIR", NULL, NULL, set_output_directory,
     "copy output to DIR/1/rank.N/stdout (DIR:nocopy: move)"},
    {"events", "FILE", NULL, NULL, set_events, "write partial results to FILE as JSON lines"},
    {"json", NULL, NULL, NULL, set_json, "map, output and report as JSON lines on stdout"},
    {"display-map", NULL, NULL, NULL, set_display_map, "show which rank runs where"},
    {"report-bindings", NULL, NULL, NULL, set_report_bindings, NULL},
    {"encrypt", NULL, NULL, NULL, set_encrypt, "encrypt what peers send each other"},
    {"timeout", "S", "0", "MPIEXEC_TIMEOUT", set_timeout, "end the job after S seconds (exit 110)"},
    {"sandbox", "[=LIMITS]", NULL, NULL, set_sandbox, "run ranks caged, as foreign ones are"},
    {"verbose v", NULL, NULL, NULL, set_verbose, "tell when agents and ranks start and end"},
    {"version V", NULL, NULL, NULL, set_version, NULL},
    {"help h", NULL, NULL, NULL, set_help, "print this page"},
    {"do-not-launch", NULL, NULL, NULL, set_no_launch, NULL},
    {"merge-stderr-to-stdout", NULL, NULL, NULL, set_merge_stderr, NULL},
    {"pernode", NULL, NULL, NULL, set_one_per_peer, NULL},
    {"bynode", NULL, NULL, NULL, set_by_node, NULL},
    {"byslot allow-run-as-root q quiet bind-to-none", NULL, NULL, NULL, set_granted, NULL},
    {"bind-to rank-by cpu-set cpu-list cpus-per-proc cpus-per-rank", "X", NULL, NULL, set_nothing,
     NULL},
    {"mca gmca omca pmca prtemca", "NAME VALUE", NULL, NULL, set_nothing, NULL},
    {"am tune prefix report-pid report-uri max-restarts personality", "X", NULL, NULL,
     set_nothing, NULL},
    {"nooversubscribe nolocal use-hwthread-cpus hetero-nodes bind-to-core bind-to-socket "
     "display-allocation "
     "display-devel-map display-topo enable-recovery disable-recovery continuous "
     "forward-signals-none "
     "leave-session-attached debug-daemons get-stack-traces report-state-on-timeout preload-binary "
     "index-argv-by-rank noprefix novm", NULL, NULL, NULL, set_nothing, NULL},
};

#define OPTION_COUNT (sizeof(option_table) / sizeof(option_table[0]))

static const struct options_table all_options = {option_table, OPTION_COUNT};

void
exec_options_each(exec_option_visit *visit, void *arg)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        visit(arg, option_table[i].names, option_table[i].argument, option_table[i].initial,
              option_table[i].environment, option_table[i].help);
}

/* --- the command line --- */

static struct exec_program *
program_add(struct options_parse *parse)
{
    struct target *target = parse->target;
    struct exec_options *options = target->options;
    size_t count = options->programs_count;

    options->programs = memory_grow(options->programs, count + 1, sizeof(*options->programs));
    target->program = &options->programs[count];
    memset(target->program, 0, sizeof(*target->program));
    options->programs_count = count + 1;
    return target->program;
}

/* The option at words[0]; how many words it took, or -1. A ':' is no value. */
static int
option_take(struct options_parse *parse, int left, char **words)
{
    int before = 1;

    while (before < left && strcmp(words[before], ":") != 0)
        before++;
    return options_take(parse, before, words);
}

/* Options and program up to the next ':'. Returns how many words it took, ':' included, or -1. */
static int
program_take(struct options_parse *parse, int count, char **words)
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
    program_of(parse)->argv = words + at;
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
outputs_check(struct options_parse *parse)
{
    const struct exec_options *options = options_of(parse);

    if (!options->json || options->events_path == NULL || strcmp(options->events_path, "-") != 0)
        return 0;
    text_add_string(parse->error,
                         "--events - and --json both write to standard output: leave --events out, "
                         "as --json tells partial results too, or give it the name of a file");
    return -1;
}

/* Cuts argv at the colons, and checks what can only be checked when all is known. */
static int
programs_finish(struct options_parse *parse, int argc, char **argv)
{
    struct exec_options *options = options_of(parse);

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

int
exec_options_parse(struct exec_options *options, int argc, char **argv, char **environment,
                   struct text *error)
{
    struct target target = {.options = options};
    struct options_parse parse = {.tables = &all_options, .table_count = 1, .program = "cpexec",
                                  .target = &target, .environment = environment, .error = error};
    int at = 1, taken;

    memset(options, 0, sizeof(*options));
    options->output_copy = true;
    if (options_defaults(&parse) != 0)
        return -1;
    options->peers_given = false;  /* a default isn't */
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
    for (size_t i = 0; i < options->preload_count; i++)
        free(options->preload[i]);
    free(options->preload);
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

void
exec_options_help(struct text *text)
{
    text_add_string(text,
        "usage: cpexec [OPTION]... PROGRAM [ARGUMENT]... [: [OPTION]... PROGRAM ...]\n"
        "Runs PROGRAM as the ranks of a job, as mpirun does. More: man cpexec\n");
    options_help(text, &all_options);
}
