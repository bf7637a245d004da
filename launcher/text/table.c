/* SPDX-License-Identifier: BSD-3-Clause */
#include "text/table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/memory.h"
#include "text/visible.h"
#include "text/width.h"

#define GAP            2u   /* blanks between columns */
#define LAST_WIDTH_MIN 20u

void
table_init(struct table *table, const struct table_column *columns, size_t count)
{
    memset(table, 0, sizeof(*table));
    table->columns = columns;
    table->column_count = count;
}

void
table_release(struct table *table)
{
    for (size_t i = 0; i < table->cell_count; i++)
        free(table->cells[i]);
    free(table->cells);
    memset(table, 0, sizeof(*table));
}

void
table_cell(struct table *table, const char *cell)
{
    struct text visible = {0};

    text_visible_word(&visible, cell);
    table->cells = memory_grow(table->cells, table->cell_count + 1, sizeof(*table->cells));
    table->cells[table->cell_count++] = memory_copy_text(text_string(&visible));
    text_release(&visible);
}

void
table_print(struct table *table, const char *format, ...)
{
    va_list arguments;
    char *cell;
    int count;

    va_start(arguments, format);
    count = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    assert(count >= 0);
    cell = memory_new((size_t)count + 1, 1);
    va_start(arguments, format);
    vsnprintf(cell, (size_t)count + 1, format, arguments);
    va_end(arguments);
    table_cell(table, cell);
    free(cell);
}

void
table_text(struct table *table, struct text *text)
{
    table_cell(table, text_string(text));
    text_release(text);
}

/* --- writing --- */

static size_t
cell_width(const char *cell)
{
    return text_width(cell, strlen(cell));
}

/* Of the column, its title included; 0 when it is left out. */
static size_t
column_width(const struct table *table, size_t column)
{
    size_t width = 0, most = cell_width(table->columns[column].title);

    for (size_t i = column; i < table->cell_count; i += table->column_count)
        if (cell_width(table->cells[i]) > width)
            width = cell_width(table->cells[i]);
    if (width == 0 && table->columns[column].flags & TABLE_OPTIONAL)
        return 0;
    return width > most ? width : most;
}

static void
blanks_add(struct text *text, size_t count)
{
    text_print(text, "%*s", (int)count, "");
}

/* Bytes of `cell` for a line of `width`: up to the last blank that fits, or what fits of a word. */
static size_t
line_fit(const char *cell, size_t width)
{
    size_t fit = text_width_fit(cell, strlen(cell), width), at = fit;

    if (cell[fit] == '\0')
        return fit;
    while (at > 0 && cell[at] != ' ')
        at--;
    return at > 0 ? at : fit > 0 ? fit : 1;
}

/* The last column, broken into lines below each other. */
static void
broken_add(struct text *text, const char *cell, size_t indent, size_t width)
{
    for (;;) {
        size_t fit = line_fit(cell, width);

        text_add(text, cell, fit);
        cell += fit;
        cell += strspn(cell, " ");
        if (*cell == '\0')
            return;
        text_add_string(text, "\n");
        blanks_add(text, indent);
    }
}

static void
row_add(struct text *text, const struct table *table, const size_t *widths, size_t width,
        const char *(*cell_at)(const struct table *table, size_t row, size_t column), size_t row)
{
    size_t at = 0, last = table->column_count - 1;

    while (last > 0 && widths[last] == 0)
        last--;
    for (size_t i = 0; i <= last; i++) {
        const char *cell = cell_at(table, row, i);
        size_t pad = widths[i] > 0 ? widths[i] - cell_width(cell) : 0;
        bool right = table->columns[i].flags & TABLE_RIGHT;

        if (widths[i] == 0)
            continue;
        if (right)
            blanks_add(text, pad);
        if (i == last && width >= at + LAST_WIDTH_MIN)
            broken_add(text, cell, at, width - at);
        else
            text_add_string(text, cell);
        if (i < last)
            blanks_add(text, (right ? 0 : pad) + GAP);
        at += widths[i] + GAP;
    }
    while (text->used > 0 && text->bytes[text->used - 1] == ' ')
        text->bytes[--text->used] = '\0';
    text_add_string(text, "\n");
}

static const char *
title_at(const struct table *table, size_t row, size_t column)
{
    (void)row;
    return table->columns[column].title;
}

static const char *
cell_at(const struct table *table, size_t row, size_t column)
{
    return table->cells[row * table->column_count + column];
}

void
table_write(const struct table *table, struct text *text, size_t width)
{
    size_t *widths = memory_new(table->column_count, sizeof(*widths));

    assert(table->cell_count % table->column_count == 0);
    for (size_t i = 0; i < table->column_count; i++)
        widths[i] = column_width(table, i);
    row_add(text, table, widths, width, title_at, 0);
    for (size_t i = 0; i < table->cell_count / table->column_count; i++)
        row_add(text, table, widths, width, cell_at, i);
    free(widths);
}
