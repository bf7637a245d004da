/* SPDX-License-Identifier: BSD-3-Clause */
#include "store.h"

#include <string.h>

#include "peer.h"
#include "random.h"

#define POLL_US    UINT64_C(250000)
#define PUT_END_US UINT64_C(20000000)  /* a put's attempts, its lookups, and a renewal */
#define GET_END_US UINT64_C(20000000)
#define GONE_US    (SIM_STORE_LIFETIME_US + UINT64_C(5000000))  /* slow clocks keep for longer */
#define TOKEN_GET  (UINT64_C(1) << 40)

static uint32_t key_of(uint32_t publisher)
{
    return publisher % SIM_STORE_KEYS;
}

static void store_key(const struct sim_scene *scene, uint32_t key, struct chord_id *key_p)
{
    for (uint32_t i = 0; i < CHORD_ID_BYTES; i++)
        key_p->bytes[i] = (uint8_t)(sim_hash(scene->world.seed, SIM_FOR_STORE, key, i / 8)
                                    >> i % 8 * 8);
}

/* Tells who wrote it and when, so that a value that got to a wrong place shows. */
static void value_make(uint8_t value[SIM_VALUE_BYTES], uint32_t publisher, uint64_t sequence)
{
    uint64_t words[2] = { cpi_hash_mix(sequence), cpi_hash_mix(publisher + 1) };

    memcpy(value, words, SIM_VALUE_BYTES);
}

static bool value_is_right(const struct kv_record *record, uint32_t publisher)
{
    uint8_t wanted[SIM_VALUE_BYTES];

    value_make(wanted, publisher, record->sequence);
    return record->bytes == SIM_VALUE_BYTES && memcmp(record->value, wanted, sizeof wanted) == 0;
}

static void put_later(struct sim_scene *scene, uint32_t peer, uint64_t wait_us)
{
    sim_world_work_at(&scene->world, scene->world.now_us + wait_us,
                      SIM_WORK_PUT | scene->world.peers[peer].starts << 8 | peer);
}

void sim_store_begin(struct sim_scene *scene, uint32_t peer)
{
    memset(&scene->publishers[peer], 0, sizeof scene->publishers[peer]);
    put_later(scene, peer, SIM_STORE_RENEW_US / 5 + peer * 10000);
}

static void put(struct sim_scene *scene, uint32_t peer)
{
    struct sim_world *world = &scene->world;
    uint8_t value[SIM_VALUE_BYTES];
    struct chord_id key;

    store_key(scene, key_of(peer), &key);
    value_make(value, peer, world->now_us);
    put_later(scene, peer, SIM_STORE_RENEW_US);
    sim_peer_put(world, peer, &key, world->now_us, SIM_STORE_LIFETIME_US, value);
}

void sim_store_work(struct sim_scene *scene, uint32_t number)
{
    struct sim_world *world = &scene->world;
    uint32_t peer = number & 0xff, rest = (number & ~(SIM_WORK_PUT | SIM_WORK_GET)) >> 8;
    struct chord_id key;

    if (!sim_peer_is_up(world, peer))
        return;
    if (number & SIM_WORK_PUT) {
        if (world->peers[peer].starts == rest)
            put(scene, peer);
        return;
    }
    store_key(scene, rest, &key);
    scene->gets_open++;
    sim_peer_get(world, peer, &key, TOKEN_GET | rest);
}

static void put_result(struct sim_scene *scene, uint32_t peer, const struct kv_result *result)
{
    struct sim_publisher *publisher = &scene->publishers[peer];

    if (result->why != KV_DONE || result->token <= publisher->done)
        return;
    publisher->before = publisher->done;
    publisher->done = result->token;
}

static const struct kv_record *record_of(const struct kv_result *result, const struct chord_id *id)
{
    for (size_t i = 0; i < result->record_count; i++)
        if (chord_id_equal(&result->records[i].publisher, id))
            return &result->records[i];
    return NULL;
}

static void get_result(struct sim_scene *scene, uint32_t peer, const struct kv_result *result)
{
    struct sim_world *world = &scene->world;

    scene->gets_open--;
    if (result->why != KV_DONE)
        sim_world_break(world, "every get is answered once the ring has settled", peer,
                        sim_world_owner(world, &result->key));
    for (uint32_t i = 0; i < world->peer_count; i++) {
        const struct kv_record *record = record_of(result, &world->peers[i].id);
        bool is_up = sim_peer_is_up(world, i);

        if (world->peers[i].starts == 0 || key_of(i) != (uint32_t)(result->token - TOKEN_GET))
            continue;
        if (is_up && (record == NULL || record->sequence < scene->publishers[i].before))
            sim_world_break(world, "every live value is read by everybody", peer, i);
        if (record != NULL && !value_is_right(record, i))
            sim_world_break(world, "values are read as they were written", peer, i);
        if (!is_up && record != NULL && world->peers[i].stopped_us + GONE_US < world->now_us)
            sim_world_break(world, "nobody reads what has expired", peer, i);
    }
}

void sim_store_result(void *arg, uint32_t peer, const struct kv_result *result)
{
    if (result->put)
        put_result(arg, peer, result);
    else
        get_result(arg, peer, result);
}

/* --- at the end --- */

static bool all_have_put(const struct sim_scene *scene, uint64_t since_us, uint32_t *peer_p)
{
    const struct sim_world *world = &scene->world;

    for (uint32_t i = 0; i < world->peer_count; i++) {
        if (sim_peer_is_up(world, i) && scene->publishers[i].before < since_us) {
            *peer_p = i;
            return false;
        }
    }
    return true;
}

/* Whether `holder` has the value of `publisher`. */
static bool has_value(const struct sim_scene *scene, uint32_t holder, uint32_t publisher)
{
    const struct sim_world *world = &scene->world;
    struct kv_record record;
    struct chord_id key;

    store_key(scene, key_of(publisher), &key);
    return kv_peek(world->peers[holder].kv, &key, &world->peers[publisher].id,
                   sim_peer_clock_us(world, holder), &record)
           && record.sequence >= scene->publishers[publisher].before
           && value_is_right(&record, publisher);
}

static void replicas_check(struct sim_scene *scene)
{
    struct sim_world *world = &scene->world;
    struct chord_id key;

    for (uint32_t i = 0; i < world->peer_count; i++) {
        uint32_t owner, holder;

        if (!sim_peer_is_up(world, i))
            continue;
        store_key(scene, key_of(i), &key);
        owner = holder = sim_world_owner(world, &key);
        for (uint64_t copy = 0; copy < world->kv_params.copies; copy++) {
            if (!has_value(scene, holder, i))
                sim_world_break(world, "the owner and the next k - 1 peers have each live value",
                                holder, i);
            holder = sim_ring_up_after(&world->ring, world->ring.peers[holder].rank, 1);
            if (holder == owner)
                break;
        }
    }
}

static void gets_ask(struct sim_scene *scene)
{
    struct sim_world *world = &scene->world;

    for (uint32_t peer = 0; peer < world->peer_count; peer++)
        for (uint32_t key = 0; key < SIM_STORE_KEYS; key++)
            if (sim_peer_is_up(world, peer))
                sim_world_work_at(world, world->now_us + key * 300000 + peer * 7000,
                                  SIM_WORK_GET | key << 8 | peer);
    sim_world_run(world, world->now_us + SIM_STORE_KEYS * 300000 + world->peer_count * 7000);
}

void sim_store_check(struct sim_scene *scene)
{
    struct sim_world *world = &scene->world;
    uint64_t since_us = world->now_us, until_us = since_us + PUT_END_US;
    uint32_t peer = SIM_NOBODY;

    while (!all_have_put(scene, since_us, &peer) && world->now_us < until_us
           && world->broken.what == NULL)
        sim_world_run(world, world->now_us + POLL_US);
    if (!all_have_put(scene, since_us, &peer))
        sim_world_break(world, "each put is acknowledged once the ring has settled", peer,
                        SIM_NOBODY);
    if (world->broken.what == NULL)
        replicas_check(scene);
    if (world->broken.what == NULL)
        gets_ask(scene);
    until_us = world->now_us + GET_END_US;
    while (scene->gets_open > 0 && world->now_us < until_us && world->broken.what == NULL)
        sim_world_run(world, world->now_us + POLL_US);
    if (scene->gets_open > 0)
        sim_world_break(world, "each get has a result", SIM_NOBODY, SIM_NOBODY);
}
