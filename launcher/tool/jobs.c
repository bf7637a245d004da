/* SPDX-License-Identifier: BSD-3-Clause */
#include "tool/jobs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "text/json.h"
#include "text/memory.h"
#include "text/table.h"
#include "text/units.h"
#include "text/visible.h"

#define JOB_DIGITS 16u

/* --- order --- */

static int
jobs_compare(const void *a, const void *b)
{
    const Cpmp__JobRow *one = *(Cpmp__JobRow *const *)a, *two = *(Cpmp__JobRow *const *)b;

    if (one->started != two->started)
        return one->started > two->started ? -1 : 1;
    return (one->job > two->job) - (one->job < two->job);
}

/* Latest first. Owned by the caller. */
static Cpmp__JobRow **
jobs_sorted(const Cpmp__JobsReply *reply)
{
    Cpmp__JobRow **rows = memory_new(reply->n_rows + 1, sizeof(Cpmp__JobRow *));

    for (size_t i = 0; i < reply->n_rows; i++)
        rows[i] = reply->rows[i];
    qsort(rows, reply->n_rows, sizeof(Cpmp__JobRow *), jobs_compare);
    return rows;
}

static int
numbers_compare(const void *a, const void *b)
{
    uint32_t one = *(const uint32_t *)a, two = *(const uint32_t *)b;

    return (one > two) - (one < two);
}

void
tool_jobs_ranks(struct text *text, const uint32_t *ranks, size_t count)
{
    uint32_t *sorted = memory_new(count + 1, sizeof(*sorted));

    if (count > 0)
        memcpy(sorted, ranks, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), numbers_compare);
    for (size_t i = 0, last; i < count; i = last + 1) {
        for (last = i; last + 1 < count && sorted[last + 1] - sorted[last] <= 1; last++)
            continue;
        text_print(text, "%s%" PRIu32, i > 0 ? "," : "", sorted[i]);
        if (sorted[last] != sorted[i])
            text_print(text, "-%" PRIu32, sorted[last]);
    }
    free(sorted);
}

/* --- all jobs --- */

static const struct table_column job_columns[] = {
    {"JOB", 0}, {"PROGRAM", 0}, {"USER", 0}, {"FROM", 0}, {"RANKS", TABLE_RIGHT}, {"STATE", 0},
    {"STARTED", TABLE_RIGHT},
};

void
tool_jobs_table(struct text *text, const Cpmp__JobsReply *reply, uint64_t now_s, size_t columns)
{
    Cpmp__JobRow **rows = jobs_sorted(reply);
    struct table table;

    table_init(&table, job_columns, sizeof(job_columns) / sizeof(job_columns[0]));
    for (size_t i = 0; i < reply->n_rows; i++) {
        const Cpmp__JobRow *row = rows[i];
        struct text ago = {0};

        table_print(&table, "%016" PRIx64, row->job);
        table_cell(&table, row->program);
        table_cell(&table, row->user);
        table_cell(&table, row->launcher);
        table_print(&table, "%u", row->ranks);
        table_cell(&table, row->state);
        units_ago(&ago, now_s, row->started);
        table_text(&table, &ago);
    }
    table_write(&table, text, columns);
    table_release(&table);
    free(rows);
}

static void
peers_json(struct text *text, const Cpmp__JobRow *row)
{
    json_open(text, "peers", '[');
    for (size_t i = 0; i < row->n_peers; i++) {
        const Cpmp__JobPeer *peer = row->peers[i];

        json_open(text, NULL, '{');
        tool_json_id(text, "id", peer->id);
        json_string(text, "name", peer->name);
        json_string(text, "state", peer->state);
        json_decimal(text, "cores", peer->millicores / 1000.0, 3);
        json_open(text, "ranks", '[');
        for (size_t j = 0; j < peer->n_ranks; j++)
            json_number(text, NULL, peer->ranks[j]);
        json_close(text, ']');
        json_close(text, '}');
    }
    json_close(text, ']');
}

/* A list of jobs has them without their peers. */
static void
job_json(struct text *text, const Cpmp__JobRow *row, bool with_peers)
{
    char id[JOB_DIGITS + 1];

    snprintf(id, sizeof(id), "%016" PRIx64, row->job);
    json_open(text, NULL, '{');
    json_string(text, "job", id);
    json_string(text, "program", row->program);
    json_string(text, "user", row->user);
    json_string(text, "launcher", row->launcher);
    json_number(text, "ranks", row->ranks);
    json_string(text, "state", row->state);
    json_number(text, "started", row->started);
    json_number(text, "renewed", row->renewed);
    if (with_peers)
        peers_json(text, row);
    json_close(text, '}');
}

void
tool_jobs_json(struct text *text, const Cpmp__JobsReply *reply)
{
    Cpmp__JobRow **rows = jobs_sorted(reply);

    json_open(text, "jobs", '[');
    for (size_t i = 0; i < reply->n_rows; i++)
        job_json(text, rows[i], false);
    json_close(text, ']');
    free(rows);
}

int
tool_jobs_show(struct tool *tool, const Cpmp__Local *reply)
{
    if (tool->options.json) {
        json_open(&tool->out, NULL, '{');
        tool_jobs_json(&tool->out, reply->jobs_reply);
        json_close(&tool->out, '}');
        text_add_string(&tool->out, "\n");
    } else if (reply->jobs_reply->n_rows > 0) {
        tool_jobs_table(&tool->out, reply->jobs_reply, tool->now_s, tool->columns);
    } else {
        text_add_string(&tool->out, "no job runs in the pool; start one: cpexec -np 4 PROGRAM\n");
    }
    return TOOL_OK;
}

/* --- one job --- */

static const struct table_column peer_columns[] = {
    {"PEER", 0}, {"STATE", 0}, {"CORES", TABLE_RIGHT}, {"RANKS", TABLE_RIGHT}, {"ID", 0},
    {"WHICH", 0},
};

static void
job_peers_add(struct text *text, const Cpmp__JobRow *row, size_t columns)
{
    struct table table;

    table_init(&table, peer_columns, sizeof(peer_columns) / sizeof(peer_columns[0]));
    for (size_t i = 0; i < row->n_peers; i++) {
        const Cpmp__JobPeer *peer = row->peers[i];
        struct text part = {0};

        table_cell(&table, peer->name);
        table_cell(&table, peer->state);
        units_cores(&part, peer->millicores);
        table_text(&table, &part);
        table_print(&table, "%zu", peer->n_ranks);
        tool_hex_add(&part, peer->id, TOOL_ID_SHORT);
        table_text(&table, &part);
        tool_jobs_ranks(&part, peer->ranks, peer->n_ranks);
        table_text(&table, &part);
    }
    table_write(&table, text, columns);
    table_release(&table);
}

static void
job_add(struct text *text, const Cpmp__JobRow *row, uint64_t now_s, size_t columns)
{
    text_print(text, "job      %016" PRIx64 "\nprogram  ", row->job);
    text_visible_word(text, row->program);
    text_print(text, "\nranks    %u\nuser     ", row->ranks);
    text_visible_word(text, row->user);
    text_add_string(text, "\nfrom     ");
    text_visible_word(text, row->launcher);
    text_add_string(text, "\nstate    ");
    text_visible_word(text, row->state);
    text_add_string(text, "\nstarted  ");
    units_ago(text, now_s, row->started);
    text_add_string(text, ", ");
    units_date(text, row->started);
    text_add_string(text, "\nheard of ");
    units_ago(text, now_s, row->renewed);
    text_add_string(text, "\n\n");
    job_peers_add(text, row, columns);
}

/* The digits of an id's beginning, in lower case; false when it is none. */
static bool
beginning_read(const char *typed, char digits[JOB_DIGITS + 1])
{
    size_t length = strlen(typed);

    if (length == 0 || length > JOB_DIGITS ||
        typed[strspn(typed, "0123456789abcdefABCDEF")] != '\0')
        return false;
    for (size_t i = 0; i <= length; i++)
        digits[i] = (char)(typed[i] >= 'A' && typed[i] <= 'F' ? typed[i] + 'a' - 'A' : typed[i]);
    return true;
}

static const Cpmp__JobRow *
job_find(const Cpmp__JobsReply *reply, const char *digits, size_t *matches_p)
{
    const Cpmp__JobRow *found = NULL;

    *matches_p = 0;
    for (size_t i = 0; i < reply->n_rows; i++) {
        char id[JOB_DIGITS + 1];

        snprintf(id, sizeof(id), "%016" PRIx64, reply->rows[i]->job);
        if (strncmp(id, digits, strlen(digits)) != 0)
            continue;
        found = reply->rows[i];
        (*matches_p)++;
    }
    return found;
}

/* The one job that is meant; NULL with the error. */
static const Cpmp__JobRow *
job_choose(struct tool *tool, const Cpmp__JobsReply *reply)
{
    char digits[JOB_DIGITS + 1] = "";
    const Cpmp__JobRow *row;
    size_t matches;

    beginning_read(tool->operands[0], digits);
    row = job_find(reply, digits, &matches);
    if (matches == 1)
        return row;
    if (matches == 0)
        text_print(&tool->error, "no job %s runs in the pool; cpmp jobs lists those that do, cpmp "
                                 "history what ran here", digits);
    else
        text_print(&tool->error, "%zu jobs begin with %s; type more of the id", matches, digits);
    return NULL;
}

int
tool_job_show(struct tool *tool, const Cpmp__Local *reply)
{
    const Cpmp__JobRow *row = job_choose(tool, reply->jobs_reply);

    if (row == NULL)
        return TOOL_FAILED;
    if (tool->options.json) {
        job_json(&tool->out, row, true);
        text_add_string(&tool->out, "\n");
    } else {
        job_add(&tool->out, row, tool->now_s, tool->columns);
    }
    return TOOL_OK;
}

/* --- the commands --- */

static void
jobs_ask(struct tool_session *session, uint64_t job, local_reply_fn *answered)
{
    Cpmp__JobsRequest jobs = CPMP__JOBS_REQUEST__INIT;
    Cpmp__Local request = CPMP__LOCAL__INIT;

    jobs.job = job;
    request.body_case = CPMP__LOCAL__BODY_JOBS;
    request.jobs = &jobs;
    local_client_ask(&session->client, &request, answered, session);
}

static void
jobs_answered(void *arg, const Cpmp__Local *reply)
{
    struct tool_session *session = arg;

    if (tool_session_expect(session, reply, CPMP__LOCAL__BODY_JOBS_REPLY))
        tool_session_end(session, tool_jobs_show(session->tool, reply));
}

static void
jobs_ready(struct tool_session *session)
{
    jobs_ask(session, 0, jobs_answered);
}

int
tool_jobs_run(struct tool *tool)
{
    return tool_session_run(tool, jobs_ready, NULL);
}

static void
job_answered(void *arg, const Cpmp__Local *reply)
{
    struct tool_session *session = arg;

    if (tool_session_expect(session, reply, CPMP__LOCAL__BODY_JOBS_REPLY))
        tool_session_end(session, tool_job_show(session->tool, reply));
}

/* All jobs have come, without their peers: which one is meant? */
static void
job_listed(void *arg, const Cpmp__Local *reply)
{
    struct tool_session *session = arg;
    const Cpmp__JobRow *row;

    if (!tool_session_expect(session, reply, CPMP__LOCAL__BODY_JOBS_REPLY))
        return;
    row = job_choose(session->tool, reply->jobs_reply);
    if (row == NULL)
        tool_session_end(session, TOOL_FAILED);
    else
        jobs_ask(session, row->job, job_answered);
}

static void
job_ready(struct tool_session *session)
{
    char digits[JOB_DIGITS + 1] = "";

    beginning_read(session->tool->operands[0], digits);
    if (strlen(digits) == JOB_DIGITS)
        jobs_ask(session, strtoull(digits, NULL, 16), job_answered);
    else
        jobs_ask(session, 0, job_listed);
}

int
tool_job_run(struct tool *tool)
{
    char digits[JOB_DIGITS + 1];

    if (beginning_read(tool->operands[0], digits))
        return tool_session_run(tool, job_ready, NULL);
    text_print(&tool->error, "job %s: an id is up to 16 hexadecimal digits; cpmp jobs lists them",
               tool->operands[0]);
    return TOOL_USAGE;
}
