/* SPDX-License-Identifier: BSD-3-Clause */
#include "text/nearest.h"

#include <stdbool.h>
#include <string.h>

#define LENGTH_MAX 40u   /* of longer names only the beginning counts */
#define NAMES_MAX  3u

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance, row by row. */
static size_t
distance(const char *a, const char *b)
{
    size_t a_length = least(strlen(a), LENGTH_MAX), b_length = least(strlen(b), LENGTH_MAX);
    size_t row[LENGTH_MAX + 1];

    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t above = row[j];
            row[j] = least(least(above, row[j - 1]) + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_length];
}

void
nearest_add(struct text *text, const char *typed, nearest_name_fn *name, const void *arg)
{
    size_t limit = least(2, (strlen(typed) - (*typed != '\0')) / 2), count = 0;
    const char *each;

    for (size_t i = 0; (each = name(arg, i)) != NULL; i++)
        limit = least(limit, distance(typed, each));
    for (size_t i = 0; (each = name(arg, i)) != NULL && count < NAMES_MAX; i++) {
        size_t length = strlen(typed);
        bool begins = length > 0 && strncmp(typed, each, length) == 0;
        bool has_it = length > 2 && strstr(each, typed) != NULL;

        if (!begins && !has_it && (length < 3 || distance(typed, each) > limit))
            continue;
        text_print(text, "%s%s", count++ > 0 ? " or " : "", each);
    }
}
