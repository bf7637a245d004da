/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SIM_SCENE_H
#define SIM_SCENE_H

/* A run while it goes on: the world, and what its users have asked of it. */

#include <stdbool.h>
#include <stdint.h>

#include "run.h"
#include "world.h"

#define SIM_LOOKUP_US    UINT64_C(700000)  /* between two lookups while faults happen */
#define SIM_LOOKUPS_MAX  8192
#define SIM_KEYS         6u                /* looked up by everybody at the end */

/* Numbers of SIM_EVENT_WORK; what is above is (peer * SIM_KEYS + key) of the end. With the bits of
 * the store: the peer in the low byte, and above it the life that publishes, or the key. */
enum sim_work {
    SIM_WORK_LOOKUP,
    SIM_WORK_END,
    SIM_WORK_PUT = 1 << 29,
    SIM_WORK_GET = 1 << 30
};

/* Sequences, which are times: of the last put of a peer's life that was acknowledged, and of the
 * one before. */
struct sim_publisher {
    uint64_t done, before;
};

struct sim_lookup {
    uint32_t peer, starts;  /* who asked, in which life */
    uint32_t results;
    bool is_final;          /* asked after the ring had settled: has to be right */
    struct chord_id key;
};

struct sim_scene {
    const struct sim_plan *plan;
    struct sim_world world;
    uint32_t faults_made;
    uint32_t stopped[SIM_FAULTS_MAX];  /* which peer a fault has stopped */
    uint64_t settled_us;               /* from the last fault to the ideal ring */
    uint32_t introductions;            /* of islands, by users */
    uint32_t lookup_count, lookups_failed, finals_open;
    struct sim_lookup lookups[SIM_LOOKUPS_MAX];
    struct sim_publisher publishers[2 * SIM_FAULT_PEERS_MAX];
    uint32_t gets_open;
};

struct chord_params sim_scene_params(void);
void sim_scene_result(void *arg, uint32_t peer, const struct chord_result *result);
void sim_scene_work(void *arg, uint32_t number);

/* Starts a lookup at a peer that runs. */
void sim_scene_lookup(struct sim_scene *scene, uint32_t peer, const struct chord_id *key,
                      bool is_final);

void sim_scene_key(const struct sim_scene *scene, uint64_t number, struct chord_id *key_p);

#endif
