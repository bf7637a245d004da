/* SPDX-License-Identifier: BSD-3-Clause */
#include "mutant.h"

#include <string.h>

#include "text/memory.h"
#include "world.h"

static const struct {
    const char *name, *config, *help;
} mutants[] = {
#define SIM_MUTANT_ROW(mutant, name, config, help) { name, config, help },
    SIM_MUTANT_MAP(SIM_MUTANT_ROW)
#undef SIM_MUTANT_ROW
};

const char *sim_mutant_name(enum sim_mutant mutant)
{
    return mutants[mutant].name;
}

const char *sim_mutant_config(enum sim_mutant mutant)
{
    return mutants[mutant].config;
}

const char *sim_mutant_help(enum sim_mutant mutant)
{
    return mutants[mutant].help;
}

enum sim_mutant sim_mutant_find(const char *name)
{
    enum sim_mutant mutant = SIM_MUTANT_NONE;

    while (mutant < SIM_MUTANTS && strcmp(mutants[mutant].name, name) != 0)
        mutant++;
    return mutant;
}

/* The peer believes to have heard from `other` what it knows itself. */
static void answer_itself(struct sim_world *world, uint32_t peer, uint32_t other, uint64_t token)
{
    const struct sim_ring_peer *own = &world->ring.peers[peer];
    struct sim_message *forged = memory_new(1, sizeof *forged);
    struct chord_message *reply = &forged->chord;

    forged->module = SIM_CHORD;
    forged->from = other;
    forged->bytes = sizeof *forged;
    forged->is_forged = true;
    reply->kind = CHORD_STATE_REPLY;
    reply->flags = CHORD_FLAG_MEMBER;
    reply->from = (struct chord_peer){ world->peers[other].id, other };
    reply->token = token;
    for (uint32_t i = 0; i < own->successor_count; i++)
        reply->peers[reply->peer_count++] = (struct chord_peer){
            world->peers[own->successors[i]].id, own->successors[i] };
    sim_queue_put(&world->queue, (struct sim_event){ .at_us = world->now_us + 1,
                                                     .kind = SIM_EVENT_MESSAGE, .peer = peer,
                                                     .message = forged });
}

static bool is_news(const struct sim_ring_peer *own, uint32_t to)
{
    return own->is_member && own->successor_count > 0 && own->successors[0] != to;
}

static void blame_successor(struct chord_message *message)
{
    if (message->peer_count < 2)
        return;
    message->peer_count--;
    memmove(&message->peers[0], &message->peers[1],
            message->peer_count * sizeof message->peers[0]);
}

bool sim_mutant_sends(struct sim_world *world, uint32_t peer, uint32_t to,
                      struct sim_message *message)
{
    if (world->mutant == SIM_MUTANT_SECRETIVE && message->module == SIM_KV
        && message->kv.kind == KV_RECORDS)
        message->kv.record_count = 0;
    if (message->module != SIM_CHORD)
        return true;
    if (world->mutant == SIM_MUTANT_UNHEARD && message->chord.kind == CHORD_STATE
        && is_news(&world->ring.peers[peer], to)) {
        answer_itself(world, peer, to, message->chord.token);
        return false;
    }
    if (world->mutant == SIM_MUTANT_LIAR && message->chord.kind == CHORD_LOOKUP_REPLY)
        blame_successor(&message->chord);
    return true;
}

bool sim_mutant_hears(struct sim_world *world, uint32_t peer, struct sim_message *message)
{
    (void)peer;
    if (world->mutant == SIM_MUTANT_FORGETFUL && message->module == SIM_CHORD
        && message->chord.kind == CHORD_STATE_REPLY && message->chord.peer_count > 1)
        message->chord.peer_count = 1;
    if (world->mutant == SIM_MUTANT_SELFISH && message->module == SIM_KV
        && message->kv.kind == KV_STORE && message->kv.copy)
        return false;
    return world->mutant != SIM_MUTANT_MUTE || message->module != SIM_DETECTOR
           || message->detector.kind != DETECTOR_PING;
}
