/* SPDX-License-Identifier: BSD-3-Clause */
#include "chord_world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTLE_LOOK_US 20000u

struct world_letter {
    uint64_t at_us;
    uint64_t number;
    uint32_t from;
    uint32_t to;
    struct chord_message message;
};

uint64_t
world_random(struct world *world, uint64_t limit)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return limit ? world->random % limit : 0;
}

void
world_init(struct world *world, uint64_t seed)
{
    memset(world, 0, sizeof(*world));
    world->params = chord_params_default();
    world->random = seed * 0x9e3779b97f4a7c15ull + 0x1234567;
    world->latency_us = 10000;
    world->now_us = 1000000;
    for (int i = 0; i < 8; i++)
        world_random(world, 1);
}

void
world_release(struct world *world)
{
    for (uint32_t i = 0; i < world->count; i++)
        chord_free(world->peers[i].chord);
    free(world->letters);
}

struct chord_id
world_id(uint8_t first)
{
    struct chord_id id = {.bytes = {first}};

    return id;
}

struct chord_id
world_random_id(struct world *world)
{
    struct chord_id id;

    for (size_t i = 0; i < CHORD_ID_BYTES; i++)
        id.bytes[i] = (uint8_t)(world_random(world, 1u << 20) >> 7);
    return id;
}

uint32_t
world_add(struct world *world, struct chord_id id)
{
    assert(world->count < WORLD_PEERS_MAX);
    world->peers[world->count].id = id;
    return world->count++;
}

/* --- letters on their way: a binary heap by time, then by number --- */

static bool
letter_before(const struct world_letter *a, const struct world_letter *b)
{
    return a->at_us < b->at_us || (a->at_us == b->at_us && a->number < b->number);
}

static void
letters_swap(struct world *world, size_t i, size_t k)
{
    struct world_letter letter = world->letters[i];

    world->letters[i] = world->letters[k];
    world->letters[k] = letter;
}

static void
letter_push(struct world *world, const struct world_letter *letter)
{
    size_t i = world->letter_count++;

    if (world->letter_count > world->letter_room) {
        world->letter_room = world->letter_room ? world->letter_room * 2 : 64;
        world->letters = realloc(world->letters, world->letter_room * sizeof(*letter));
        assert(world->letters);
    }
    world->letters[i] = *letter;
    while (i > 0 && letter_before(&world->letters[i], &world->letters[(i - 1) / 2])) {
        letters_swap(world, i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}

static struct world_letter
letter_pop(struct world *world)
{
    struct world_letter first = world->letters[0];
    size_t i = 0;

    world->letters[0] = world->letters[--world->letter_count];
    for (;;) {
        size_t least = i;
        for (size_t k = 2 * i + 1; k <= 2 * i + 2 && k < world->letter_count; k++)
            if (letter_before(&world->letters[k], &world->letters[least]))
                least = k;
        if (least == i)
            return first;
        letters_swap(world, i, least);
        i = least;
    }
}

/* --- steps --- */

static void
world_post(struct world *world, uint32_t from, const struct chord_send *send)
{
    struct world_letter letter = {.from = from, .to = send->contact, .message = send->message};

    world->messages++;
    assert(send->contact < world->count && send->contact != from);
    if (world->on_message && !world->on_message(world, from, send->contact, &send->message))
        return;
    if (world->loss_percent && world_random(world, 100) < world->loss_percent)
        return;
    letter.number = world->letter_number++;
    letter.at_us = world->now_us + world->latency_us;
    if (world->spread)
        letter.at_us += world_random(world, world->latency_us);
    letter_push(world, &letter);
}

void
world_event(struct world *world, uint32_t peer, struct chord_event event)
{
    struct world_peer *who = &world->peers[peer];

    assert(who->chord);
    event.now_us = world->now_us;
    chord_step(who->chord, &event, &world->out);
    chord_check(who->chord);
    if (world->out.changed & CHORD_CHANGED_STATUS)
        who->member_us = world->now_us;
    for (size_t i = 0; i < world->out.send_count; i++)
        world_post(world, peer, &world->out.sends[i]);
    for (size_t i = 0; i < world->out.result_count && world->on_result; i++)
        world->on_result(world, peer, &world->out.results[i]);
}

void
world_start(struct world *world, uint32_t peer)
{
    struct world_peer *who = &world->peers[peer];

    assert(who->chord == NULL);
    who->chord = chord_new(&world->params, &who->id, peer, world->random + ++who->starts);
    assert(who->chord);
}

void
world_crash(struct world *world, uint32_t peer)
{
    chord_free(world->peers[peer].chord);
    world->peers[peer].chord = NULL;
}

void
world_join(struct world *world, uint32_t peer, uint32_t known)
{
    struct chord_peer through = {.contact = known};
    struct chord_event event = {.kind = CHORD_EVENT_JOIN, .known = &through,
                                .known_count = known < WORLD_PEERS_MAX};

    if (world->peers[peer].chord == NULL)
        world_start(world, peer);
    world_event(world, peer, event);
}

void
world_lookup(struct world *world, uint32_t peer, struct chord_id key, uint64_t token,
             enum chord_mode mode)
{
    world_event(world, peer, (struct chord_event){.kind = CHORD_EVENT_LOOKUP, .key = key,
                                                  .token = token, .mode = mode});
}

static void
letter_deliver(struct world *world)
{
    struct world_letter letter = letter_pop(world);
    struct chord_event event = {.kind = CHORD_EVENT_MESSAGE, .message = &letter.message};

    world->now_us = letter.at_us;
    if (world->peers[letter.to].chord == NULL ||
        world->peers[letter.to].group != world->peers[letter.from].group)
        return;
    letter.message.from.contact = letter.from;
    world_event(world, letter.to, event);
}

/* The peer that is to be woken first, and when. */
static uint64_t
world_first(const struct world *world, uint32_t *peer_p)
{
    uint64_t first_us = CHORD_NEVER;

    for (uint32_t i = 0; i < world->count; i++) {
        uint64_t due_us = world->peers[i].chord ? chord_deadline_us(world->peers[i].chord)
                                                : CHORD_NEVER;
        if (due_us < first_us) {
            first_us = due_us;
            *peer_p = i;
        }
    }
    return first_us;
}

static bool
world_advance(struct world *world, uint64_t until_us)
{
    uint32_t peer = 0;
    uint64_t wake_us = world_first(world, &peer);
    uint64_t letter_us = world->letter_count ? world->letters[0].at_us : CHORD_NEVER;

    if (wake_us > until_us && letter_us > until_us)
        return false;
    if (letter_us <= wake_us) {
        letter_deliver(world);
    } else {
        if (wake_us > world->now_us)
            world->now_us = wake_us;
        world_event(world, peer, (struct chord_event){.kind = CHORD_EVENT_TIME});
    }
    return true;
}

void
world_run_until(struct world *world, uint64_t until_us)
{
    while (world_advance(world, until_us))
        ;
    if (until_us > world->now_us)
        world->now_us = until_us;
}

bool
world_settle(struct world *world, uint64_t limit_us)
{
    uint64_t until_us = world->now_us + limit_us;

    while (!world_is_ideal(world)) {
        uint64_t from_us = world->now_us;
        while (world->now_us < from_us + SETTLE_LOOK_US)
            if (!world_advance(world, until_us))
                return world_is_ideal(world);
    }
    return true;
}

/* --- looking at all of it --- */

/* The nearest running peer of the same group after `id`. */
static uint32_t
world_next(const struct world *world, uint32_t group, const struct chord_id *id)
{
    uint32_t best = WORLD_PEERS_MAX;

    for (uint32_t i = 0; i < world->count; i++) {
        const struct world_peer *peer = &world->peers[i];
        if (peer->chord == NULL || peer->group != group ||
            chord_status(peer->chord) == CHORD_GONE ||
            chord_id_equal(id, &peer->id))
            continue;
        if (best == WORLD_PEERS_MAX || chord_id_nearer(id, &peer->id, &world->peers[best].id))
            best = i;
    }
    return best;
}

uint32_t
world_owner(const struct world *world, uint32_t peer, const struct chord_id *key,
            uint64_t since_us)
{
    uint32_t best = WORLD_PEERS_MAX;

    for (uint32_t i = 0; i < world->count; i++) {
        const struct world_peer *other = &world->peers[i];
        if (other->chord && other->group == world->peers[peer].group &&
            chord_status(other->chord) == CHORD_MEMBER &&
            other->member_us + since_us <= world->now_us &&
            (best == WORLD_PEERS_MAX || chord_id_nearer(key, &other->id, &world->peers[best].id)))
            best = i;
    }
    return best;
}

static bool
peer_is_ideal(const struct world *world, uint32_t index)
{
    const struct world_peer *peer = &world->peers[index];
    const struct chord_peer *predecessor = chord_predecessor(peer->chord);
    const struct chord_peer *successors;
    uint32_t at = index;
    size_t count, i;

    if (chord_status(peer->chord) != CHORD_MEMBER)
        return false;
    successors = chord_successors(peer->chord, &count);
    for (i = 0; i < world->params.successors; i++) {
        at = world_next(world, peer->group, &world->peers[at].id);
        if (at == WORLD_PEERS_MAX || at == index)
            break;
        if (i >= count || successors[i].contact != at)
            return false;
    }
    if (i != count)
        return false;
    if (count == 0)
        return predecessor == NULL;
    return predecessor &&
           world_next(world, peer->group, &predecessor->id) == index &&
           world->peers[predecessor->contact].chord &&
           world->peers[predecessor->contact].group == peer->group;
}

bool
world_is_ideal(const struct world *world)
{
    for (uint32_t i = 0; i < world->count; i++)
        if (world->peers[i].chord && chord_status(world->peers[i].chord) != CHORD_GONE &&
            !peer_is_ideal(world, i))
            return false;
    return true;
}

static bool
world_is_member(const struct world *world, uint32_t peer)
{
    return world->peers[peer].chord && chord_status(world->peers[peer].chord) == CHORD_MEMBER;
}

/* The first live member in the list; itself when the list is empty. */
static uint32_t
live_successor(const struct world *world, uint32_t peer)
{
    size_t count;
    const struct chord_peer *list = chord_successors(world->peers[peer].chord, &count);

    for (size_t i = 0; i < count; i++)
        if (world_is_member(world, list[i].contact))
            return list[i].contact;
    return count == 0 ? peer : WORLD_PEERS_MAX;
}

const char *
world_broken(const struct world *world)
{
    uint32_t start = WORLD_PEERS_MAX, at, turns = 0;
    uint8_t on_ring[WORLD_PEERS_MAX] = {0};

    for (uint32_t i = 0; i < world->count; i++)
        if (world_is_member(world, i)) {
            start = i;
            if (live_successor(world, i) == WORLD_PEERS_MAX)
                return "a member without a live successor";
        }
    if (start == WORLD_PEERS_MAX)
        return NULL;
    for (uint32_t i = 0; i < world->count; i++)
        start = live_successor(world, start);  /* now it is on a ring */
    at = start;
    do {
        uint32_t next = live_successor(world, at);
        on_ring[at] = 1;
        if (chord_id_compare(&world->peers[next].id, &world->peers[at].id) <= 0)
            turns++;
        at = next;
    } while (at != start);
    if (turns != 1)
        return "the ring goes round more than once";
    for (uint32_t i = 0; i < world->count; i++) {
        if (!world_is_member(world, i))
            continue;
        at = i;
        for (uint32_t k = 0; k < world->count; k++)
            at = live_successor(world, at);
        if (!on_ring[at])
            return "a second ring";
    }
    return NULL;
}

void
world_print(const struct world *world)
{
    for (uint32_t i = 0; i < world->count; i++) {
        const struct chord *chord = world->peers[i].chord;
        const struct chord_peer *list;
        size_t count;
        if (chord == NULL)
            continue;
        list = chord_successors(chord, &count);
        printf("# %u (%02x%02x) status %d%s, predecessor %d, successors", i,
               world->peers[i].id.bytes[0], world->peers[i].id.bytes[1], chord_status(chord),
               chord_is_busy(chord) ? " busy" : "",
               chord_predecessor(chord) ? (int)chord_predecessor(chord)->contact : -1);
        for (size_t k = 0; k < count; k++)
            printf(" %u", list[k].contact);
        printf("\n");
    }
}
