/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/history.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cpmp.h>

#include "text/memory.h"

#define SCHEMA_VERSION 1
#define BUSY_MS        2000  /* another program reads, or makes a copy */

/* ended_us is 0 while it runs; seen_us is the last moment in which anything was known. */
static const char schema[] =
    "CREATE TABLE job (row INTEGER PRIMARY KEY, job INTEGER NOT NULL, program TEXT NOT NULL,"
    " user TEXT NOT NULL, peer TEXT NOT NULL, peer_id TEXT NOT NULL, ranks INTEGER NOT NULL,"
    " millicores INTEGER NOT NULL, started_us INTEGER NOT NULL, seen_us INTEGER NOT NULL,"
    " ended_us INTEGER NOT NULL DEFAULT 0, cpu_us INTEGER NOT NULL DEFAULT 0,"
    " memory_max_bytes INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '',"
    " earned_microcredits INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX job_ended ON job (ended_us);"
    "PRAGMA user_version = 1;";

struct history {
    sqlite3 *database;
    char *path;  /* owned */
    uint32_t rows_max;
};

struct sqlite3 *
history_database(struct history *history)
{
    return history->database;
}

/* --- errors --- */

static int
report(struct history *history, struct text *why)
{
    int code = sqlite3_errcode(history->database);
    bool full = code == SQLITE_FULL || sqlite3_system_errno(history->database) == ENOSPC;

    if (full)
        text_print(why, "%s can't be written: the disk is full; what runs here isn't recorded "
                   "until there is room", history->path);
    else
        text_print(why, "%s: %s", history->path, sqlite3_errmsg(history->database));
    return full ? CPMP_ENOSPC : CPMP_ESYS;
}

/* --- opening --- */

static int
database_number(sqlite3 *database, const char *sql, int64_t *number_p)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(database, sql, -1, &statement, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *number_p = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return code == SQLITE_ROW ? SQLITE_OK : code;
}

/* SQLITE_OK, or what is wrong; SQLITE_CORRUPT when the pages don't agree. */
static int
database_check(sqlite3 *database)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(database, "PRAGMA quick_check(1)", -1, &statement, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        const char *said = (const char *)sqlite3_column_text(statement, 0);

        code = said != NULL && strcmp(said, "ok") == 0 ? SQLITE_OK : SQLITE_CORRUPT;
    }
    sqlite3_finalize(statement);
    return code;
}

static int
schema_ready(struct history *history, struct text *why)
{
    int64_t version, tables;

    if (database_number(history->database, "PRAGMA user_version", &version) != SQLITE_OK ||
        database_number(history->database, "SELECT count(*) FROM sqlite_master", &tables) !=
            SQLITE_OK)
        return report(history, why);
    if (version == SCHEMA_VERSION)
        return CPMP_OK;
    if (version != 0 || tables != 0) {
        text_print(why, "%s is a history of version %" PRId64 ", and this cpmp knows version %d; "
                   "use the cpmp that made it, or move it away", history->path, version,
                   SCHEMA_VERSION);
        return CPMP_EVERSION;
    }
    if (sqlite3_exec(history->database, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(history->database, schema, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(history->database, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        return report(history, why);
    return CPMP_OK;
}

static void
database_close(struct history *history)
{
    sqlite3_close(history->database);
    history->database = NULL;
}

/* CPMP_OK; CPMP_EPROTO when the file is damaged or no database; else as history_open. */
static int
database_open(struct history *history, struct text *why)
{
    int code = sqlite3_open_v2(history->path, &history->database,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                               NULL);
    int error;

    if (code == SQLITE_OK) {
        sqlite3_busy_timeout(history->database, BUSY_MS);
        code = sqlite3_exec(history->database, "PRAGMA journal_mode = WAL;"
                            "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
    }
    if (code == SQLITE_OK)
        code = database_check(history->database);
    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
        error = CPMP_EPROTO;
    else
        error = code == SQLITE_OK ? schema_ready(history, why) : report(history, why);
    if (error)
        database_close(history);
    return error;
}

static int
file_aside(const char *path, const char *ending, unsigned number)
{
    struct text from = {0};
    struct text to = {0};
    int result;

    text_print(&from, "%s%s", path, ending);
    text_print(&to, "%s.broken-%u%s", path, number, ending);
    result = rename(text_string(&from), text_string(&to));
    text_release(&from);
    text_release(&to);
    return result;
}

/* Puts the file and its journal under the first free name. */
static int
database_aside(struct history *history, struct text *why)
{
    struct text name = {0};
    unsigned number = 0;
    int error = CPMP_OK;

    do {
        text_clear(&name);
        text_print(&name, "%s.broken-%u", history->path, ++number);
    } while (access(text_string(&name), F_OK) == 0 && number < 1000);
    if (file_aside(history->path, "", number) != 0) {
        text_print(why, "%s is damaged and can't be put aside: %s", history->path,
                   strerror(errno));
        error = CPMP_ESYS;
    } else {
        text_print(why, "%s is damaged or no database; it is now %s, and a new history begins",
                   history->path, text_string(&name));
        (void)file_aside(history->path, "-wal", number);
        (void)file_aside(history->path, "-shm", number);
    }
    text_release(&name);
    return error;
}

int
history_open(const char *path, uint32_t rows_max, struct history **history_p, struct text *why)
{
    struct history *history = memory_new(1, sizeof(*history));
    int error;

    history->path = memory_copy_text(path);
    history->rows_max = rows_max > 0 ? rows_max : HISTORY_ROWS_MAX;
    error = database_open(history, why);
    if (error == CPMP_EPROTO) {
        error = database_aside(history, why);
        if (!error)
            error = database_open(history, why);
    }
    if (error) {
        history_close(history);
        return error;
    }
    *history_p = history;
    return CPMP_OK;
}

void
history_close(struct history *history)
{
    if (history == NULL)
        return;
    database_close(history);
    free(history->path);
    free(history);
}

/* --- changes --- */

/* Binds and runs by a string of kinds: 'i' int64_t, 's' text; `values` in their order. */
union value {
    int64_t number;
    const char *text;
};

static int
change(struct history *history, const char *sql, const char *kinds, const union value *values,
       struct text *why)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(history->database, sql, -1, &statement, NULL);

    for (int i = 0; code == SQLITE_OK && kinds[i] != '\0'; i++)
        code = kinds[i] == 'i' ? sqlite3_bind_int64(statement, i + 1, values[i].number)
                               : sqlite3_bind_text(statement, i + 1, values[i].text, -1,
                                                   SQLITE_STATIC);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code != SQLITE_DONE) {
        int error = report(history, why);

        sqlite3_finalize(statement);
        return error;
    }
    sqlite3_finalize(statement);
    return CPMP_OK;
}

static union value
number(uint64_t value)
{
    return (union value){.number = value < INT64_MAX ? (int64_t)value : INT64_MAX};
}

/* All 64 bits, which SQLite has as a signed number. */
static union value
job_number(uint64_t job)
{
    return (union value){.number = (int64_t)job};
}

static union value
words(const char *value)
{
    return (union value){.text = value};
}

/* What one UPDATE of one row did. */
static int
one_row(struct history *history, int64_t row, struct text *why)
{
    if (sqlite3_changes(history->database) == 1)
        return CPMP_OK;
    text_print(why, "%s has no open row %" PRId64, history->path, row);
    return CPMP_ENOENT;
}

int
history_begin(struct history *history, struct history_row *row, struct text *why)
{
    const union value values[] = {job_number(row->job),    words(row->program),
                                  words(row->user),        words(row->peer),
                                  words(row->peer_id),     number(row->ranks),
                                  number(row->millicores), number(row->started_us),
                                  number(row->started_us)};
    int error = change(history,
                       "INSERT INTO job (job, program, user, peer, peer_id, ranks, millicores,"
                       " started_us, seen_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                       "issssiiii", values, why);
    union value oldest;

    if (error)
        return error;
    row->row = sqlite3_last_insert_rowid(history->database);
    oldest.number = row->row - (int64_t)history->rows_max;
    return change(history, "DELETE FROM job WHERE row <= ? AND ended_us > 0", "i", &oldest, why);
}

int
history_update(struct history *history, int64_t row, uint64_t seen_us, uint64_t cpu_us,
               uint64_t memory_max_bytes, struct text *why)
{
    const union value values[] = {number(seen_us), number(cpu_us), number(memory_max_bytes),
                                  {.number = row}};
    int error = change(history,
                       "UPDATE job SET seen_us = ?, cpu_us = ?, memory_max_bytes = ?"
                       " WHERE row = ? AND ended_us = 0", "iiii", values, why);

    return error ? error : one_row(history, row, why);
}

int
history_end(struct history *history, int64_t row, uint64_t ended_us, uint64_t cpu_us,
            uint64_t memory_max_bytes, const char *reason, struct text *why)
{
    const union value values[] = {number(ended_us), number(ended_us), number(cpu_us),
                                  number(memory_max_bytes), words(reason), {.number = row}};
    int error = change(history,
                       "UPDATE job SET ended_us = max(?, 1), seen_us = ?, cpu_us = ?,"
                       " memory_max_bytes = ?, reason = ? WHERE row = ? AND ended_us = 0",
                       "iiiisi", values, why);

    return error ? error : one_row(history, row, why);
}

int
history_close_lost(struct history *history, const uint64_t *alive, size_t alive_count,
                   const char *reason, struct text *why)
{
    union value *values = memory_new(alive_count + 1, sizeof(*values));
    char *kinds = memory_new(alive_count + 2, 1);
    struct text sql = {0};
    int error;

    text_add_string(&sql, "UPDATE job SET ended_us = max(seen_us, 1), reason = ?"
                          " WHERE ended_us = 0 AND job NOT IN (");
    values[0] = words(reason);
    kinds[0] = 's';
    for (size_t i = 0; i < alive_count; i++) {
        text_add_string(&sql, i > 0 ? ", ?" : "?");
        values[i + 1] = job_number(alive[i]);
        kinds[i + 1] = 'i';
    }
    text_add_string(&sql, ")");
    error = change(history, text_string(&sql), kinds, values, why);
    text_release(&sql);
    free(kinds);
    free(values);
    return error;
}

/* --- reading --- */

static void
column_text(sqlite3_stmt *statement, int column, char *to, size_t bytes)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);

    snprintf(to, bytes, "%s", text != NULL ? text : "");
}

static void
row_read(sqlite3_stmt *statement, struct history_row *row)
{
    *row = (struct history_row){
        .row = sqlite3_column_int64(statement, 0),
        .job = (uint64_t)sqlite3_column_int64(statement, 1),
        .ranks = (uint32_t)sqlite3_column_int64(statement, 6),
        .millicores = (uint32_t)sqlite3_column_int64(statement, 7),
        .started_us = (uint64_t)sqlite3_column_int64(statement, 8),
        .ended_us = (uint64_t)sqlite3_column_int64(statement, 9),
        .cpu_us = (uint64_t)sqlite3_column_int64(statement, 10),
        .memory_max_bytes = (uint64_t)sqlite3_column_int64(statement, 11),
        .earned_microcredits = sqlite3_column_int64(statement, 13),
    };
    column_text(statement, 2, row->program, sizeof(row->program));
    column_text(statement, 3, row->user, sizeof(row->user));
    column_text(statement, 4, row->peer, sizeof(row->peer));
    column_text(statement, 5, row->peer_id, sizeof(row->peer_id));
    column_text(statement, 12, row->reason, sizeof(row->reason));
}

int
history_list(struct history *history, const struct history_query *query, history_row_fn *fn,
             void *arg, struct text *why)
{
    sqlite3_stmt *statement = NULL;
    int error = CPMP_OK;
    int code = sqlite3_prepare_v2(
        history->database,
        "SELECT row, job, program, user, peer, peer_id, ranks, millicores, started_us, ended_us,"
        " cpu_us, memory_max_bytes, reason, earned_microcredits FROM job"
        " WHERE ended_us = 0 OR ended_us >= ?1 ORDER BY started_us DESC, row DESC LIMIT ?2",
        -1, &statement, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_bind_int64(statement, 1, number(query->since_us).number);
    if (code == SQLITE_OK)
        code = sqlite3_bind_int64(statement, 2, query->limit > 0 ? (int64_t)query->limit : -1);
    while (code == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
        struct history_row row;

        row_read(statement, &row);
        fn(arg, &row);
    }
    code = sqlite3_errcode(history->database);
    if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW)
        error = report(history, why);
    sqlite3_finalize(statement);
    return error;
}

int
history_find_open(struct history *history, uint64_t job, int64_t *row_p, struct text *why)
{
    sqlite3_stmt *statement = NULL;
    int error = CPMP_OK;
    int code = sqlite3_prepare_v2(history->database,
                                  "SELECT row FROM job WHERE job = ? AND ended_us = 0"
                                  " ORDER BY row DESC", -1, &statement, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_bind_int64(statement, 1, job_number(job).number);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        *row_p = sqlite3_column_int64(statement, 0);
    } else if (code == SQLITE_DONE) {
        text_print(why, "%s has no open row of job %016" PRIx64, history->path,
                   job);
        error = CPMP_ENOENT;
    } else {
        error = report(history, why);
    }
    sqlite3_finalize(statement);
    return error;
}
