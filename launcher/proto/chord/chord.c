/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/chord/chord.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "proto/chord/parts.h"
#include "proto/chord/state.h"

/* --- small things that all parts use --- */

/* splitmix64 (Steele, Lea and Flood, OOPSLA 2014). */
uint64_t
chord_random(struct chord *chord)
{
    chord->random += 0x9e3779b97f4a7c15ull;
    return cpi_hash_mix(chord->random);
}

uint64_t
chord_random_below(struct chord *chord, uint64_t limit)
{
    return limit ? chord_random(chord) % limit : 0;
}

/* What is mixed once is unmixed as easily, and then the next number is known: hence the secret, and
 * a second time. */
uint64_t
chord_token(struct chord *chord)
{
    return cpi_hash_mix(chord_random(chord) ^ chord->secret);
}

struct chord_message *
chord_send(struct chord *chord, uint32_t contact, enum chord_kind kind, uint64_t token)
{
    struct chord_actions *out = chord->out;
    struct chord_send *send;

    assert(out && out->send_count < CHORD_SENDS_MAX);
    assert(contact != CHORD_NO_CONTACT && contact != chord->self.contact);
    send = &out->sends[out->send_count++];
    send->contact = contact;
    memset(&send->message, 0, offsetof(struct chord_message, peers));
    send->message.kind = kind;
    send->message.token = token;
    send->message.from = chord->self;
    send->message.origin.contact = CHORD_NO_CONTACT;
    send->message.subject.contact = CHORD_NO_CONTACT;
    if (chord->status == CHORD_MEMBER)
        send->message.flags = CHORD_FLAG_MEMBER;
    return &send->message;
}

struct chord_result *
chord_give_result(struct chord *chord, uint64_t token, enum chord_why why)
{
    struct chord_actions *out = chord->out;
    struct chord_result *result;

    assert(out->result_count < CHORD_RESULTS_MAX);
    result = &out->results[out->result_count++];
    memset(result, 0, offsetof(struct chord_result, successors));
    result->token = token;
    result->why = why;
    result->owner.contact = CHORD_NO_CONTACT;
    return result;
}

bool
chord_has_room(const struct chord *chord)
{
    return chord->out->send_count + CHORD_ROOM <= CHORD_SENDS_MAX &&
           chord->out->result_count < CHORD_RESULTS_MAX;
}

/* --- who is silent --- */

static const struct chord_suspect *
suspect_find(const struct chord *chord, uint32_t contact)
{
    for (size_t i = 0; i < CHORD_SUSPECTS_MAX; i++)
        if (chord->suspects[i].contact == contact && chord->suspects[i].until_us > chord->now_us)
            return &chord->suspects[i];
    return NULL;
}

bool
chord_suspects(const struct chord *chord, uint32_t contact)
{
    return contact == CHORD_NO_CONTACT || suspect_find(chord, contact) != NULL;
}

bool
chord_suspect_is_sure(const struct chord *chord, uint32_t contact)
{
    const struct chord_suspect *suspect = suspect_find(chord, contact);

    return suspect && suspect->sure;
}

/* In the place of the one whose time is up first. */
void
chord_suspect_add(struct chord *chord, uint32_t contact, bool sure)
{
    struct chord_suspect *oldest = &chord->suspects[0];

    for (size_t i = 0; i < CHORD_SUSPECTS_MAX; i++) {
        struct chord_suspect *suspect = &chord->suspects[i];
        if (suspect->contact == contact) {
            sure = sure || (suspect->sure && suspect->until_us > chord->now_us);
            oldest = suspect;
            break;
        }
        if (suspect->until_us < oldest->until_us)
            oldest = suspect;
    }
    *oldest = (struct chord_suspect){contact, sure, chord->now_us + chord->params->suspect_us};
}

void
chord_suspect_remove(struct chord *chord, uint32_t contact)
{
    for (size_t i = 0; i < CHORD_SUSPECTS_MAX; i++)
        if (chord->suspects[i].contact == contact)
            chord->suspects[i] = (struct chord_suspect){.contact = CHORD_NO_CONTACT};
}

uint64_t
chord_timeout_us(const struct chord *chord, uint32_t contact)
{
    const struct chord_params *params = chord->params;
    uint64_t wait_us = params->timeout_min_us * 2;

    for (uint32_t i = 0; i < chord->finger_count; i++)
        if (chord->fingers[i].peer.contact == contact && chord->fingers[i].rtt_us)
            wait_us = (uint64_t)chord->fingers[i].rtt_us * 4;
    if (wait_us < params->timeout_min_us)
        return params->timeout_min_us;
    return wait_us < params->timeout_max_us ? wait_us : params->timeout_max_us;
}

/* --- life --- */

static void
contacts_clear(struct chord *chord)
{
    chord->predecessor.contact = CHORD_NO_CONTACT;
    chord->candidate.contact = CHORD_NO_CONTACT;
    chord->rectifier.contact = CHORD_NO_CONTACT;
    for (size_t i = 0; i < CHORD_OLD_MAX; i++)
        chord->old[i].contact = CHORD_NO_CONTACT;
    for (size_t i = 0; i < CHORD_SUSPECTS_MAX; i++)
        chord->suspects[i].contact = CHORD_NO_CONTACT;
}

struct chord *
chord_new(const struct chord_params *params, const struct chord_id *self, uint32_t self_contact,
          uint64_t seed)
{
    struct chord *chord = calloc(1, sizeof(*chord));

    assert(chord_params_wrong(params) == NULL && self_contact != CHORD_NO_CONTACT);
    if (chord == NULL)
        return NULL;
    chord->params = params;
    chord->random = cpi_hash_mix(seed + 0x9e3779b97f4a7c15ull);
    chord->secret = cpi_hash_mix(cpi_hash_mix(seed ^ 0xd1342543de82ef95ull) + seed);
    chord->self = (struct chord_peer){*self, self_contact};
    chord->join_us = CHORD_NEVER;
    chord->alone_us = CHORD_NEVER;
    contacts_clear(chord);
    return chord;
}

void
chord_free(struct chord *chord)
{
    if (chord) {
        chord_search_free_all(chord);
        chord_route_free_all(chord);
    }
    free(chord);
}

/* --- events --- */

static void
message_handle(struct chord *chord, const struct chord_message *message)
{
    if (!chord_message_valid(message) || message->from.contact == chord->self.contact ||
        chord_id_equal(&message->from.id, &chord->self.id))
        return;
    if (message->kind == CHORD_LEAVE) {
        chord_ring_left(chord, &message->from);
        chord_route_failed(chord, message->from.contact);
        chord_finger_failed(chord, message->from.contact);
        chord_merge_forget(chord, message->from.contact);
        chord_search_failed(chord, message->from.contact);
        return;
    }
    if (message->flags & CHORD_FLAG_MEMBER) {
        chord_suspect_remove(chord, message->from.contact);
        chord_ring_heard(chord, &message->from);
    }
    chord_ring_message(chord, message);
    chord_route_message(chord, message);
    if (message->kind == CHORD_PONG || message->kind == CHORD_NOT_MEMBER)
        chord_finger_pong(chord, message);
    if (message->kind == CHORD_STEP)
        chord_search_step(chord, message);
    if (message->kind == CHORD_STEP_REPLY || message->kind == CHORD_NOT_MEMBER)
        chord_search_message(chord, message);
    chord_merge_message(chord, message);
}

static void
failed_handle(struct chord *chord, uint32_t contact)
{
    if (contact == CHORD_NO_CONTACT || contact == chord->self.contact)
        return;
    chord_suspect_add(chord, contact, true);
    chord_ring_failed(chord, contact);
    chord_route_failed(chord, contact);
    chord_finger_failed(chord, contact);
    chord_search_failed(chord, contact);
}

/* Reached again: if it was dropped, it is asked where it belongs. */
static void
alive_handle(struct chord *chord, uint32_t contact)
{
    chord_suspect_remove(chord, contact);
    for (size_t i = 0; i < CHORD_OLD_MAX; i++)
        if (contact != CHORD_NO_CONTACT && chord->old[i].contact == contact) {
            struct chord_peer peer = chord->old[i];
            chord_merge_met(chord, &peer);
            return;
        }
}

static void
lookup_handle(struct chord *chord, const struct chord_event *event)
{
    if (event->mode == CHORD_DISJOINT) {
        chord_search_start(chord, event->token, &event->key);
        return;
    }
    if (chord->status != CHORD_MEMBER)
        chord_give_result(chord, event->token, CHORD_NO_RING)->key = event->key;
    else if (!chord_route_start(chord, CHORD_FOR_USER, event->token, &event->key,
                                CHORD_NO_CONTACT))
        chord_give_result(chord, event->token, CHORD_TOO_MANY)->key = event->key;
}

static void
leave_handle(struct chord *chord)
{
    chord_ring_leave(chord);
    chord_route_end_all(chord);
    chord_search_end_all(chord);
    chord_finger_reset(chord);
}

static void
event_handle(struct chord *chord, const struct chord_event *event)
{
    switch (event->kind) {
    case CHORD_EVENT_TIME:
        break;
    case CHORD_EVENT_MESSAGE:
        message_handle(chord, event->message);
        break;
    case CHORD_EVENT_FAILED:
        failed_handle(chord, event->contact);
        break;
    case CHORD_EVENT_ALIVE:
        alive_handle(chord, event->contact);
        break;
    case CHORD_EVENT_DISTANCE:
        chord_finger_distance(chord, event->contact, event->rtt_us);
        break;
    case CHORD_EVENT_JOIN:
        chord_join_start(chord, event);
        break;
    case CHORD_EVENT_LEAVE:
        leave_handle(chord);
        break;
    case CHORD_EVENT_LOOKUP:
        lookup_handle(chord, event);
        break;
    case CHORD_EVENT_MET:
        chord_merge_met(chord, &event->peer);
        break;
    }
}

void
chord_step(struct chord *chord, const struct chord_event *event, struct chord_actions *out)
{
    enum chord_status status = chord->status;

    out->send_count = out->result_count = 0;
    out->changed = 0;
    out->had_predecessor = chord_has(&chord->predecessor);
    out->old_predecessor = chord->predecessor;
    chord->out = out;
    if (event->now_us > chord->now_us)
        chord->now_us = event->now_us;
    event_handle(chord, event);
    chord_join_timers(chord);
    chord_ring_timers(chord);
    chord_route_timers(chord);
    chord_search_timers(chord);
    chord_finger_timers(chord);
    chord_merge_timers(chord);
    if (chord->status != status)
        out->changed |= CHORD_CHANGED_STATUS;
    if (chord->predecessor.contact != out->old_predecessor.contact)
        out->changed |= CHORD_CHANGED_PREDECESSOR;
    chord->out = NULL;
}

uint64_t
chord_deadline_us(const struct chord *chord)
{
    const uint64_t dues_us[] = {
        chord_join_deadline_us(chord),   chord_ring_deadline_us(chord),
        chord_route_deadline_us(chord),  chord_search_deadline_us(chord),
        chord_finger_deadline_us(chord), chord_merge_deadline_us(chord),
    };
    uint64_t due_us = CHORD_NEVER;

    for (size_t i = 0; i < sizeof(dues_us) / sizeof(dues_us[0]); i++)
        if (dues_us[i] < due_us)
            due_us = dues_us[i];
    return due_us;
}
