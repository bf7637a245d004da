/* SPDX-License-Identifier: BSD-3-Clause */
/* The ring, told as stories: what a peer says to what it hears, event by event; and small rings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/hash.h"
#include "chord_world.h"

#define SECOND 1000000u

/* One peer, 100, whose contacts are the first bytes of ids; the test plays all others. */
struct story {
    struct chord_params params;
    struct chord *chord;
    uint64_t now_us;
    struct chord_actions out;
};

static struct chord_peer
peer_of(uint8_t number)
{
    return (struct chord_peer){world_id(number), number};
}

static void
step(struct story *story, struct chord_event event)
{
    event.now_us = story->now_us;
    chord_step(story->chord, &event, &story->out);
    chord_check(story->chord);
}

/* Steps at deadlines until one asks for a message of `kind`, which it returns. */
static const struct chord_send *
wait_for(struct story *story, enum chord_kind kind)
{
    for (int i = 0; i < 1000; i++) {
        for (size_t k = 0; k < story->out.send_count; k++)
            if (story->out.sends[k].message.kind == kind)
                return &story->out.sends[k];
        story->now_us = chord_deadline_us(story->chord);
        step(story, (struct chord_event){.kind = CHORD_EVENT_TIME});
    }
    fail_msg("no message of kind %d", kind);
    return NULL;
}

static const struct chord_send *
said(const struct story *story, enum chord_kind kind, uint8_t to)
{
    for (size_t i = 0; i < story->out.send_count; i++)
        if (story->out.sends[i].message.kind == kind && story->out.sends[i].contact == to)
            return &story->out.sends[i];
    return NULL;
}

/* `from` says something; `predecessor` 0: none; `list` ends with 0. */
static void
hear(struct story *story, uint8_t from, enum chord_kind kind, uint64_t token, uint8_t predecessor,
     const uint8_t *list)
{
    struct chord_message message = {.kind = kind, .token = token, .from = peer_of(from),
                                    .flags = CHORD_FLAG_MEMBER,
                                    .origin.contact = CHORD_NO_CONTACT};

    if (predecessor) {
        message.subject = peer_of(predecessor);
        message.flags |= CHORD_FLAG_SUBJECT;
    }
    while (list && *list)
        message.peers[message.peer_count++] = peer_of(*list++);
    story->now_us += 1000;
    step(story, (struct chord_event){.kind = CHORD_EVENT_MESSAGE, .message = &message});
}

static void
list_is(const struct story *story, const uint8_t *list)
{
    size_t count, i;
    const struct chord_peer *peers = chord_successors(story->chord, &count);

    for (i = 0; list[i]; i++) {
        assert_true(i < count);
        assert_int_equal(list[i], peers[i].contact);
    }
    assert_int_equal(i, count);
}

static void
story_begin(struct story *story)
{
    struct chord_id id = world_id(100);

    memset(story, 0, sizeof(*story));
    story->params = chord_params_default();
    story->params.successors = 3;
    story->now_us = 5 * SECOND;
    story->chord = chord_new(&story->params, &id, 100, 1);
    assert_non_null(story->chord);
}

/* A ring 40 80 100 120 160 200, seen from 100. */
static void
story_in_ring(struct story *story)
{
    const struct chord_peer before = peer_of(80);
    const struct chord_peer after[] = {peer_of(120), peer_of(160), peer_of(200)};

    story_begin(story);
    chord_place(story->chord, story->now_us, &before, after, 3, NULL, 0);
}

static void
a_joiner_is_a_member_when_its_successor_has_answered(void **state)
{
    struct chord_peer known = peer_of(200);
    const struct chord_send *send;
    struct story story;

    (void)state;
    story_begin(&story);
    step(&story, (struct chord_event){.kind = CHORD_EVENT_JOIN, .known = &known,
                                      .known_count = 1});
    send = said(&story, CHORD_LOOKUP, 200);
    assert_non_null(send);
    assert_true(send->message.flags & CHORD_FLAG_PREDECESSOR);
    hear(&story, 80, CHORD_LOOKUP_REPLY, send->message.token, 0, (uint8_t[]){120, 160, 200, 0});
    send = said(&story, CHORD_STATE, 80);
    assert_non_null(send);
    hear(&story, 80, CHORD_STATE_REPLY, send->message.token, 40, (uint8_t[]){120, 160, 200, 0});
    assert_int_equal(CHORD_JOINING, chord_status(story.chord));
    send = said(&story, CHORD_STATE, 120);
    assert_non_null(send);
    hear(&story, 120, CHORD_STATE_REPLY, send->message.token, 80, (uint8_t[]){160, 200, 40, 0});
    assert_int_equal(CHORD_MEMBER, chord_status(story.chord));
    assert_true(story.out.changed & CHORD_CHANGED_STATUS);
    assert_null(chord_predecessor(story.chord));
    list_is(&story, (uint8_t[]){120, 160, 200, 0});
    chord_free(story.chord);
}

static void
a_joiner_starts_over_when_nobody_answers(void **state)
{
    const struct chord_peer known[] = {peer_of(200), peer_of(160)};
    struct story story;

    (void)state;
    story_begin(&story);
    step(&story, (struct chord_event){.kind = CHORD_EVENT_JOIN, .known = known,
                                      .known_count = 2});
    assert_non_null(said(&story, CHORD_LOOKUP, 200));
    hear(&story, 200, CHORD_NOT_MEMBER, story.out.sends[0].message.token, 0, NULL);
    assert_int_equal(160, wait_for(&story, CHORD_LOOKUP)->contact);
    story.out.send_count = 0;
    while (wait_for(&story, CHORD_LOOKUP)->contact == 160)
        story.out.send_count = 0;
    assert_int_equal(CHORD_JOINING, chord_status(story.chord));
    chord_free(story.chord);
}

static void
stabilizing_adopts_the_peer_in_between_when_it_answers(void **state)
{
    struct story story;
    uint64_t token;

    (void)state;
    story_in_ring(&story);
    token = wait_for(&story, CHORD_STATE)->message.token;
    hear(&story, 120, CHORD_STATE_REPLY, token, 110, (uint8_t[]){160, 200, 40, 0});
    list_is(&story, (uint8_t[]){120, 160, 200, 0});
    assert_non_null(said(&story, CHORD_STATE, 110));
    token = said(&story, CHORD_STATE, 110)->message.token;
    hear(&story, 110, CHORD_STATE_REPLY, token, 0, (uint8_t[]){120, 160, 200, 0});
    list_is(&story, (uint8_t[]){110, 120, 160, 0});
    assert_non_null(said(&story, CHORD_NOTIFY, 110));
    chord_free(story.chord);
}

static void
a_peer_in_between_that_is_silent_is_not_adopted(void **state)
{
    struct story story;
    uint64_t token;

    (void)state;
    story_in_ring(&story);
    token = wait_for(&story, CHORD_STATE)->message.token;
    hear(&story, 120, CHORD_STATE_REPLY, token, 110, (uint8_t[]){160, 200, 40, 0});
    assert_int_equal(120, wait_for(&story, CHORD_NOTIFY)->contact);
    list_is(&story, (uint8_t[]){120, 160, 200, 0});
    chord_free(story.chord);
}

static void
a_dead_successor_is_dropped_after_all_attempts(void **state)
{
    struct story story;
    uint64_t token;
    int asked = 0;

    (void)state;
    story_in_ring(&story);
    while (wait_for(&story, CHORD_STATE)->contact == 120) {
        asked++;
        story.out.send_count = 0;
    }
    assert_int_equal(story.params.attempts, asked);
    token = said(&story, CHORD_STATE, 160)->message.token;
    hear(&story, 160, CHORD_STATE_REPLY, token, 120, (uint8_t[]){200, 40, 80, 0});
    list_is(&story, (uint8_t[]){160, 200, 40, 0});
    chord_free(story.chord);
}

static void
who_is_asked_while_busy_says_so_and_answers_later(void **state)
{
    struct story story;
    uint64_t token;

    (void)state;
    story_in_ring(&story);
    token = wait_for(&story, CHORD_STATE)->message.token;
    hear(&story, 80, CHORD_STATE, 77, 0, NULL);
    assert_non_null(said(&story, CHORD_BUSY, 80));
    assert_null(said(&story, CHORD_STATE_REPLY, 80));
    hear(&story, 40, CHORD_PING, 78, 0, NULL);
    assert_non_null(said(&story, CHORD_PONG, 40));
    hear(&story, 120, CHORD_STATE_REPLY, token, 100, (uint8_t[]){160, 200, 40, 0});
    assert_non_null(said(&story, CHORD_STATE_REPLY, 80));
    assert_int_equal(77, said(&story, CHORD_STATE_REPLY, 80)->message.token);
    chord_free(story.chord);
}

static void
a_busy_successor_is_waited_for_and_not_dropped(void **state)
{
    struct story story;
    uint64_t token;

    (void)state;
    story_in_ring(&story);
    token = wait_for(&story, CHORD_STATE)->message.token;
    hear(&story, 120, CHORD_BUSY, token, 0, NULL);
    hear(&story, 80, CHORD_STATE, 5, 0, NULL);
    assert_non_null(said(&story, CHORD_BUSY, 80));
    assert_int_equal(80, wait_for(&story, CHORD_STATE_REPLY)->contact);  /* it gave way */
    list_is(&story, (uint8_t[]){120, 160, 200, 0});
    hear(&story, 120, CHORD_STATE_REPLY, token, 110, (uint8_t[]){160, 0});  /* too late */
    assert_null(said(&story, CHORD_STATE, 110));
    assert_int_equal(120, wait_for(&story, CHORD_STATE)->contact);
    chord_free(story.chord);
}

static void
rectify_keeps_a_predecessor_that_lives(void **state)
{
    struct story story;
    uint64_t token;

    (void)state;
    story_in_ring(&story);
    hear(&story, 60, CHORD_NOTIFY, 0, 0, NULL);
    assert_non_null(said(&story, CHORD_PING, 80));
    token = said(&story, CHORD_PING, 80)->message.token;
    hear(&story, 80, CHORD_PONG, token, 0, NULL);
    assert_int_equal(80, chord_predecessor(story.chord)->contact);
    hear(&story, 90, CHORD_NOTIFY, 0, 0, NULL);
    assert_int_equal(90, chord_predecessor(story.chord)->contact);
    assert_true(story.out.changed & CHORD_CHANGED_PREDECESSOR);
    assert_int_equal(80, story.out.old_predecessor.contact);
    assert_non_null(said(&story, CHORD_NUDGE, 80));
    chord_free(story.chord);
}

static void
rectify_replaces_a_predecessor_that_is_dead(void **state)
{
    struct story story;

    (void)state;
    story_in_ring(&story);
    hear(&story, 60, CHORD_NOTIFY, 0, 0, NULL);
    assert_non_null(said(&story, CHORD_PING, 80));
    while (chord_predecessor(story.chord)->contact == 80) {
        story.now_us = chord_deadline_us(story.chord);
        step(&story, (struct chord_event){.kind = CHORD_EVENT_TIME});
    }
    assert_int_equal(60, chord_predecessor(story.chord)->contact);
    chord_free(story.chord);
}

static void
a_failure_that_is_sure_ends_the_query_at_once(void **state)
{
    struct story story;

    (void)state;
    story_in_ring(&story);
    assert_int_equal(120, wait_for(&story, CHORD_STATE)->contact);
    step(&story, (struct chord_event){.kind = CHORD_EVENT_FAILED, .contact = 160});
    list_is(&story, (uint8_t[]){120, 160, 200, 0});
    step(&story, (struct chord_event){.kind = CHORD_EVENT_FAILED, .contact = 120});
    list_is(&story, (uint8_t[]){200, 0});
    assert_non_null(said(&story, CHORD_STATE, 200));
    chord_free(story.chord);
}

/* A list of one's own is not torn by a head that has lost its ring and knows nobody. */
static void
a_head_that_was_left_alone_gets_its_ring_back(void **state)
{
    struct story story;
    uint64_t token;

    (void)state;
    story_in_ring(&story);
    token = wait_for(&story, CHORD_STATE)->message.token;
    hear(&story, 120, CHORD_STATE_REPLY, token, 0, (uint8_t[]){0});
    list_is(&story, (uint8_t[]){120, 160, 200, 0});
    chord_free(story.chord);
}

static void
who_was_dropped_wrongly_comes_back_when_it_is_heard(void **state)
{
    struct story story;
    uint64_t token;

    (void)state;
    story_in_ring(&story);
    step(&story, (struct chord_event){.kind = CHORD_EVENT_FAILED, .contact = 120});
    list_is(&story, (uint8_t[]){160, 200, 0});
    token = wait_for(&story, CHORD_STATE)->message.token;
    hear(&story, 160, CHORD_STATE_REPLY, token, 100, (uint8_t[]){200, 40, 80, 0});
    hear(&story, 120, CHORD_PING, 9, 0, NULL);
    assert_non_null(said(&story, CHORD_STATE, 120));
    hear(&story, 120, CHORD_STATE_REPLY, said(&story, CHORD_STATE, 120)->message.token, 100,
         (uint8_t[]){160, 200, 40, 0});
    list_is(&story, (uint8_t[]){120, 160, 200, 0});
    chord_free(story.chord);
}

static void
who_failed_and_is_named_by_its_successor_is_asked_again(void **state)
{
    struct story story;
    uint64_t token;

    (void)state;
    story_in_ring(&story);
    hear(&story, 120, CHORD_LEAVE, 0, 0, NULL);
    list_is(&story, (uint8_t[]){160, 200, 0});
    token = wait_for(&story, CHORD_STATE)->message.token;
    hear(&story, 160, CHORD_STATE_REPLY, token, 120, (uint8_t[]){200, 40, 80, 0});
    assert_non_null(said(&story, CHORD_STATE, 120));
    chord_free(story.chord);
}

static void
leaving_tells_the_neighbours_and_answers_nobody(void **state)
{
    struct story story;

    (void)state;
    story_in_ring(&story);
    step(&story, (struct chord_event){.kind = CHORD_EVENT_LEAVE});
    assert_non_null(said(&story, CHORD_LEAVE, 80));
    assert_non_null(said(&story, CHORD_LEAVE, 120));
    assert_int_equal(CHORD_GONE, chord_status(story.chord));
    assert_int_equal(CHORD_NEVER, chord_deadline_us(story.chord));
    hear(&story, 80, CHORD_STATE, 3, 0, NULL);
    assert_non_null(said(&story, CHORD_NOT_MEMBER, 80));
    chord_free(story.chord);
}

/* --- small rings --- */

static void
rings_of_one_two_and_three_work(void **state)
{
    struct world world;
    size_t count;

    (void)state;
    world_init(&world, 1);
    for (uint32_t i = 0; i < 3; i++)
        world_add(&world, world_id((uint8_t)(50 * (i + 1))));
    world_join(&world, 0, WORLD_PEERS_MAX);
    assert_true(world_is_ideal(&world));
    assert_true(chord_owns(world.peers[0].chord, &world.peers[2].id));
    for (uint32_t i = 1; i < 3; i++) {
        world_join(&world, i, 0);
        assert_true(world_settle(&world, 3 * SECOND));
    }
    assert_false(chord_owns(world.peers[0].chord, &world.peers[2].id));
    world_crash(&world, 1);
    assert_true(world_settle(&world, 60 * SECOND));
    world_crash(&world, 0);
    assert_true(world_settle(&world, 60 * SECOND));
    chord_successors(world.peers[2].chord, &count);
    assert_int_equal(0, count);
    world_release(&world);
}

static void
eight_join_at_once_within_three_seconds(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, 2);
    for (uint32_t i = 0; i < 8; i++)
        world_add(&world, world_random_id(&world));
    world_join(&world, 0, WORLD_PEERS_MAX);
    for (uint32_t i = 1; i < 8; i++)
        world_join(&world, i, 0);
    assert_true(world_settle(&world, 3 * SECOND));
    world_release(&world);
}

/* All of a pool's machines are switched on at once, and each knows all others. */
static void
a_pool_that_restarts_as_a_whole_finds_itself(void **state)
{
    struct chord_peer known[8];
    struct world world;

    (void)state;
    world_init(&world, 3);
    for (uint32_t i = 0; i < 8; i++)
        known[i] = (struct chord_peer){.contact = world_add(&world, world_random_id(&world))};
    for (uint32_t i = 0; i < 8; i++) {
        world_start(&world, i);
        world_event(&world, i, (struct chord_event){.kind = CHORD_EVENT_JOIN, .known = known,
                                                    .known_count = 8, .alone_us = 5 * SECOND});
    }
    assert_true(world_settle(&world, 120 * SECOND));
    world_release(&world);
}

/* Two rings of ten that never met, interleaved; then one peer of each hears of the other. */
static void
two_rings_that_meet_become_one(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, 4);
    for (uint32_t i = 0; i < 20; i++) {
        world_add(&world, world_id((uint8_t)(12 * i + 3)));
        world.peers[i].group = i % 2;
        world_join(&world, i, i < 2 ? WORLD_PEERS_MAX : i % 2);
        assert_true(world_settle(&world, 60 * SECOND));
    }
    for (uint32_t i = 0; i < 20; i++)
        world.peers[i].group = 0;
    assert_false(world_is_ideal(&world));
    world_event(&world, 4, (struct chord_event){
        .kind = CHORD_EVENT_MET, .peer = {world.peers[9].id, 9}});
    assert_true(world_settle(&world, 30 * SECOND));
    world_release(&world);
}

static void
two_halves_of_a_cut_ring_find_each_other(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, 5);
    for (uint32_t i = 0; i < 16; i++) {
        world_add(&world, world_random_id(&world));
        world_join(&world, i, i ? 0 : WORLD_PEERS_MAX);
        assert_true(world_settle(&world, 60 * SECOND));
    }
    for (uint32_t i = 0; i < 16; i++)
        world.peers[i].group = i % 2;
    assert_true(world_settle(&world, 600 * SECOND));
    for (uint32_t i = 0; i < 16; i++)
        world.peers[i].group = 0;
    assert_true(world_settle(&world, 300 * SECOND));
    assert_null(world_broken(&world));
    world_release(&world);
}

/* What a daemon may forget, and what not. */
/* The inverse of cpi_hash_mix. */
static uint64_t
unmixed(uint64_t mixed)
{
    mixed ^= mixed >> 31 ^ mixed >> 62;
    mixed *= 0x319642b2d24d8ec3ull;
    mixed ^= mixed >> 27 ^ mixed >> 54;
    mixed *= 0x96de1b173f119089ull;
    return mixed ^ mixed >> 30 ^ mixed >> 60;
}

/* Whoever is asked sees one token. By the others, lookups are answered. */
static void
a_token_does_not_give_away_the_next(void **state)
{
    uint64_t first, second, at;
    struct story story;

    (void)state;
    story_in_ring(&story);
    first = wait_for(&story, CHORD_STATE)->message.token;
    hear(&story, 120, CHORD_STATE_REPLY, first, 100, (uint8_t[]){160, 200, 80, 0});
    second = wait_for(&story, CHORD_STATE)->message.token;
    assert_int_equal(first, cpi_hash_mix(at = unmixed(first)));
    for (int i = 0; i < 100000; i++)
        assert_int_not_equal(second, cpi_hash_mix(at += 0x9e3779b97f4a7c15ull));
    chord_free(story.chord);
}

static void
mark_contact(void *arg, uint32_t contact)
{
    ((bool *)arg)[contact] = true;
}

static void
contacts_that_are_held_are_told(void **state)
{
    bool held[256] = {false};
    struct story story;

    (void)state;
    story_in_ring(&story);
    chord_each_contact(story.chord, mark_contact, held);
    assert_true(held[80] && held[100] && held[120] && held[160] && held[200]);
    assert_false(held[40]);
    assert_true(chord_bytes(story.chord) <= 4096);
    chord_free(story.chord);
}

/* Anybody of the pool may say anything: `honestly` the driver's contacts go with the ids. */
static void
garbage_peer(struct world *world, struct chord_peer *peer, bool honestly)
{
    uint8_t number = (uint8_t)world_random(world, 256);

    *peer = peer_of(number);
    if (!honestly && world_random(world, 4) == 0)
        peer->contact = world_random(world, 4) ? 100 : CHORD_NO_CONTACT;
}

static void
garbage_fill(struct world *world, const struct story *story, struct chord_message *message,
             bool honestly)
{
    memset(message, 0, sizeof(*message));
    message->kind = (enum chord_kind)(1 + world_random(world, CHORD_KIND_END - 1));
    message->flags = (uint32_t)world_random(world, CHORD_FLAGS_ALL + 1);
    garbage_peer(world, &message->from, honestly);
    garbage_peer(world, &message->origin, honestly);
    garbage_peer(world, &message->subject, honestly);
    message->key = world_id((uint8_t)world_random(world, 256));
    message->hops = (uint32_t)world_random(world, CHORD_HOPS_MAX + 1);
    message->peer_count = (uint32_t)world_random(world, CHORD_PEERS_MAX + 1);
    for (uint32_t i = 0; i < message->peer_count; i++)
        garbage_peer(world, &message->peers[i], honestly);
    /* Mostly an answer to what was asked last, else it would be thrown away. */
    if (story->out.send_count && world_random(world, 4)) {
        const struct chord_send *send =
            &story->out.sends[world_random(world, story->out.send_count)];
        message->from = (struct chord_peer){world_id((uint8_t)send->contact), send->contact};
        message->token = world_random(world, 2) ? send->message.token : send->message.hop_token;
    }
}

static void
garbage_step(struct world *world, struct story *story, bool honestly)
{
    struct chord_message message;
    struct chord_event event = {.message = &message, .token = 1, .alone_us = SECOND};
    struct chord_peer known = peer_of(7);
    uint64_t due_us = chord_deadline_us(story->chord);

    garbage_fill(world, story, &message, honestly);
    event.kind = world_random(world, 4) ? CHORD_EVENT_MESSAGE
                                        : (enum chord_event_kind)world_random(world, 9);
    event.contact = (uint32_t)world_random(world, 256);
    event.key = message.key;
    event.peer = message.origin;
    event.mode = (enum chord_mode)world_random(world, 2);
    event.known = &known;
    event.known_count = world_random(world, 2);
    if (event.kind == CHORD_EVENT_LEAVE && world_random(world, 8))
        event.kind = CHORD_EVENT_TIME;
    if (world_random(world, 3) == 0 && due_us != CHORD_NEVER && due_us > story->now_us)
        story->now_us = due_us;
    step(story, event);
}

static void
whatever_others_say_breaks_nothing(void **state)
{
    struct story story;
    struct world world;

    (void)state;
    world_init(&world, 6);
    for (int round = 0; round < 40; round++) {
        story_in_ring(&story);
        for (int i = 0; i < 5000; i++)
            garbage_step(&world, &story, round % 2);
        chord_free(story.chord);
    }
    world_release(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_joiner_is_a_member_when_its_successor_has_answered),
        cmocka_unit_test(a_joiner_starts_over_when_nobody_answers),
        cmocka_unit_test(stabilizing_adopts_the_peer_in_between_when_it_answers),
        cmocka_unit_test(a_peer_in_between_that_is_silent_is_not_adopted),
        cmocka_unit_test(a_dead_successor_is_dropped_after_all_attempts),
        cmocka_unit_test(who_is_asked_while_busy_says_so_and_answers_later),
        cmocka_unit_test(a_busy_successor_is_waited_for_and_not_dropped),
        cmocka_unit_test(rectify_keeps_a_predecessor_that_lives),
        cmocka_unit_test(rectify_replaces_a_predecessor_that_is_dead),
        cmocka_unit_test(a_failure_that_is_sure_ends_the_query_at_once),
        cmocka_unit_test(a_head_that_was_left_alone_gets_its_ring_back),
        cmocka_unit_test(who_was_dropped_wrongly_comes_back_when_it_is_heard),
        cmocka_unit_test(who_failed_and_is_named_by_its_successor_is_asked_again),
        cmocka_unit_test(leaving_tells_the_neighbours_and_answers_nobody),
        cmocka_unit_test(rings_of_one_two_and_three_work),
        cmocka_unit_test(eight_join_at_once_within_three_seconds),
        cmocka_unit_test(a_pool_that_restarts_as_a_whole_finds_itself),
        cmocka_unit_test(two_rings_that_meet_become_one),
        cmocka_unit_test(two_halves_of_a_cut_ring_find_each_other),
        cmocka_unit_test(a_token_does_not_give_away_the_next),
        cmocka_unit_test(contacts_that_are_held_are_told),
        cmocka_unit_test(whatever_others_say_breaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
