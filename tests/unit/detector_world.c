/* SPDX-License-Identifier: BSD-3-Clause */
#include "detector_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <cpmp.h>

struct world world;

struct chord_id
id_of(uint32_t peer)
{
    struct chord_id id = {{0}};

    id.bytes[0] = (uint8_t)(peer * 7);
    id.bytes[19] = (uint8_t)peer;
    return id;
}

uint32_t
draw(uint32_t below)
{
    world.seed = world.seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(world.seed >> 33) % below;
}

static void
post(uint32_t from, uint32_t to, const struct detector_message *message)
{
    struct flying *flying;

    world.peers[from].sent[message->kind]++;
    if (to >= world.peer_count || world.cut[from][to] || draw(100) < world.loss_percent)
        return;
    assert_true(world.flying_count < FLYING_MAX);
    flying = &world.flying[world.flying_count++];
    *flying = (struct flying){.at_us = world.now_us + TRAVEL_US, .order = world.order++,
                              .from = from, .to = to, .message = *message};
}

static void
note(uint32_t peer, const struct detector_action *action)
{
    uint32_t about = action->id.bytes[19];

    assert_int_equal(action->contact, about);
    world.peers[peer].said[about].changes++;
    world.peers[peer].said[about].state = action->state;
    world.peers[peer].said[about].incarnation = action->incarnation;
    world.peers[peer].said[about].indirect = action->indirect;
    world.peers[peer].said[about].at_us = world.now_us;
    if (action->state == DETECTOR_SUSPECT)
        world.peers[peer].said[about].suspected_at_us = world.now_us;
    if (action->state == DETECTOR_DEAD) {
        world.peers[peer].said[about].dead_at_us = world.now_us;
        world.peers[peer].said[about].deaths++;
    }
    world.hash = (world.hash ^ (world.now_us + peer * 64 + about) ^ action->state) *
                 0x100000001b3ull;
}

int
step(uint32_t peer, struct detector_event event)
{
    static struct detector_actions actions;
    int error;

    event.now_us = world.now_us;
    error = detector_step(world.peers[peer].detector, &event, &actions);
    detector_check(world.peers[peer].detector);
    assert_true(actions.count <= DETECTOR_ACTIONS_MAX);
    for (uint32_t i = 0; i < actions.count; i++) {
        const struct detector_action *action = &actions.list[i];
        if (action->type == DETECTOR_ACTION_SEND)
            post(peer, action->id.bytes[19], &action->message);
        else if (action->type == DETECTOR_ACTION_CHANGED)
            note(peer, action);
        else
            world.peers[peer].own_incarnation = action->incarnation;
    }
    return error;
}

/* --- time --- */

static size_t
flying_first(void)
{
    size_t first = SIZE_MAX;

    for (size_t i = 0; i < world.flying_count; i++)
        if (first == SIZE_MAX || world.flying[i].at_us < world.flying[first].at_us ||
            (world.flying[i].at_us == world.flying[first].at_us &&
             world.flying[i].order < world.flying[first].order))
            first = i;
    return first;
}

static uint32_t
timer_first(uint64_t *at_us_p)
{
    uint32_t first = UINT32_MAX;

    *at_us_p = UINT64_MAX;
    for (uint32_t i = 0; i < world.peer_count; i++) {
        uint64_t at_us;
        if (!world.peers[i].up)
            continue;
        at_us = detector_deadline_us(world.peers[i].detector);
        if (at_us >= *at_us_p)
            continue;
        *at_us_p = at_us;
        first = i;
    }
    return first;
}

static void
deliver(size_t at)
{
    struct flying flying = world.flying[at];

    world.flying[at] = world.flying[--world.flying_count];
    if (!world.peers[flying.to].up || world.cut[flying.from][flying.to])
        return;
    step(flying.to, (struct detector_event){.type = DETECTOR_EVENT_MESSAGE,
                                            .contact = flying.from, .id = id_of(flying.from),
                                            .message = &flying.message});
}

void
run(uint64_t until_us)
{
    for (;;) {
        uint64_t timer_us, message_us;
        uint32_t timer = timer_first(&timer_us);
        size_t first = flying_first();
        message_us = first == SIZE_MAX ? UINT64_MAX : world.flying[first].at_us;
        if (timer_us > until_us && message_us > until_us)
            break;
        if (message_us <= timer_us) {
            world.now_us = message_us > world.now_us ? message_us : world.now_us;
            deliver(first);
        } else {
            world.now_us = timer_us > world.now_us ? timer_us : world.now_us;
            step(timer, (struct detector_event){.type = DETECTOR_EVENT_TIMEOUT});
        }
    }
    world.now_us = until_us;
}

/* --- the cast --- */

void
peer_start(uint32_t peer, uint64_t incarnation)
{
    struct detector_settings settings = detector_settings_default();
    struct chord_id id = id_of(peer);

    detector_free(world.peers[peer].detector);
    memset(&world.peers[peer], 0, sizeof(world.peers[peer]));
    world.peers[peer].detector =
        detector_new(&settings, &id, incarnation, peer + 1, world.now_us);
    assert_non_null(world.peers[peer].detector);
    world.peers[peer].up = true;
}

void
watch(uint32_t peer, uint32_t other)
{
    assert_int_equal(step(peer, (struct detector_event){.type = DETECTOR_EVENT_WATCH,
                                                        .contact = other, .id = id_of(other),
                                                        .purpose = DETECTOR_FOR_RING}),
                     CPMP_OK);
}

void
world_start(uint32_t count)
{
    memset(&world, 0, sizeof(world));
    world.now_us = 1000 * SECOND;
    world.seed = 1;
    world.peer_count = count;
    for (uint32_t i = 0; i < count; i++)
        peer_start(i, 10);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < count; j++)
            if (i != j)
                watch(i, j);
    run(1002 * SECOND);
}

void
world_end(void)
{
    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        detector_free(world.peers[i].detector);
        world.peers[i].detector = NULL;
    }
}

enum detector_state
state_of(uint32_t peer, uint32_t other)
{
    struct detector_view view;

    assert_true(detector_find(world.peers[peer].detector, other, &view));
    return view.state;
}

void
cut_both(uint32_t one, uint32_t other, bool cut)
{
    world.cut[one][other] = world.cut[other][one] = cut;
}

void
cut_off(uint32_t peer, bool cut)
{
    for (uint32_t i = 0; i < world.peer_count; i++)
        cut_both(peer, i, cut);
}

int
simple(uint32_t peer, enum detector_event_type type, uint32_t other)
{
    return step(peer, (struct detector_event){.type = type, .contact = other});
}
