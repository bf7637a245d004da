/* SPDX-License-Identifier: BSD-3-Clause */
/* Changing one key in the text of policy.conf, and leaving the rest as its owner wrote it. */
#include "peer/policy.h"

#include <string.h>

#define LINE_COLUMNS 100u  /* inih takes lines below 200 bytes */

static const char *
line_next(const char *line)
{
    line += strcspn(line, "\n");
    return *line == '\n' ? line + 1 : line;
}

/* Does this line set `key`? As inih reads it: blanks around the name, = or : behind. */
static bool
line_sets(const char *line, const char *key)
{
    size_t length = strlen(key);

    line += strspn(line, " \t");
    if (strncmp(line, key, length) != 0)
        return false;
    line += length;
    line += strspn(line, " \t");
    return *line == '=' || *line == ':';
}

/* A line that goes on with the key before it: it begins with a blank and says something. */
static bool
line_continues(const char *line)
{
    size_t blanks = strspn(line, " \t\r");

    return blanks > 0 && line[blanks] != '\0' && strchr("\n;#", line[blanks]) == NULL;
}

/* Where a comment within the line begins, its blanks included; the line's end when there is none.
 */
static const char *
line_comment(const char *line)
{
    const char *end = line + strcspn(line, "\r\n");

    for (const char *at = line; at < end; at++) {
        if (*at == ';' && at > line && (at[-1] == ' ' || at[-1] == '\t')) {
            while (at > line && (at[-1] == ' ' || at[-1] == '\t'))
                at--;
            return at;
        }
    }
    return end;
}

/* "key = value"; a long list goes on in further lines. */
static void
setting_add(struct text *out, const char *key, const char *value)
{
    size_t column = strlen(key) + 3;

    text_print(out, "%s =%s", key, *value != '\0' ? " " : "");
    while (*value != '\0') {
        size_t length = strcspn(value, ",");

        length += strspn(value + length, ", ");
        if (column + length > LINE_COLUMNS && column > strlen(key) + 3) {
            while (out->used > 0 && out->bytes[out->used - 1] == ' ')
                out->bytes[--out->used] = '\0';
            text_add_string(out, "\n    ");
            column = 4;
        }
        text_add(out, value, length);
        column += length;
        value += length;
    }
}

/* The last line that sets `key`: that is the one that counts. */
static const char *
line_find(const char *text, const char *key)
{
    const char *found = NULL;

    for (const char *line = text; *line != '\0'; line = line_next(line)) {
        if (line_sets(line, key) && (line == text || !line_continues(line)))
            found = line;
    }
    return found;
}

/* "#key = ", as policy_template has it: the setting goes behind. */
static const char *
template_find(const char *text, const char *key)
{
    for (const char *line = text; *line != '\0'; line = line_next(line)) {
        if (*line == '#' && line_sets(line + 1, key) && !line_continues(line_next(line)))
            return line;
    }
    return NULL;
}

void
policy_edit(const char *text, const char *key, const char *value, struct text *out)
{
    const char *found = line_find(text, key);
    const char *line = text;

    if (found != NULL) {
        text_add(out, text, (size_t)(found - text));
        setting_add(out, key, value);
        line = line_comment(found);
        text_add(out, line, strcspn(line, "\r\n"));
        text_add_string(out, "\n");
        for (line = line_next(found); line_continues(line);)
            line = line_next(line);
        text_add_string(out, line);
        return;
    }
    found = template_find(text, key);
    line = found != NULL ? line_next(found) : text + strlen(text);
    text_add(out, text, (size_t)(line - text));
    if (line > text && line[-1] != '\n')
        text_add_string(out, "\n");
    setting_add(out, key, value);
    text_add_string(out, "\n");
    text_add_string(out, line);
}
