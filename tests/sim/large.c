/* SPDX-License-Identifier: BSD-3-Clause */
#include "large.h"

#include <stdlib.h>
#include <string.h>

#include "peer.h"
#include "text/memory.h"

#define FINGERS_MAX 64
#define LOOKUPS_END_US UINT64_C(20000000)  /* the longest that a lookup tries, and more */

/* Where in large->order the first peer at or after `key` stands. */
static uint32_t place_of(const struct sim_large *large, const struct chord_id *key)
{
    uint32_t low = 0, high = large->placed;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (chord_id_compare(&large->world.peers[large->order[middle]].id, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low % large->placed;
}

static struct chord_peer peer_at(const struct sim_large *large, uint64_t place)
{
    uint32_t number = large->order[place % large->placed];

    return (struct chord_peer){ large->world.peers[number].id, number };
}

/* The finger of one level; false: its interval is empty. */
static bool finger_find(const struct sim_large *large, uint32_t own, unsigned level,
                        struct chord_finger *finger_p)
{
    const struct sim_world *world = &large->world;
    const struct chord_id *self = &world->peers[own].id;
    struct chord_id start = chord_id_add_power(self, level);
    uint64_t place = place_of(large, &start);
    uint64_t probes = world->params.finger_probes > 1 ? world->params.finger_probes : 1;
    bool is_found = false;

    for (uint64_t i = 0; i < probes && i < large->placed; i++) {
        struct chord_peer peer = peer_at(large, place + i);
        struct chord_id distance = chord_id_distance(self, &peer.id);
        uint64_t rtt_us = 2 * sim_network_distance_us(&world->network, own, peer.contact);

        if (chord_id_level(&distance) != (int)level)
            break;
        if (is_found && rtt_us >= finger_p->rtt_us)
            continue;
        *finger_p = (struct chord_finger){ .peer = peer, .level = (uint8_t)level,
                                           .rtt_us = (uint32_t)rtt_us };
        is_found = true;
    }
    return is_found;
}

static void peer_place(struct sim_large *large, uint32_t place, bool is_bare)
{
    struct sim_world *world = &large->world;
    uint32_t own = large->order[place], fingers = 0, successors = 0;
    struct chord_peer list[CHORD_SUCCESSORS_MAX];
    struct chord_peer before = peer_at(large, (uint64_t)place + large->placed - 1);
    struct chord_finger found[FINGERS_MAX];
    struct chord_id reach;

    while (successors < world->params.successors && successors + 1 < large->placed) {
        list[successors] = peer_at(large, (uint64_t)place + successors + 1);
        successors++;
    }
    reach = chord_id_distance(&world->peers[own].id, &list[successors - 1].id);
    for (int level = CHORD_ID_BITS - 1; level >= chord_id_level(&reach) && !is_bare;
         level--)
        if (fingers < FINGERS_MAX && finger_find(large, own, (unsigned)level, &found[fingers]))
            fingers++;
    sim_peer_start(world, own);
    chord_place(world->peers[own].chord, sim_peer_clock_us(world, own), &before, list, successors,
                found, fingers);
    sim_peer_show(world, own);
    sim_peer_schedule(world, own);
}

static void lookup_ask(struct sim_large *large)
{
    uint32_t token = large->lookups_asked++, peer = sim_large_member(large);
    struct sim_world *world = &large->world;
    struct chord_id key;

    for (uint32_t i = 0; i < CHORD_ID_BYTES; i++)
        key.bytes[i] = (uint8_t)sim_random_next(&large->random);
    large->lookups[token] = (struct sim_large_lookup){ peer, world->peers[peer].starts,
                                                       world->now_us, key };
    sim_peer_lookup(world, peer, &key, token, CHORD_RECURSIVE);
}

static void work(void *arg, uint32_t number)
{
    struct sim_large *large = arg;

    if (number == SIM_LARGE_LOOKUP)
        lookup_ask(large);
    else
        large->churn(large);
}

/* The peer at or after the key among those that are members now. */
static uint32_t owner_of(const struct sim_world *world, const struct chord_id *key)
{
    uint32_t owner = sim_world_owner(world, key);

    for (uint32_t i = 0; i < world->peer_count; i++) {
        if (chord_status(world->peers[owner].chord) == CHORD_MEMBER)
            break;
        owner = sim_ring_up_after(&world->ring, world->ring.peers[owner].rank, 1);
    }
    return owner;
}

/* What was right when it was said, and is no longer when it comes, counts as wrong here. */
static void result(void *arg, uint32_t peer, const struct chord_result *result)
{
    struct sim_large *large = arg;
    uint64_t asked_us = large->lookups[result->token].asked_us;

    (void)peer;
    if (result->why != CHORD_FOUND) {
        large->tally.failed++;
        return;
    }
    if (owner_of(&large->world, &result->key) != result->owner.contact)
        large->tally.wrong++;
    large->tally.found++;
    large->tally.hops += result->hops;
    large->times_s[large->times_count++] = (double)(large->world.now_us - asked_us) / 1e6;
}

/* A hop that ends at a dead peer, if it belongs to one of our lookups: fingers have their own. */
static void in_vain(void *arg, const struct chord_message *message)
{
    struct sim_large *large = arg;

    if (message->kind != CHORD_LOOKUP)
        return;
    for (uint32_t i = large->lookups_asked; i-- > 0;) {
        if (large->lookups[i].asked_us + LOOKUPS_END_US < large->world.now_us)
            break;
        if (chord_id_equal(&large->lookups[i].key, &message->key)) {
            large->tally.to_dead++;
            break;
        }
    }
}

static void never(void *arg, uint32_t number, bool ends)
{
    (void)arg, (void)number, (void)ends;
}

static void start(void *arg, uint32_t peer)
{
    struct sim_large *large = arg;
    uint32_t known = sim_large_member(large);

    sim_peer_start(&large->world, peer);
    sim_peer_join(&large->world, peer, &known, 1, 0);
}

void sim_large_init(struct sim_large *large, uint64_t seed, uint32_t count, uint32_t spare,
                    bool is_bare, const struct chord_params *params)
{
    struct sim_setup setup = { .seed = seed, .places = count + spare, .lives = 1 };

    *large = (struct sim_large){ .random = sim_random_for(seed, SIM_FOR_LOOKUPS),
                                 .next_join = count };
    sim_world_init(&large->world, &setup, params, NULL);
    large->world.are_checks_off = true;
    large->world.hooks = (struct sim_hooks){ .result = result, .fault = never, .start = start,
                                             .work = work, .in_vain = in_vain, .arg = large };
    large->order = memory_new(count, sizeof *large->order);
    for (uint32_t i = 0; i < count + spare; i++)
        if (large->world.ring.by_rank[i] < count)
            large->order[large->placed++] = large->world.ring.by_rank[i];
    for (uint32_t i = 0; i < count; i++)
        peer_place(large, i, is_bare);
}

void sim_large_release(struct sim_large *large)
{
    sim_world_release(&large->world);
    free(large->order);
    free(large->lookups);
    free(large->times_s);
}

uint32_t sim_large_member(struct sim_large *large)
{
    struct sim_world *world = &large->world;

    for (;;) {
        uint32_t peer = (uint32_t)sim_random_below(&large->random, world->peer_count);

        if (sim_peer_is_up(world, peer)
            && chord_status(world->peers[peer].chord) == CHORD_MEMBER)
            return peer;
    }
}

static int by_size(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return left < right ? -1 : left > right;
}

static void times_tally(struct sim_large *large)
{
    struct sim_large_tally *tally = &large->tally;

    if (large->times_count == 0)
        return;
    qsort(large->times_s, large->times_count, sizeof *large->times_s, by_size);
    for (uint32_t i = 0; i < large->times_count; i++)
        tally->seconds += large->times_s[i];
    tally->seconds /= large->times_count;
    tally->seconds_99 = large->times_s[(uint64_t)large->times_count * 99 / 100];
    tally->hops /= (double)large->times_count;
}

struct sim_large_tally sim_large_look_up(struct sim_large *large, uint32_t count,
                                         uint64_t over_us)
{
    struct sim_world *world = &large->world;
    uint64_t from_us = world->now_us;

    large->tally = (struct sim_large_tally){ .asked = count };
    large->lookups_asked = large->times_count = 0;
    large->lookups = memory_grow(large->lookups, count, sizeof *large->lookups);
    large->times_s = memory_grow(large->times_s, count, sizeof *large->times_s);
    for (uint32_t i = 0; i < count; i++)
        sim_world_work_at(world, from_us + over_us / count * i, SIM_LARGE_LOOKUP);
    sim_world_run(world, from_us + over_us + LOOKUPS_END_US);
    times_tally(large);
    large->tally.lost = count - large->tally.found - large->tally.failed;
    return large->tally;
}
