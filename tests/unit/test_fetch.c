/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fetching in pieces, from sources that are fast, slow, silent, false, or gone halfway. A source
 * serves one piece after the other, each in its own time; the clock jumps from event to event.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <cpmp.h>

#include "proto/fetch/fetch.h"

#define MS      1000ull
#define SECOND  1000000ull
#define SOURCES 40u
#define QUEUE   4096u

enum manner { HONEST, SILENT, FALSE, BUSY, WITHOUT };

struct queued {
    uint32_t piece;
    uint64_t ready_us;
};

static struct {
    struct fetch *fetch;
    uint64_t now_us;
    uint32_t dropped[SOURCES];  /* enum fetch_why */
    enum manner manner[SOURCES];
    uint64_t piece_us[SOURCES], ready_us[SOURCES];
    uint32_t served[SOURCES], forgotten[SOURCES], asked;
    struct queued queue[SOURCES][QUEUE];
    uint32_t queued[SOURCES];
    bool done, failed;
    enum fetch_why why;
} world;

static void
carry_out(const struct fetch_action *action)
{
    uint32_t source = action->source;

    switch (action->type) {
    case FETCH_ACTION_ASK:
        world.asked++;
        if (world.ready_us[source] < world.now_us)
            world.ready_us[source] = world.now_us;
        world.ready_us[source] += world.piece_us[source];
        assert_true(world.queued[source] < QUEUE);
        world.queue[source][world.queued[source]++] =
            (struct queued){.piece = action->piece, .ready_us = world.ready_us[source]};
        break;
    case FETCH_ACTION_FORGET:
        world.forgotten[source]++;
        break;
    case FETCH_ACTION_DROP:
        world.dropped[source] = action->why;
        break;
    case FETCH_ACTION_DONE:
        world.done = true;
        break;
    case FETCH_ACTION_FAILED:
        world.failed = true;
        world.why = action->why;
        break;
    }
}

static int
step(enum fetch_event_type type, uint32_t source, uint32_t piece, bool for_good)
{
    struct fetch_event event = {.type = type, .now_us = world.now_us, .source = source,
                                .piece = piece, .for_good = for_good};
    struct fetch_actions actions;
    int error = fetch_step(world.fetch, &event, &actions);

    fetch_check(world.fetch);
    for (uint32_t i = 0; i < actions.count; i++)
        carry_out(&actions.list[i]);
    return error;
}

static void
start(uint64_t bytes, const bool *had)
{
    struct fetch_settings settings = fetch_settings_default();

    fetch_free(world.fetch);
    memset(&world, 0, sizeof(world));
    world.now_us = 5 * SECOND;
    world.fetch = fetch_new(&settings, bytes, had, 7, world.now_us);
    assert_non_null(world.fetch);
}

static int
source(uint32_t number, enum manner manner, uint64_t piece_us)
{
    world.manner[number] = manner;
    world.piece_us[number] = piece_us;
    return step(FETCH_EVENT_SOURCE, number, 0, false);
}

static void
serve(uint32_t number)
{
    struct queued first = world.queue[number][0];

    memmove(&world.queue[number][0], &world.queue[number][1],
            --world.queued[number] * sizeof(first));
    world.now_us = first.ready_us > world.now_us ? first.ready_us : world.now_us;
    world.served[number]++;
    switch (world.manner[number]) {
    case HONEST:
        step(FETCH_EVENT_GOOD, number, first.piece, false);
        break;
    case FALSE:
        step(FETCH_EVENT_WRONG, number, first.piece, false);
        break;
    case BUSY:
    case WITHOUT:
        step(FETCH_EVENT_REFUSED, number, first.piece, world.manner[number] == WITHOUT);
        break;
    case SILENT:
        break;
    }
}

/* Until the fetch ends or the clock shows until_us. */
static void
run(uint64_t until_us)
{
    while (!world.done && !world.failed) {
        uint64_t first_us = fetch_deadline_us(world.fetch);
        uint32_t first = SOURCES;
        for (uint32_t i = 0; i < SOURCES; i++) {
            if (world.queued[i] == 0 || world.queue[i][0].ready_us > first_us)
                continue;
            first = i;
            first_us = world.queue[i][0].ready_us;
        }
        if (first_us > until_us)
            break;
        if (first < SOURCES) {
            serve(first);
            continue;
        }
        world.now_us = first_us > world.now_us ? first_us : world.now_us;
        step(FETCH_EVENT_TIMEOUT, 0, 0, false);
    }
    if (world.now_us < until_us && !world.done && !world.failed)
        world.now_us = until_us;
}

static void
end(void **state)
{
    (void)state;
    fetch_free(world.fetch);
    world.fetch = NULL;
}

/* --- stories --- */

static void
one_source_gives_every_piece_once(void **state)
{
    start(100 * FETCH_PIECE_BYTES - 1, NULL);
    source(3, HONEST, 10 * MS);
    run(100 * SECOND);
    assert_true(world.done);
    assert_int_equal(world.asked, 100);
    assert_int_equal(world.now_us, 5 * SECOND + 1000 * MS);  /* never idle */
    assert_int_equal(fetch_progress(world.fetch).bytes_had, 100 * FETCH_PIECE_BYTES - 1);
    assert_int_equal(step(FETCH_EVENT_TIMEOUT, 0, 0, false), CPMP_ESTATE);
    assert_true(fetch_deadline_us(world.fetch) == UINT64_MAX);
    end(state);
}

static void
several_share_by_their_speed(void **state)
{
    start(1000 * FETCH_PIECE_BYTES, NULL);
    source(0, HONEST, 10 * MS);
    source(1, HONEST, 10 * MS);
    source(2, HONEST, 40 * MS);
    run(100 * SECOND);
    assert_true(world.done);
    /* 2.25 times the fastest: 4.45 s at best. */
    assert_true(world.now_us < 5 * SECOND + 4700 * MS);
    assert_in_range(world.served[2], 90, 140);
    assert_true(world.asked < 1010);
    end(state);
}

static void
a_silent_source_delays_little_and_is_dropped(void **state)
{
    start(400 * FETCH_PIECE_BYTES, NULL);
    source(0, SILENT, 1000 * SECOND);
    source(1, HONEST, 10 * MS);
    run(100 * SECOND);
    assert_true(world.done);
    /* What it was asked for went to the other as soon as that had nothing else to do. */
    assert_true(world.now_us < 5 * SECOND + 4200 * MS);
    start(40000 * FETCH_PIECE_BYTES, NULL);
    source(0, SILENT, 1000000 * SECOND);
    source(1, HONEST, 10 * MS);
    run(1000 * SECOND);
    assert_true(world.done);
    assert_int_equal(world.dropped[0], FETCH_WHY_LATE);
    end(state);
}

static void
a_false_piece_drops_its_source_for_good(void **state)
{
    start(50 * FETCH_PIECE_BYTES, NULL);
    source(0, FALSE, MS);
    source(1, HONEST, 10 * MS);
    run(6 * SECOND);
    assert_true(world.done);
    assert_int_equal(world.dropped[0], FETCH_WHY_WRONG);
    assert_int_equal(world.served[0], 2);  /* what was under way */
    assert_int_equal(fetch_progress(world.fetch).sources_wrong, 1);
    start(50 * FETCH_PIECE_BYTES, NULL);
    source(0, FALSE, MS);
    run(6 * SECOND);
    assert_int_equal(source(0, HONEST, MS), CPMP_EPEER);
    run(200 * SECOND);
    assert_true(world.failed);
    assert_int_equal(world.why, FETCH_WHY_NO_SOURCE);
    end(state);
}

static void
who_has_it_not_is_dropped_and_who_is_busy_is_asked_again(void **state)
{
    start(20 * FETCH_PIECE_BYTES, NULL);
    source(0, WITHOUT, MS);
    source(1, BUSY, MS);
    run(8 * SECOND);
    assert_int_equal(world.dropped[0], FETCH_WHY_REFUSED);
    assert_int_equal(world.dropped[1], FETCH_WHY_NONE);
    assert_in_range(world.served[1], 3, 8);  /* it rests in between */
    world.manner[1] = HONEST;
    run(20 * SECOND);
    assert_true(world.done);
    end(state);
}

static void
the_last_slow_pieces_are_asked_of_others_too(void **state)
{
    start(30 * FETCH_PIECE_BYTES, NULL);
    source(0, HONEST, 2 * SECOND);
    source(1, HONEST, 10 * MS);
    run(100 * SECOND);
    assert_true(world.done);
    /* The slow one would take 4 s for the two that it was asked first. */
    assert_true(world.now_us < 5 * SECOND + 3500 * MS);
    assert_true(world.asked <= 33);
    assert_true(world.forgotten[0] >= 1);
    end(state);
}

static void
a_source_that_comes_late_takes_its_share(void **state)
{
    start(1000 * FETCH_PIECE_BYTES, NULL);
    run(30 * SECOND);  /* nobody yet: patience */
    assert_false(world.failed);
    source(0, HONEST, 10 * MS);
    run(31 * SECOND);
    source(1, HONEST, 10 * MS);
    run(200 * SECOND);
    assert_true(world.done);
    assert_in_range(world.served[1], 400, 500);
    end(state);
}

static void
what_a_lost_source_owes_goes_to_others(void **state)
{
    start(100 * FETCH_PIECE_BYTES, NULL);
    source(0, HONEST, 100 * MS);
    source(1, HONEST, 100 * MS);
    run(5 * SECOND + 550 * MS);
    assert_int_equal(step(FETCH_EVENT_LOST, 0, 0, false), CPMP_OK);
    world.queued[0] = 0;
    assert_int_equal(fetch_progress(world.fetch).sources, 1);
    run(8 * SECOND);
    assert_int_equal(source(0, HONEST, 100 * MS), CPMP_OK);  /* back */
    run(100 * SECOND);
    assert_true(world.done);
    assert_true(world.asked <= 100 + 2 * FETCH_WINDOW_MAX);
    end(state);
}

static void
without_sources_or_progress_it_fails_and_says_why(void **state)
{
    start(10 * FETCH_PIECE_BYTES, NULL);
    run(1000 * SECOND);
    assert_true(world.failed);
    assert_int_equal(world.why, FETCH_WHY_NO_SOURCE);
    assert_int_equal(world.now_us, 95 * SECOND);
    start(10 * FETCH_PIECE_BYTES, NULL);
    source(0, BUSY, MS);
    run(1000 * SECOND);
    assert_true(world.failed);
    assert_int_equal(world.why, FETCH_WHY_NO_PROGRESS);
    start(10 * FETCH_PIECE_BYTES, NULL);
    source(0, HONEST, SECOND);
    step(FETCH_EVENT_CANCEL, 0, 0, false);
    assert_int_equal(world.why, FETCH_WHY_CANCELED);
    assert_int_equal(fetch_progress(world.fetch).under_way, 0);
    end(state);
}

static void
what_was_there_before_is_not_fetched_again(void **state)
{
    bool had[100];

    for (uint32_t i = 0; i < 100; i++)
        had[i] = i % 4 != 0;
    start(100 * FETCH_PIECE_BYTES, had);
    assert_int_equal(fetch_progress(world.fetch).pieces_had, 75);
    source(0, HONEST, MS);
    run(100 * SECOND);
    assert_true(world.done);
    assert_int_equal(world.asked, 25);
    memset(had, 1, sizeof(had));
    start(100 * FETCH_PIECE_BYTES, had);
    run(6 * SECOND);
    assert_true(world.done);
    start(0, NULL);
    run(6 * SECOND);
    assert_true(world.done);
    end(state);
}

static void
what_can_not_be_is_refused(void **state)
{
    start(10 * FETCH_PIECE_BYTES, NULL);
    assert_int_equal(step(FETCH_EVENT_GOOD, 39, 0, false), CPMP_ENOENT);
    source(9, HONEST, SECOND);
    assert_int_equal(step(FETCH_EVENT_GOOD, 9, 10, false), CPMP_EINVAL);
    assert_int_equal(step(FETCH_EVENT_WRONG, 9, UINT32_MAX, false), CPMP_EINVAL);
    for (uint32_t i = 0; i < FETCH_SOURCES_MAX - 1; i++)
        assert_int_equal(step(FETCH_EVENT_SOURCE, i < 9 ? i : i + 1, 0, false), CPMP_OK);
    assert_int_equal(step(FETCH_EVENT_SOURCE, 39, 0, false), CPMP_ELIMIT);
    assert_string_equal(fetch_why_text(FETCH_WHY_WRONG), "it sent a piece with another hash");
    end(state);
}

/* Any mixture with an honest source comes to its end; none makes it ask for more than it may. */
static void
mixtures_of_sources_end(void **state)
{
    uint64_t seed = 1;

    for (int i = 0; i < 200; i++) {
        uint32_t pieces = 1 + (uint32_t)i % 300;
        start(pieces * (uint64_t)FETCH_PIECE_BYTES, NULL);
        for (uint32_t j = 0; j < 12; j++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            source(j, (enum manner)((seed >> 33) % 5), MS + (seed >> 40) % (500 * MS));
        }
        source(12, HONEST, 20 * MS);
        run(200 * SECOND);
        assert_true(world.done);
        assert_true(world.now_us < 45 * SECOND);
    }
    end(state);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_source_gives_every_piece_once),
        cmocka_unit_test(several_share_by_their_speed),
        cmocka_unit_test(a_silent_source_delays_little_and_is_dropped),
        cmocka_unit_test(a_false_piece_drops_its_source_for_good),
        cmocka_unit_test(who_has_it_not_is_dropped_and_who_is_busy_is_asked_again),
        cmocka_unit_test(the_last_slow_pieces_are_asked_of_others_too),
        cmocka_unit_test(a_source_that_comes_late_takes_its_share),
        cmocka_unit_test(what_a_lost_source_owes_goes_to_others),
        cmocka_unit_test(without_sources_or_progress_it_fails_and_says_why),
        cmocka_unit_test(what_was_there_before_is_not_fetched_again),
        cmocka_unit_test(what_can_not_be_is_refused),
        cmocka_unit_test(mixtures_of_sources_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
