/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/chord/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "proto/chord/parts.h"

/*
 * Recursive lookups. Each peer passes a lookup on to the peer that is nearest before its key, of
 * all those that it knows; the owner answers the asker itself.
 *
 * Who has the key in the range of its successor list names the owner and sends the lookup there,
 * marked FINAL. The owner knows better when its predecessor is at or after the key (a peer joined
 * in between, or one was taken for dead wrongly): it passes the lookup back to it, still FINAL.
 *
 * Every hop says TAKEN to the one before. Where that fails to come, the lookup goes round the
 * silent peer, which is left out of routes for a while: our impatience alone does not touch the
 * ring. What is lost with a dying hop the asker sends again.
 */

#define NO_ROUTE NULL

bool
chord_route_owns_surely(const struct chord *chord, const struct chord_id *key)
{
    if (chord->status != CHORD_MEMBER)
        return false;
    if (chord_has(&chord->predecessor))
        return chord_id_owned(&chord->predecessor.id, key, &chord->self.id);
    return chord->successor_count == 0;
}

static bool
route_tried(const struct chord_forward *way, uint32_t contact)
{
    for (uint32_t i = 0; i < way->tried_count; i++)
        if (way->tried[i] == contact)
            return true;
    return false;
}

static bool
route_avoids(const struct chord *chord, const struct chord_forward *way, uint32_t contact)
{
    return route_tried(way, contact) || chord_suspects(chord, contact);
}

/* Whether it is answered here. An owner that is told so (FINAL) has a predecessor that lies at or
 * after the key speak for itself, even when it was silent of late: to be wrong costs a hop's
 * time-out here, and a wrong answer the other way. */

static bool
route_ends_here(const struct chord *chord, const struct chord_forward *way)
{
    if (way->flags & CHORD_FLAG_PREDECESSOR)
        return chord->successor_count == 0 ||
               chord_id_owned(&chord->self.id, &way->key, &chord->successors[0].id);
    if (chord_route_owns_surely(chord, &way->key))
        return true;
    return way->flags & CHORD_FLAG_FINAL &&
           (!chord_has(&chord->predecessor) ||
            chord_suspect_is_sure(chord, chord->predecessor.contact) ||
            route_tried(way, chord->predecessor.contact));
}

/* The first successor at or after the key, leaving out those to be avoided; a key at or before the
 * last successor only. */
static const struct chord_peer *
route_owner(const struct chord *chord, const struct chord_forward *way)
{
    for (uint32_t i = 0; i < chord->successor_count; i++) {
        const struct chord_peer *peer = &chord->successors[i];
        if (chord_id_owned(&chord->self.id, &way->key, &peer->id) &&
            !route_avoids(chord, way, peer->contact))
            return peer;
    }
    return NO_ROUTE;
}

static const struct chord_peer *
nearest_before(const struct chord *chord, const struct chord_forward *way)
{
    const struct chord_peer *best = NO_ROUTE;

    for (uint32_t i = 0; i < chord->successor_count + chord->finger_count; i++) {
        const struct chord_peer *peer = i < chord->successor_count
            ? &chord->successors[i] : &chord->fingers[i - chord->successor_count].peer;
        if (!chord_id_between(&chord->self.id, &peer->id, &way->key) ||
            route_avoids(chord, way, peer->contact))
            continue;
        if (best == NULL || chord_id_nearer(&chord->self.id, &best->id, &peer->id))
            best = peer;
    }
    return best;
}

/* Where a lookup that does not end here goes next. Sets FINAL when it goes to the owner. */
static const struct chord_peer *
route_next(const struct chord *chord, struct chord_forward *way)
{
    const struct chord_peer *next;

    if (way->flags & CHORD_FLAG_FINAL && chord_has(&chord->predecessor))
        return &chord->predecessor;
    if (!(way->flags & CHORD_FLAG_PREDECESSOR)) {
        next = route_owner(chord, way);
        if (next) {
            way->flags |= CHORD_FLAG_FINAL;
            return next;
        }
    }
    next = nearest_before(chord, way);
    /* All that are before the key are silent: better a doubtful one than none. */
    if (next == NO_ROUTE && chord->successor_count && way->tried_count == 0)
        next = &chord->successors[0];
    return next;
}

/* --- the end of a lookup --- */

/* An answer to any attempt is welcome. */
static struct chord_lookup *
lookup_find(struct chord *chord, uint64_t token)
{
    for (size_t i = 0; i < CHORD_LOOKUPS_MAX; i++)
        if (chord->lookups[i].purpose != CHORD_FOR_NOTHING &&
            token - chord->lookups[i].token <= chord->lookups[i].repeats)
            return &chord->lookups[i];
    return NULL;
}

static void
result_found(struct chord *chord, const struct chord_lookup *lookup,
             const struct chord_message *reply)
{
    struct chord_result *result = chord_give_result(chord, lookup->user_token, CHORD_FOUND);

    result->key = lookup->key;
    result->owner = reply->from;
    result->hops = reply->hops;
    result->paths = 1;
    for (uint32_t i = 0; i < reply->peer_count; i++)
        if (chord_has(&reply->peers[i]) && !chord_suspects(chord, reply->peers[i].contact))
            result->successors[result->successor_count++] = reply->peers[i];
}

static void
lookup_found(struct chord *chord, const struct chord_message *reply)
{
    struct chord_lookup *lookup = lookup_find(chord, reply->token);
    enum chord_purpose purpose;

    if (lookup == NULL)
        return;
    purpose = lookup->purpose;
    lookup->purpose = CHORD_FOR_NOTHING;
    if (purpose == CHORD_FOR_USER)
        result_found(chord, lookup, reply);
    else if (purpose == CHORD_FOR_FINGER)
        chord_finger_found(chord, reply);
    else
        chord_merge_found(chord, reply);
}

static void
answer_fill(const struct chord *chord, const struct chord_forward *way,
            struct chord_message *reply)
{
    reply->key = way->key;
    reply->hops = way->hops;
    reply->peer_count = chord->successor_count;
    memcpy(reply->peers, chord->successors, chord->successor_count * sizeof(reply->peers[0]));
}

static void
route_answer(struct chord *chord, const struct chord_forward *way)
{
    struct chord_message reply;

    if (way->flags & CHORD_FLAG_INTRODUCE) {
        /* Its PONG makes us know it; nothing is adopted before. */
        if (way->origin.contact != chord->self.contact)
            chord_send(chord, way->origin.contact, CHORD_PING, chord_token(chord));
    } else if (way->origin.contact != chord->self.contact) {
        answer_fill(chord, way, chord_send(chord, way->origin.contact, CHORD_LOOKUP_REPLY,
                                           way->token));
    } else {
        memset(&reply, 0, sizeof(reply));
        reply.kind = CHORD_LOOKUP_REPLY;
        reply.token = way->token;
        reply.from = chord->self;
        answer_fill(chord, way, &reply);
        lookup_found(chord, &reply);
    }
}

/* --- on its way --- */

/* Watches `way` until its next hop has taken it. Without room, or memory, it goes on unwatched: if
 * it is lost, the asker sends it again. */
static void
forward_watch(struct chord *chord, const struct chord_forward *way, uint32_t flags)
{
    struct chord_forward *watched;

    if (chord->forward_count == CHORD_FORWARDS_MAX)
        return;
    watched = malloc(sizeof(*watched));
    if (watched == NULL)
        return;
    *watched = *way;
    watched->flags = flags;
    watched->link = chord->forwards;
    chord->forwards = watched;
    chord->forward_count++;
}

/* Takes it out of the list and returns it. */
static struct chord_forward
forward_take(struct chord *chord, struct chord_forward **link_p)
{
    struct chord_forward *watched = *link_p;
    struct chord_forward way = *watched;

    *link_p = watched->link;
    free(watched);
    chord->forward_count--;
    return way;
}

void
chord_route_free_all(struct chord *chord)
{
    while (chord->forwards)
        forward_take(chord, &chord->forwards);
}

static void
forward_send(struct chord *chord, struct chord_forward *way, uint32_t contact)
{
    struct chord_message *message;

    way->next = contact;
    way->hop_token = chord_token(chord);
    way->deadline_us = chord->now_us + chord->params->hop_us;
    message = chord_send(chord, contact, CHORD_LOOKUP, way->token);
    message->flags |= way->flags;
    message->hop_token = way->hop_token;
    message->key = way->key;
    message->origin = way->origin;
    message->hops = way->hops + 1;
}

/* Takes `way` one hop on. */
static void
route_go(struct chord *chord, struct chord_forward *way)
{
    const struct chord_peer *next;
    uint32_t flags = way->flags;  /* as it came: another next hop may not be the owner */

    if (route_ends_here(chord, way)) {
        route_answer(chord, way);
        return;
    }
    next = way->hops < CHORD_HOPS_MAX ? route_next(chord, way) : NO_ROUTE;
    if (next == NO_ROUTE)
        return;
    forward_send(chord, way, next->contact);
    forward_watch(chord, way, flags);
}

/* The next hop has not taken it; nor will it what else was sent there. */
static void
forward_again(struct chord *chord, struct chord_forward **link_p)
{
    struct chord_forward way = forward_take(chord, link_p);

    chord_suspect_add(chord, way.next, false);
    chord_finger_failed(chord, way.next);
    chord_route_failed(chord, way.next);
    if (way.tried_count == CHORD_TRIED_MAX)
        return;
    way.tried[way.tried_count++] = way.next;
    if (chord->status == CHORD_MEMBER)
        route_go(chord, &way);
}

/* Each attempt of a lookup has a token of its own, so a second copy comes of a doubled message or
 * of a hop that missed our TAKEN. Were it passed on, copies would multiply from hop to hop. */
static bool
seen_before(struct chord *chord, const struct chord_message *message)
{
    uint64_t name = message->token ^ (uint64_t)message->origin.contact << 32;
    uint32_t hash = (uint32_t)cpi_hash_mix(name);

    for (size_t i = 0; i < CHORD_SEEN_MAX; i++)
        if (chord->seen[i] == hash)
            return true;
    chord->seen[chord->seen_at] = hash;
    chord->seen_at = (chord->seen_at + 1) % CHORD_SEEN_MAX;
    return false;
}

static void
lookup_handle(struct chord *chord, const struct chord_message *message)
{
    struct chord_forward way = {
        .key = message->key,
        .origin = message->origin,
        .token = message->token,
        .flags = message->flags & (CHORD_FLAG_FINAL | CHORD_FLAG_PREDECESSOR |
                                   CHORD_FLAG_INTRODUCE),
        .hops = message->hops,
    };

    if (chord->status != CHORD_MEMBER) {
        chord_send(chord, message->from.contact, CHORD_NOT_MEMBER, message->hop_token);
        return;
    }
    chord_send(chord, message->from.contact, CHORD_TAKEN, message->hop_token);
    if (!seen_before(chord, message))
        route_go(chord, &way);
}

static void
hop_answered(struct chord *chord, const struct chord_message *message)
{
    for (struct chord_forward **link_p = &chord->forwards; *link_p; link_p = &(*link_p)->link) {
        struct chord_forward *way = *link_p;
        if (way->next != message->from.contact || way->hop_token != message->token)
            continue;
        if (message->kind == CHORD_TAKEN)
            forward_take(chord, link_p);
        else
            way->deadline_us = chord->now_us;
        return;
    }
}

static void
lookup_reply_handle(struct chord *chord, const struct chord_message *message)
{
    if (chord->query.ask == CHORD_ASK_JOIN_PLACE && message->token == chord->query.token)
        chord_join_message(chord, message);
    else
        lookup_found(chord, message);
}

void
chord_route_message(struct chord *chord, const struct chord_message *message)
{
    switch (message->kind) {
    case CHORD_LOOKUP:
        lookup_handle(chord, message);
        break;
    case CHORD_LOOKUP_REPLY:
        lookup_reply_handle(chord, message);
        break;
    case CHORD_TAKEN:
    case CHORD_NOT_MEMBER:
        hop_answered(chord, message);
        break;
    default:
        break;
    }
}

void
chord_route_failed(struct chord *chord, uint32_t contact)
{
    for (struct chord_forward *way = chord->forwards; way; way = way->link)
        if (way->next == contact)
            way->deadline_us = chord->now_us;
}

/* --- lookups of our own --- */

static void
lookup_go(struct chord *chord, struct chord_lookup *lookup, uint32_t via)
{
    struct chord_forward way = {
        .key = lookup->key,
        .origin = chord->self,
        .token = lookup->token + lookup->repeats,
    };

    lookup->deadline_us = chord->now_us + chord->params->lookup_us;
    if (via != CHORD_NO_CONTACT)
        forward_send(chord, &way, via);
    else
        route_go(chord, &way);
}

bool
chord_route_start(struct chord *chord, enum chord_purpose purpose, uint64_t user_token,
                  const struct chord_id *key, uint32_t via)
{
    size_t i = 0;

    while (i < CHORD_LOOKUPS_MAX && chord->lookups[i].purpose != CHORD_FOR_NOTHING)
        i++;
    if (i == CHORD_LOOKUPS_MAX)
        return false;
    chord->lookups[i] = (struct chord_lookup){
        .purpose = purpose,
        .attempts = via == CHORD_NO_CONTACT ? (uint16_t)(chord->params->lookup_attempts - 1) : 0,
        .user_token = user_token,
        .token = chord_token(chord),
        .key = *key,
    };
    lookup_go(chord, &chord->lookups[i], via);
    return true;
}

void
chord_route_introduce(struct chord *chord, const struct chord_peer *peer)
{
    struct chord_forward way = {
        .key = peer->id,
        .origin = *peer,
        .token = chord_token(chord),
        .flags = CHORD_FLAG_INTRODUCE,
    };

    route_go(chord, &way);
}

static void
lookup_timed_out(struct chord *chord, struct chord_lookup *lookup)
{
    enum chord_purpose purpose = lookup->purpose;
    bool member = chord->status == CHORD_MEMBER;

    if (lookup->attempts > 0 && member) {
        lookup->attempts--;
        lookup->repeats++;
        lookup_go(chord, lookup, CHORD_NO_CONTACT);
        return;
    }
    lookup->purpose = CHORD_FOR_NOTHING;
    if (purpose == CHORD_FOR_USER)
        chord_give_result(chord, lookup->user_token, member ? CHORD_TIMED_OUT : CHORD_NO_RING)
            ->key = lookup->key;
    else if (purpose == CHORD_FOR_FINGER)
        chord_finger_not_found(chord);
}

/* All are due at once; the timers give the results as there is room. */
void
chord_route_end_all(struct chord *chord)
{
    for (size_t i = 0; i < CHORD_LOOKUPS_MAX; i++)
        chord->lookups[i].deadline_us = chord->now_us;
    chord_route_free_all(chord);
}

void
chord_route_timers(struct chord *chord)
{
    struct chord_forward **link_p = &chord->forwards;

    while (*link_p && chord_has_room(chord)) {
        if ((*link_p)->deadline_us <= chord->now_us)
            forward_again(chord, link_p);
        else
            link_p = &(*link_p)->link;
    }
    for (size_t i = 0; i < CHORD_LOOKUPS_MAX; i++)
        if (chord->lookups[i].purpose != CHORD_FOR_NOTHING &&
            chord->lookups[i].deadline_us <= chord->now_us && chord_has_room(chord))
            lookup_timed_out(chord, &chord->lookups[i]);
}

uint64_t
chord_route_deadline_us(const struct chord *chord)
{
    uint64_t due_us = CHORD_NEVER;

    for (const struct chord_forward *way = chord->forwards; way; way = way->link)
        if (way->deadline_us < due_us)
            due_us = way->deadline_us;
    for (size_t i = 0; i < CHORD_LOOKUPS_MAX; i++)
        if (chord->lookups[i].purpose != CHORD_FOR_NOTHING &&
            chord->lookups[i].deadline_us < due_us)
            due_us = chord->lookups[i].deadline_us;
    return due_us;
}
