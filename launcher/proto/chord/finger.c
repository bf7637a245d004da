/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/chord/state.h"

#include <assert.h>
#include <string.h>

#include "proto/chord/parts.h"

/*
 * Fingers, by proximity: any peer in [self + 2^level, self + 2^(level + 1)) is as good for the
 * number of hops as the first of them, so of those that the lookup of self + 2^level names (the
 * owner and its successors) the one with the shortest round trip is taken (Dabek et al., "Designing
 * a DHT for low latency and high throughput", NSDI 2004, section 4.3).
 *
 * Levels within the reach of the successor list need none, and a ring that the list goes round
 * needs none at all. One level is renewed at a time; after a join all of them one after the other.
 */

static int
level_of(const struct chord *chord, const struct chord_id *id)
{
    struct chord_id distance = chord_id_distance(&chord->self.id, id);

    return chord_id_level(&distance);
}

/* The lowest level that the successor list does not cover; CHORD_ID_BITS when it covers all. */
static int
level_first(const struct chord *chord)
{
    if (chord->successor_count < chord->params->successors)
        return CHORD_ID_BITS;
    return level_of(chord, &chord->successors[chord->successor_count - 1].id);
}

static struct chord_finger *
finger_at(struct chord *chord, int level)
{
    for (uint32_t i = 0; i < chord->finger_count; i++)
        if (chord->fingers[i].level == level)
            return &chord->fingers[i];
    return NULL;
}

static void
finger_remove(struct chord *chord, uint32_t i)
{
    chord->finger_count--;
    memmove(&chord->fingers[i], &chord->fingers[i + 1],
            (chord->finger_count - i) * sizeof(chord->fingers[0]));
}

/* Keeps the order by level; the lowest falls out when there is no room. */
static void
finger_put(struct chord *chord, const struct chord_peer *peer, int level, uint32_t rtt_us)
{
    struct chord_finger *finger = finger_at(chord, level);
    uint32_t at = 0;

    if (finger == NULL) {
        while (at < chord->finger_count && chord->fingers[at].level > level)
            at++;
        if (at == CHORD_FINGERS_MAX)
            return;
        if (chord->finger_count == CHORD_FINGERS_MAX)
            chord->finger_count--;
        memmove(&chord->fingers[at + 1], &chord->fingers[at],
                (chord->finger_count - at) * sizeof(chord->fingers[0]));
        chord->finger_count++;
        finger = &chord->fingers[at];
    }
    *finger = (struct chord_finger){.peer = *peer, .rtt_us = rtt_us, .level = (uint8_t)level};
}

static void
work_done(struct chord *chord)
{
    chord->work.phase = CHORD_PHASE_IDLE;
    if (chord->work.left > 0)
        chord->work.left--;
}

/* What the level's interval is known to hold: `best`, or nothing. */
static void
level_done(struct chord *chord)
{
    struct chord_work *work = &chord->work;
    struct chord_finger *finger = finger_at(chord, work->level);

    if (chord_has(&work->best))
        finger_put(chord, &work->best, work->level, work->best_rtt_us);
    else if (finger)
        finger_remove(chord, (uint32_t)(finger - chord->fingers));
    work_done(chord);
}

static void
candidate_add(struct chord *chord, const struct chord_peer *peer, size_t limit)
{
    struct chord_work *work = &chord->work;

    if (work->count == limit || !chord_has(peer) || peer->contact == chord->self.contact ||
        chord_suspects(chord, peer->contact) || level_of(chord, &peer->id) != work->level)
        return;
    for (uint32_t i = 0; i < work->count; i++)
        if (work->candidates[i].contact == peer->contact)
            return;
    work->candidates[work->count++] = *peer;
}

static void
probe_next(struct chord *chord)
{
    struct chord_work *work = &chord->work;

    if (work->at == work->count) {
        level_done(chord);
        return;
    }
    work->phase = CHORD_PHASE_PROBE;
    work->token = chord_token(chord);
    work->sent_us = chord->now_us;
    work->deadline_us = chord->now_us +
                        chord_timeout_us(chord, work->candidates[work->at].contact);
    chord_send(chord, work->candidates[work->at].contact, CHORD_PING, work->token);
}

void
chord_finger_found(struct chord *chord, const struct chord_message *reply)
{
    struct chord_work *work = &chord->work;
    struct chord_finger *old = finger_at(chord, work->level);
    size_t probes = chord->params->finger_probes;

    if (work->phase != CHORD_PHASE_LOOKUP)
        return;
    work->count = work->at = 0;
    work->best.contact = CHORD_NO_CONTACT;
    if (old && probes > 1)
        candidate_add(chord, &old->peer, probes);
    candidate_add(chord, &reply->from, probes ? probes : 1);
    for (uint32_t i = 0; i < reply->peer_count; i++)
        candidate_add(chord, &reply->peers[i], probes ? probes : 1);
    if (probes > 1) {
        probe_next(chord);
        return;
    }
    if (work->count)
        work->best = work->candidates[0];
    work->best_rtt_us = 0;
    level_done(chord);
}

void
chord_finger_not_found(struct chord *chord)
{
    if (chord->work.phase == CHORD_PHASE_LOOKUP)
        work_done(chord);
}

void
chord_finger_pong(struct chord *chord, const struct chord_message *message)
{
    struct chord_work *work = &chord->work;
    uint64_t rtt_us = chord->now_us - work->sent_us;

    if (work->phase != CHORD_PHASE_PROBE || message->token != work->token ||
        message->from.contact != work->candidates[work->at].contact)
        return;
    if (message->kind == CHORD_PONG && (!chord_has(&work->best) || rtt_us < work->best_rtt_us)) {
        work->best = work->candidates[work->at];
        work->best_rtt_us = rtt_us < UINT32_MAX ? (uint32_t)rtt_us : UINT32_MAX;
    }
    work->at++;
    probe_next(chord);
}

void
chord_finger_failed(struct chord *chord, uint32_t contact)
{
    struct chord_work *work = &chord->work;

    for (uint32_t i = 0; i < chord->finger_count; i++)
        if (chord->fingers[i].peer.contact == contact) {
            chord_merge_remember(chord, &chord->fingers[i].peer);
            finger_remove(chord, i);
            break;
        }
    if (work->phase == CHORD_PHASE_PROBE && work->candidates[work->at].contact == contact)
        work->deadline_us = chord->now_us;
}

void
chord_finger_distance(struct chord *chord, uint32_t contact, uint32_t rtt_us)
{
    for (uint32_t i = 0; i < chord->finger_count; i++)
        if (chord->fingers[i].peer.contact == contact)
            chord->fingers[i].rtt_us = rtt_us;
}

void
chord_finger_reset(struct chord *chord)
{
    chord->finger_count = 0;
    chord->work.phase = CHORD_PHASE_IDLE;
    chord->work.left = CHORD_ID_BITS;  /* the first round does every level */
    chord->finger_us = chord->now_us + chord->params->timeout_min_us;
    chord->finger_level = 0;
}

/* Fingers that a longer reach of the list, or a smaller ring, has made superfluous. */
static void
fingers_trim(struct chord *chord, int first)
{
    while (chord->finger_count && chord->fingers[chord->finger_count - 1].level < first)
        chord->finger_count--;
}

static void
level_start(struct chord *chord)
{
    struct chord_work *work = &chord->work;
    int first = level_first(chord);
    struct chord_id key;

    fingers_trim(chord, first);
    if (first >= (int)CHORD_ID_BITS) {
        work->left = 0;
        return;
    }
    if (work->left > CHORD_ID_BITS - (uint32_t)first)
        work->left = CHORD_ID_BITS - (uint32_t)first;
    chord->finger_level--;
    if (chord->finger_level < first)
        chord->finger_level = CHORD_ID_BITS - 1;
    work->level = chord->finger_level;
    key = chord_id_add_power(&chord->self.id, (unsigned)work->level);
    work->phase = CHORD_PHASE_LOOKUP;
    if (!chord_route_start(chord, CHORD_FOR_FINGER, 0, &key, CHORD_NO_CONTACT)) {
        work->phase = CHORD_PHASE_IDLE;
        work->left = 0;
    }
}

void
chord_finger_timers(struct chord *chord)
{
    struct chord_work *work = &chord->work;

    if (chord->status != CHORD_MEMBER)
        return;
    if (work->phase == CHORD_PHASE_PROBE && work->deadline_us <= chord->now_us &&
        chord_has_room(chord)) {
        work->at++;
        probe_next(chord);
    }
    if (work->phase != CHORD_PHASE_IDLE || chord->finger_us > chord->now_us ||
        !chord_has_room(chord))
        return;
    if (work->left > 0)
        level_start(chord);
    if (work->left == 0) {
        work->left = (uint32_t)chord->params->fingers_per_tick;
        chord->finger_us = chord->now_us + chord->params->finger_us / 2 +
                           chord_random_below(chord, chord->params->finger_us);
    }
}

uint64_t
chord_finger_deadline_us(const struct chord *chord)
{
    if (chord->status != CHORD_MEMBER || chord->work.phase == CHORD_PHASE_LOOKUP)
        return CHORD_NEVER;
    return chord->work.phase == CHORD_PHASE_PROBE ? chord->work.deadline_us : chord->finger_us;
}
