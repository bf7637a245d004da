/* SPDX-License-Identifier: BSD-3-Clause */
#include "world.h"

#include <stdlib.h>
#include <string.h>

#include "peer.h"
#include "random.h"
#include "text/memory.h"

static void id_make(struct chord_id *id, uint64_t seed, uint32_t peer)
{
    for (uint32_t i = 0; i < CHORD_ID_BYTES; i++)
        id->bytes[i] = (uint8_t)(sim_hash(seed, SIM_FOR_IDS, peer, i / 8) >> i % 8 * 8);
}

static int by_id(const void *a, const void *b, void *peers)
{
    const struct sim_peer *list = peers;

    return chord_id_compare(&list[*(const uint32_t *)a].id, &list[*(const uint32_t *)b].id);
}

static void ranks_make(struct sim_world *world)
{
    for (uint32_t i = 0; i < world->peer_count; i++)
        world->ring.by_rank[i] = i;
    qsort_r(world->ring.by_rank, world->peer_count, sizeof *world->ring.by_rank, by_id,
            world->peers);
    for (uint32_t i = 0; i < world->peer_count; i++)
        world->ring.peers[world->ring.by_rank[i]].rank = i;
}

static void peers_make(struct sim_world *world, bool have_disks)
{
    for (uint32_t i = 0; i < world->peer_count; i++) {
        struct sim_peer *peer = &world->peers[i];

        id_make(&peer->id, world->seed, i);
        peer->clock_offset_us = sim_hash(world->seed, SIM_FOR_MODULES, i, 0) % 1000000000;
        peer->clock_rate = 1000000;
        peer->wake_us = UINT64_MAX;
        if (have_disks)
            peer->disk = memory_new(1, sizeof *peer->disk);
    }
}

static void faults_queue(struct sim_world *world)
{
    for (size_t i = 0; i < world->faults.count; i++) {
        const struct sim_fault *fault = &world->faults.items[i];
        struct sim_event event = { .kind = SIM_EVENT_FAULT, .number = (uint32_t)i };

        if (fault->kind == SIM_FAULT_SKEW) {
            for (uint32_t peer = fault->peer; peer < world->peer_count; peer += world->places)
                world->peers[peer].clock_rate = (uint32_t)fault->amount;
        } else if (fault->kind >= SIM_FAULT_CRASH) {
            event.at_us = fault->from_us;
            sim_queue_put(&world->queue, event);
            event.at_us = fault->until_us;
            event.flag = true;
            sim_queue_put(&world->queue, event);
        }
    }
}

void sim_world_init(struct sim_world *world, const struct sim_setup *setup,
                    const struct chord_params *params, const struct sim_faults *faults)
{
    *world = (struct sim_world){ .seed = setup->seed, .places = setup->places, .params = *params };
    world->peer_count = setup->places * setup->lives;
    world->has_detector = setup->has_detector;
    world->detector_settings = detector_settings_default();
    world->has_kv = setup->has_kv;
    world->kv_params = kv_params_default();
    world->peers = memory_new(world->peer_count, sizeof *world->peers);
    sim_ring_init(&world->ring, world->peer_count, (uint32_t)params->successors);
    peers_make(world, faults != NULL);
    ranks_make(world);
    if (faults != NULL)
        world->faults = *faults;
    sim_network_init(&world->network, setup->seed, setup->places,
                     faults != NULL ? &world->faults : NULL);
    sim_trace_init(&world->trace, world->peer_count, setup->is_traced, setup->is_loud);
    faults_queue(world);
}

void sim_world_release(struct sim_world *world)
{
    struct sim_event event;

    while (sim_queue_take(&world->queue, &event))
        free(event.message);
    sim_queue_release(&world->queue);
    for (uint32_t i = 0; i < world->peer_count; i++) {
        if (sim_peer_is_up(world, i))
            sim_peer_stop(world, i);
        free(world->peers[i].disk);
    }
    free(world->peers);
    sim_ring_release(&world->ring);
    sim_network_release(&world->network);
    sim_trace_release(&world->trace);
}

void sim_world_break(struct sim_world *world, const char *what, uint32_t peer, uint32_t other)
{
    if (world->broken.what == NULL)
        world->broken = (struct sim_broken){ what, peer, other };
}

void sim_world_work_at(struct sim_world *world, uint64_t at_us, uint32_t number)
{
    sim_queue_put(&world->queue, (struct sim_event){ .at_us = at_us, .kind = SIM_EVENT_WORK,
                                                     .number = number });
}

void sim_world_start_at(struct sim_world *world, uint64_t at_us, uint32_t peer)
{
    sim_queue_put(&world->queue, (struct sim_event){ .at_us = at_us, .kind = SIM_EVENT_START,
                                                     .peer = peer });
}

uint32_t sim_world_owner(const struct sim_world *world, const struct chord_id *key)
{
    uint32_t low = 0, high = world->peer_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (chord_id_compare(&world->peers[world->ring.by_rank[middle]].id, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (uint32_t i = 0; i < world->peer_count; i++) {
        uint32_t peer = world->ring.by_rank[(low + i) % world->peer_count];

        if (sim_peer_is_up(world, peer))
            return peer;
    }
    return SIM_NOBODY;
}

uint32_t sim_world_by_id(const struct sim_world *world, const struct chord_id *id)
{
    for (uint32_t i = 0; i < world->peer_count; i++)
        if (chord_id_equal(&world->peers[i].id, id))
            return i;
    return SIM_NOBODY;
}

static void event_do(struct sim_world *world, const struct sim_event *event)
{
    switch (event->kind) {
    case SIM_EVENT_WAKE:
        sim_peer_wake(world, event->peer);
        break;
    case SIM_EVENT_MESSAGE:
        sim_peer_hear(world, event->peer, event->message);
        break;
    case SIM_EVENT_TELL:
        sim_peer_tell(world, event->peer, event->number, event->flag);
        break;
    case SIM_EVENT_BROKEN:
        sim_peer_break(world, event->peer, event->number);
        break;
    case SIM_EVENT_FAULT:
        world->hooks.fault(world->hooks.arg, event->number, event->flag);
        break;
    case SIM_EVENT_START:
        world->hooks.start(world->hooks.arg, event->peer);
        break;
    case SIM_EVENT_WORK:
        world->hooks.work(world->hooks.arg, event->number);
        break;
    }
}

void sim_world_run(struct sim_world *world, uint64_t until_us)
{
    struct sim_event event;

    while (world->broken.what == NULL && sim_queue_next_us(&world->queue) <= until_us) {
        sim_queue_take(&world->queue, &event);
        world->now_us = event.at_us;
        world->steps++;
        event_do(world, &event);
        free(event.message);
    }
    if (world->now_us < until_us)
        world->now_us = until_us;
}
