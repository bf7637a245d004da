/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/chord/state.h"

#include "proto/chord/parts.h"

/*
 * How two rings become one. Each peer remembers a few others: those that it dropped or met, and a
 * random sample of the living. Now and then it has one of them look up the place after its own. In
 * one ring that names the head; in another ring it names a peer of that ring:
 *
 *  - nearer than our head: it is asked and adopted (ring.c); our old head is told to look itself up
 *    there too, so that the rings close like a zip, at the speed of lookups and not of ticks;
 *  - beyond our head: it is introduced to the peer of our ring that it lies before, it is told to
 *    look itself up here, and a few others of our ring hear of it.
 *
 * The same heals a ring that winds round the circle more than once, which stabilizing cannot.
 *
 * Twenty peers are not for ever: a driver with an address book offers one of it (CHORD_EVENT_MET)
 * at random every few minutes, so that rings find each other after any number of failures.
 */

#define GOSSIP_HOPS  3u
#define ALONE_FACTOR 16u

static bool
old_has(const struct chord *chord, uint32_t contact)
{
    for (size_t i = 0; i < CHORD_OLD_MAX; i++)
        if (chord->old[i].contact == contact)
            return true;
    return false;
}

static bool
is_successor(const struct chord *chord, uint32_t contact)
{
    for (uint32_t i = 0; i < chord->successor_count; i++)
        if (chord->successors[i].contact == contact)
            return true;
    return false;
}

/* Puts `peer` into one of `count` places from `first` on: an empty one, else that of somebody who
 * is in our list and so not lost, else any. */
static void
old_put(struct chord *chord, size_t first, size_t count, const struct chord_peer *peer)
{
    size_t at = first + chord_random_below(chord, count);

    if (!chord_has(peer) || peer->contact == chord->self.contact || old_has(chord, peer->contact))
        return;
    for (size_t i = first; i < first + count; i++)
        if (is_successor(chord, chord->old[i].contact))
            at = i;
    for (size_t i = first; i < first + count; i++)
        if (!chord_has(&chord->old[i]))
            at = i;
    chord->old[at] = *peer;
}

void
chord_merge_remember(struct chord *chord, const struct chord_peer *peer)
{
    old_put(chord, 0, CHORD_LOST_MAX, peer);
}

void
chord_merge_forget(struct chord *chord, uint32_t contact)
{
    for (size_t i = 0; i < CHORD_OLD_MAX; i++)
        if (chord->old[i].contact == contact)
            chord->old[i].contact = CHORD_NO_CONTACT;
}

/* One of the living, or NULL. */
static const struct chord_peer *
random_neighbour(struct chord *chord)
{
    uint32_t count = chord->successor_count + chord->finger_count;
    uint32_t i = (uint32_t)chord_random_below(chord, count);

    if (count == 0)
        return NULL;
    return i < chord->successor_count ? &chord->successors[i]
                                      : &chord->fingers[i - chord->successor_count].peer;
}

static void
sample(struct chord *chord)
{
    const struct chord_peer *peer = random_neighbour(chord);

    if (peer)
        old_put(chord, CHORD_LOST_MAX, CHORD_OLD_MAX - CHORD_LOST_MAX, peer);
}

static void
probe(struct chord *chord, uint32_t via)
{
    struct chord_id key = chord->self.id;

    for (unsigned i = CHORD_ID_BYTES; i-- > 0;)  /* self + 1 */
        if (++key.bytes[i])
            break;
    chord_route_start(chord, CHORD_FOR_MERGE, 0, &key, via);
}

static bool
is_probing(const struct chord *chord)
{
    for (size_t i = 0; i < CHORD_LOOKUPS_MAX; i++)
        if (chord->lookups[i].purpose == CHORD_FOR_MERGE)
            return true;
    return false;
}

void
chord_merge_met(struct chord *chord, const struct chord_peer *peer)
{
    if (!chord_has(peer) || peer->contact == chord->self.contact)
        return;
    if (chord->status == CHORD_JOINING)
        chord_join_know(chord, peer->contact);
    chord_merge_remember(chord, peer);
    if (chord->status == CHORD_MEMBER && !is_probing(chord))
        probe(chord, peer->contact);
}

static void
meet_send(struct chord *chord, uint32_t to, const struct chord_peer *subject, uint32_t hops)
{
    struct chord_message *message;

    if (to == subject->contact || chord_suspects(chord, to))
        return;
    message = chord_send(chord, to, CHORD_MEET, 0);
    message->flags |= CHORD_FLAG_SUBJECT;
    message->subject = *subject;
    message->hops = hops;
}

static void
gossip(struct chord *chord, const struct chord_peer *subject, uint32_t hops)
{
    for (int i = 0; i < 2; i++) {
        const struct chord_peer *peer = random_neighbour(chord);
        if (peer && hops > 0)
            meet_send(chord, peer->contact, subject, hops - 1);
    }
}

/* `subject` may be of another ring. */
static void
meet_handle(struct chord *chord, const struct chord_message *message)
{
    bool new_here = !old_has(chord, message->subject.contact);

    chord_merge_met(chord, &message->subject);
    if (new_here && chord->status == CHORD_MEMBER)
        gossip(chord, &message->subject,
               message->hops < GOSSIP_HOPS ? message->hops : GOSSIP_HOPS);
}

void
chord_merge_message(struct chord *chord, const struct chord_message *message)
{
    if (message->kind == CHORD_MEET && chord_has(&message->subject) &&
        message->subject.contact != chord->self.contact)
        meet_handle(chord, message);
}

/* The probe's answer, from the owner of the place after ours. */
void
chord_merge_found(struct chord *chord, const struct chord_message *reply)
{
    struct chord_peer found = reply->from;

    if (chord->status != CHORD_MEMBER || found.contact == chord->self.contact)
        return;
    if (chord->candidate.contact == found.contact) {
        chord->candidate_met = true;
        return;
    }
    if (chord->successor_count == 0 || chord->successors[0].contact == found.contact ||
        !chord_id_between(&chord->self.id, &chord->successors[0].id, &found.id))
        return;
    chord_route_introduce(chord, &found);
    meet_send(chord, found.contact, &chord->self, GOSSIP_HOPS);
    gossip(chord, &found, GOSSIP_HOPS);
}

void
chord_merge_adopted(struct chord *chord, const struct chord_peer *old_head)
{
    if (!chord->candidate_met || !chord_has(old_head))
        return;
    chord->candidate_met = false;
    meet_send(chord, old_head->contact, &chord->successors[0], 0);
    meet_send(chord, chord->successors[0].contact, old_head, 0);
}

/* One of the remembered, each as likely, or NULL. Who is in our list is asked all the time. */
static const struct chord_peer *
random_old(struct chord *chord)
{
    const struct chord_peer *found = NULL;
    uint64_t seen = 0;

    for (size_t i = 0; i < CHORD_OLD_MAX; i++) {
        const struct chord_peer *peer = &chord->old[i];
        if (chord_has(peer) && !chord_suspect_is_sure(chord, peer->contact) &&
            !is_successor(chord, peer->contact) && chord_random_below(chord, ++seen) == 0)
            found = peer;
    }
    return found;
}

/* Who is alone has lost its ring, most likely, and looks for it more often. */
void
chord_merge_timers(struct chord *chord)
{
    uint64_t pause_us = chord->params->merge_us;
    const struct chord_peer *peer;

    if (chord->status != CHORD_MEMBER || chord->merge_us > chord->now_us ||
        !chord_has_room(chord))
        return;
    if (chord->successor_count == 0)
        pause_us = pause_us / ALONE_FACTOR + 1;
    chord->merge_us = chord->now_us + pause_us / 2 + 1 + chord_random_below(chord, pause_us);
    peer = random_old(chord);
    if (peer && !is_probing(chord))
        probe(chord, peer->contact);
    sample(chord);
}

uint64_t
chord_merge_deadline_us(const struct chord *chord)
{
    return chord->status == CHORD_MEMBER ? chord->merge_us : CHORD_NEVER;
}
