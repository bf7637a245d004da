/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/chord/state.h"

#include <assert.h>

#include "proto/chord/parts.h"

/*
 * Joining (Zave 2017, section 4.1): look up who is before our place, ask it for its list to find
 * who is after it, ask that one for its list; only then, with a list that was heard from its head,
 * be a member. Whatever goes wrong on the way starts it over, through the next known peer.
 */

#define DETOURS_MAX 8u  /* steps forward from the peer that the lookup named, before a new start */

static void
join_attempt(struct chord *chord)
{
    struct chord_peer peer = {.contact = chord->known[chord->known_at]};

    chord->join_us = CHORD_NEVER;
    chord->query.detours = 0;
    chord_ring_ask(chord, CHORD_ASK_JOIN_PLACE, &peer);
}

/* One more peer to join through; when there are many, the next in turn gives way. */
void
chord_join_know(struct chord *chord, uint32_t contact)
{
    if (contact == CHORD_NO_CONTACT || contact == chord->self.contact)
        return;
    for (uint32_t i = 0; i < chord->known_count; i++)
        if (chord->known[i] == contact)
            return;
    if (chord->known_count < CHORD_KNOWN_MAX)
        chord->known[chord->known_count++] = contact;
    else
        chord->known[(chord->known_at + 1) % CHORD_KNOWN_MAX] = contact;
}

void
chord_join_start(struct chord *chord, const struct chord_event *event)
{
    if (chord->status == CHORD_MEMBER)
        return;
    if (chord->status != CHORD_JOINING)
        chord->known_count = chord->known_at = 0;
    for (size_t i = 0; i < event->known_count && i < CHORD_KNOWN_MAX; i++)
        chord_join_know(chord, event->known[i].contact);
    if (chord->status == CHORD_JOINING)
        return;
    chord_finger_reset(chord);
    if (chord->known_count == 0) {
        chord_ring_alone(chord);
        return;
    }
    chord->status = CHORD_JOINING;
    chord->alone_us = event->alone_us ? chord->now_us + event->alone_us : CHORD_NEVER;
    chord->join_us = chord->now_us;
}

void
chord_join_query_lost(struct chord *chord)
{
    chord->query.ask = CHORD_ASK_NOTHING;
    chord->known_at = (chord->known_at + 1) % chord->known_count;
    chord->join_us = chord->now_us + 1 + chord_random_below(chord, chord->params->busy_retry_us);
    if (chord->known_at == 0)
        chord->join_us += chord->params->join_us +
                          chord_random_below(chord, chord->params->join_us);
}

/* Who is after us, as `reply`'s sender sees it: the first of its list that is not us, or the sender
 * when it is alone. */
static const struct chord_peer *
successor_by(const struct chord *chord, const struct chord_message *reply)
{
    for (uint32_t i = 0; i < reply->peer_count; i++)
        if (reply->peers[i].contact != chord->self.contact && chord_has(&reply->peers[i]))
            return &reply->peers[i];
    return &reply->from;
}

/* The last in the list of `reply` that is still before our place. */
static const struct chord_peer *
predecessor_by(const struct chord *chord, const struct chord_message *reply)
{
    const struct chord_peer *best = NULL;

    for (uint32_t i = 0; i < reply->peer_count; i++)
        if (chord_has(&reply->peers[i]) && reply->peers[i].contact != chord->self.contact &&
            chord_id_between(&reply->from.id, &reply->peers[i].id, &chord->self.id))
            best = &reply->peers[i];
    return best;
}

static void
predecessor_answered(struct chord *chord, const struct chord_message *reply)
{
    const struct chord_peer *successor = successor_by(chord, reply);
    const struct chord_peer *before = predecessor_by(chord, reply);

    if (chord_id_between(&reply->from.id, &chord->self.id, &successor->id) ||
        successor == &reply->from) {
        chord_ring_ask(chord, CHORD_ASK_JOIN_SUCCESSOR, successor);
    } else if (before && chord->query.detours < DETOURS_MAX) {
        chord->query.detours++;
        chord_ring_ask(chord, CHORD_ASK_JOIN_PREDECESSOR, before);
    } else {
        chord_join_query_lost(chord);
    }
}

static void
known_remember(struct chord *chord)
{
    for (uint32_t i = 0; i < chord->known_count; i++)
        chord_merge_remember(chord, &(struct chord_peer){.contact = chord->known[i]});
}

static void
join_done(struct chord *chord, const struct chord_message *reply)
{
    chord->status = CHORD_MEMBER;
    chord->join_us = CHORD_NEVER;
    chord->alone_us = CHORD_NEVER;
    chord->query.ask = CHORD_ASK_NOTHING;
    chord->successor_count = 0;
    chord->predecessor.contact = CHORD_NO_CONTACT;
    chord_ring_adopt(chord, &reply->from, reply->peers, reply->peer_count);
    known_remember(chord);
    chord->tick_us = chord->now_us;
    chord->merge_us = chord->now_us + chord_random_below(chord, chord->params->merge_us);
}

void
chord_join_message(struct chord *chord, const struct chord_message *message)
{
    chord_join_know(chord, message->from.contact);
    switch (chord->query.ask) {
    case CHORD_ASK_JOIN_PLACE:
        chord_ring_ask(chord, CHORD_ASK_JOIN_PREDECESSOR, &message->from);
        break;
    case CHORD_ASK_JOIN_PREDECESSOR:
        predecessor_answered(chord, message);
        break;
    case CHORD_ASK_JOIN_SUCCESSOR:
        join_done(chord, message);
        break;
    default:
        assert(!"a reply to a query of the ring");
    }
}

/* Nobody was a member for so long: the whole pool starts again, and rings of one will merge. */
static void
join_alone(struct chord *chord)
{
    chord->query.ask = CHORD_ASK_NOTHING;
    known_remember(chord);
    chord_ring_alone(chord);
}

void
chord_join_timers(struct chord *chord)
{
    if (chord->status != CHORD_JOINING)
        return;
    if (chord->alone_us <= chord->now_us)
        join_alone(chord);
    else if (chord->query.ask == CHORD_ASK_NOTHING && chord->join_us <= chord->now_us &&
             chord_has_room(chord))
        join_attempt(chord);
}

uint64_t
chord_join_deadline_us(const struct chord *chord)
{
    if (chord->status != CHORD_JOINING)
        return CHORD_NEVER;
    return chord->join_us < chord->alone_us ? chord->join_us : chord->alone_us;
}
