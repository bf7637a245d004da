/* SPDX-License-Identifier: BSD-3-Clause */
#include "text/options.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "text/environment.h"


int
options_refuse(struct options_parse *parse, const char *value, const char *why)
{
    text_print(parse->error, "%s %s: %s", parse->option, value, why);
    return -1;
}

int
options_number(const char *text, unsigned long limit, unsigned long *value_p)
{
    unsigned long value;

    if (*text == '\0' || text[strspn(text, "0123456789")] != '\0')
        return -1;
    errno = 0;
    value = strtoul(text, NULL, 10);
    if (errno != 0 || value > limit)
        return -1;
    *value_p = value;
    return 0;
}

/* --- finding one --- */

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

static const struct options_row *
row_find(const struct options_parse *parse, const char *name, size_t length)
{
    for (size_t t = 0; t < parse->table_count; t++)
        for (size_t i = 0; i < parse->tables[t].count; i++)
            if (names_have(parse->tables[t].rows[i].names, name, length))
                return &parse->tables[t].rows[i];
    return NULL;
}

/* Words that the row's argument takes. */
static int
words_wanted(const struct options_row *row)
{
    if (row->argument == NULL || row->argument[0] == '[')
        return 0;
    return strchr(row->argument, ' ') != NULL ? 2 : 1;
}

/* "--limit=4" */
static int
take_with_equals(struct options_parse *parse, const struct options_row *row, const char *value)
{
    int want = words_wanted(row);

    if (want == 1 || (want == 0 && row->argument != NULL))
        return row->set(parse, value) == 0 ? 1 : -1;
    text_print(parse->error, "%s: this option takes %s", parse->option,
               want == 0 ? "no value" : "its values as two words");
    return -1;
}

int
options_take(struct options_parse *parse, int left, char **words)
{
    const char *name = words[0] + (words[0][1] == '-' ? 2 : 1);
    const char *equals = strchr(name, '=');
    const struct options_row *row;
    int want;

    row = row_find(parse, name, equals != NULL ? (size_t)(equals - name) : strlen(name));
    if (row == NULL) {
        text_print(parse->error, "unknown option %s; %s --help lists them", words[0],
                   parse->program);
        return -1;
    }
    parse->option = words[0];
    if (equals != NULL)
        return take_with_equals(parse, row, equals + 1);
    want = words_wanted(row);
    if (want >= left) {
        text_print(parse->error, "%s: a value is missing: %s %s", words[0], words[0],
                   row->argument);
        return -1;
    }
    return row->set(parse, want > 0 ? words[1] : NULL) == 0 ? 1 + want : -1;
}

/* --- defaults --- */

static int
default_set(struct options_parse *parse, const struct options_row *row)
{
    const char *value = NULL;

    if (row->environment != NULL)
        value = environment_get(parse->environment, row->environment);
    parse->option = value != NULL ? row->environment : row->names;
    if (value == NULL)
        value = row->initial;
    return value != NULL ? row->set(parse, value) : 0;
}

int
options_defaults(struct options_parse *parse)
{
    for (size_t t = 0; t < parse->table_count; t++)
        for (size_t i = 0; i < parse->tables[t].count; i++)
            if (default_set(parse, &parse->tables[t].rows[i]) != 0)
                return -1;
    return 0;
}

/* --- help --- */

static void
names_add(struct text *text, const char *names)
{
    size_t first = strcspn(names, " ");

    for (const char *at = names; *at != '\0'; at += strspn(at, " ")) {
        size_t word = strcspn(at, " ");

        text_print(text, "%s%s%.*s", at == names ? "" : ", ", word > 2 ? "--" : "-", (int)word,
                   at);
        if (first > 2)
            return;
        at += word;
    }
}

void
options_help(struct text *text, const struct options_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct options_row *row = &table->rows[i];
        struct text left = {0};

        if (row->help == NULL)
            continue;
        names_add(&left, row->names);
        if (row->argument != NULL)
            text_print(&left, "%s%s", row->argument[0] == '[' ? "" : " ", row->argument);
        text_print(text, "  %-22s %s\n", text_string(&left), row->help);
        text_release(&left);
    }
}
