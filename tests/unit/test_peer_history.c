/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cpmp.h>
#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peer/history.h"

#define SECOND UINT64_C(1000000)
#define NOON   (UINT64_C(1700000000) * SECOND)

static char directory[64];
static char path[128];
static struct history *history;
static struct text why;

static void
opened(uint32_t rows_max)
{
    if (history_open(path, rows_max, &history, &why) != CPMP_OK)
        fail_msg("%s", text_string(&why));
}

static void
closed(void)
{
    history_close(history);
    history = NULL;
}

static int64_t
begun(char job, uint64_t started_us)
{
    struct history_row row = {.job = (uint64_t)(unsigned char)job << 56 | 1,
                              .ranks = 4,
                              .millicores = 4000,
                              .started_us = started_us};

    snprintf(row.program, sizeof(row.program), "tsp_ga");
    snprintf(row.user, sizeof(row.user), "alice");
    snprintf(row.peer, sizeof(row.peer), "lab3");
    snprintf(row.peer_id, sizeof(row.peer_id), "00ff");
    if (history_begin(history, &row, &why) != CPMP_OK)
        fail_msg("%s", text_string(&why));
    return row.row;
}

static void
ended(int64_t row, uint64_t ended_us, const char *reason)
{
    if (history_end(history, row, ended_us, 3 * SECOND, 5 << 20, reason, &why) != CPMP_OK)
        fail_msg("%s", text_string(&why));
}

/* The jobs that a query finds by their first byte, "c b a"; '*' behind those that run. */
static void
job_add(void *arg, const struct history_row *row)
{
    assert_int_equal(row->job & 0xff, 1);
    text_print(arg, "%s%c%s", ((struct text *)arg)->used > 0 ? " " : "", (char)(row->job >> 56),
               row->ended_us == 0 ? "*" : "");
}

static void
finds(struct history_query query, const char *expected)
{
    struct text found = {0};

    assert_int_equal(history_list(history, &query, job_add, &found, &why), CPMP_OK);
    assert_string_equal(text_string(&found), expected);
    text_release(&found);
}

static int
entry_remove(const char *entry, const struct stat *about, int type, struct FTW *ftw)
{
    (void)about;
    (void)type;
    (void)ftw;
    return remove(entry);
}

static int
place_make(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "history.XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/history.db", directory);
    return 0;
}

static int
place_remove(void **state)
{
    (void)state;
    closed();
    text_release(&why);
    return nftw(directory, entry_remove, 4, FTW_DEPTH | FTW_PHYS);
}

static void
what_ran_is_found_again(void **state)
{
    int64_t row;

    (void)state;
    opened(0);
    row = begun('a', NOON);
    assert_int_equal(history_update(history, row, NOON + SECOND, SECOND, 1 << 20, &why), CPMP_OK);
    ended(row, NOON + 10 * SECOND, "ended");
    begun('b', NOON + 20 * SECOND);
    closed();
    opened(0);
    assert_int_equal(why.used, 0);
    finds((struct history_query){.limit = 0}, "b* a");
    finds((struct history_query){.limit = 1}, "b*");
    finds((struct history_query){.since_us = NOON + 10 * SECOND}, "b* a");
    finds((struct history_query){.since_us = NOON + 11 * SECOND}, "b*");
}

static void
first_keep(void *arg, const struct history_row *row)
{
    struct history_row *first = arg;

    if (first->row == 0)
        *first = *row;
}

static void
a_row_is_what_was_put_in(void **state)
{
    const struct history_query query = {.limit = 0};
    struct history_row row = {.row = 0};

    (void)state;
    opened(0);
    ended(begun('\xff', NOON), NOON + 3661 * SECOND, "killed by signal 9 ';--");
    assert_int_equal(history_list(history, &query, first_keep, &row, &why), CPMP_OK);
    assert_true(row.job == UINT64_C(0xff00000000000001));
    assert_string_equal(row.program, "tsp_ga");
    assert_string_equal(row.user, "alice");
    assert_string_equal(row.peer, "lab3");
    assert_string_equal(row.peer_id, "00ff");
    assert_int_equal(row.ranks, 4);
    assert_int_equal(row.millicores, 4000);
    assert_true(row.started_us == NOON && row.ended_us == NOON + 3661 * SECOND);
    assert_int_equal(row.cpu_us, 3 * SECOND);
    assert_int_equal(row.memory_max_bytes, 5 << 20);
    assert_string_equal(row.reason, "killed by signal 9 ';--");
    assert_int_equal(row.earned_microcredits, 0);
}

/* As when the daemon is killed: what was written is there, and the rows are open. */
static void
rows_of_a_daemon_that_died_are_closed(void **state)
{
    const uint64_t alive[] = {(uint64_t)'b' << 56 | 1};
    pid_t pid = fork();
    int status;
    int64_t row;

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0) {
        opened(0);
        begun('a', NOON);
        row = begun('b', NOON + SECOND);
        row = begun('c', NOON + 2 * SECOND);
        if (history_update(history, row, NOON + 9 * SECOND, SECOND, 77, &why) != CPMP_OK)
            _exit(1);
        _exit(0);  /* without history_close */
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    opened(0);
    finds((struct history_query){.limit = 0}, "c* b* a*");
    assert_int_equal(history_close_lost(history, alive, 1, "the daemon died", &why), CPMP_OK);
    finds((struct history_query){.limit = 0}, "c b* a");
    finds((struct history_query){.since_us = NOON + 9 * SECOND}, "c b*");
    assert_int_equal(history_find_open(history, alive[0], &row, &why), CPMP_OK);
    ended(row, NOON + 99 * SECOND, "ended");
    assert_int_equal(history_find_open(history, alive[0], &row, &why), CPMP_ENOENT);
    assert_int_equal(history_close_lost(history, NULL, 0, "none", &why), CPMP_OK);
}

static void
a_row_ends_once(void **state)
{
    int64_t row;

    (void)state;
    opened(0);
    row = begun('a', NOON);
    ended(row, NOON, "ended");
    assert_int_equal(history_end(history, row, NOON, 0, 0, "again", &why), CPMP_ENOENT);
    assert_int_equal(history_update(history, 77, NOON, 0, 0, &why), CPMP_ENOENT);
}

static void
the_oldest_go(void **state)
{
    (void)state;
    opened(3);
    begun('r', NOON);
    for (char job = 'a'; job <= 'f'; job++)
        ended(begun(job, NOON + (uint64_t)job * SECOND), NOON + 200 * SECOND, "ended");
    finds((struct history_query){.limit = 0}, "f e d r*");
}

static void
a_damaged_file_is_put_aside(void **state)
{
    FILE *file;
    char aside[160];

    (void)state;
    file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++)
        fputs("this is no database\n", file);
    assert_int_equal(fclose(file), 0);
    opened(0);
    snprintf(aside, sizeof(aside), "%s.broken-1", path);
    assert_non_null(strstr(text_string(&why), aside));
    assert_int_equal(access(aside, F_OK), 0);
    begun('a', NOON);
    finds((struct history_query){.limit = 0}, "a*");
}

static void
pages_that_rotted_are_found_at_the_start(void **state)
{
    char rot[4096];
    char aside[160];
    int fd;

    (void)state;
    opened(0);
    for (int i = 0; i < 500; i++)
        begun('a', NOON);
    closed();
    fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    memset(rot, 0x5a, sizeof(rot));
    for (off_t page = 3; page < 8; page++)
        assert_int_equal(pwrite(fd, rot, sizeof(rot), page * 4096), sizeof(rot));
    close(fd);
    opened(0);
    snprintf(aside, sizeof(aside), "%s.broken-1", path);
    assert_int_equal(access(aside, F_OK), 0);
    finds((struct history_query){.limit = 0}, "");
}

static void
another_version_is_refused(void **state)
{
    sqlite3 *database;

    (void)state;
    opened(0);
    closed();
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, "PRAGMA user_version = 2", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(database);
    assert_int_equal(history_open(path, 0, &history, &why), CPMP_EVERSION);
    assert_non_null(strstr(text_string(&why), "version 2, and this cpmp knows version 1"));
    assert_null(history);
}

static void
a_place_that_isnt_there_is_an_error(void **state)
{
    char nowhere[160];

    (void)state;
    snprintf(nowhere, sizeof(nowhere), "%s/no/history.db", directory);
    assert_int_equal(history_open(nowhere, 0, &history, &why), CPMP_ESYS);
    assert_non_null(strstr(text_string(&why), nowhere));
}

static void
a_full_disk_is_said_and_survived(void **state)
{
    struct history_row row = {.job = 1, .started_us = NOON};
    int64_t first;
    int error = CPMP_OK;

    (void)state;
    opened(0);
    first = begun('f', NOON);
    assert_int_equal(sqlite3_exec(history_database(history), "PRAGMA max_page_count = 8", NULL,
                                  NULL, NULL), SQLITE_OK);
    memset(row.program, 'x', sizeof(row.program) - 1);
    for (int i = 0; i < 1000 && !error; i++)
        error = history_begin(history, &row, &why);
    assert_int_equal(error, CPMP_ENOSPC);
    assert_non_null(strstr(text_string(&why), "the disk is full"));
    ended(first, NOON + SECOND, "ended");
    assert_int_equal(sqlite3_exec(history_database(history), "PRAGMA max_page_count = 80000",
                                  NULL, NULL, NULL), SQLITE_OK);
    begun('a', NOON + SECOND);
    finds((struct history_query){.limit = 1}, "a*");
}

#define PLACE(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE(what_ran_is_found_again),
        PLACE(a_row_is_what_was_put_in),
        PLACE(rows_of_a_daemon_that_died_are_closed),
        PLACE(a_row_ends_once),
        PLACE(the_oldest_go),
        PLACE(a_damaged_file_is_put_aside),
        PLACE(pages_that_rotted_are_found_at_the_start),
        PLACE(another_version_is_refused),
        PLACE(a_place_that_isnt_there_is_an_error),
        PLACE(a_full_disk_is_said_and_survived),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
