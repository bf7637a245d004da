/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TEXT_OPTIONS_H
#define CPI_TEXT_OPTIONS_H

/*
 * Options of a program, each declared once in a table: names, argument, default, environment
 * variable, what it sets, its line in --help. As in all of cpmp's programs: names of any length
 * with one or two dashes, `--limit 4` and `--limit=4`.
 *
 * Reading is pure: it sees words and the environment that it is given, nothing else.
 */

#include <stddef.h>

#include "text/text.h"

struct options_parse;

/* Takes one value; NULL when there is none. 0, or -1 with parse->error. */
typedef int options_set(struct options_parse *parse, const char *value);

struct options_row {
    const char *names;        /* without dashes; the first is shown */
    const char *argument;     /* NULL: none; with a space in it: two words; [=…]: optional */
    const char *initial;      /* default, as it would be typed */
    const char *environment;  /* variable that overrides the default */
    options_set *set;
    const char *help;         /* NULL: not in --help */
};

struct options_table {
    const struct options_row *rows;
    size_t count;
};

struct options_parse {
    const struct options_table *tables;  /* [table_count]; the first that has a name counts */
    size_t table_count;
    const char *program;                 /* for messages: "cpmp peers" */
    void *target;                        /* what is set */
    char **environment;
    const char *option;                  /* as typed, for messages */
    struct text *error;
};

/* Sets every default, by the way of what is typed, so that there is one reading of each value. 0,
 * or -1 with the error: a variable of the environment is wrong. */
int options_defaults(struct options_parse *parse);

/* The option at words[0], which begins with a dash, of `left` words. How many words it took, or -1
 * with the error. */
int options_take(struct options_parse *parse, int left, char **words);

/* Says why the option's value can't be: "--limit x: WHY". -1. */
int options_refuse(struct options_parse *parse, const char *value, const char *why);

/* A whole number, digits only, up to `limit`. 0, or -1. */
int options_number(const char *text, unsigned long limit, unsigned long *value_p);

/* A line for each option that has help; with all its names when the first is a short one. */
void options_help(struct text *text, const struct options_table *table);

#endif
