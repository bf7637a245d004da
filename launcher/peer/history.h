/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_HISTORY_H
#define CPI_PEER_HISTORY_H

/*
 * What ran on this machine, for whom, how long, and what it earned: a SQLite database in the state
 * directory, read by `cpmp history`.
 *
 * A row is opened when a job's ranks start here, brought up to date now and then, and closed when
 * they are gone. Rows that are open when the daemon starts belong to a daemon that died: those
 * whose agent is still there are taken up again, the others are closed with what was known last.
 *
 * The journal is SQLite's WAL with synchronous=NORMAL: a crash of the daemon loses nothing; one of
 * the whole machine may lose the last rows, but leaves the database whole. FULL would sync the disk
 * at each start and end of a job, which nobody's money depends on: what was earned is in the
 * ledger.
 *
 * A history that can't be written is no reason not to work: every function says what is wrong, in
 * words, and the daemon goes on. A file that is no database is put aside under another name.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/text.h"

#define HISTORY_ROWS_MAX   100000u
#define HISTORY_TEXT_BYTES 256u
#define HISTORY_ID_BYTES   64u

struct history_row {
    int64_t row;                          /* set by the database */
    uint64_t job;                         /* its number */
    char program[HISTORY_TEXT_BYTES];     /* the name of its executable */
    char user[HISTORY_TEXT_BYTES];        /* for whom: the user at the launcher's machine, */
    char peer[HISTORY_TEXT_BYTES];        /* that peer's name, */
    char peer_id[HISTORY_ID_BYTES];       /* and id */
    uint32_t ranks;
    uint32_t millicores;                  /* promised */
    uint64_t started_us, ended_us;        /* since 1970; ended 0: runs */
    uint64_t cpu_us;                      /* processor time that it took */
    uint64_t memory_max_bytes;
    char reason[HISTORY_TEXT_BYTES];      /* how it ended; "": runs */
    int64_t earned_microcredits;
};

struct history;

/* Opens the database at `path`, or makes it. A file that is no database, or a damaged one, is
 * renamed to PATH.broken-N and a new one is made: CPMP_OK, with what was done in `why` (empty
 * otherwise). CPMP_EVERSION: a newer cpmp made it; CPMP_ESYS: it can't be opened. `rows_max`: the
 * oldest ended rows beyond it are removed; 0: HISTORY_ROWS_MAX. */
int history_open(const char *path, uint32_t rows_max, struct history **history_p,
                 struct text *why);

/* NULL is no history. */
void history_close(struct history *history);

/* All that change or read: CPMP_OK; CPMP_ENOSPC when the disk is full; CPMP_ENOENT for a row that
 * isn't there; else CPMP_ESYS; `why` says what is the matter, and where. */

/* Adds a row that runs; row->row is set. Of `row` the end's columns don't count. */
int history_begin(struct history *history, struct history_row *row, struct text *why);

/* What it has used up to `seen_us` (since 1970). */
int history_update(struct history *history, int64_t row, uint64_t seen_us, uint64_t cpu_us,
                   uint64_t memory_max_bytes, struct text *why);

int history_end(struct history *history, int64_t row, uint64_t ended_us, uint64_t cpu_us,
                uint64_t memory_max_bytes, const char *reason, struct text *why);

/* Closes all open rows whose job isn't among `alive`; their end is the last time that anything was
 * known of them. For the daemon's start. */
int history_close_lost(struct history *history, const uint64_t *alive, size_t alive_count,
                       const char *reason, struct text *why);

/* The row of a job that runs, to go on with it after a restart of the daemon. */
int history_find_open(struct history *history, uint64_t job, int64_t *row_p, struct text *why);

struct history_query {
    uint32_t limit;         /* the newest ones; 0: all */
    uint64_t since_us;      /* that ran after it; 0: no matter */
};

/* Calls `fn` for each row, the newest first. */
typedef void history_row_fn(void *arg, const struct history_row *row);
int history_list(struct history *history, const struct history_query *query, history_row_fn *fn,
                 void *arg, struct text *why);

/* The database, for tests that let its disk be full. */
struct sqlite3 *history_database(struct history *history);

#endif
