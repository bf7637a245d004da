/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TOOL_TOOL_H
#define CPI_TOOL_TOOL_H

/*
 * cpmp: one program with subcommands. The table of them and of their options is tool/commands.c;
 * each is a file of its own, which asks the daemon (tool/session.h) and makes text or JSON of its
 * answer. What is written goes to `out` and `error` first, so that all but the connection is pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/options.h"
#include "text/text.h"

#define TOOL_OK     0
#define TOOL_FAILED 1
#define TOOL_USAGE  2   /* the command line is wrong */

struct tool;

struct tool_command {
    const char *name;      /* one or two words */
    const char *operands;  /* as shown in the usage line */
    size_t operands_min, operands_max;
    int (*run)(struct tool *tool);  /* fills tool->out and tool->error; an exit code */
    const char *summary;   /* its line in cpmp --help */
    const char *details;   /* more for cpmp help COMMAND; NULL: nothing */
    struct options_table options;
};

/* What options set. */
struct tool_options {
    const char *state;     /* NULL: not given */
    bool json, help, version;
    bool detailed;         /* --long */
    const char *key, *text;
    unsigned long count;   /* 0: not given */
    bool sure;
    unsigned long limit;
    uint64_t since_s;
    uint64_t lifetime_s;
};

struct tool {
    const struct tool_command *command;  /* NULL: none was typed */
    struct tool_options options;
    char **operands;       /* [operand_count], among the words of the command line */
    size_t operand_count;
    char **environment;
    uint64_t now_s;        /* since 1970 */
    size_t columns;        /* of the terminal on standard output; 0: it is none */
    struct text out, error;
    struct text notes;     /* hints for people, on a terminal only */
};

/* The row of tool/commands.c; NULL beyond the last. */
const struct tool_command *tool_command_at(size_t index);

/* The command of this name, of one or two words (`second` may be NULL); NULL: there is none. */
const struct tool_command *tool_command_find(const char *first, const char *second);

extern const struct options_table tool_common_options;

/* Reads the command line; operands are put in front within `words`. 0; or TOOL_USAGE with
 * tool->error. With help or version set there may be no command. tool->environment and now_s are
 * set before. */
int tool_parse(struct tool *tool, int count, char **words);

/* The page of `command`, or of all of them (NULL). At most 24 lines of 80 columns. */
void tool_help(struct text *text, const struct tool_command *command);

/* cpmp help [COMMAND]. */
int tool_help_run(struct tool *tool);

void tool_release(struct tool *tool);

#endif
