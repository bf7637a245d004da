/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_EVENTS_H
#define CPI_EXEC_EVENTS_H

/*
 * Partial results: what ranks emit (cpmp_emit), for people as lines "[RANK] TOPIC: TEXT" on stdout,
 * or for programs as JSON lines in the file of --events, or on stdout with --json or --events -.
 *
 * Each event of a rank is taken once, in the order of its sequence number; one that comes a second
 * time is dropped. Lines of the file:
 *     {"rank":3,"sequence":1,"topic":"best","text":"7542","time":1763671000.123456}
 * with "base64" in place of "text" for events that aren't text. "time" is the seconds since 1970 at
 * which the launcher got it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/text.h"

struct exec_emitted {
    uint32_t rank;
    uint64_t sequence;
    const char *topic;
    const void *bytes;
    size_t count;
    bool is_text;
    double time_s;
};

struct exec_events {
    uint64_t *last;         /* [ranks] sequence number of the last event taken */
    uint32_t ranks;
    int fd;                 /* --events; -1: none */
    bool json;              /* on stdout as JSON, when there is no file, */
    bool typed;             /* among lines of other types */
    bool broken;            /* the file can't be written */
    bool hinted;            /* people know where bytes can be had */
    struct text queue; /* for the file, until the next flush */
    struct text latest; /* the last one, as a line for the status line */
};

/* `path` NULL: no file; "-": stdout. 0, or -1 with `error`; release either way. */
int exec_events_init(struct exec_events *events, uint32_t ranks, const char *path, bool json,
                     struct text *error);
void exec_events_release(struct exec_events *events);

/* Takes an event. What is to go to stdout is added to `text`. Returns false when it was there
 * before. */
bool exec_events_take(struct exec_events *events, const struct exec_emitted *emitted,
                      struct text *text);

/* Writes to the file. 0, or an errno value, once. */
int exec_events_flush(struct exec_events *events);

/* The two formats, by themselves. `hint`: say where bytes that are no text can be had. */
void exec_event_print(struct text *text, const struct exec_emitted *emitted, bool hint);
void
exec_event_print_json(struct text *text, const struct exec_emitted *emitted, bool with_type);

#endif
