/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PROTO_FETCH_FETCH_H
#define CPI_PROTO_FETCH_FETCH_H

/*
 * Fetching one content (an executable, a file) in pieces of 256 KiB from several sources at once. A
 * pure state machine: it says which piece to ask of whom; the owner carries bytes, checks each
 * piece against its hash and says what came of it.
 *
 * Each source has a window of pieces under way, which grows with every good piece and is halved
 * when one is late, so that the fast carry more. A piece that is late goes to another source and
 * its source is left alone for a while, each time for longer; one that is late again and again is
 * dropped. One wrong piece drops its source for good. When all pieces left are under way, those
 * that take long are asked of a second source too; the first answer wins.
 *
 * Sources are the owner's numbers. New ones may come at any time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FETCH_PIECE_BYTES (256u << 10)
#define FETCH_SIZE_MAX    (1ull << 38)  /* 256 GiB, a million pieces */
#define FETCH_SOURCES_MAX 32u
#define FETCH_WINDOW_MAX  8u
#define FETCH_ACTIONS_MAX 32u

struct fetch_settings {
    uint64_t late_us;      /* a piece is late after four times what its source's pieces take, and
                              never before this */
    uint64_t late_most_us; /* nor later than this */
    uint64_t rest_us;      /* how long a late source is left alone; doubled each time */
    uint64_t patience_us;  /* no good piece from anybody for so long: the fetch fails */
    uint32_t late_most;    /* so many late pieces in a row: dropped */
};

enum fetch_event_type {
    FETCH_EVENT_TIMEOUT,  /* fetch_deadline_us has come */
    FETCH_EVENT_SOURCE,   /* `source` has the content */
    FETCH_EVENT_LOST,     /* `source` can't be reached any more; it may come again */
    FETCH_EVENT_GOOD,     /* `piece` came from `source` and is written */
    FETCH_EVENT_WRONG,    /* what came from `source` for `piece` isn't it */
    FETCH_EVENT_REFUSED,  /* `source` doesn't give `piece` now; `for_good`: nor will it */
    FETCH_EVENT_CANCEL    /* nobody wants it any more */
};

struct fetch_event {
    enum fetch_event_type type;
    uint64_t now_us;
    uint32_t source;
    uint32_t piece;
    bool for_good;
};

enum fetch_why {
    FETCH_WHY_NONE,
    FETCH_WHY_LATE,        /* dropped: late too often */
    FETCH_WHY_WRONG,       /* dropped: sent what is not the piece */
    FETCH_WHY_REFUSED,     /* dropped: says that it hasn't got it */
    FETCH_WHY_NO_SOURCE,   /* failed: nobody left to ask, for `patience_us` */
    FETCH_WHY_NO_PROGRESS, /* failed: there are sources, but no good piece came for `patience_us` */
    FETCH_WHY_CANCELED     /* failed */
};

enum fetch_action_type {
    FETCH_ACTION_ASK,     /* ask `source` for `piece` */
    FETCH_ACTION_FORGET,  /* `piece` is no longer needed from `source`; what comes is welcome */
    FETCH_ACTION_DROP,    /* `source` is asked no more, because of `why` */
    FETCH_ACTION_DONE,    /* all pieces are there; check the whole */
    FETCH_ACTION_FAILED   /* because of `why` */
};

struct fetch_action {
    enum fetch_action_type type;
    uint32_t source;
    uint32_t piece;
    enum fetch_why why;
};

struct fetch_actions {
    uint32_t count;
    struct fetch_action list[FETCH_ACTIONS_MAX];
};

struct fetch_progress {
    uint32_t pieces, pieces_had;
    uint64_t bytes, bytes_had;
    uint32_t sources;        /* that may be asked, at once or after a rest */
    uint32_t sources_wrong;  /* dropped because of a wrong piece */
    uint32_t under_way;      /* requests */
};

struct fetch;

struct fetch_settings fetch_settings_default(void);

/* Pieces of a content of `bytes`; the length of one of them. */
uint32_t fetch_piece_count(uint64_t bytes);
uint32_t fetch_piece_bytes(uint64_t bytes, uint32_t piece);

/* Fetches a content of `bytes`, at most FETCH_SIZE_MAX. `had[i]`: piece i is there already (from
 * before a restart); NULL: none is. NULL: out of memory. */
struct fetch *fetch_new(const struct fetch_settings *settings, uint64_t bytes, const bool *had,
                        uint64_t seed, uint64_t now_us);
void fetch_free(struct fetch *fetch);

/* CPMP_OK; CPMP_EINVAL: no such piece; CPMP_ENOENT: no such source; CPMP_EPEER: SOURCE was dropped
 * before and stays so; CPMP_ELIMIT: there are FETCH_SOURCES_MAX; CPMP_ESTATE: done or failed, no
 * more actions. `actions` is always set. */
int fetch_step(struct fetch *fetch, const struct fetch_event *event,
               struct fetch_actions *actions);

/* When to step with TIMEOUT at the latest; UINT64_MAX: never (it has ended). May be past. */
uint64_t fetch_deadline_us(const struct fetch *fetch);

bool fetch_has(const struct fetch *fetch, uint32_t piece);
struct fetch_progress fetch_progress(const struct fetch *fetch);

/* For people: "its pieces came too late". */
const char *fetch_why_text(enum fetch_why why);

/* Asserts what must hold. */
void fetch_check(const struct fetch *fetch);

#endif
