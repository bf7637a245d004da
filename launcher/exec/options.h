/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_OPTIONS_H
#define CPI_EXEC_OPTIONS_H

/*
 * cpexec's command line. Every option is declared once, in the table of options.c: names, argument,
 * default, environment variable, what it sets, its line in --help. Parsing is pure: it sees argv
 * and the environment that it is given, nothing else.
 *
 * As mpirun takes them: names of any length with one or two dashes, `-np 4` and `--np=4`; the first
 * word that is no option is the program, what follows up to `:` its arguments; after `:` the next
 * program. -n, -x and -wdir belong to the program they precede, the rest to the job.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exec/sandbox.h"
#include "proto/computer/require.h"
#include "text/text.h"

#define EXEC_PEERS_MAX    64u     /* agents of an embedded pool */
#define EXEC_WEIGHT_MAX   1000u   /* in --peers 4:2:1 */

enum exec_map_by { EXEC_MAP_BY_SLOT, EXEC_MAP_BY_NODE };

struct exec_program {
    char **argv;            /* borrowed words; ends with NULL, which takes the place of the ':' */
    uint32_t ranks;         /* 0: not said */
    const char *directory;  /* NULL: not said */
    const char **exports;   /* NAME or NAME=value */
    size_t exports_count;
};

struct exec_options {
    struct exec_program *programs;
    size_t programs_count;

    uint32_t per_peer;      /* 0: not said */
    uint32_t peers;
    uint32_t weights[EXEC_PEERS_MAX];
    bool weighted;          /* the weights were given */
    enum exec_map_by map_by;
    const char *hosts;
    const char *hostfile;
    const char *pool;       /* NULL: not said; "none": the embedded one */
    bool peers_given;       /* --peers: the embedded one */
    struct require require;
    char **preload;         /* owned, as are the names */
    size_t preload_count;
    uint64_t wait_us;       /* for free cores; 0: not at all */
    bool oversubscribe;

    int stdin_rank;         /* or CONTROL_STDIN_ALL, CONTROL_STDIN_NONE */
    bool tag_output, timestamp_output, merge_stderr;
    const char *output_directory;
    bool output_copy;       /* besides the files, to the launcher's own stdout and stderr */
    const char *events_path;
    bool json;

    bool encrypt;           /* what peers send each other */
    bool display_map, report_bindings, no_launch, verbose;
    uint64_t timeout_us;    /* 0: none */
    struct exec_sandbox sandbox;
    bool help, version;

    struct text ignored; /* names of options that were accepted without effect, for a note */
};

/* Reads the command line. `argv` and `environment` must live as long as `options`. 0, or -1 with
 * what is wrong and what to do in `error`; `options` must be released either way. With help or
 * version set there may be no program. */
int exec_options_parse(struct exec_options *options, int argc, char **argv, char **environment,
                       struct text *error);

void exec_options_release(struct exec_options *options);

/* The --help page, at most 24 lines of 80 columns. */
void exec_options_help(struct text *text);

/* Calls `visit` for each option: its names without dashes ("n np c"), argument (or NULL), default
 * (or NULL), environment variable (or NULL), help (NULL: accepted for mpirun's sake). */
typedef void exec_option_visit(void *arg, const char *names, const char *argument,
                               const char *initial, const char *environment, const char *help);
void exec_options_each(exec_option_visit *visit, void *arg);

/* Where --output-filename has the files of `rank`: DIR/1/rank.NN, with as many digits as the
 * highest rank has, the layout of Open MPI 4. */
void exec_options_rank_directory(const struct exec_options *options, uint32_t ranks, uint32_t rank,
                                 struct text *path);

#endif
