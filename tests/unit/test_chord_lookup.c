/* SPDX-License-Identifier: BSD-3-Clause */
/* Lookups: to the owner, round silent hops, during joins and leaves, and past liars. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "chord_world.h"

#define SECOND 1000000u
#define ASKERS 10u  /* the first peers stay: who leaves takes its open lookups with it */

/* What the lookups of a test came to. */
struct answers {
    uint32_t found;
    uint32_t failed;
    uint32_t wrong;
    struct chord_result last;
    uint32_t before[2048];  /* by token: the owner when it was asked */
};

static void
on_result(struct world *world, uint32_t peer, const struct chord_result *result)
{
    struct answers *answers = world->arg;

    answers->last = *result;
    if (result->why != CHORD_FOUND) {
        answers->failed++;
        return;
    }
    answers->found++;
    if (result->owner.contact != world_owner(world, peer, &result->key, 0) &&
        result->owner.contact != world_owner(world, peer, &result->key, SECOND) &&
        result->owner.contact != answers->before[result->token])
        answers->wrong++;
}

static void
ring_of(struct world *world, struct answers *answers, uint32_t count, uint64_t seed)
{
    world_init(world, seed);
    world->params.successors = 4;
    world->spread = true;
    world->arg = answers;
    world->on_result = on_result;
    memset(answers, 0, sizeof(*answers));
    for (uint32_t i = 0; i < count; i++) {
        world_add(world, world_random_id(world));
        world_join(world, i, i ? 0 : WORLD_PEERS_MAX);
        assert_true(world_settle(world, 300 * SECOND));
    }
    world_run_until(world, world->now_us + 10 * SECOND);
}

static void
ask(struct world *world, struct answers *answers, uint32_t token, enum chord_mode mode)
{
    struct chord_id key = world_random_id(world);
    uint32_t peer;

    peer = (uint32_t)world_random(world, ASKERS);
    answers->before[token] = world_owner(world, peer, &key, 0);
    world_lookup(world, peer, key, token, mode);
}

static void
change_one(struct world *world)
{
    uint32_t peer = ASKERS + (uint32_t)world_random(world, world->count - ASKERS);

    if (world->peers[peer].chord == NULL) {
        world_join(world, peer, 0);
    } else if (chord_status(world->peers[peer].chord) == CHORD_MEMBER) {
        world_event(world, peer, (struct chord_event){.kind = CHORD_EVENT_LEAVE});
        world_crash(world, peer);
    }
}

static void
thousand_lookups_are_right_during_joins_and_leaves(void **state)
{
    struct answers answers;
    struct world world;

    (void)state;
    ring_of(&world, &answers, 30, 7);
    for (uint32_t i = 0; i < 1000; i++) {
        if (i % 20 == 0)
            change_one(&world);
        ask(&world, &answers, i, CHORD_RECURSIVE);
        world_run_until(&world, world.now_us + 100000);
    }
    world_run_until(&world, world.now_us + 30 * SECOND);
    assert_int_equal(0, answers.failed);
    assert_int_equal(0, answers.wrong);
    assert_int_equal(1000, answers.found);
    world_release(&world);
}

static void
a_lookup_goes_round_hops_that_are_silent(void **state)
{
    struct answers answers;
    struct world world;

    (void)state;
    ring_of(&world, &answers, 40, 3);
    for (uint32_t i = 30; i < 40; i++)
        world_crash(&world, i);
    for (uint32_t i = 0; i < 300; i++) {
        ask(&world, &answers, i, CHORD_RECURSIVE);
        world_run_until(&world, world.now_us + 100000);
    }
    world_run_until(&world, world.now_us + 30 * SECOND);
    assert_int_equal(0, answers.failed);
    assert_int_equal(0, answers.wrong);
    assert_int_equal(300, answers.found);
    world_release(&world);
}

static void
a_lookup_outside_of_a_ring_says_so(void **state)
{
    struct answers answers = {0};
    struct world world;

    (void)state;
    world_init(&world, 1);
    world.arg = &answers;
    world.on_result = on_result;
    world_start(&world, world_add(&world, world_id(10)));
    world_lookup(&world, 0, world_id(20), 5, CHORD_RECURSIVE);
    assert_int_equal(CHORD_NO_RING, answers.last.why);
    assert_int_equal(5, answers.last.token);
    world_lookup(&world, 0, world_id(20), 6, CHORD_DISJOINT);
    assert_int_equal(6, answers.last.token);
    assert_int_equal(2, answers.failed);
    world_release(&world);
}

/* Nine at once: the ninth hears so at once, and each of them has one result. */
static void
every_lookup_has_one_result(void **state)
{
    struct answers answers;
    struct world world;

    (void)state;
    ring_of(&world, &answers, 12, 5);
    for (uint32_t i = 0; i < 20; i++)
        world_lookup(&world, 3, world_id((uint8_t)(i * 11)), i, CHORD_RECURSIVE);
    assert_true(answers.failed > 0);
    assert_int_equal(CHORD_TOO_MANY, answers.last.why);
    world_run_until(&world, world.now_us + 30 * SECOND);
    assert_int_equal(20, answers.found + answers.failed);
    world_event(&world, 3, (struct chord_event){.kind = CHORD_EVENT_LOOKUP, .key = world_id(1)});
    world_event(&world, 3, (struct chord_event){.kind = CHORD_EVENT_LEAVE});
    world_run_until(&world, world.now_us + 30 * SECOND);
    assert_int_equal(21, answers.found + answers.failed);
    world_release(&world);
}

static void
the_result_names_the_owner_and_its_replicas(void **state)
{
    struct answers answers = {0};
    struct world world;

    (void)state;
    world_init(&world, 2);
    world.arg = &answers;
    world.on_result = on_result;
    for (uint32_t i = 0; i < 6; i++) {
        world_add(&world, world_id((uint8_t)(10 * (i + 1))));
        world_join(&world, i, i ? 0 : WORLD_PEERS_MAX);
        assert_true(world_settle(&world, 300 * SECOND));
    }
    for (int mode = CHORD_RECURSIVE; mode <= CHORD_DISJOINT; mode++) {
        world_lookup(&world, 5, world_id(25), 1, (enum chord_mode)mode);
        world_run_until(&world, world.now_us + SECOND);
        assert_int_equal(CHORD_FOUND, answers.last.why);
        assert_int_equal(2, answers.last.owner.contact);
        assert_int_equal(5, answers.last.successor_count);
        assert_int_equal(3, answers.last.successors[0].contact);
        assert_int_equal(1, answers.last.successors[4].contact);
        world_lookup(&world, 2, world_id(25), 1, (enum chord_mode)mode);
        world_run_until(&world, world.now_us + SECOND);
        assert_int_equal(2, answers.last.owner.contact);
        assert_int_equal(0, answers.last.hops);
    }
    world_release(&world);
}

#define LIARS_FROM 20u

/* A liar claims keys for another liar, and names liars only as the way. */
static bool
lie(struct world *world, uint32_t from, uint32_t to, const struct chord_message *message)
{
    struct chord_message *said = (struct chord_message *)message;

    (void)to;
    if (from < LIARS_FROM || message->kind != CHORD_STEP_REPLY)
        return true;
    said->peer_count = 0;
    if (said->flags & CHORD_FLAG_FINAL)
        said->peers[said->peer_count++] =
            (struct chord_peer){world->peers[LIARS_FROM].id, LIARS_FROM};
    else
        for (uint32_t i = LIARS_FROM; i < world->count; i++)
            said->peers[said->peer_count++] = (struct chord_peer){world->peers[i].id, i};
    return true;
}

static void
disjoint_paths_find_the_owner_past_liars(void **state)
{
    struct answers answers;
    struct world world;
    uint32_t honest = 0;

    (void)state;
    ring_of(&world, &answers, 24, 11);
    world.params.paths = 4;
    world.on_message = lie;
    for (uint32_t i = 0; i < 200; i++) {
        struct chord_id key = world_random_id(&world);
        uint32_t owner = world_owner(&world, 0, &key, 0);
        if (owner >= LIARS_FROM)
            continue;  /* it denies its own: nobody can help that */
        honest++;
        answers.before[i] = owner;
        world_lookup(&world, i % ASKERS, key, i, CHORD_DISJOINT);
        world_run_until(&world, world.now_us + 20 * SECOND);
    }
    assert_true(honest > 100);
    assert_int_equal(0, answers.wrong);
    assert_int_equal(honest, answers.found);
    world_release(&world);
}

static void
fingers_lie_in_their_intervals_and_are_near(void **state)
{
    struct answers answers;
    struct world world;
    size_t count, all = 0;

    (void)state;
    ring_of(&world, &answers, 60, 13);
    world_run_until(&world, world.now_us + 600 * SECOND);
    for (uint32_t i = 0; i < world.count; i++) {
        const struct chord_finger *fingers = chord_fingers(world.peers[i].chord, &count);
        all += count;
        for (size_t k = 0; k < count; k++)
            assert_true(fingers[k].rtt_us >= world.latency_us);
    }
    assert_true(all > world.count * 2u);
    for (uint32_t i = 0; i < 500; i++) {
        ask(&world, &answers, i, CHORD_RECURSIVE);
        world_run_until(&world, world.now_us + SECOND);
        assert_true(answers.last.hops <= 6);
    }
    assert_int_equal(500, answers.found);
    assert_int_equal(0, answers.wrong);
    world_release(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_result_names_the_owner_and_its_replicas),
        cmocka_unit_test(a_lookup_outside_of_a_ring_says_so),
        cmocka_unit_test(every_lookup_has_one_result),
        cmocka_unit_test(a_lookup_goes_round_hops_that_are_silent),
        cmocka_unit_test(thousand_lookups_are_right_during_joins_and_leaves),
        cmocka_unit_test(fingers_lie_in_their_intervals_and_are_near),
        cmocka_unit_test(disjoint_paths_find_the_owner_past_liars),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
