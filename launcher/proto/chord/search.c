/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/chord/state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/chord/parts.h"

/*
 * Iterative lookups over disjoint paths, for an asker who must be sure (Baumgart and Mies,
 * "S/Kademlia", ICPADS 2007, section 4.3, on Chord).
 *
 * The asker deals the peers that it knows out to its paths and walks each by itself: no peer is
 * asked on two paths. A path ends with a claim: this is the owner. A liar can claim a peer that is
 * too far or not there, but none that is nearer to the key than the true owner and answers, for ids
 * are hashes of keys and links are authenticated. So the nearest claim whose peer confirms it is
 * right as soon as one path was honest.
 */

#define CANDIDATES_MAX 8u
#define ASKED_MAX      64u  /* peers in one search, over all paths */
#define CLAIMS_MAX     8u

struct search_path {
    struct chord_peer asked;     /* contact CHORD_NO_CONTACT: none is being asked */
    uint64_t token;
    uint64_t deadline_us;
    uint32_t steps;
    uint32_t count;
    struct chord_peer candidates[CANDIDATES_MAX];  /* the last is the best */
    bool over;
};

struct search_claim {
    struct chord_peer owner;
    uint32_t paths;
    uint32_t steps;
};

struct chord_search {
    struct chord_search *next;
    uint64_t user_token;
    uint64_t give_up_us;
    uint64_t again_us;           /* when to walk anew, since nothing was confirmed; 0: not */
    struct chord_id key;
    uint32_t path_count;
    uint32_t asked_count;
    uint32_t claim_count;
    uint32_t attempts;           /* left to get the claim confirmed */
    bool confirming;             /* paths[0] asks claims[0] */
    bool over;
    enum chord_why why;
    uint32_t asked[ASKED_MAX];
    struct search_claim claims[CLAIMS_MAX];  /* nearest to the key first */
    struct search_path paths[CHORD_PATHS_MAX];
};

/* --- what a peer answers to a step --- */

/* Sorts in a candidate before the key: the nearest to the key first. */
static void
nearest_insert(struct chord_message *reply, const struct chord_peer *peer)
{
    uint32_t at = 0;

    while (at < reply->peer_count &&
           chord_id_nearer(&peer->id, &reply->peers[at].id, &reply->key))
        at++;
    if (at == CANDIDATES_MAX ||
        (at > 0 && reply->peers[at - 1].contact == peer->contact))
        return;
    if (reply->peer_count == CANDIDATES_MAX)
        reply->peer_count--;
    memmove(&reply->peers[at + 1], &reply->peers[at],
            (reply->peer_count - at) * sizeof(reply->peers[0]));
    reply->peers[at] = *peer;
    reply->peer_count++;
}

static void
nearest_fill(const struct chord *chord, struct chord_message *reply)
{
    for (uint32_t i = 0; i < chord->successor_count + chord->finger_count; i++) {
        const struct chord_peer *peer = i < chord->successor_count
            ? &chord->successors[i] : &chord->fingers[i - chord->successor_count].peer;
        if (chord_id_between(&chord->self.id, &peer->id, &reply->key) &&
            !chord_suspects(chord, peer->contact))
            nearest_insert(reply, peer);
    }
}

static void
final_add(struct chord_message *reply, const struct chord_peer *peer)
{
    reply->flags |= CHORD_FLAG_FINAL;
    if (reply->peer_count < CHORD_PEERS_MAX)
        reply->peers[reply->peer_count++] = *peer;
}

/* Fills the answer to "who is next on the way to reply->key?". */
static void
step_fill(const struct chord *chord, struct chord_message *reply)
{
    bool mine = chord_route_owns_surely(chord, &reply->key);

    if (mine)
        final_add(reply, &chord->self);
    for (uint32_t i = 0; i < chord->successor_count; i++) {
        const struct chord_peer *peer = &chord->successors[i];
        if ((mine || chord_id_owned(&chord->self.id, &reply->key, &peer->id)) &&
            !chord_suspects(chord, peer->contact))
            final_add(reply, peer);
    }
    if (reply->peer_count == 0)
        nearest_fill(chord, reply);
    /* Asked itself, with no predecessor to say otherwise, a peer is the owner. */
    if (!mine && !chord_has(&chord->predecessor) && !(reply->flags & CHORD_FLAG_FINAL) &&
        reply->peer_count == 0)
        final_add(reply, &chord->self);
}

void
chord_search_step(struct chord *chord, const struct chord_message *message)
{
    struct chord_message *reply;

    if (chord->status != CHORD_MEMBER) {
        chord_send(chord, message->from.contact, CHORD_NOT_MEMBER, message->token);
        return;
    }
    reply = chord_send(chord, message->from.contact, CHORD_STEP_REPLY, message->token);
    reply->key = message->key;
    if (message->flags & CHORD_FLAG_FINAL && !chord_has(&chord->predecessor)) {
        final_add(reply, &chord->self);
        for (uint32_t i = 0; i < chord->successor_count; i++)
            final_add(reply, &chord->successors[i]);
    } else if (message->flags & CHORD_FLAG_FINAL &&
               !chord_route_owns_surely(chord, &message->key)) {
        final_add(reply, &chord->predecessor);
    } else {
        step_fill(chord, reply);
    }
}

/* --- the asker --- */

static bool
search_asked(const struct chord_search *search, uint32_t contact)
{
    for (uint32_t i = 0; i < search->asked_count; i++)
        if (search->asked[i] == contact)
            return true;
    return false;
}

static void
search_end(struct chord_search *search, enum chord_why why)
{
    search->over = true;
    search->why = why;
}

static void
path_ask(struct chord *chord, struct chord_search *search, struct search_path *path,
         const struct chord_peer *peer)
{
    struct chord_message *message;

    path->asked = *peer;
    path->token = chord_token(chord);
    path->deadline_us = chord->now_us + chord_timeout_us(chord, peer->contact);
    path->steps++;
    message = chord_send(chord, peer->contact, CHORD_STEP, path->token);
    message->key = search->key;
    if (search->confirming)
        message->flags |= CHORD_FLAG_FINAL;
}

/* The next peer of the path, the best of its candidates that no path has asked. */
static void
path_go(struct chord *chord, struct chord_search *search, struct search_path *path)
{
    path->asked.contact = CHORD_NO_CONTACT;
    while (path->count > 0 && search->asked_count < ASKED_MAX) {
        const struct chord_peer *peer = &path->candidates[--path->count];
        if (search_asked(search, peer->contact) || chord_suspects(chord, peer->contact))
            continue;
        search->asked[search->asked_count++] = peer->contact;
        path_ask(chord, search, path, peer);
        return;
    }
    path->over = true;
}

/* Keeps the candidates sorted, the nearest to the key last; drops the worst when it is full. */
static void
path_candidate(const struct chord *chord, const struct chord_search *search,
               struct search_path *path, const struct chord_peer *peer)
{
    uint32_t at = 0;

    if (!chord_has(peer) || peer->contact == chord->self.contact ||
        search_asked(search, peer->contact))
        return;
    while (at < path->count &&
           chord_id_nearer(&path->candidates[at].id, &peer->id, &search->key))
        at++;
    if (path->count == CANDIDATES_MAX) {
        if (at == 0)
            return;
        memmove(&path->candidates[0], &path->candidates[1],
                (CANDIDATES_MAX - 1) * sizeof(path->candidates[0]));
        path->count--;
        at--;
    }
    memmove(&path->candidates[at + 1], &path->candidates[at],
            (path->count - at) * sizeof(path->candidates[0]));
    path->candidates[at] = *peer;
    path->count++;
}

static void
claim_add(struct chord_search *search, const struct chord_peer *owner, uint32_t steps)
{
    uint32_t at = 0;

    if (!chord_has(owner))
        return;
    while (at < search->claim_count &&
           chord_id_nearer(&search->key, &search->claims[at].owner.id, &owner->id))
        at++;
    if (at < search->claim_count && search->claims[at].owner.contact == owner->contact) {
        search->claims[at].paths++;
        return;
    }
    if (at == CLAIMS_MAX)
        return;
    if (search->claim_count == CLAIMS_MAX)
        search->claim_count--;
    memmove(&search->claims[at + 1], &search->claims[at],
            (search->claim_count - at) * sizeof(search->claims[0]));
    search->claims[at] = (struct search_claim){.owner = *owner, .paths = 1, .steps = steps};
    search->claim_count++;
}

static void
claim_drop(struct chord *chord, struct chord_search *search)
{
    search->claim_count--;
    memmove(&search->claims[0], &search->claims[1],
            search->claim_count * sizeof(search->claims[0]));
    search->attempts = (uint32_t)chord->params->attempts;
}

static void
search_give(struct chord *chord, struct chord_search *search, const struct chord_peer *successors,
            uint32_t count)
{
    struct chord_result *result = chord_give_result(chord, search->user_token, CHORD_FOUND);

    result->key = search->key;
    result->owner = search->claims[0].owner;
    result->paths = search->claims[0].paths;
    result->hops = search->claims[0].steps;
    for (uint32_t i = 0; i < count; i++)
        if (chord_has(&successors[i]) && !chord_suspects(chord, successors[i].contact))
            result->successors[result->successor_count++] = successors[i];
    search->over = true;
    search->why = CHORD_FOUND;
}

/* All paths are over: the nearest claim is asked itself. */
static void
search_confirm(struct chord *chord, struct chord_search *search)
{
    const struct chord_peer *owner = &search->claims[0].owner;

    search->confirming = true;
    search->paths[0].asked.contact = CHORD_NO_CONTACT;
    while (search->claim_count && search->attempts == 0)
        claim_drop(chord, search);
    if (search->claim_count == 0) {
        search->again_us = chord->now_us + chord->params->hop_us;
    } else if (owner->contact == chord->self.contact) {
        search_give(chord, search, chord->successors, chord->successor_count);
    } else {
        search->attempts--;
        path_ask(chord, search, &search->paths[0], owner);
    }
}

static void
search_go(struct chord *chord, struct chord_search *search)
{
    bool over = true;

    for (uint32_t i = 0; i < search->path_count; i++)
        over = over && search->paths[i].over;
    if (over && !search->confirming)
        search_confirm(chord, search);
}

static void
confirm_answered(struct chord *chord, struct chord_search *search,
                 const struct chord_message *message)
{
    bool itself = message->peer_count > 0 && message->flags & CHORD_FLAG_FINAL &&
                  message->peers[0].contact == message->from.contact;

    if (itself) {
        search_give(chord, search, message->peers + 1, message->peer_count - 1);
        return;
    }
    /* It knows of somebody nearer, which is then asked first; and else it is asked again. */
    if (message->flags & CHORD_FLAG_FINAL && message->peer_count > 0 &&
        chord_id_nearer(&search->key, &message->peers[0].id, &message->from.id) &&
        search->paths[0].steps < ASKED_MAX) {
        claim_add(search, &message->peers[0], search->claims[0].steps + 1);
        search->attempts = (uint32_t)chord->params->attempts;
    } else {
        search->attempts = 0;
    }
    search_confirm(chord, search);
}

static void
path_answered(struct chord *chord, struct chord_search *search, struct search_path *path,
              const struct chord_message *message)
{
    path->asked.contact = CHORD_NO_CONTACT;
    if (message->kind == CHORD_STEP_REPLY && message->flags & CHORD_FLAG_FINAL &&
        message->peer_count > 0) {
        claim_add(search, &message->peers[0], path->steps);
        path->over = true;
    } else if (message->kind == CHORD_STEP_REPLY) {
        for (uint32_t i = message->peer_count; i-- > 0;)
            if (chord_id_between(&message->from.id, &message->peers[i].id, &search->key))
                path_candidate(chord, search, path, &message->peers[i]);
        path_go(chord, search, path);
    } else {
        path_go(chord, search, path);
    }
    search_go(chord, search);
}

void
chord_search_message(struct chord *chord, const struct chord_message *message)
{
    for (struct chord_search *search = chord->searches; search; search = search->next)
        for (uint32_t i = 0; i < search->path_count && !search->over; i++) {
            struct search_path *path = &search->paths[i];
            if (path->asked.contact != message->from.contact || path->token != message->token)
                continue;
            if (!search->confirming)
                path_answered(chord, search, path, message);
            else if (message->kind == CHORD_STEP_REPLY)
                confirm_answered(chord, search, message);
            else
                path->deadline_us = chord->now_us;
            return;
        }
}

/* What this peer knows is dealt out, the best of it last so that every path begins well. */
static void
search_deal(struct chord *chord, struct chord_search *search)
{
    uint32_t dealt = 0;
    struct chord_message known = {.key = search->key};

    step_fill(chord, &known);
    if (known.flags & CHORD_FLAG_FINAL)
        claim_add(search, &known.peers[0], 0);
    known.peer_count = 0;
    nearest_fill(chord, &known);
    for (uint32_t i = 0; i < known.peer_count; i++)
        path_candidate(chord, search, &search->paths[dealt++ % search->path_count],
                       &known.peers[i]);
}

/* All paths from the beginning. */
static void
search_walk(struct chord *chord, struct chord_search *search)
{
    memset(search->paths, 0, sizeof(search->paths));
    search->attempts = (uint32_t)chord->params->attempts;
    search->again_us = 0;
    search->confirming = false;
    search->asked_count = 0;
    search->claim_count = 0;
    search_deal(chord, search);
    for (uint32_t i = 0; i < search->path_count; i++)
        path_go(chord, search, &search->paths[i]);
    search_go(chord, search);
}

void
chord_search_start(struct chord *chord, uint64_t user_token, const struct chord_id *key)
{
    struct chord_search *search;

    if (chord->status != CHORD_MEMBER) {
        chord_give_result(chord, user_token, CHORD_NO_RING)->key = *key;
        return;
    }
    search = calloc(1, sizeof(*search));
    if (search == NULL) {
        chord_give_result(chord, user_token, CHORD_TOO_MANY)->key = *key;
        return;
    }
    search->user_token = user_token;
    search->key = *key;
    search->give_up_us = chord->now_us + chord->params->lookup_us * chord->params->lookup_attempts;
    search->path_count = (uint32_t)chord->params->paths;
    search->next = chord->searches;
    chord->searches = search;
    search_walk(chord, search);
}

/* --- time --- */

static void
search_timers(struct chord *chord, struct chord_search *search)
{
    if (search->give_up_us <= chord->now_us)
        search_end(search, chord->status == CHORD_MEMBER ? CHORD_TIMED_OUT : CHORD_NO_RING);
    else if (search->again_us && search->again_us <= chord->now_us && chord_has_room(chord))
        search_walk(chord, search);
    for (uint32_t i = 0; i < search->path_count && !search->over; i++) {
        struct search_path *path = &search->paths[i];
        if (!chord_has(&path->asked) || path->deadline_us > chord->now_us ||
            !chord_has_room(chord))
            continue;
        if (search->confirming) {
            search_confirm(chord, search);
        } else {
            chord_suspect_add(chord, path->asked.contact, false);
            path_go(chord, search, path);
            search_go(chord, search);
        }
    }
}

/* Ended searches are taken out here, when there is room for the results of those that failed. */
static void
searches_sweep(struct chord *chord)
{
    struct chord_search **link_p = &chord->searches;

    while (*link_p) {
        struct chord_search *search = *link_p;
        if (!search->over || !chord_has_room(chord)) {
            link_p = &search->next;
            continue;
        }
        if (search->why != CHORD_FOUND)
            chord_give_result(chord, search->user_token, search->why)->key = search->key;
        *link_p = search->next;
        free(search);
    }
}

void
chord_search_timers(struct chord *chord)
{
    for (struct chord_search *search = chord->searches; search; search = search->next)
        if (!search->over)
            search_timers(chord, search);
    searches_sweep(chord);
}

uint64_t
chord_search_deadline_us(const struct chord *chord)
{
    uint64_t due_us = CHORD_NEVER;

    for (const struct chord_search *search = chord->searches; search; search = search->next) {
        if (search->over)
            return chord->now_us;
        if (search->give_up_us < due_us)
            due_us = search->give_up_us;
        if (search->again_us && search->again_us < due_us)
            due_us = search->again_us;
        for (uint32_t i = 0; i < search->path_count; i++)
            if (chord_has(&search->paths[i].asked) && search->paths[i].deadline_us < due_us)
                due_us = search->paths[i].deadline_us;
    }
    return due_us;
}

void
chord_search_failed(struct chord *chord, uint32_t contact)
{
    for (struct chord_search *search = chord->searches; search; search = search->next)
        for (uint32_t i = 0; i < search->path_count; i++)
            if (search->paths[i].asked.contact == contact)
                search->paths[i].deadline_us = chord->now_us;
}

void
chord_search_end_all(struct chord *chord)
{
    for (struct chord_search *search = chord->searches; search; search = search->next)
        search->give_up_us = chord->now_us;
}

void
chord_search_free_all(struct chord *chord)
{
    while (chord->searches) {
        struct chord_search *next = chord->searches->next;
        free(chord->searches);
        chord->searches = next;
    }
}

size_t
chord_search_bytes(const struct chord *chord)
{
    size_t bytes = 0;

    for (const struct chord_search *search = chord->searches; search; search = search->next)
        bytes += sizeof(*search);
    return bytes;
}

void
chord_search_each_contact(const struct chord *chord, void (*each)(void *, uint32_t), void *arg)
{
    for (const struct chord_search *search = chord->searches; search; search = search->next) {
        for (uint32_t i = 0; i < search->asked_count; i++)
            each(arg, search->asked[i]);
        for (uint32_t i = 0; i < search->claim_count; i++)
            each(arg, search->claims[i].owner.contact);
        for (uint32_t i = 0; i < search->path_count; i++) {
            if (chord_has(&search->paths[i].asked))
                each(arg, search->paths[i].asked.contact);
            for (uint32_t k = 0; k < search->paths[i].count; k++)
                each(arg, search->paths[i].candidates[k].contact);
        }
    }
}
