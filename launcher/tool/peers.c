/* SPDX-License-Identifier: BSD-3-Clause */
#include "tool/peers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "text/json.h"
#include "text/memory.h"
#include "text/table.h"
#include "text/units.h"

/* --- order --- */

static int
rows_compare(const void *a, const void *b)
{
    const Cpmp__PeerRow *one = *(Cpmp__PeerRow *const *)a, *two = *(Cpmp__PeerRow *const *)b;
    size_t common = one->id.len < two->id.len ? one->id.len : two->id.len;
    int order;

    if (one->self != two->self)
        return one->self ? -1 : 1;
    order = strverscmp(one->name, two->name);
    return order != 0 || common == 0 ? order : memcmp(one->id.data, two->id.data, common);
}

Cpmp__PeerRow **
tool_peers_sorted(const Cpmp__PeersReply *reply)
{
    Cpmp__PeerRow **rows = memory_new(reply->n_rows + 1, sizeof(Cpmp__PeerRow *));

    for (size_t i = 0; i < reply->n_rows; i++)
        rows[i] = reply->rows[i];
    qsort(rows, reply->n_rows, sizeof(Cpmp__PeerRow *), rows_compare);
    return rows;
}

/* --- the table --- */

static const struct table_column columns[] = {
    {"NAME", 0},
    {"STATE", 0},
    {"CORES", TABLE_RIGHT},
    {"FREE", TABLE_RIGHT},
    {"MEMORY", TABLE_RIGHT},
    {"FREE", TABLE_RIGHT},
    {"ARCH", 0},
    {"DISTANCE", TABLE_RIGHT},
    {"ID", TABLE_OPTIONAL},
    {"SYSTEM", TABLE_OPTIONAL},
    {"CPMP", TABLE_OPTIONAL},
    {"SCRATCH", TABLE_OPTIONAL | TABLE_RIGHT},
    {"ADDRESSES", TABLE_OPTIONAL},
    {"SANDBOX LACKS", TABLE_OPTIONAL},
    {"WHY", TABLE_OPTIONAL},
};

#define COLUMN_COUNT (sizeof(columns) / sizeof(columns[0]))

void
tool_peers_distance(struct text *text, const Cpmp__PeerRow *row)
{
    if (row->self)
        text_add_string(text, "here");
    else if (row->rtt_us == 0)
        text_add_string(text, "-");
    else
        units_duration(text, row->rtt_us);
}

static void
cell_bytes(struct table *table, uint64_t bytes)
{
    struct text text = {0};

    units_bytes(&text, bytes);
    table_text(table, &text);
}

static void
cell_words(struct table *table, char *const *words, size_t count)
{
    struct text text = {0};

    for (size_t i = 0; i < count; i++)
        text_print(&text, "%s%s", i > 0 ? ", " : "", words[i]);
    table_text(table, &text);
}

static void
details_add(struct table *table, const Cpmp__PeerRow *row)
{
    struct text id = {0};

    tool_hex_add(&id, row->id, TOOL_ID_DIGITS);
    table_text(table, &id);
    table_print(table, "%s%s%s", row->os, *row->kernel != '\0' ? " " : "", row->kernel);
    table_cell(table, row->version);
    cell_bytes(table, row->scratch_bytes);
    cell_words(table, row->addresses, row->n_addresses);
    cell_words(table, row->weaknesses, row->n_weaknesses);
}

static void
row_add(struct table *table, const Cpmp__PeerRow *row, bool detailed)
{
    struct text text = {0};

    table_cell(table, row->name);
    table_cell(table, row->sharing ? "shares" : "doesn't share");
    table_print(table, "%u", row->cores);
    units_cores(&text, row->free_millicores);
    table_text(table, &text);
    cell_bytes(table, row->memory_bytes);
    cell_bytes(table, row->free_memory_bytes);
    table_cell(table, row->arch);
    tool_peers_distance(&text, row);
    table_text(table, &text);
    if (detailed)
        details_add(table, row);
    else
        for (int i = 0; i < 6; i++)
            table_cell(table, "");
    table_cell(table, row->reason);
}

/* "3 peers, 2 share; free: 5.5 of 12 cores, 10.0 GiB of 24.0 GiB memory". */
static void
sums_add(struct text *text, const Cpmp__PeersReply *reply)
{
    uint64_t cores = 0, free_millicores = 0, memory = 0, free_memory = 0;
    size_t sharing = 0;

    for (size_t i = 0; i < reply->n_rows; i++) {
        const Cpmp__PeerRow *row = reply->rows[i];

        cores += row->cores;
        memory += row->memory_bytes;
        sharing += row->sharing;
        free_millicores += row->sharing ? row->free_millicores : 0;
        free_memory += row->sharing ? row->free_memory_bytes : 0;
    }
    text_print(text, "\n%zu peers, %zu of them share; free there: ", reply->n_rows, sharing);
    units_cores(text, free_millicores);
    text_print(text, " of all %" PRIu64 " cores, ", cores);
    units_bytes(text, free_memory);
    text_add_string(text, " of all ");
    units_bytes(text, memory);
    text_add_string(text, " memory\n");
}

static void
table_add(struct tool *tool, const Cpmp__PeersReply *reply)
{
    Cpmp__PeerRow **rows = tool_peers_sorted(reply);
    struct table table;

    table_init(&table, columns, COLUMN_COUNT);
    for (size_t i = 0; i < reply->n_rows; i++)
        row_add(&table, rows[i], tool->options.detailed);
    table_write(&table, &tool->out, tool->columns);
    table_release(&table);
    free(rows);
    if (reply->n_rows > 1)
        sums_add(&tool->out, reply);
    else
        text_add_string(&tool->out,
                        "\nno other peer is in the pool; invite one: cpmp pool invite\n");
    if (reply->unanswered > 0)
        text_print(&tool->out, "%u part%s of the ring didn't answer, so peers may be missing; ask "
                               "again in a moment\n", reply->unanswered,
                   reply->unanswered == 1 ? "" : "s");
}

/* --- JSON --- */

static void
row_json(struct text *text, const Cpmp__PeerRow *row)
{
    json_open(text, NULL, '{');
    tool_json_id(text, "id", row->id);
    json_string(text, "name", row->name);
    json_bool(text, "self", row->self);
    json_bool(text, "sharing", row->sharing);
    tool_json_string(text, "reason", row->reason);
    json_number(text, "cores", row->cores);
    json_decimal(text, "free_cores", row->free_millicores / 1000.0, 3);
    json_number(text, "memory_bytes", row->memory_bytes);
    json_number(text, "free_memory_bytes", row->free_memory_bytes);
    json_number(text, "scratch_bytes", row->scratch_bytes);
    tool_json_string(text, "arch", row->arch);
    tool_json_string(text, "os", row->os);
    tool_json_string(text, "kernel", row->kernel);
    tool_json_string(text, "version", row->version);
    if (row->rtt_us > 0 && !row->self)
        json_number(text, "distance_us", row->rtt_us);
    else
        json_null(text, "distance_us");
    tool_json_strings(text, "addresses", row->addresses, row->n_addresses);
    tool_json_strings(text, "weaknesses", row->weaknesses, row->n_weaknesses);
    json_close(text, '}');
}

void
tool_peers_json(struct text *text, const Cpmp__PeersReply *reply)
{
    Cpmp__PeerRow **rows = tool_peers_sorted(reply);

    json_open(text, "peers", '[');
    for (size_t i = 0; i < reply->n_rows; i++)
        row_json(text, rows[i]);
    json_close(text, ']');
    json_number(text, "unanswered", reply->unanswered);
    free(rows);
}

/* --- the command --- */

int
tool_peers_show(struct tool *tool, const Cpmp__Local *reply)
{
    if (!tool->options.json) {
        table_add(tool, reply->peers_reply);
        return TOOL_OK;
    }
    json_open(&tool->out, NULL, '{');
    tool_peers_json(&tool->out, reply->peers_reply);
    json_close(&tool->out, '}');
    text_add_string(&tool->out, "\n");
    return TOOL_OK;
}

int
tool_peers_run(struct tool *tool)
{
    Cpmp__PeersRequest peers = CPMP__PEERS_REQUEST__INIT;
    Cpmp__Local request = CPMP__LOCAL__INIT;

    request.body_case = CPMP__LOCAL__BODY_PEERS;
    request.peers = &peers;
    return tool_ask(tool, &request, CPMP__LOCAL__BODY_PEERS_REPLY, tool_peers_show);
}
