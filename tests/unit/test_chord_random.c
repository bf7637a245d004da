/* SPDX-License-Identifier: BSD-3-Clause */
/* Rings under random joins, crashes, leaves, loss, false suspicion and partitions: while failures
 * are only true ones, Zave's invariant holds after every event; once it is quiet, every ring is
 * ideal and every lookup finds the owner. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chord_world.h"

struct story {
    uint64_t seed;
    uint32_t peers;
    uint32_t loss_percent;
    bool falsely;     /* suspicion of the living, and partitions */
    uint32_t asked;
    uint32_t answered;
    uint32_t right;
};

static void
fail_with(struct world *world, const struct story *story, const char *what)
{
    world_print(world);
    fail_msg("seed %llu, %u peers, at %.3f s: %s", (unsigned long long)story->seed, story->peers,
             (double)world->now_us / 1e6, what);
}

static void
on_result(struct world *world, uint32_t peer, const struct chord_result *result)
{
    struct story *story = world->arg;

    story->answered++;
    if (result->why == CHORD_FOUND &&
        result->owner.contact == world_owner(world, peer, &result->key, 0))
        story->right++;
}

static uint32_t
pick(struct world *world, bool running)
{
    for (int i = 0; i < 200; i++) {
        uint32_t peer = (uint32_t)world_random(world, world->count);
        if ((world->peers[peer].chord != NULL) == running)
            return peer;
    }
    return WORLD_PEERS_MAX;
}

static uint32_t
pick_member(struct world *world)
{
    for (int i = 0; i < 200; i++) {
        uint32_t peer = pick(world, true);
        if (peer < WORLD_PEERS_MAX && chord_status(world->peers[peer].chord) == CHORD_MEMBER)
            return peer;
    }
    return WORLD_PEERS_MAX;
}

static uint32_t
members(const struct world *world)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < world->count; i++)
        count += world->peers[i].chord &&
                 chord_status(world->peers[i].chord) == CHORD_MEMBER;
    return count;
}

/* The proof's one condition: nobody's last live successor fails before the lists are mended. */
static bool
may_go(struct world *world, const struct story *story, uint32_t peer)
{
    struct chord *chord = world->peers[peer].chord;
    bool may;

    if (members(world) <= story->peers / 2 || members(world) <= world->params.successors + 2)
        return false;
    if (story->falsely || story->loss_percent)
        return true;
    world->peers[peer].chord = NULL;
    may = world_broken(world) == NULL;
    world->peers[peer].chord = chord;
    return may;
}

static void
tell_all(struct world *world, enum chord_event_kind kind, uint32_t about)
{
    for (uint32_t i = 0; i < world->count; i++)
        if (world->peers[i].chord && i != about && world_random(world, 2))
            world_event(world, i, (struct chord_event){.kind = kind, .contact = about});
}

static void
something_happens(struct world *world, const struct story *story)
{
    uint32_t member = pick_member(world);
    uint32_t other;

    switch (world_random(world, story->falsely ? 6 : 4)) {
    case 0:
    case 1:
        other = pick(world, false);
        if (other < WORLD_PEERS_MAX)
            world_join(world, other, member);
        break;
    case 2:
        if (may_go(world, story, member)) {
            world_crash(world, member);
            if (world_random(world, 2))
                tell_all(world, CHORD_EVENT_FAILED, member);
        }
        break;
    case 3:
        if (may_go(world, story, member)) {
            world_event(world, member, (struct chord_event){.kind = CHORD_EVENT_LEAVE});
            world_crash(world, member);
        }
        break;
    case 4:
        tell_all(world, CHORD_EVENT_FAILED, member);
        break;
    default:
        for (uint32_t i = 0; i < world->count; i++)
            world->peers[i].group = world_random(world, 3) == 0;
        world_run_until(world, world->now_us + world_random(world, 60000000));
        for (uint32_t i = 0; i < world->count; i++)
            world->peers[i].group = 0;
        break;
    }
}

static void
watch(struct world *world, const struct story *story, uint64_t for_us)
{
    uint64_t until_us = world->now_us + for_us;
    const char *broken;

    while (world->now_us < until_us) {
        world_run_until(world, world->now_us + 20000);
        broken = story->falsely || story->loss_percent ? NULL : world_broken(world);
        if (broken)
            fail_with(world, story, broken);
    }
}

static void
ask_all(struct world *world, struct story *story, enum chord_mode mode)
{
    story->asked = story->answered = story->right = 0;
    for (uint32_t i = 0; i < world->count; i++)
        if (world->peers[i].chord && chord_status(world->peers[i].chord) == CHORD_MEMBER) {
            world_lookup(world, i, world_random_id(world), story->asked++, mode);
            world_lookup(world, i, world->peers[world_random(world, world->count)].id,
                         story->asked++, mode);
        }
    world_run_until(world, world->now_us + 30000000);
    if (story->asked != story->answered)
        fail_with(world, story, "a lookup without a result");
    if (story->right != story->asked)
        fail_with(world, story, "a lookup found somebody else");
}

/* Who knew only one that died cannot get in by itself. */
static void
help_joiners(struct world *world)
{
    for (uint32_t i = 0; i < world->count; i++)
        if (world->peers[i].chord && chord_status(world->peers[i].chord) == CHORD_JOINING)
            world_join(world, i, pick_member(world));
}

static void
run(struct story *story)
{
    struct world world;

    world_init(&world, story->seed);
    world.params.successors = 2 + story->seed % 4;
    world.spread = true;
    world.loss_percent = story->loss_percent;
    world.arg = story;
    world.on_result = on_result;
    for (uint32_t i = 0; i < story->peers; i++)
        world_add(&world, world_random_id(&world));
    world_join(&world, 0, WORLD_PEERS_MAX);
    for (uint32_t i = 1; i < world.params.successors + 3 && i < story->peers; i++) {
        world_join(&world, i, 0);
        if (!world_settle(&world, 300000000))
            fail_with(&world, story, "not ideal at the beginning");
    }
    for (int i = 0; i < 25; i++) {
        something_happens(&world, story);
        watch(&world, story, world_random(&world, 2) ? 200000 : 8000000);
    }
    world.loss_percent = 0;
    help_joiners(&world);
    if (!world_settle(&world, 1800000000))
        fail_with(&world, story, "not ideal half an hour after the last change");
    ask_all(&world, story, CHORD_RECURSIVE);
    ask_all(&world, story, CHORD_DISJOINT);
    world_release(&world);
}

/* $CPMP_CHORD_SEEDS: how many; $CPMP_CHORD_SEED: this one only. */
static void
run_all(struct story pattern, uint32_t least)
{
    const char *count = getenv("CPMP_CHORD_SEEDS");
    const char *one = getenv("CPMP_CHORD_SEED");
    uint64_t first = one ? strtoull(one, NULL, 0) : 1;
    uint64_t last = one ? first : count ? strtoull(count, NULL, 0) : 40;

    for (uint64_t seed = first; seed <= last; seed++) {
        struct story story = pattern;
        story.seed = seed;
        story.peers = least + (uint32_t)(seed % 20);
        run(&story);
    }
}

static void
the_invariant_holds_under_true_failures(void **state)
{
    (void)state;
    run_all((struct story){0}, 6);
}

static void
rings_heal_after_loss(void **state)
{
    (void)state;
    run_all((struct story){.loss_percent = 20}, 6);
}

static void
rings_heal_after_false_suspicion_and_partitions(void **state)
{
    (void)state;
    run_all((struct story){.loss_percent = 5, .falsely = true}, 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_invariant_holds_under_true_failures),
        cmocka_unit_test(rings_heal_after_loss),
        cmocka_unit_test(rings_heal_after_false_suspicion_and_partitions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
