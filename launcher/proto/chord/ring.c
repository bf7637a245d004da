/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/chord/state.h"

#include <assert.h>
#include <string.h>

#include "proto/chord/parts.h"

/*
 * What makes the ring right (Zave 2017, sections 4 and 5): a pointer is adopted only when its peer
 * has been heard from; only one state-changing query is open at a time; while it is, others that
 * ask for our state are told "busy" and get the answer afterwards, so that a query and the change
 * that follows it are one atomic step to everyone else. Pings are answered at once.
 *
 * A circle of peers that each wait for the next would wait for ever: so the asker waits for a busy
 * peer a bounded, random time only, then gives up without a change, answers those who wait for it,
 * and tries again later.
 *
 * Beyond the proof, which knows no false suspicion: a member that is heard from and lies between us
 * and our head is asked and adopted like the successor's predecessor; so who was dropped wrongly
 * gets back. And a list that is shorter than r without having come round to us is filled from the
 * old one: who lost its own ring (and thinks that it is small) must not tear ours.
 */

#define DETOURS_MAX 4u

static const struct chord_peer nobody = {.contact = CHORD_NO_CONTACT};

static struct chord_peer *
ring_head(struct chord *chord)
{
    return chord->successor_count ? &chord->successors[0] : NULL;
}

static bool
ring_head_is(const struct chord *chord, uint32_t contact)
{
    return chord->successor_count > 0 && chord->successors[0].contact == contact;
}

/* Whether `peer` would be a better head: nearer than the one we have. */
static bool
ring_would_lead(const struct chord *chord, const struct chord_peer *peer)
{
    if (!chord_has(peer) || chord_id_equal(&peer->id, &chord->self.id))
        return false;
    return chord->successor_count == 0 ||
           chord_id_between(&chord->self.id, &peer->id, &chord->successors[0].id);
}

void
chord_ring_soon(struct chord *chord)
{
    uint64_t soon_us = chord->now_us + chord_random_below(chord, chord->params->nudge_us);

    if (chord->tick_us > soon_us)
        chord->tick_us = soon_us;
}

static void
ring_changed(struct chord *chord)
{
    chord->out->changed |= CHORD_CHANGED_SUCCESSORS;
    if (chord->nudge_us == 0)
        chord->nudge_us = chord->now_us + 1 + chord_random_below(chord, chord->params->nudge_us);
}

/* --- the successor list --- */

struct ring_list {
    const struct chord *chord;
    size_t count;
    bool round;  /* the list came round to us: there is nobody beyond */
    struct chord_peer peers[CHORD_SUCCESSORS_MAX];
};

/* Appends `peer` unless that breaks the order; returns whether to go on. */
static bool
list_append(struct ring_list *list, const struct chord_peer *peer)
{
    const struct chord_id *self = &list->chord->self.id;

    if (list->count == list->chord->params->successors)
        return false;
    if (!chord_has(peer))
        return true;
    if (chord_id_equal(&peer->id, self) || peer->contact == list->chord->self.contact ||
        (list->count && !chord_id_nearer(self, &list->peers[list->count - 1].id, &peer->id))) {
        list->round = true;
        return false;
    }
    list->peers[list->count++] = *peer;
    return true;
}

/* What is beyond the end of the list, of what we had; but nobody who surely failed. */
static void
list_fill(struct ring_list *list)
{
    const struct chord *chord = list->chord;

    for (size_t i = 0; i < chord->successor_count; i++) {
        const struct chord_peer *peer = &chord->successors[i];
        if (chord_suspect_is_sure(chord, peer->contact))
            continue;
        if (chord_id_nearer(&chord->self.id, &list->peers[list->count - 1].id, &peer->id) &&
            !list_append(list, peer))
            break;
    }
}

bool
chord_ring_adopt(struct chord *chord, const struct chord_peer *head,
                 const struct chord_peer *tail, size_t count)
{
    struct ring_list list = {.chord = chord};
    bool new_head = !ring_head_is(chord, head->contact);
    bool same;

    list_append(&list, head);
    assert(list.count == 1);
    for (size_t i = 0; i < count; i++)
        if (!list_append(&list, &tail[i]))
            break;
    if (!list.round)
        list_fill(&list);
    same = list.count == chord->successor_count;
    for (size_t i = 0; same && i < list.count; i++)
        same = list.peers[i].contact == chord->successors[i].contact;
    if (same)
        return false;
    memcpy(chord->successors, list.peers, list.count * sizeof(list.peers[0]));
    chord->successor_count = (uint32_t)list.count;
    ring_changed(chord);
    if (new_head)
        chord_ring_soon(chord);
    return true;
}

void
chord_ring_alone(struct chord *chord)
{
    chord->successor_count = 0;
    chord->predecessor = nobody;
    chord->candidate = nobody;
    chord->status = CHORD_MEMBER;
    chord->alone_us = CHORD_NEVER;
    chord->join_us = CHORD_NEVER;
    chord->tick_us = chord->now_us + chord->params->tick_min_us;
    chord->merge_us = chord->now_us + chord_random_below(chord, chord->params->join_us);
    ring_changed(chord);
}

/* Takes the peer out of the list, and at the front whoever surely failed too. */
static void
list_drop(struct chord *chord, uint32_t contact)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < chord->successor_count; i++) {
        const struct chord_peer *peer = &chord->successors[i];
        if (peer->contact == contact ||
            (kept == 0 && chord_suspect_is_sure(chord, peer->contact))) {
            chord_merge_remember(chord, peer);
            continue;
        }
        chord->successors[kept++] = *peer;
    }
    if (kept == chord->successor_count)
        return;
    chord->successor_count = kept;
    ring_changed(chord);
    if (kept == 0)
        chord_ring_alone(chord);
}

/* --- queries --- */

/* Answers those who were told "busy". */
static void
delayed_flush(struct chord *chord);

void
chord_ring_query_over(struct chord *chord)
{
    chord->query.ask = CHORD_ASK_NOTHING;
    delayed_flush(chord);
}

void
chord_ring_resend(struct chord *chord)
{
    struct chord_query *query = &chord->query;
    struct chord_message *message;
    enum chord_kind kind = CHORD_STATE;

    if (query->ask == CHORD_ASK_PREDECESSOR)
        kind = CHORD_PING;
    else if (query->ask == CHORD_ASK_JOIN_PLACE)
        kind = CHORD_LOOKUP;
    if (kind == CHORD_LOOKUP)
        query->token = chord_token(chord);  /* a second copy would not be passed on */
    message = chord_send(chord, query->peer.contact, kind, query->token);
    if (kind == CHORD_LOOKUP) {
        message->key = chord->self.id;
        message->origin = chord->self;
        message->flags |= CHORD_FLAG_PREDECESSOR;
        message->hop_token = query->token;
        query->deadline_us = chord->now_us + chord->params->lookup_us;
    } else {
        query->deadline_us = chord->now_us + chord_timeout_us(chord, query->peer.contact);
    }
    query->sent_us = chord->now_us;
}

void
chord_ring_ask(struct chord *chord, enum chord_ask ask, const struct chord_peer *peer)
{
    struct chord_query *query = &chord->query;

    assert(chord_has(peer) && peer->contact != chord->self.contact);
    query->ask = ask;
    query->peer = *peer;
    query->busy = false;
    query->attempts = (uint8_t)(chord->params->attempts - 1);
    query->token = chord_token(chord);
    chord_ring_resend(chord);
}

static void
ring_notify(struct chord *chord)
{
    if (chord->successor_count)
        chord_send(chord, chord->successors[0].contact, CHORD_NOTIFY, 0);
}

static void
stabilize_end(struct chord *chord)
{
    ring_notify(chord);
    chord_ring_query_over(chord);
}

static void
stabilize_start(struct chord *chord)
{
    const struct chord_params *params = chord->params;

    chord->tick_us = chord->now_us + params->tick_min_us +
                     chord_random_below(chord, params->tick_max_us - params->tick_min_us + 1);
    chord->query.detours = 0;
    if (chord->successor_count)
        chord_ring_ask(chord, CHORD_ASK_SUCCESSOR, ring_head(chord));
}

/* The busy peer has kept us waiting, or a candidate was of no use. */
static void
query_give_way(struct chord *chord)
{
    uint64_t again_us = chord->now_us + 1 + chord->params->busy_retry_us +
                        chord_random_below(chord, chord->params->busy_retry_us);

    if (chord->status == CHORD_JOINING) {
        chord_join_query_lost(chord);
        return;
    }
    if (chord->tick_us > again_us)
        chord->tick_us = again_us;
    chord_ring_query_over(chord);
}

static void
predecessor_set(struct chord *chord, const struct chord_peer *peer)
{
    struct chord_peer old = chord->predecessor;

    chord->predecessor = *peer;
    /* Who was before us has a new successor: it need not wait for its tick to learn of it. */
    if (chord_has(&old) && !chord_suspect_is_sure(chord, old.contact))
        chord_send(chord, old.contact, CHORD_NUDGE, 0);
}

/* The peer of the open query is dead, or as good as that. */
static void
query_peer_lost(struct chord *chord)
{
    struct chord_query *query = &chord->query;
    struct chord_peer lost = query->peer;

    switch (query->ask) {
    case CHORD_ASK_SUCCESSOR:
        list_drop(chord, lost.contact);
        if (chord->predecessor.contact == lost.contact)
            chord->predecessor = nobody;
        if (chord->successor_count)
            chord_ring_ask(chord, CHORD_ASK_SUCCESSOR, ring_head(chord));
        else
            chord_ring_query_over(chord);
        return;
    case CHORD_ASK_CANDIDATE:
        /* Back to the one that named it; by now this one is suspected and not tried again. */
        if (query->about.contact != lost.contact && ring_would_lead(chord, &query->about))
            chord_ring_ask(chord, CHORD_ASK_CANDIDATE, &query->about);
        else
            stabilize_end(chord);
        return;
    case CHORD_ASK_PREDECESSOR:
        if (chord->predecessor.contact == lost.contact) {
            chord_merge_remember(chord, &lost);
            predecessor_set(chord, &query->about);
        }
        chord_ring_query_over(chord);
        return;
    case CHORD_ASK_NOTHING:
    case CHORD_ASK_JOIN_PLACE:
    case CHORD_ASK_JOIN_PREDECESSOR:
    case CHORD_ASK_JOIN_SUCCESSOR:
        chord_join_query_lost(chord);
        return;
    }
}

static void
query_timed_out(struct chord *chord)
{
    struct chord_query *query = &chord->query;

    if (query->busy) {
        query_give_way(chord);
    } else if (query->attempts > 0) {
        query->attempts--;
        chord_ring_resend(chord);
    } else {
        chord_suspect_add(chord, query->peer.contact, false);
        query_peer_lost(chord);
    }
}

/* Whom the peer that we asked knows between us and itself: its list comes round to us, so it knows
 * the place, and would be a wrong head. Only who was left alone may be so far off. Such a peer is
 * asked before, a few of them and once each: they may be dead, and then who has answered is the
 * best that there is. */
static const struct chord_peer *
nearer_candidate(const struct chord *chord, const struct chord_message *reply)
{
    const struct chord_peer *best = NULL;

    for (uint32_t i = 0; i < reply->peer_count; i++) {
        const struct chord_peer *peer = &reply->peers[i];
        if (!ring_would_lead(chord, peer) || chord_suspects(chord, peer->contact) ||
            peer->contact == chord->self.contact ||
            !chord_id_between(&chord->self.id, &peer->id, &reply->from.id))
            continue;
        if (best == NULL || chord_id_nearer(&chord->self.id, &peer->id, &best->id))
            best = peer;
    }
    return best;
}

static void
candidate_answered(struct chord *chord, const struct chord_message *reply)
{
    struct chord_query *query = &chord->query;
    const struct chord_peer *nearer = nearer_candidate(chord, reply);

    if (nearer && query->detours < DETOURS_MAX) {
        query->detours++;
        query->about = reply->from;
        chord_ring_ask(chord, CHORD_ASK_CANDIDATE, nearer);
        query->attempts = 0;
        return;
    }
    if (ring_would_lead(chord, &reply->from)) {
        struct chord_peer old_head = chord->successor_count ? chord->successors[0] : nobody;
        chord_ring_adopt(chord, &reply->from, reply->peers, reply->peer_count);
        chord_merge_adopted(chord, &old_head);
    }
    stabilize_end(chord);
}

static void
successor_answered(struct chord *chord, const struct chord_message *reply)
{
    bool subject = reply->flags & CHORD_FLAG_SUBJECT;

    if (!ring_head_is(chord, reply->from.contact)) {
        chord_ring_query_over(chord);
        return;
    }
    chord_ring_adopt(chord, &reply->from, reply->peers, reply->peer_count);
    if (subject && ring_would_lead(chord, &reply->subject) &&
        reply->subject.contact != chord->self.contact) {
        chord->query.about = nobody;
        chord_ring_ask(chord, CHORD_ASK_CANDIDATE, &reply->subject);
        /* It may be back, though it failed or left: the successor has heard from it. */
        if (chord_suspects(chord, reply->subject.contact))
            chord->query.attempts = 0;
    } else {
        stabilize_end(chord);
    }
}

static bool
query_is_answered_by(const struct chord *chord, const struct chord_message *message)
{
    return chord->query.ask != CHORD_ASK_NOTHING && message->token == chord->query.token &&
           (message->from.contact == chord->query.peer.contact ||
            chord->query.ask == CHORD_ASK_JOIN_PLACE);
}

static void
state_reply_handle(struct chord *chord, const struct chord_message *message)
{
    if (!query_is_answered_by(chord, message))
        return;
    switch (chord->query.ask) {
    case CHORD_ASK_SUCCESSOR:
        successor_answered(chord, message);
        break;
    case CHORD_ASK_CANDIDATE:
        candidate_answered(chord, message);
        break;
    case CHORD_ASK_JOIN_PREDECESSOR:
    case CHORD_ASK_JOIN_SUCCESSOR:
        chord_join_message(chord, message);
        break;
    case CHORD_ASK_NOTHING:
    case CHORD_ASK_PREDECESSOR:
    case CHORD_ASK_JOIN_PLACE:
        break;
    }
}

/* --- what others ask --- */

static void
state_send(struct chord *chord, uint32_t contact, uint64_t token)
{
    struct chord_message *reply = chord_send(chord, contact, CHORD_STATE_REPLY, token);

    if (chord_has(&chord->predecessor)) {
        reply->subject = chord->predecessor;
        reply->flags |= CHORD_FLAG_SUBJECT;
    }
    reply->peer_count = chord->successor_count;
    memcpy(reply->peers, chord->successors, chord->successor_count * sizeof(reply->peers[0]));
}

static void
delayed_flush(struct chord *chord)
{
    for (uint32_t i = 0; i < chord->delayed_count; i++)
        state_send(chord, chord->delayed[i].contact, chord->delayed[i].token);
    chord->delayed_count = 0;
}

/* Who asks again gets one answer, to the last question. Who finds no room asks again. */
static void
delayed_add(struct chord *chord, uint32_t contact, uint64_t token)
{
    uint32_t i = 0;

    while (i < chord->delayed_count && chord->delayed[i].contact != contact)
        i++;
    if (i == CHORD_DELAYED_MAX)
        return;
    chord->delayed[i] = (struct chord_delayed){contact, token};
    if (i == chord->delayed_count)
        chord->delayed_count++;
}

static void
state_handle(struct chord *chord, const struct chord_message *message)
{
    if (chord->status != CHORD_MEMBER) {
        chord_send(chord, message->from.contact, CHORD_NOT_MEMBER, message->token);
    } else if (chord->query.ask == CHORD_ASK_NOTHING) {
        state_send(chord, message->from.contact, message->token);
    } else {
        chord_send(chord, message->from.contact, CHORD_BUSY, message->token);
        delayed_add(chord, message->from.contact, message->token);
    }
}

/* Of two that would be predecessor the nearer one is looked at; the other has a better successor
 * than us, and finds it when it stabilizes. */
static void
rectifier_offer(struct chord *chord, const struct chord_peer *peer)
{
    struct chord_peer loser = chord->rectifier;

    if (loser.contact == peer->contact)
        return;
    if (!chord_has(&loser) || chord_id_between(&loser.id, &peer->id, &chord->self.id))
        chord->rectifier = *peer;
    else
        loser = *peer;
    if (chord_has(&loser))
        chord_send(chord, loser.contact, CHORD_NUDGE, 0);
}

static void
notify_handle(struct chord *chord, const struct chord_message *message)
{
    if (chord->status != CHORD_MEMBER || !(message->flags & CHORD_FLAG_MEMBER))
        return;
    if (chord->predecessor.contact != message->from.contact)
        rectifier_offer(chord, &message->from);
}

void
chord_ring_heard(struct chord *chord, const struct chord_peer *peer)
{
    if (chord->status != CHORD_MEMBER)
        return;
    if (ring_would_lead(chord, peer) &&
        (!chord_has(&chord->candidate) ||
         chord_id_between(&chord->self.id, &peer->id, &chord->candidate.id))) {
        chord->candidate = *peer;
        chord->candidate_met = false;
    }
    if (chord_has(&chord->predecessor) &&
        chord_id_between(&chord->predecessor.id, &peer->id, &chord->self.id))
        rectifier_offer(chord, peer);
}

static void
pong_handle(struct chord *chord, const struct chord_message *message)
{
    if (!query_is_answered_by(chord, message) || chord->query.ask != CHORD_ASK_PREDECESSOR)
        return;
    /* Who took itself for our predecessor does not know the true one yet: it shall ask us. */
    chord_send(chord, chord->query.about.contact, CHORD_NUDGE, 0);
    chord_ring_query_over(chord);
}

static void
busy_handle(struct chord *chord, const struct chord_message *message)
{
    if (!query_is_answered_by(chord, message) || chord->query.busy)
        return;
    chord->query.busy = true;
    chord->query.deadline_us = chord->now_us + chord->params->busy_us +
                               chord_random_below(chord, chord->params->busy_us);
}

static void
nudge_handle(struct chord *chord, const struct chord_message *message)
{
    if (chord->status == CHORD_MEMBER && chord->successor_count &&
        (message->flags & CHORD_FLAG_MEMBER))
        chord_ring_soon(chord);
}

void
chord_ring_message(struct chord *chord, const struct chord_message *message)
{
    switch (message->kind) {
    case CHORD_STATE:
        state_handle(chord, message);
        break;
    case CHORD_STATE_REPLY:
        state_reply_handle(chord, message);
        break;
    case CHORD_BUSY:
        busy_handle(chord, message);
        break;
    case CHORD_NOT_MEMBER:
        if (query_is_answered_by(chord, message)) {
            chord_suspect_add(chord, message->from.contact, false);
            query_peer_lost(chord);
        }
        break;
    case CHORD_NOTIFY:
        notify_handle(chord, message);
        break;
    case CHORD_PING:
        chord_send(chord, message->from.contact,
                   chord->status == CHORD_MEMBER ? CHORD_PONG : CHORD_NOT_MEMBER, message->token);
        break;
    case CHORD_PONG:
        pong_handle(chord, message);
        break;
    case CHORD_NUDGE:
        nudge_handle(chord, message);
        break;
    default:
        break;
    }
}

/* --- what the driver says --- */

/* `contact` is dead for sure. Its query ends as if all attempts had; elsewhere it is dropped only
 * from the front of the list: what is further back is dropped when it gets there, since a list
 * with a live peer missing is worse than one with a dead peer in it. */
void
chord_ring_failed(struct chord *chord, uint32_t contact)
{
    if (chord->candidate.contact == contact)
        chord->candidate = nobody;
    if (chord->rectifier.contact == contact)
        chord->rectifier = nobody;
    if (chord->query.ask != CHORD_ASK_NOTHING && chord->query.peer.contact == contact)
        query_peer_lost(chord);
    if (chord->status != CHORD_MEMBER)
        return;
    if (chord->predecessor.contact == contact) {
        chord_merge_remember(chord, &chord->predecessor);
        chord->predecessor = nobody;
    }
    if (ring_head_is(chord, contact)) {
        list_drop(chord, contact);
        chord_ring_soon(chord);
    }
}

/* `peer` said goodbye: nobody is to look for it again. */
void
chord_ring_left(struct chord *chord, const struct chord_peer *peer)
{
    chord_suspect_add(chord, peer->contact, true);
    chord_ring_failed(chord, peer->contact);
    if (chord->status == CHORD_MEMBER)
        list_drop(chord, peer->contact);
    chord_merge_forget(chord, peer->contact);
}

void
chord_ring_leave(struct chord *chord)
{
    uint32_t told = chord->predecessor.contact;

    if (chord->status == CHORD_MEMBER) {
        if (chord_has(&chord->predecessor))
            chord_send(chord, told, CHORD_LEAVE, 0);
        for (uint32_t i = 0; i < chord->successor_count && i < 4; i++)
            if (chord->successors[i].contact != told)
                chord_send(chord, chord->successors[i].contact, CHORD_LEAVE, 0);
        ring_changed(chord);
    }
    chord->status = CHORD_GONE;
    chord->query.ask = CHORD_ASK_NOTHING;
    chord->delayed_count = 0;
    chord->successor_count = 0;
    chord->predecessor = chord->candidate = chord->rectifier = nobody;
    chord->nudge_us = 0;
}

/* --- time --- */

static void
rectify_start(struct chord *chord)
{
    struct chord_peer peer = chord->rectifier;

    chord->rectifier = nobody;
    if (peer.contact == chord->predecessor.contact || chord_id_equal(&peer.id, &chord->self.id))
        return;
    if (!chord_has(&chord->predecessor) ||
        chord_id_between(&chord->predecessor.id, &peer.id, &chord->self.id)) {
        predecessor_set(chord, &peer);
        return;
    }
    chord->query.about = peer;
    chord_ring_ask(chord, CHORD_ASK_PREDECESSOR, &chord->predecessor);
}

static void
candidate_start(struct chord *chord)
{
    struct chord_peer peer = chord->candidate;

    chord->candidate = nobody;
    if (!ring_would_lead(chord, &peer) || chord_suspects(chord, peer.contact))
        return;
    chord->query.detours = 0;
    chord->query.about = nobody;
    chord_ring_ask(chord, CHORD_ASK_CANDIDATE, &peer);
}

/* With nobody to tell yet, it waits for who comes. */
static bool
nudge_is_due(const struct chord *chord)
{
    return chord->nudge_us && chord->nudge_us <= chord->now_us &&
           chord_has(&chord->predecessor);
}

void
chord_ring_timers(struct chord *chord)
{
    if (chord->query.ask != CHORD_ASK_NOTHING && chord->query.deadline_us <= chord->now_us &&
        chord_has_room(chord))
        query_timed_out(chord);
    if (chord->status != CHORD_MEMBER)
        return;
    if (chord->query.ask == CHORD_ASK_NOTHING && chord_has(&chord->rectifier) &&
        chord_has_room(chord))
        rectify_start(chord);
    if (chord->query.ask == CHORD_ASK_NOTHING && chord->tick_us <= chord->now_us &&
        chord_has_room(chord))
        stabilize_start(chord);
    if (chord->query.ask == CHORD_ASK_NOTHING && chord_has(&chord->candidate) &&
        chord_has_room(chord))
        candidate_start(chord);
    if (nudge_is_due(chord) && chord_has_room(chord)) {
        chord->nudge_us = 0;
        chord_send(chord, chord->predecessor.contact, CHORD_NUDGE, 0);
    }
}

uint64_t
chord_ring_deadline_us(const struct chord *chord)
{
    uint64_t due_us = CHORD_NEVER;

    if (chord->query.ask != CHORD_ASK_NOTHING)
        due_us = chord->query.deadline_us;
    if (chord->status != CHORD_MEMBER)
        return due_us;
    if (chord->query.ask == CHORD_ASK_NOTHING) {
        due_us = chord->tick_us;
        if (chord_has(&chord->rectifier) || chord_has(&chord->candidate))
            due_us = chord->now_us;
    }
    if (chord->nudge_us && chord->nudge_us < due_us && chord_has(&chord->predecessor))
        due_us = chord->nudge_us;
    return due_us;
}
