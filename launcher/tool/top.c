/* SPDX-License-Identifier: BSD-3-Clause */
#include "tool/top.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text/memory.h"
#include "text/table.h"
#include "text/units.h"
#include "text/visible.h"
#include "text/width.h"
#include "tool/jobs.h"
#include "tool/peers.h"

#define BAR_COLUMNS   8u
#define NAME_COLUMNS 24u
#define PAGE         10u
#define JOBS_SHARE    3u   /* of the lines, jobs get at most one in so many */

/* --- parts --- */

/* "[||||····]": so many parts of the whole are used. */
static void
bar_add(struct text *text, uint64_t used, uint64_t whole)
{
    uint64_t full = whole > 0 ? (used * BAR_COLUMNS + whole / 2) / whole : 0;

    text_add_string(text, "[");
    for (size_t i = 0; i < BAR_COLUMNS; i++)
        text_add_string(text, i < full ? "|" : "·");
    text_add_string(text, "]");
}

static uint64_t
less(uint64_t from, uint64_t what)
{
    return what < from ? from - what : 0;
}

/* One line, cut to the screen. */
static void
line_add(struct text *text, char style, const char *line, size_t columns)
{
    text_add(text, &style, 1);
    text_width_clip(text, line, columns);
    text_add_string(text, "\n");
}

/* --- the summary --- */

static void
clock_add(struct text *text, uint64_t now_s)
{
    time_t now = (time_t)now_s;
    struct tm parts;

    if (localtime_r(&now, &parts) != NULL)
        text_print(text, "%02d:%02d:%02d", parts.tm_hour, parts.tm_min, parts.tm_sec);
}

static void
title_add(struct text *text, const struct tool_top *top, size_t columns)
{
    struct text line = {0};

    text_add_string(&line, "pool ");
    text_visible_word(&line, top->pool);
    text_add_string(&line, ", peer ");
    text_visible_word(&line, top->name);
    text_add_string(&line, "   ");
    clock_add(&line, top->now_s);
    if (top->peers != NULL)
        text_print(&line, "   %zu peer%s", top->peers->n_rows,
                   top->peers->n_rows == 1 ? "" : "s");
    if (top->jobs != NULL)
        text_print(&line, "   %zu job%s", top->jobs->n_rows, top->jobs->n_rows == 1 ? "" : "s");
    line_add(text, '*', text_string(&line), columns);
    text_release(&line);
}

static void
sums_add(struct text *text, const Cpmp__PeersReply *peers, size_t columns)
{
    uint64_t millicores = 0, free_millicores = 0, memory = 0, free_memory = 0;
    struct text line = {0};

    for (size_t i = 0; i < peers->n_rows; i++) {
        millicores += peers->rows[i]->cores * UINT64_C(1000);
        free_millicores += peers->rows[i]->free_millicores;
        memory += peers->rows[i]->memory_bytes;
        free_memory += peers->rows[i]->free_memory_bytes;
    }
    text_add_string(&line, "cores ");
    bar_add(&line, less(millicores, free_millicores), millicores);
    text_add_string(&line, " ");
    units_cores(&line, free_millicores);
    text_print(&line, " of %" PRIu64 " free   memory ", millicores / 1000);
    bar_add(&line, less(memory, free_memory), memory);
    text_add_string(&line, " ");
    units_bytes(&line, free_memory);
    text_add_string(&line, " free");
    line_add(text, ' ', text_string(&line), columns);
    text_release(&line);
}

/* --- peers --- */

static int
rows_compare(const void *a, const void *b, void *arg)
{
    const Cpmp__PeerRow *one = *(Cpmp__PeerRow *const *)a, *two = *(Cpmp__PeerRow *const *)b;
    enum tool_top_sort sort = *(const enum tool_top_sort *)arg;
    uint64_t first = 0, second = 0;

    if (sort == TOOL_TOP_FREE) {
        first = two->free_millicores;
        second = one->free_millicores;
    } else if (sort == TOOL_TOP_MEMORY) {
        first = two->free_memory_bytes;
        second = one->free_memory_bytes;
    } else if (sort == TOOL_TOP_DISTANCE) {
        first = one->self ? 0 : one->rtt_us == 0 ? UINT64_MAX : one->rtt_us;
        second = two->self ? 0 : two->rtt_us == 0 ? UINT64_MAX : two->rtt_us;
    }
    return first != second ? (first > second) - (first < second) : strverscmp(one->name, two->name);
}

static const struct table_column peer_columns[] = {
    {"PEER", 0}, {"CORES", 0}, {"FREE", TABLE_RIGHT}, {"MEMORY", 0},
    {"FREE", TABLE_RIGHT}, {"DISTANCE", TABLE_RIGHT}, {"STATE", 0},
};

static void
peer_add(struct table *table, const Cpmp__PeerRow *row)
{
    uint64_t millicores = row->cores * UINT64_C(1000);
    struct text part = {0}, name = {0};

    text_visible_word(&name, row->name);
    text_width_clip(&part, text_string(&name), NAME_COLUMNS);
    text_release(&name);
    table_text(table, &part);
    bar_add(&part, less(millicores, row->free_millicores), millicores);
    table_text(table, &part);
    units_cores(&part, row->free_millicores);
    text_print(&part, " of %u", row->cores);
    table_text(table, &part);
    bar_add(&part, less(row->memory_bytes, row->free_memory_bytes), row->memory_bytes);
    table_text(table, &part);
    units_bytes(&part, row->free_memory_bytes);
    table_text(table, &part);
    tool_peers_distance(&part, row);
    table_text(table, &part);
    table_cell(table, *row->reason != '\0' ? row->reason
                      : row->sharing ? "shares" : "doesn't share");
}

static void
peers_table(struct text *text, const struct tool_top *top)
{
    Cpmp__PeerRow **rows = tool_peers_sorted(top->peers);
    enum tool_top_sort sort = top->sort;
    struct table table;

    if (sort != TOOL_TOP_NAME)
        qsort_r(rows, top->peers->n_rows, sizeof(Cpmp__PeerRow *), rows_compare, &sort);
    table_init(&table, peer_columns, sizeof(peer_columns) / sizeof(peer_columns[0]));
    for (size_t i = 0; i < top->peers->n_rows; i++)
        peer_add(&table, rows[i]);
    table_write(&table, text, 0);
    table_release(&table);
    free(rows);
}

/* --- the screen --- */

/* The titles of a table, and `count` of its rows from row `first` on. */
static void
table_lines(struct text *text, struct text *table, size_t first, size_t count, size_t columns)
{
    char *rest = table->bytes, *line;

    for (size_t i = 0; (line = strsep(&rest, "\n")) != NULL && rest != NULL; i++)
        if (i == 0 || (i > first && i <= first + count))
            line_add(text, i == 0 ? '#' : ' ', line, columns);
    text_release(table);
}

static size_t
scroll_cut(size_t scroll, size_t rows, size_t shown)
{
    size_t most = rows > shown ? rows - shown : 0;

    return scroll < most ? scroll : most;
}

static void
foot_add(struct text *text, const struct tool_top *top, size_t columns)
{
    static const char *const sorts[] = {"name", "free cores", "free memory", "distance"};
    struct text line = {0};

    if (*top->trouble != '\0') {
        text_visible_word(&line, top->trouble);
    } else {
        text_print(&line, "q quit   sort: n name  f free cores  m free memory  d distance "
                          "(now: %s)", sorts[top->sort]);
    }
    line_add(text, '*', text_string(&line), columns);
    text_release(&line);
}

/* Lines that jobs get: their titles and an empty line before included; 0 when there are none. */
static size_t
jobs_lines(const struct tool_top *top, size_t lines)
{
    size_t most = lines / JOBS_SHARE;

    if (top->jobs == NULL || top->jobs->n_rows == 0 || most < 3)
        return 0;
    return top->jobs->n_rows + 2 < most ? top->jobs->n_rows + 2 : most;
}

void
tool_top_screen(struct text *text, struct tool_top *top, size_t lines, size_t columns)
{
    size_t jobs = jobs_lines(top, lines), above = lines >= 8 ? 3 : 1, shown;
    struct text table = {0};

    if (lines == 0)
        return;
    title_add(text, top, columns);
    if (top->peers == NULL || lines < 4)
        return;
    if (above == 3) {
        sums_add(text, top->peers, columns);
        line_add(text, ' ', "", columns);
    }
    shown = lines - above - 1 - jobs - 1;
    top->scroll = scroll_cut(top->scroll, top->peers->n_rows, shown);
    peers_table(&table, top);
    table_lines(text, &table, top->scroll, shown, columns);
    if (jobs > 0) {
        line_add(text, ' ', "", columns);
        tool_jobs_table(&table, top->jobs, top->now_s, 0);
        table_lines(text, &table, 0, jobs - 2, columns);
    }
    foot_add(text, top, columns);
}

bool
tool_top_key(struct tool_top *top, int key)
{
    switch (key) {
    case 'q':
    case 'Q':
        return true;
    case 'n':
        top->sort = TOOL_TOP_NAME;
        break;
    case 'f':
        top->sort = TOOL_TOP_FREE;
        break;
    case 'm':
        top->sort = TOOL_TOP_MEMORY;
        break;
    case 'd':
        top->sort = TOOL_TOP_DISTANCE;
        break;
    case TOOL_TOP_UP:
        top->scroll -= top->scroll > 0;
        break;
    case TOOL_TOP_DOWN:
        top->scroll++;
        break;
    case TOOL_TOP_PAGE_UP:
        top->scroll -= top->scroll < PAGE ? top->scroll : PAGE;
        break;
    case TOOL_TOP_PAGE_DOWN:
        top->scroll += PAGE;
        break;
    default:
        break;
    }
    return false;
}
