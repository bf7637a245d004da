/* SPDX-License-Identifier: BSD-3-Clause */
#include "run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "end.h"
#include "peer.h"
#include "random.h"
#include "plan.h"
#include "scene.h"
#include "store.h"

#define JOB_WATCHES 2         /* others that a peer watches since they run a job with it */
/* A whole pool that restarts makes a ring again; within the proof there is always a member. */
#define ALONE_US UINT64_C(15000000)
#define SUCCESSORS_LEAST 3
#define SUCCESSORS_MOST 5

static struct sim_scene *current;  /* for sim_run_report_now */

void sim_plan_init(struct sim_plan *plan, const struct sim_config *config, uint64_t seed)
{
    struct sim_random random = sim_random_for(seed, SIM_FOR_SIZE);
    uint64_t high = config->peers_max;

    *plan = (struct sim_plan){ .config = config, .seed = seed };
    /* Small rings have the odd cases, and are cheap: two in three. */
    if (sim_random_below(&random, 3) > 0 && high > 12 && config->peers_min < 12)
        high = 12;
    plan->peers = (uint32_t)sim_random_between(&random, config->peers_min, high);
    memset(plan->kept, true, sizeof plan->kept);
}

static bool takes_part(const struct sim_scene *scene, uint32_t peer)
{
    return !(scene->plan->without >> peer % scene->world.places & 1);
}

/* Up to three members to join through, as the tokens of their users name them. */
static size_t invite(struct sim_scene *scene, uint32_t peer, uint32_t known[3])
{
    struct sim_world *world = &scene->world;
    size_t count = 0;

    for (uint64_t draw = 0; draw < 4 * world->places && count < 3; draw++) {
        uint32_t other = (uint32_t)(sim_hash(world->seed, SIM_FOR_JOINS, peer, draw + 1)
                                    % world->peer_count);

        if (other != peer && world->ring.peers[other].is_member)
            known[count++] = other;
    }
    for (uint32_t i = 0; i < world->peer_count && count == 0; i++)
        if (i != peer && sim_peer_is_up(world, i))
            known[count++] = i;
    return count;
}

static void job_watch(struct sim_scene *scene, uint32_t peer)
{
    struct sim_world *world = &scene->world;

    for (uint64_t i = 0; i < JOB_WATCHES; i++) {
        uint32_t other = (uint32_t)(sim_hash(world->seed, SIM_FOR_JOINS, peer, 1000 + i)
                                    % world->places);

        if (other != peer && takes_part(scene, other))
            sim_peer_watch_for_job(world, peer, other);
    }
}

static void start(void *arg, uint32_t peer)
{
    struct sim_scene *scene = arg;
    uint32_t known[3];

    if (!takes_part(scene, peer) || sim_peer_is_up(&scene->world, peer))
        return;
    sim_peer_start(&scene->world, peer);
    sim_peer_join(&scene->world, peer, known, invite(scene, peer, known), 0);
    job_watch(scene, peer);
    sim_store_begin(scene, peer);
}

static uint64_t alone_us(const struct sim_plan *plan)
{
    if (plan->mutant == SIM_MUTANT_IMPATIENT)
        return 1;
    return plan->config->is_proven ? 0 : ALONE_US;
}

static void restart(struct sim_scene *scene, uint32_t peer)
{
    struct sim_world *world = &scene->world;
    const struct sim_disk *disk = world->peers[peer].disk;

    if (sim_peer_is_up(world, peer))
        return;
    if (disk->known_count == 0) {
        start(scene, peer);
        return;
    }
    sim_peer_start(world, peer);
    sim_peer_join(world, peer, disk->known, disk->known_count, alone_us(scene->plan));
    job_watch(scene, peer);
    sim_store_begin(scene, peer);
}

/* Who runs at a place; SIM_NOBODY: nobody does. */
static uint32_t runs_at(const struct sim_world *world, uint32_t place)
{
    for (uint32_t peer = place; peer < world->peer_count; peer += world->places)
        if (sim_peer_is_up(world, peer))
            return peer;
    return SIM_NOBODY;
}

static void fault_begins(struct sim_scene *scene, uint32_t number)
{
    struct sim_world *world = &scene->world;
    const struct sim_fault *fault = &world->faults.items[number];
    uint32_t peer = runs_at(world, fault->peer);

    if (peer == SIM_NOBODY)
        return;
    if (fault->kind == SIM_FAULT_SUSPECT) {
        for (uint32_t other = 0; other < world->peer_count; other++)
            if (fault->b >> other % world->places & 1 && other != peer)
                sim_peer_tell(world, peer, other, true);
        return;
    }
    if (scene->plan->config->is_proven && !sim_ring_may_lose(&world->ring, peer))
        return;
    scene->stopped[number] = peer;
    if (fault->kind == SIM_FAULT_LEAVE)
        sim_peer_leave(world, peer);
    else
        sim_peer_stop(world, peer);
}

static void fault_ends(struct sim_scene *scene, uint32_t number)
{
    struct sim_world *world = &scene->world;
    const struct sim_fault *fault = &world->faults.items[number];
    uint32_t peer = runs_at(world, fault->peer);

    /* Every other time the error is noticed by who made it, else it just fades. */
    if (fault->kind == SIM_FAULT_SUSPECT && fault->number % 2 == 1 && peer != SIM_NOBODY) {
        for (uint32_t other = 0; other < world->peer_count; other++)
            if (fault->b >> other % world->places & 1 && sim_peer_is_up(world, other)
                && other != peer)
                sim_peer_tell(world, peer, other, false);
    }
    if (scene->stopped[number] == SIM_NOBODY || peer != SIM_NOBODY)
        return;
    if (fault->kind == SIM_FAULT_RESTART)
        restart(scene, scene->stopped[number]);
    else if (fault->kind == SIM_FAULT_REBIRTH && scene->stopped[number] < world->places)
        start(scene, scene->stopped[number] + world->places);
}

static void fault(void *arg, uint32_t number, bool ends)
{
    if (ends)
        fault_ends(arg, number);
    else
        fault_begins(arg, number);
}

static void scene_init(struct sim_scene *scene, const struct sim_plan *plan)
{
    const struct sim_config *config = plan->config;
    struct chord_params params = sim_scene_params();
    struct sim_faults faults;
    struct sim_setup setup = { .seed = plan->seed, .places = plan->peers, .lives = 2,
                               .is_traced = plan->is_reported, .is_loud = plan->is_loud,
                               .has_detector = true, .has_kv = true };

    params.successors = SUCCESSORS_LEAST + plan->seed % (SUCCESSORS_MOST - SUCCESSORS_LEAST + 1);
    sim_faults_make(&faults, plan->seed, plan->peers, config->ranges, config->faults_from_us,
                    config->faults_until_us);
    scene->faults_made = (uint32_t)faults.count;
    sim_faults_keep(&faults, plan->kept);
    scene->plan = plan;
    for (size_t i = 0; i < SIM_FAULTS_MAX; i++)
        scene->stopped[i] = SIM_NOBODY;
    sim_world_init(&scene->world, &setup, &params, &faults);
    scene->world.mutant = plan->mutant;
    scene->world.is_ring_watched = config->is_proven;
    scene->world.hooks = (struct sim_hooks){ .result = sim_scene_result,
                                             .stored = sim_store_result, .fault = fault,
                                             .start = start, .work = sim_scene_work,
                                             .arg = scene };
}

static void starts_queue(struct sim_scene *scene)
{
    struct sim_world *world = &scene->world;
    bool is_first = true;

    for (uint32_t i = 0; i < world->places; i++) {
        uint64_t at_us = sim_hash(world->seed, SIM_FOR_JOINS, i, 0) % scene->plan->config->form_us;

        if (!takes_part(scene, i))
            continue;
        sim_world_start_at(world, is_first ? 0 : at_us + 100000, i);
        is_first = false;
    }
}

static void outcome_fill(const struct sim_scene *scene, struct sim_outcome *outcome)
{
    const struct sim_broken *broken = &scene->world.broken;

    *outcome = (struct sim_outcome){
        .has_failed = broken->what != NULL, .at_us = scene->world.now_us,
        .peer = broken->peer, .other = broken->other, .faults = scene->faults_made,
        .steps = scene->world.steps, .lookups = scene->lookup_count,
        .lookups_failed = scene->lookups_failed, .settled_us = scene->settled_us,
        .introductions = scene->introductions,
    };
    if (broken->what != NULL)
        snprintf(outcome->what, sizeof outcome->what, "%s", broken->what);
}

void sim_run(const struct sim_plan *plan, struct sim_outcome *outcome_p)
{
    static struct sim_scene scene;
    uint64_t until_us = plan->config->faults_until_us;

    memset(&scene, 0, sizeof scene);
    scene_init(&scene, plan);
    current = &scene;
    starts_queue(&scene);
    for (uint64_t at_us = SIM_LOOKUP_US; at_us < until_us; at_us += SIM_LOOKUP_US)
        sim_world_work_at(&scene.world, at_us, SIM_WORK_LOOKUP);
    sim_world_run(&scene.world, until_us);
    sim_end_run(&scene);
    if (scene.world.broken.what != NULL && plan->is_reported)
        sim_run_report_now(scene.world.broken.what);
    outcome_fill(&scene, outcome_p);
    current = NULL;
    sim_world_release(&scene.world);
}

/* --- showing what failed --- */

static void command_print(const struct sim_plan *plan)
{
    const char *separator = " --without ";

    printf("# replay: tests/sim/sim --config %s --seed %" PRIu64 " --peers %" PRIu32,
           plan->config->name, plan->seed, plan->peers);
    for (uint32_t i = 0; i < plan->peers; i++) {
        if (plan->without >> i & 1) {
            printf("%s%" PRIu32, separator, i);
            separator = ",";
        }
    }
    sim_plan_print_kept(plan, current->faults_made);
    if (plan->mutant != SIM_MUTANT_NONE)
        printf(" --mutant %s", sim_mutant_name(plan->mutant));
    printf("\n");
}

static void contact_print(void *arg, uint32_t contact)
{
    (void)arg;
    if (contact != CHORD_NO_CONTACT)
        printf(" %" PRIu32, contact);
}

static void peer_print(const struct sim_world *world, uint32_t peer)
{
    const struct sim_ring_peer *shown = &world->ring.peers[peer];

    printf("# peer %" PRIu32 ", %" PRIu32 ". on the ring, %s", peer, shown->rank,
           !shown->is_up ? "down" : shown->is_member ? "member" : "no member");
    if (shown->is_member && shown->predecessor == SIM_NOBODY)
        printf(", no predecessor");
    else if (shown->is_member)
        printf(", predecessor %" PRIu32, shown->predecessor);
    for (uint32_t i = 0; i < shown->successor_count; i++)
        printf("%s%" PRIu32, i == 0 ? ", successors " : " ", shown->successors[i]);
    if (shown->is_up) {
        printf(", contacts");
        chord_each_contact(world->peers[peer].chord, contact_print, NULL);
    }
    printf("\n");
}

void sim_run_report_now(const char *what)
{
    const struct sim_world *world;
    uint32_t shown[2];

    if (current == NULL)
        return;
    world = &current->world;
    shown[0] = world->broken.what != NULL ? world->broken.peer : SIM_NOBODY;
    shown[1] = world->broken.what != NULL ? world->broken.other : SIM_NOBODY;
    printf("# broken at %.6f s: %s", (double)world->now_us / 1e6, what);
    for (int i = 0; i < 2; i++)
        if (shown[i] != SIM_NOBODY)
            printf("%s%" PRIu32, i == 0 ? "; peer " : " with peer ", shown[i]);
    printf("\n# commit: %s\n", sim_commit());
    command_print(current->plan);
    printf("# %" PRIu32 " peers, %" PRIu64 " successors a list\n", world->places,
           world->params.successors);
    for (size_t i = 0; i < world->faults.count; i++)
        sim_fault_print(&world->faults.items[i], "# fault ");
    for (uint32_t i = 0; i < world->peer_count; i++)
        if (world->peers[i].starts > 0)
            peer_print(world, i);
    for (int i = 0; i < 2; i++) {
        if (shown[i] == SIM_NOBODY)
            continue;
        printf("# last events of peer %" PRIu32 ":\n", shown[i]);
        sim_trace_print(&world->trace, shown[i], SIM_TRACE_EVENTS);
    }
}
