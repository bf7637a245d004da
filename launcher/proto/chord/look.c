/* SPDX-License-Identifier: BSD-3-Clause */
/* Looking at a ring's peer without changing it; its invariants; and placing it by hand. */
#include "proto/chord/chord.h"

#include <assert.h>

#include "proto/chord/parts.h"
#include "proto/chord/state.h"

enum chord_status
chord_status(const struct chord *chord)
{
    return chord->status;
}

const struct chord_peer *
chord_self(const struct chord *chord)
{
    return &chord->self;
}

const struct chord_peer *
chord_predecessor(const struct chord *chord)
{
    return chord_has(&chord->predecessor) ? &chord->predecessor : NULL;
}

const struct chord_peer *
chord_successors(const struct chord *chord, size_t *count_p)
{
    *count_p = chord->successor_count;
    return chord->successors;
}

const struct chord_finger *
chord_fingers(const struct chord *chord, size_t *count_p)
{
    *count_p = chord->finger_count;
    return chord->fingers;
}

bool
chord_owns(const struct chord *chord, const struct chord_id *key)
{
    return chord->status == CHORD_MEMBER &&
           (!chord_has(&chord->predecessor) || chord_route_owns_surely(chord, key));
}

bool
chord_is_busy(const struct chord *chord)
{
    return chord->query.ask != CHORD_ASK_NOTHING;
}

size_t
chord_bytes(const struct chord *chord)
{
    return sizeof(*chord) + chord->forward_count * sizeof(struct chord_forward) +
           chord_search_bytes(chord);
}

static void
each_of(const struct chord_peer *peers, size_t count, void (*each)(void *, uint32_t), void *arg)
{
    for (size_t i = 0; i < count; i++)
        if (chord_has(&peers[i]))
            each(arg, peers[i].contact);
}

static void
each_under_way(const struct chord *chord, void (*each)(void *, uint32_t), void *arg)
{
    for (uint32_t i = 0; i < chord->delayed_count; i++)
        each(arg, chord->delayed[i].contact);
    for (const struct chord_forward *way = chord->forwards; way; way = way->link) {
        each(arg, way->next);
        each_of(&way->origin, 1, each, arg);
        for (uint32_t k = 0; k < way->tried_count; k++)
            each(arg, way->tried[k]);
    }
    if (chord->work.phase == CHORD_PHASE_PROBE) {
        each_of(chord->work.candidates, chord->work.count, each, arg);
        each_of(&chord->work.best, 1, each, arg);
    }
}

void
chord_each_contact(const struct chord *chord, void (*each)(void *, uint32_t), void *arg)
{
    each(arg, chord->self.contact);
    each_of(&chord->predecessor, 1, each, arg);
    each_of(&chord->candidate, 1, each, arg);
    each_of(&chord->rectifier, 1, each, arg);
    each_of(chord->successors, chord->successor_count, each, arg);
    each_of(chord->old, CHORD_OLD_MAX, each, arg);
    if (chord->query.ask != CHORD_ASK_NOTHING)
        each(arg, chord->query.peer.contact);
    if (chord->query.ask == CHORD_ASK_PREDECESSOR || chord->query.ask == CHORD_ASK_CANDIDATE)
        each_of(&chord->query.about, 1, each, arg);
    for (uint32_t i = 0; i < chord->finger_count; i++)
        each(arg, chord->fingers[i].peer.contact);
    for (size_t i = 0; i < CHORD_SUSPECTS_MAX; i++)
        if (chord->suspects[i].until_us > chord->now_us)
            each(arg, chord->suspects[i].contact);
    if (chord->status == CHORD_JOINING)
        for (uint32_t i = 0; i < chord->known_count; i++)
            each(arg, chord->known[i]);
    each_under_way(chord, each, arg);
    chord_search_each_contact(chord, each, arg);
}

/* Ordered clockwise from this peer, which is not among them: so no two are the same either. */
static void
check_successors(const struct chord *chord)
{
    assert(chord->successor_count <= chord->params->successors);
    for (uint32_t i = 0; i < chord->successor_count; i++) {
        assert(chord_has(&chord->successors[i]));
        assert(!chord_id_equal(&chord->successors[i].id, &chord->self.id));
        assert(chord->successors[i].contact != chord->self.contact);
        assert(i == 0 || chord_id_nearer(&chord->self.id, &chord->successors[i - 1].id,
                                         &chord->successors[i].id));
    }
}

static void
check_fingers(const struct chord *chord)
{
    assert(chord->finger_count <= CHORD_FINGERS_MAX);
    for (uint32_t i = 0; i < chord->finger_count; i++) {
        struct chord_id way = chord_id_distance(&chord->self.id, &chord->fingers[i].peer.id);
        assert(chord_id_level(&way) == chord->fingers[i].level);
        assert(i == 0 || chord->fingers[i].level < chord->fingers[i - 1].level);
    }
}

/* Nobody waits for an answer that no end of a query will bring; nothing is due that no deadline
 * tells of. */
static void
check_queries(const struct chord *chord)
{
    bool joining = chord->query.ask >= CHORD_ASK_JOIN_PLACE;

    assert(chord->out == NULL);
    assert(chord->delayed_count <= CHORD_DELAYED_MAX);
    assert(chord->delayed_count == 0 || chord->query.ask != CHORD_ASK_NOTHING);
    assert(chord->query.ask == CHORD_ASK_NOTHING ||
           joining == (chord->status == CHORD_JOINING));
    assert(chord->status == CHORD_MEMBER || chord->successor_count == 0);
    assert(chord->status == CHORD_MEMBER || !chord_has(&chord->predecessor));
    assert(chord->status != CHORD_JOINING || chord->query.ask != CHORD_ASK_NOTHING ||
           chord->join_us != CHORD_NEVER);
    assert(chord->status != CHORD_MEMBER || chord_deadline_us(chord) != CHORD_NEVER);
    assert(!chord_has(&chord->predecessor) ||
           !chord_id_equal(&chord->predecessor.id, &chord->self.id));
}

void
chord_check(const struct chord *chord)
{
    check_successors(chord);
    check_fingers(chord);
    check_queries(chord);
}

void
chord_place(struct chord *chord, uint64_t now_us, const struct chord_peer *predecessor,
            const struct chord_peer *successors, size_t successor_count,
            const struct chord_finger *fingers, size_t finger_count)
{
    const struct chord_params *params = chord->params;

    if (successor_count > params->successors)
        successor_count = params->successors;
    if (finger_count > CHORD_FINGERS_MAX)
        finger_count = CHORD_FINGERS_MAX;
    chord->now_us = now_us;
    chord->status = CHORD_MEMBER;
    chord->predecessor = *predecessor;
    for (size_t i = 0; i < successor_count; i++)
        chord->successors[i] = successors[i];
    for (size_t i = 0; i < finger_count; i++)
        chord->fingers[i] = fingers[i];
    chord->successor_count = (uint32_t)successor_count;
    chord->finger_count = (uint32_t)finger_count;
    chord->work.left = (uint32_t)params->fingers_per_tick;
    chord->tick_us = now_us + chord_random_below(chord, params->tick_max_us);
    chord->finger_us = now_us + chord_random_below(chord, params->finger_us);
    chord->merge_us = now_us + chord_random_below(chord, params->merge_us);
    chord_check(chord);
}
