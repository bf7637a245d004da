/* SPDX-License-Identifier: BSD-3-Clause */
#include "tool/history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "text/json.h"
#include "text/memory.h"
#include "text/table.h"
#include "text/units.h"

static const struct table_column columns[] = {
    {"STARTED", 0}, {"TIME", TABLE_RIGHT}, {"JOB", 0}, {"PROGRAM", 0}, {"USER", 0}, {"FROM", 0},
    {"RANKS", TABLE_RIGHT}, {"CORE TIME", TABLE_RIGHT}, {"MEMORY", TABLE_RIGHT}, {"ENDED", 0},
};

/* --- order --- */

static int
rows_compare(const void *a, const void *b)
{
    const Cpmp__HistoryRow *one = *(Cpmp__HistoryRow *const *)a;
    const Cpmp__HistoryRow *two = *(Cpmp__HistoryRow *const *)b;

    if (one->started != two->started)
        return one->started > two->started ? -1 : 1;
    return (one->job > two->job) - (one->job < two->job);
}

static Cpmp__HistoryRow **
rows_sorted(const Cpmp__HistoryReply *reply)
{
    Cpmp__HistoryRow **rows = memory_new(reply->n_rows + 1, sizeof(Cpmp__HistoryRow *));

    for (size_t i = 0; i < reply->n_rows; i++)
        rows[i] = reply->rows[i];
    qsort(rows, reply->n_rows, sizeof(Cpmp__HistoryRow *), rows_compare);
    return rows;
}

/* --- the table --- */

static void
cell_time(struct table *table, const Cpmp__HistoryRow *row, uint64_t now_s)
{
    uint64_t end = row->ended > 0 ? row->ended : now_s;
    struct text text = {0};

    units_duration(&text, end > row->started ? (end - row->started) * 1000000u : 0);
    table_text(table, &text);
}

static void
row_add(struct table *table, const Cpmp__HistoryRow *row, uint64_t now_s)
{
    struct text text = {0};

    units_date(&text, row->started);
    table_text(table, &text);
    cell_time(table, row, now_s);
    table_print(table, "%016" PRIx64, row->job);
    table_cell(table, row->program);
    table_cell(table, row->user);
    table_cell(table, row->peer);
    table_print(table, "%u", row->ranks);
    units_duration(&text, row->cpu_us);
    table_text(table, &text);
    units_bytes(&text, row->max_rss_bytes);
    table_text(table, &text);
    table_cell(table, row->ended > 0 ? row->ending : "runs");
}

static void
table_add(struct tool *tool, const Cpmp__HistoryReply *reply)
{
    Cpmp__HistoryRow **rows = rows_sorted(reply);
    struct table table;

    table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    for (size_t i = 0; i < reply->n_rows; i++)
        row_add(&table, rows[i], tool->now_s);
    table_write(&table, &tool->out, tool->columns);
    table_release(&table);
    free(rows);
}

/* --- JSON --- */

static void
row_json(struct text *out, const Cpmp__HistoryRow *row)
{
    char job[17];

    snprintf(job, sizeof(job), "%016" PRIx64, row->job);
    json_open(out, NULL, '{');
    json_string(out, "job", job);
    json_string(out, "program", row->program);
    json_string(out, "user", row->user);
    json_string(out, "peer", row->peer);
    json_number(out, "ranks", row->ranks);
    json_decimal(out, "cores", row->millicores / 1000.0, 3);
    json_number(out, "started", row->started);
    if (row->ended > 0)
        json_number(out, "ended", row->ended);
    else
        json_null(out, "ended");
    json_decimal(out, "cpu_s", (double)row->cpu_us / 1e6, 6);
    json_number(out, "max_rss_bytes", row->max_rss_bytes);
    tool_json_string(out, "ending", row->ending);
    json_decimal(out, "earned", (double)row->earned, 0);
    json_close(out, '}');
}

static void
rows_json(struct text *out, const Cpmp__HistoryReply *reply)
{
    Cpmp__HistoryRow **rows = rows_sorted(reply);

    json_open(out, NULL, '{');
    json_open(out, "history", '[');
    for (size_t i = 0; i < reply->n_rows; i++)
        row_json(out, rows[i]);
    json_close(out, ']');
    json_close(out, '}');
    text_add_string(out, "\n");
    free(rows);
}

/* --- the command --- */

int
tool_history_show(struct tool *tool, const Cpmp__Local *reply)
{
    if (tool->options.json)
        rows_json(&tool->out, reply->history_reply);
    else if (reply->history_reply->n_rows > 0)
        table_add(tool, reply->history_reply);
    else if (tool->options.since_s > 0)
        text_add_string(&tool->out, "nothing ran here for others since then; cpmp history without "
                                    "--since goes back further\n");
    else
        text_add_string(&tool->out, "nothing has run here for others yet; what they may have of "
                                    "this machine: cpmp policy\n");
    return TOOL_OK;
}

int
tool_history_run(struct tool *tool)
{
    Cpmp__HistoryRequest history = CPMP__HISTORY_REQUEST__INIT;
    Cpmp__Local request = CPMP__LOCAL__INIT;

    history.limit = (uint32_t)tool->options.limit;
    history.since = tool->options.since_s;
    request.body_case = CPMP__LOCAL__BODY_HISTORY;
    request.history = &history;
    return tool_ask(tool, &request, CPMP__LOCAL__BODY_HISTORY_REPLY, tool_history_show);
}
