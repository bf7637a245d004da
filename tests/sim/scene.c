/* SPDX-License-Identifier: BSD-3-Clause */
#include "scene.h"

#include "peer.h"
#include "random.h"
#include "store.h"

/* A tenth of the real times, so that a minute holds what takes ten; but the network stays as slow
 * as it is, so patience with it does too. */
struct chord_params sim_scene_params(void)
{
    struct chord_params real = chord_params_default(), params = real;

    chord_params_scale(&params, 1, 10);
    params.nudge_us = real.nudge_us;
    params.timeout_min_us = real.timeout_min_us;
    params.timeout_max_us = real.timeout_max_us;
    params.busy_us = real.busy_us;
    params.busy_retry_us = real.busy_retry_us;
    params.lookup_us = real.lookup_us;
    params.hop_us = real.hop_us;
    params.join_us = real.join_us;
    return params;
}

void sim_scene_key(const struct sim_scene *scene, uint64_t number, struct chord_id *key_p)
{
    for (uint32_t i = 0; i < CHORD_ID_BYTES; i++)
        key_p->bytes[i] = (uint8_t)(sim_hash(scene->world.seed, SIM_FOR_LOOKUPS, number, i / 8)
                                    >> i % 8 * 8);
}

void sim_scene_lookup(struct sim_scene *scene, uint32_t peer, const struct chord_id *key,
                      bool is_final)
{
    uint32_t token = scene->lookup_count;
    struct sim_world *world = &scene->world;

    if (token == SIM_LOOKUPS_MAX) {
        sim_world_break(world, "a run has room for its lookups", peer, SIM_NOBODY);
        return;
    }
    scene->lookups[token] = (struct sim_lookup){ .peer = peer, .is_final = is_final, .key = *key,
                                                 .starts = world->peers[peer].starts };
    scene->lookup_count++;
    scene->finals_open += is_final;
    sim_peer_lookup(world, peer, key, token,
                    token % 3 == 2 ? CHORD_DISJOINT : CHORD_RECURSIVE);
}

/* After the ring has settled an answer is the owner, and those who follow it. */
static void final_check(struct sim_scene *scene, uint32_t peer, const struct chord_result *result)
{
    struct sim_world *world = &scene->world;
    uint32_t owner = sim_world_owner(world, &result->key);

    if (result->why != CHORD_FOUND)
        sim_world_break(world, "no lookup fails after the ring has settled", peer, owner);
    else if (result->owner.contact != owner)
        sim_world_break(world, "lookups find the true owner", peer, result->owner.contact);
    else if (result->hops > world->peer_count)
        sim_world_break(world, "lookups go by no peer twice", peer, owner);
    for (uint32_t i = 0; i < result->successor_count; i++) {
        uint32_t next = sim_ring_up_after(&world->ring, world->ring.peers[owner].rank, i + 1);

        if (result->successors[i].contact != next) {
            sim_world_break(world, "the owner's successors are those that follow", peer, next);
            break;
        }
    }
}

void sim_scene_result(void *arg, uint32_t peer, const struct chord_result *result)
{
    struct sim_scene *scene = arg;
    struct sim_lookup *lookup = &scene->lookups[result->token];

    if (result->token >= scene->lookup_count || lookup->peer != peer
        || !chord_id_equal(&lookup->key, &result->key) || ++lookup->results > 1) {
        sim_world_break(&scene->world, "each lookup has one result", peer, SIM_NOBODY);
        return;
    }
    scene->lookups_failed += result->why != CHORD_FOUND;
    if (lookup->is_final) {
        scene->finals_open--;
        final_check(scene, peer, result);
    }
}

/* Some peer that runs, by the seed. */
static uint32_t some_peer(const struct sim_world *world, uint64_t number)
{
    uint64_t from = sim_hash(world->seed, SIM_FOR_LOOKUPS, number, 99);

    for (uint32_t i = 0; i < world->peer_count; i++) {
        uint32_t peer = (uint32_t)((from + i) % world->peer_count);

        if (sim_peer_is_up(world, peer))
            return peer;
    }
    return SIM_NOBODY;
}

void sim_scene_work(void *arg, uint32_t number)
{
    struct sim_scene *scene = arg;
    struct chord_id key;
    uint32_t peer;

    if (number >= SIM_WORK_PUT) {
        sim_store_work(scene, number);
        return;
    }
    if (number == SIM_WORK_LOOKUP) {
        peer = some_peer(&scene->world, scene->world.now_us);
        sim_scene_key(scene, scene->world.now_us, &key);
        if (peer != SIM_NOBODY)
            sim_scene_lookup(scene, peer, &key, false);
        return;
    }
    peer = (number - SIM_WORK_END) / SIM_KEYS;
    sim_scene_key(scene, (number - SIM_WORK_END) % SIM_KEYS, &key);
    sim_scene_lookup(scene, peer, &key, true);
}
