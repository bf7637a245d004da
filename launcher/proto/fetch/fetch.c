/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/fetch/fetch.h"

#include <assert.h>
#include <stdlib.h>

#include <cpmp.h>

#include "base/hash.h"

#define FIRST_WINDOW 2u
#define COPIES_MAX   2u  /* sources asked for the same piece at once */

struct request {
    uint32_t piece;
    uint64_t asked_us;
};

struct source {
    uint32_t number;
    bool there;              /* reachable, as far as we know */
    enum fetch_why dropped;  /* NONE: not dropped */
    uint32_t window, under_way, late;
    uint64_t rests_until_us;
    uint64_t piece_us;       /* smoothed time of a piece; 0: none came yet */
    struct request requests[FETCH_WINDOW_MAX];
};

struct piece {
    bool had;
    uint8_t asked;  /* requests under way */
};

struct fetch {
    struct fetch_settings settings;
    uint64_t bytes, random, now_us, good_us;  /* good_us: last progress, or the start */
    uint32_t piece_count, pieces_had;
    uint32_t source_count;
    bool ended, more;                         /* more: what was due did not fit */
    struct source sources[FETCH_SOURCES_MAX];
    struct piece pieces[];
};

struct fetch_settings
fetch_settings_default(void)
{
    return (struct fetch_settings){
        .late_us = 10000000,       /* the first two pieces at 52 KB/s */
        .late_most_us = 60000000,  /* a window of eight at 35 KB/s */
        .rest_us = 1000000,
        .patience_us = 90000000,
        .late_most = 4,
    };
}

uint32_t
fetch_piece_count(uint64_t bytes)
{
    return (uint32_t)((bytes + FETCH_PIECE_BYTES - 1) / FETCH_PIECE_BYTES);
}

uint32_t
fetch_piece_bytes(uint64_t bytes, uint32_t piece)
{
    uint64_t left = bytes - (uint64_t)piece * FETCH_PIECE_BYTES;

    return left < FETCH_PIECE_BYTES ? (uint32_t)left : FETCH_PIECE_BYTES;
}

struct fetch *
fetch_new(const struct fetch_settings *settings, uint64_t bytes, const bool *had, uint64_t seed,
          uint64_t now_us)
{
    uint32_t count = fetch_piece_count(bytes);
    struct fetch *fetch;

    assert(bytes <= FETCH_SIZE_MAX);
    fetch = calloc(1, sizeof(*fetch) + count * sizeof(fetch->pieces[0]));
    if (fetch == NULL)
        return NULL;
    fetch->settings = *settings;
    fetch->bytes = bytes;
    fetch->random = seed;
    fetch->now_us = fetch->good_us = now_us;
    fetch->piece_count = count;
    for (uint32_t i = 0; had != NULL && i < count; i++) {
        fetch->pieces[i].had = had[i];
        fetch->pieces_had += had[i];
    }
    fetch->more = fetch->pieces_had == count;  /* nothing to do but to say so */
    return fetch;
}

void
fetch_free(struct fetch *fetch)
{
    free(fetch);
}

static void
say(struct fetch_actions *actions, enum fetch_action_type type, uint32_t source, uint32_t piece,
    enum fetch_why why)
{
    assert(actions->count < FETCH_ACTIONS_MAX);
    actions->list[actions->count++] =
        (struct fetch_action){.type = type, .source = source, .piece = piece, .why = why};
}

static struct source *
source_find(struct fetch *fetch, uint32_t number)
{
    for (uint32_t i = 0; i < fetch->source_count; i++)
        if (fetch->sources[i].number == number)
            return &fetch->sources[i];
    return NULL;
}

static bool
source_counts(const struct source *source)
{
    return source->there && !source->dropped;
}

/* --- requests --- */

static void
request_end(struct fetch *fetch, struct source *source, uint32_t at)
{
    struct piece *piece = &fetch->pieces[source->requests[at].piece];

    assert(piece->asked > 0);
    piece->asked--;
    source->requests[at] = source->requests[--source->under_way];
}

/* Index of the request for the piece; under_way: there is none. */
static uint32_t
request_find(const struct source *source, uint32_t piece)
{
    uint32_t at = 0;

    while (at < source->under_way && source->requests[at].piece != piece)
        at++;
    return at;
}

static void
requests_end(struct fetch *fetch, struct source *source)
{
    while (source->under_way > 0)
        request_end(fetch, source, 0);
}

static void
source_drop(struct fetch *fetch, struct source *source, enum fetch_why why,
            struct fetch_actions *actions)
{
    requests_end(fetch, source);
    source->dropped = why;
    say(actions, FETCH_ACTION_DROP, source->number, 0, why);
}

/* --- lateness --- */

static uint64_t
late_after_us(const struct fetch *fetch, const struct source *source)
{
    uint64_t us = 4 * source->piece_us;

    if (us < fetch->settings.late_us)
        us = fetch->settings.late_us;
    return us < fetch->settings.late_most_us ? us : fetch->settings.late_most_us;
}

/* What a piece takes from the fastest source; UINT64_MAX: nobody has given one yet. */
static uint64_t
fastest_us(const struct fetch *fetch)
{
    uint64_t fastest = UINT64_MAX;

    for (uint32_t i = 0; i < fetch->source_count; i++) {
        const struct source *source = &fetch->sources[i];
        if (source_counts(source) && source->piece_us && source->piece_us < fastest)
            fastest = source->piece_us;
    }
    return fastest;
}

/* Above this a piece is worth asking of a second source, when there is nothing else to ask: when it
 * takes twice what its source is used to, or when the fastest would be done by far. */
static uint64_t
slow_after_us(const struct fetch *fetch, const struct source *source)
{
    uint64_t fastest = fastest_us(fetch);

    if (fastest == UINT64_MAX)
        return fetch->settings.late_us / 4;
    if (source->piece_us && source->piece_us < 2 * fastest)
        return 2 * source->piece_us;
    return 4 * fastest;
}

/* One of its pieces is late, so the others that wait behind it will be. That counts once. */
static void
source_late(struct fetch *fetch, struct source *source, struct fetch_actions *actions)
{
    while (source->under_way > 0) {
        say(actions, FETCH_ACTION_FORGET, source->number, source->requests[0].piece,
            FETCH_WHY_LATE);
        request_end(fetch, source, 0);
    }
    source->window = source->window > 1 ? source->window / 2 : 1;
    source->rests_until_us = fetch->now_us + (fetch->settings.rest_us << source->late);
    source->late++;
    if (source->late >= fetch->settings.late_most)
        source_drop(fetch, source, FETCH_WHY_LATE, actions);
}

static uint64_t
request_late_us(const struct fetch *fetch, const struct source *source, uint32_t at)
{
    return source->requests[at].asked_us + late_after_us(fetch, source);
}

static bool
source_is_late(const struct fetch *fetch, const struct source *source)
{
    for (uint32_t at = 0; at < source->under_way; at++)
        if (fetch->now_us >= request_late_us(fetch, source, at))
            return true;
    return false;
}

static void
late_find(struct fetch *fetch, struct fetch_actions *actions)
{
    for (uint32_t i = 0; i < fetch->source_count; i++) {
        if (!source_is_late(fetch, &fetch->sources[i]))
            continue;
        if (actions->count + FETCH_WINDOW_MAX + 1 > FETCH_ACTIONS_MAX) {
            fetch->more = true;
            return;
        }
        source_late(fetch, &fetch->sources[i], actions);
    }
}

/* --- asking --- */

static bool
source_free(const struct fetch *fetch, const struct source *source)
{
    return source_counts(source) && source->under_way < source->window &&
           fetch->now_us >= source->rests_until_us;
}

/* A piece nobody was asked for, from a random place on: peers that fetch the same content at the
 * same time so come to have different pieces. piece_count: none. */
static uint32_t
piece_fresh(struct fetch *fetch)
{
    uint32_t start;

    fetch->random += 0x9e3779b97f4a7c15ull;
    start = (uint32_t)(cpi_hash_mix(fetch->random) % fetch->piece_count);
    for (uint32_t i = 0; i < fetch->piece_count; i++) {
        uint32_t piece = (start + i) % fetch->piece_count;
        if (!fetch->pieces[piece].had && fetch->pieces[piece].asked == 0)
            return piece;
    }
    return fetch->piece_count;
}

/* The piece that another source has been slow with for longest; piece_count: none. Who has given
 * nothing yet is no help while others have: two silent ones would hold the piece. */
static uint32_t
piece_slow(const struct fetch *fetch, const struct source *by)
{
    uint32_t slowest = fetch->piece_count;
    uint64_t asked_us = UINT64_MAX;

    if (by->piece_us == 0 && fastest_us(fetch) != UINT64_MAX)
        return fetch->piece_count;
    for (uint32_t i = 0; i < fetch->source_count; i++) {
        const struct source *source = &fetch->sources[i];
        for (uint32_t at = 0; at < source->under_way; at++) {
            const struct request *request = &source->requests[at];
            if (source == by || fetch->pieces[request->piece].asked >= COPIES_MAX ||
                fetch->now_us < request->asked_us + slow_after_us(fetch, source) ||
                request->asked_us >= asked_us)
                continue;
            slowest = request->piece;
            asked_us = request->asked_us;
        }
    }
    return slowest;
}

static void
ask(struct fetch *fetch, struct source *source, uint32_t piece, struct fetch_actions *actions)
{
    source->requests[source->under_way++] =
        (struct request){.piece = piece, .asked_us = fetch->now_us};
    fetch->pieces[piece].asked++;
    say(actions, FETCH_ACTION_ASK, source->number, piece, FETCH_WHY_NONE);
}

/* One piece a source and round, so that sources share them when there are few. */
static void
ask_all(struct fetch *fetch, struct fetch_actions *actions)
{
    bool asked = true;

    while (asked) {
        asked = false;
        for (uint32_t i = 0; i < fetch->source_count; i++) {
            struct source *source = &fetch->sources[i];
            uint32_t piece;
            if (!source_free(fetch, source))
                continue;
            piece = piece_fresh(fetch);
            if (piece == fetch->piece_count)
                piece = piece_slow(fetch, source);
            if (piece == fetch->piece_count)
                continue;
            if (actions->count == FETCH_ACTIONS_MAX) {
                fetch->more = true;
                return;
            }
            ask(fetch, source, piece, actions);
            asked = true;
        }
    }
}

/* --- events --- */

static int
source_add(struct fetch *fetch, uint32_t number)
{
    struct source *source = source_find(fetch, number);

    if (source != NULL && source->dropped)
        return CPMP_EPEER;
    if (source == NULL) {
        if (fetch->source_count == FETCH_SOURCES_MAX)
            return CPMP_ELIMIT;
        source = &fetch->sources[fetch->source_count++];
        *source = (struct source){.number = number, .window = FIRST_WINDOW};
    }
    source->there = true;
    return CPMP_OK;
}

/* The first answer wins; others needn't go on. */
static void
copies_forget(struct fetch *fetch, uint32_t piece, struct fetch_actions *actions)
{
    for (uint32_t i = 0; i < fetch->source_count && fetch->pieces[piece].asked > 0; i++) {
        struct source *source = &fetch->sources[i];
        uint32_t at = request_find(source, piece);
        if (at == source->under_way)
            continue;
        request_end(fetch, source, at);
        say(actions, FETCH_ACTION_FORGET, source->number, piece, FETCH_WHY_NONE);
    }
}

static void
piece_good(struct fetch *fetch, struct source *source, uint32_t piece,
           struct fetch_actions *actions)
{
    uint32_t at = request_find(source, piece);

    if (at < source->under_way) {
        uint64_t took_us = fetch->now_us - source->requests[at].asked_us + 1;
        source->piece_us = source->piece_us ? (3 * source->piece_us + took_us) / 4 : took_us;
        if (source->window < FETCH_WINDOW_MAX)
            source->window++;
        request_end(fetch, source, at);
    }
    source->late = 0;
    source->rests_until_us = 0;
    if (fetch->pieces[piece].had)
        return;
    fetch->pieces[piece].had = true;
    fetch->pieces_had++;
    fetch->good_us = fetch->now_us;
    copies_forget(fetch, piece, actions);
}

static void
piece_refused(struct fetch *fetch, struct source *source, const struct fetch_event *event,
              struct fetch_actions *actions)
{
    uint32_t at = request_find(source, event->piece);

    if (event->for_good) {
        source_drop(fetch, source, FETCH_WHY_REFUSED, actions);
        return;
    }
    if (at == source->under_way)
        return;  /* it was given up as late meanwhile */
    request_end(fetch, source, at);
    source->window = source->window > 1 ? source->window / 2 : 1;
    source->rests_until_us = fetch->now_us + fetch->settings.rest_us;
}

static int
dispatch(struct fetch *fetch, const struct fetch_event *event, struct fetch_actions *actions)
{
    struct source *source = source_find(fetch, event->source);

    if (event->type == FETCH_EVENT_TIMEOUT || event->type == FETCH_EVENT_CANCEL)
        return CPMP_OK;
    if (event->type == FETCH_EVENT_SOURCE)
        return source_add(fetch, event->source);
    if (source == NULL)
        return CPMP_ENOENT;
    if (event->type == FETCH_EVENT_LOST) {
        requests_end(fetch, source);
        source->there = false;
        return CPMP_OK;
    }
    if (event->piece >= fetch->piece_count)
        return CPMP_EINVAL;
    if (event->type == FETCH_EVENT_GOOD)
        piece_good(fetch, source, event->piece, actions);
    else if (event->type == FETCH_EVENT_WRONG && !source->dropped)
        source_drop(fetch, source, FETCH_WHY_WRONG, actions);
    else if (event->type == FETCH_EVENT_REFUSED && !source->dropped)
        piece_refused(fetch, source, event, actions);
    return CPMP_OK;
}

/* --- the end --- */

static bool
sources_left(const struct fetch *fetch)
{
    for (uint32_t i = 0; i < fetch->source_count; i++)
        if (source_counts(&fetch->sources[i]))
            return true;
    return false;
}

static uint64_t
patience_ends_us(const struct fetch *fetch)
{
    return fetch->good_us + fetch->settings.patience_us;
}

static void
end(struct fetch *fetch, enum fetch_action_type type, enum fetch_why why,
    struct fetch_actions *actions)
{
    for (uint32_t i = 0; i < fetch->source_count; i++)
        requests_end(fetch, &fetch->sources[i]);
    fetch->ended = true;
    say(actions, type, 0, 0, why);
}

int
fetch_step(struct fetch *fetch, const struct fetch_event *event, struct fetch_actions *actions)
{
    int error;

    actions->count = 0;
    if (fetch->ended)
        return CPMP_ESTATE;
    if (event->now_us > fetch->now_us)
        fetch->now_us = event->now_us;
    fetch->more = false;
    error = dispatch(fetch, event, actions);
    if (fetch->pieces_had == fetch->piece_count) {
        end(fetch, FETCH_ACTION_DONE, FETCH_WHY_NONE, actions);
    } else if (event->type == FETCH_EVENT_CANCEL) {
        end(fetch, FETCH_ACTION_FAILED, FETCH_WHY_CANCELED, actions);
    } else if (fetch->now_us >= patience_ends_us(fetch)) {
        end(fetch, FETCH_ACTION_FAILED,
            sources_left(fetch) ? FETCH_WHY_NO_PROGRESS : FETCH_WHY_NO_SOURCE, actions);
    } else {
        late_find(fetch, actions);
        ask_all(fetch, actions);
    }
    return error;
}

/* --- looking at it --- */

/* When a source could do something that it can't do now. */
static uint64_t
source_due_us(const struct fetch *fetch, const struct source *source)
{
    uint64_t due_us = UINT64_MAX;

    for (uint32_t at = 0; at < source->under_way; at++) {
        uint64_t late_us = request_late_us(fetch, source, at);
        uint64_t slow_us = source->requests[at].asked_us + slow_after_us(fetch, source);
        if (slow_us > fetch->now_us && slow_us < late_us)
            late_us = slow_us;
        if (late_us < due_us)
            due_us = late_us;
    }
    if (source_counts(source) && source->rests_until_us > fetch->now_us &&
        source->rests_until_us < due_us)
        due_us = source->rests_until_us;
    return due_us;
}

uint64_t
fetch_deadline_us(const struct fetch *fetch)
{
    uint64_t first_us = patience_ends_us(fetch);

    if (fetch->ended)
        return UINT64_MAX;
    if (fetch->more)
        return fetch->now_us;
    for (uint32_t i = 0; i < fetch->source_count; i++) {
        uint64_t due_us = source_due_us(fetch, &fetch->sources[i]);
        if (due_us < first_us)
            first_us = due_us;
    }
    return first_us;
}

bool
fetch_has(const struct fetch *fetch, uint32_t piece)
{
    return piece < fetch->piece_count && fetch->pieces[piece].had;
}

struct fetch_progress
fetch_progress(const struct fetch *fetch)
{
    struct fetch_progress progress = {.pieces = fetch->piece_count,
                                      .pieces_had = fetch->pieces_had, .bytes = fetch->bytes};

    progress.bytes_had = (uint64_t)fetch->pieces_had * FETCH_PIECE_BYTES;
    if (fetch->piece_count > 0 && fetch->pieces[fetch->piece_count - 1].had)
        progress.bytes_had -=
            FETCH_PIECE_BYTES - fetch_piece_bytes(fetch->bytes, fetch->piece_count - 1);
    for (uint32_t i = 0; i < fetch->source_count; i++) {
        progress.sources += source_counts(&fetch->sources[i]);
        progress.sources_wrong += fetch->sources[i].dropped == FETCH_WHY_WRONG;
        progress.under_way += fetch->sources[i].under_way;
    }
    return progress;
}

const char *
fetch_why_text(enum fetch_why why)
{
    static const char *const texts[] = {
        [FETCH_WHY_NONE] = "nothing is wrong",
        [FETCH_WHY_LATE] = "its pieces came too late",
        [FETCH_WHY_WRONG] = "it sent a piece with another hash",
        [FETCH_WHY_REFUSED] = "it does not have the content",
        [FETCH_WHY_NO_SOURCE] = "no peer that has the content can be reached",
        [FETCH_WHY_NO_PROGRESS] = "the peers that have the content send nothing",
        [FETCH_WHY_CANCELED] = "it was cancelled",
    };

    return texts[why];
}

void
fetch_check(const struct fetch *fetch)
{
    uint32_t had = 0, asked = 0, under_way = 0;

    for (uint32_t i = 0; i < fetch->piece_count; i++) {
        const struct piece *piece = &fetch->pieces[i];
        had += piece->had;
        asked += piece->asked;
        assert(piece->asked <= COPIES_MAX && !(piece->had && piece->asked));
    }
    for (uint32_t i = 0; i < fetch->source_count; i++) {
        const struct source *source = &fetch->sources[i];
        under_way += source->under_way;
        assert(source->window >= 1 && source->window <= FETCH_WINDOW_MAX);
        assert(source->under_way <= FETCH_WINDOW_MAX);
        assert(source_counts(source) || source->under_way == 0);
        for (uint32_t at = 0; at < source->under_way; at++)
            assert(request_find(source, source->requests[at].piece) == at);
    }
    assert(had == fetch->pieces_had && asked == under_way);
    assert(!fetch->ended || under_way == 0);
}
