/* SPDX-License-Identifier: BSD-3-Clause */
#include "end.h"

#include "peer.h"
#include "random.h"
#include "store.h"

#define POLL_US         UINT64_C(250000)
#define STEADY_US       UINT64_C(8000000)   /* four ticks, and more than any query is repeated */
#define LOOKUPS_END_US  UINT64_C(15000000)  /* lookup_us, by all its attempts, and more */
#define DETECTED_US     UINT64_C(45000000)  /* three times what a far peer may be silent */

/* --- islands --- */

struct islands {
    struct sim_world *world;
    uint32_t peer;                 /* whose contacts are looked at */
    uint32_t of[2 * SIM_FAULT_PEERS_MAX];
};

static uint32_t island_of(struct islands *islands, uint32_t peer)
{
    while (islands->of[peer] != peer)
        peer = islands->of[peer];
    return peer;
}

static void island_join(void *arg, uint32_t contact)
{
    struct islands *islands = arg;

    if (contact < islands->world->peer_count && sim_peer_is_up(islands->world, contact))
        islands->of[island_of(islands, contact)] = island_of(islands, islands->peer);
}

static void islands_find(struct islands *islands, struct sim_world *world)
{
    islands->world = world;
    for (uint32_t i = 0; i < world->peer_count; i++)
        islands->of[i] = i;
    for (uint32_t i = 0; i < world->peer_count; i++) {
        islands->peer = i;
        if (sim_peer_is_up(world, i))
            chord_each_contact(world->peers[i].chord, island_join, islands);
    }
}

/* The first member, or the first that runs, by whom all others are helped. */
static uint32_t helper_find(const struct sim_world *world)
{
    uint32_t helper = SIM_NOBODY;

    for (uint32_t i = 0; i < world->peer_count; i++) {
        if (world->ring.peers[i].is_member)
            return i;
        if (helper == SIM_NOBODY && sim_peer_is_up(world, i))
            helper = i;
    }
    return helper;
}

/* Whether the peer was told to join through anybody who is a member now. */
static bool knows_member(const struct sim_world *world, uint32_t peer)
{
    const struct sim_disk *disk = world->peers[peer].disk;

    for (uint32_t i = 0; i < disk->known_count && i < CHORD_KNOWN_MAX; i++)
        if (world->ring.peers[disk->known[i]].is_member)
            return true;
    return false;
}

/* A peer that waits to join, and knows no member, is started anew by its user with a new token; the
 * first of all such, if there is no member at all, without. */
static void stranded_help(struct sim_scene *scene, uint32_t peer, uint32_t helper)
{
    struct sim_world *world = &scene->world;

    if (knows_member(world, peer))
        return;
    sim_peer_stop(world, peer);
    sim_peer_start(world, peer);
    sim_peer_join(world, peer, &helper, peer != helper, 0);
    sim_store_begin(scene, peer);
}

/* No protocol joins those who never heard of each other, or have forgotten: their users do, with
 * one address for each island. Returns how many were introduced. */
static uint32_t islands_introduce(struct sim_scene *scene)
{
    struct sim_world *world = &scene->world;
    struct islands islands;
    uint32_t helper = helper_find(world), count = 0;

    if (helper == SIM_NOBODY)
        return 0;
    if (!world->ring.peers[helper].is_member)
        stranded_help(scene, helper, helper);
    for (uint32_t i = 0; i < world->peer_count; i++)
        if (sim_peer_is_up(world, i) && !world->ring.peers[i].is_member)
            stranded_help(scene, i, helper);
    islands_find(&islands, world);
    for (uint32_t i = 0; i < world->peer_count; i++) {
        if (!world->ring.peers[i].is_member
            || island_of(&islands, i) == island_of(&islands, helper))
            continue;
        sim_peer_meet(world, i, helper);
        islands.peer = i;
        island_join(&islands, helper);
        count++;
    }
    return count;
}

/* --- the ring --- */

/* Ideal for a moment isn't enough: what was lost last may still be waited for. */
static void settle(struct sim_scene *scene)
{
    struct sim_world *world = &scene->world;
    uint64_t from_us = world->now_us, ideal_us = from_us;
    struct sim_broken found = sim_ring_check_ideal(&world->ring);

    while (world->now_us < ideal_us + STEADY_US && world->now_us < from_us + SIM_SETTLE_US) {
        if (world->now_us == from_us || world->now_us == from_us + SIM_SETTLE_US / 2)
            scene->introductions += islands_introduce(scene);
        sim_world_run(world, world->now_us + POLL_US);
        if (world->broken.what != NULL)
            return;
        found = sim_ring_check_ideal(&world->ring);
        if (found.what != NULL)
            ideal_us = world->now_us;
    }
    if (found.what != NULL)
        sim_world_break(world, found.what, found.peer, found.other);
    scene->settled_us = ideal_us - from_us;
}

static void lookups_ask(struct sim_scene *scene)
{
    struct sim_world *world = &scene->world;
    uint64_t at_us = world->now_us;

    for (uint32_t peer = 0; peer < world->peer_count; peer++)
        for (uint32_t key = 0; key < SIM_KEYS; key++)
            if (sim_peer_is_up(world, peer))
                sim_world_work_at(world, at_us + key * 400000 + peer * 7000,
                                  SIM_WORK_END + peer * SIM_KEYS + key);
}

static void lookups_check(struct sim_scene *scene)
{
    struct sim_world *world = &scene->world;
    uint64_t until_us = world->now_us + LOOKUPS_END_US;
    struct sim_broken found;

    lookups_ask(scene);
    sim_world_run(world, world->now_us + SIM_KEYS * 400000 + world->peer_count * 7000);
    while (scene->finals_open > 0 && world->now_us < until_us && world->broken.what == NULL)
        sim_world_run(world, world->now_us + POLL_US);
    for (uint32_t i = 0; i < scene->lookup_count; i++) {
        const struct sim_lookup *lookup = &scene->lookups[i];

        if (lookup->results == 0 && sim_peer_is_up(world, lookup->peer)
            && world->peers[lookup->peer].starts == lookup->starts)
            sim_world_break(world, "each lookup has a result", lookup->peer, SIM_NOBODY);
    }
    found = sim_ring_check_ideal(&world->ring);
    if (found.what != NULL)
        sim_world_break(world, "an ideal ring stays so", found.peer, found.other);
}

/* --- the detector --- */

/* The first mistake in what anybody believes of those whom it watches. */
static struct sim_broken beliefs_check(const struct sim_world *world)
{
    struct detector_view view;

    for (uint32_t i = 0; i < world->peer_count; i++) {
        if (!sim_peer_is_up(world, i))
            continue;
        for (uint32_t at = 0; detector_at(world->peers[i].detector, at, &view); at++) {
            bool is_dead = view.state == DETECTOR_DEAD || view.state == DETECTOR_LEFT;

            if (sim_peer_is_up(world, view.contact) && view.state != DETECTOR_ALIVE)
                return (struct sim_broken){ "nobody is suspected who lives and can be reached", i,
                                            view.contact };
            if (!sim_peer_is_up(world, view.contact) && !is_dead)
                return (struct sim_broken){ "everybody is called dead who is", i, view.contact };
        }
    }
    return (struct sim_broken){ NULL, SIM_NOBODY, SIM_NOBODY };
}

static void detector_settle(struct sim_scene *scene)
{
    struct sim_world *world = &scene->world;
    uint64_t until_us = world->now_us + DETECTED_US;
    struct sim_broken found = beliefs_check(world);

    while (found.what != NULL && world->now_us < until_us && world->broken.what == NULL) {
        sim_world_run(world, world->now_us + POLL_US);
        found = beliefs_check(world);
    }
    if (found.what != NULL)
        sim_world_break(world, found.what, found.peer, found.other);
}

void sim_end_run(struct sim_scene *scene)
{
    void (*const stages[])(struct sim_scene *) = { settle, lookups_check, sim_store_check,
                                                     detector_settle };

    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++)
        if (scene->world.broken.what == NULL)
            stages[i](scene);
}
