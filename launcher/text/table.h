/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TEXT_TABLE_H
#define CPI_TEXT_TABLE_H

/*
 * A table for people: columns as wide as what is in them, two blanks between, a line of titles.
 *
 *     static const struct table_column columns[] = {{"NAME", 0}, {"CORES", TABLE_RIGHT}};
 *     struct table table;
 *     table_init(&table, columns, 2);
 *     table_cell(&table, name);
 *     table_print(&table, "%u", cores);
 *     table_write(&table, text, 80);
 *     table_release(&table);
 *
 * Cells come row by row. Whatever is in them is made visible (text/visible.h).
 */

#include <stddef.h>

#include "text/text.h"

#define TABLE_RIGHT    1u  /* numbers: flush right */
#define TABLE_OPTIONAL 2u  /* the column is left out when nothing is in it */

struct table_column {
    const char *title;
    unsigned flags;
};

struct table {
    const struct table_column *columns;  /* borrowed */
    size_t column_count;
    char **cells;                        /* owned; [cell_count] */
    size_t cell_count;
};

void table_init(struct table *table, const struct table_column *columns, size_t count);
void table_release(struct table *table);

void table_cell(struct table *table, const char *cell);

__attribute__((format(printf, 2, 3)))
void table_print(struct table *table, const char *format, ...);

/* The cell of what `text` holds, which is empty afterwards. */
void table_text(struct table *table, struct text *text);

/* Adds the whole table. When it is wider than `width` (0: as wide as it likes), the last column is
 * broken between words, if that leaves it 20 columns at least. */
void table_write(const struct table *table, struct text *text, size_t width);

#endif
