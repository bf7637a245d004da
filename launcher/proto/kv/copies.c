/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copies follow the ring. What this peer owns lies in (predecessor, self], and its next k - 1 peers
 * have copies of it:
 *
 * - another peer among these next ones: it is sent all that this peer owns;
 * - the predecessor is gone, so this peer owns more, of which it has copies: those go to the next
 *   ones;
 * - a peer has come between the predecessor and this one: what it owns now is sent to it.
 *
 * A push that gets lost is mended by its publishers, who renew.
 */
#include <string.h>

#include "proto/kv/state.h"

static void
push_add(struct kv *kv, const struct chord_peer *to, const struct chord_id *low,
         const struct chord_id *high)
{
    struct kv_push *push;

    if (kv->push_count == KV_PUSHES_MAX)  /* the ring is in turmoil: renewals will do */
        memmove(kv->pushes, kv->pushes + 1, --kv->push_count * sizeof(*kv->pushes));
    push = &kv->pushes[kv->push_count++];
    *push = (struct kv_push){.to = *to, .low = *low, .high = *high,
                             .whole = chord_id_equal(low, high)};
}

static void
push_to_next(struct kv *kv, const struct chord_id *low, const struct chord_id *high)
{
    for (size_t i = 0; i < kv->successor_count; i++)
        push_add(kv, &kv->successors[i], low, high);
}

static bool
is_among(const struct chord_peer *peers, size_t count, const struct chord_peer *peer)
{
    for (size_t i = 0; i < count; i++)
        if (chord_id_equal(&peers[i].id, &peer->id))
            return true;
    return false;
}

/* Where what this peer owns begins. Alone it owns everything. */
static const struct chord_id *
own_low(const struct kv *kv)
{
    return kv->has_predecessor ? &kv->predecessor.id : &kv->self.id;
}

static void
predecessor_changed(struct kv *kv, bool had, const struct chord_peer *old, bool was_alone)
{
    const struct chord_id *now = &kv->predecessor.id;

    if (!kv->has_predecessor)
        return;
    if (!had)  /* it owns what isn't this peer's; as far as this peer has it */
        push_add(kv, &kv->predecessor, was_alone ? &kv->self.id : now, now);
    else if (chord_id_between(&old->id, now, &kv->self.id))
        push_add(kv, &kv->predecessor, &old->id, now);
    else
        push_to_next(kv, now, &old->id);
}

void
kv_copies_ring(struct kv *kv, const struct kv_event *event)
{
    struct chord_peer old_next[KV_COPIES_MAX], old = kv->predecessor;
    size_t old_count = kv->successor_count;
    bool had = kv->has_predecessor, was_alone = kv->member && !had && old_count == 0;
    size_t most = kv->params->copies - 1;

    memcpy(old_next, kv->successors, sizeof(old_next));
    kv->member = event->member;
    kv->has_predecessor = event->predecessor != NULL;
    if (kv->has_predecessor)
        kv->predecessor = *event->predecessor;
    kv->successor_count = event->successor_count < most ? event->successor_count : most;
    for (size_t i = 0; i < kv->successor_count; i++)
        kv->successors[i] = event->successors[i];
    if (!kv->member)
        return;
    for (size_t i = 0; i < kv->successor_count; i++)
        if (!is_among(old_next, old_count, &kv->successors[i]))
            push_add(kv, &kv->successors[i], own_low(kv), &kv->self.id);
    if (had != kv->has_predecessor || (had && !chord_id_equal(&old.id, &kv->predecessor.id)))
        predecessor_changed(kv, had, &old, was_alone);
}

void
kv_copies_spread(struct kv *kv, const struct kv_record *record)
{
    const struct kv_key *key = kv_table_find(&kv->table, &record->key);
    size_t index = key == NULL ? 0 : kv_table_after(key, &record->publisher);

    if (index == 0)
        return;
    for (size_t i = 0; i < kv->successor_count; i++) {
        struct kv_message *message = kv_send(kv, &kv->successors[i], KV_STORE);
        if (message == NULL)
            return;
        message->copy = true;
        message->record_count = 1;
        message->records[0] = kv_entry_record(&key->key, key->entries[index - 1], kv->now_us);
    }
}

/* --- sending stretches of the ring --- */

/* The first key of the stretch, clockwise; NULL when it is at its end. */
static const struct kv_key *
push_next(const struct kv *kv, const struct kv_push *push)
{
    size_t index = kv_table_from(&kv->table, &push->low);
    const struct kv_key *key;

    if (kv->table.count == 0)
        return NULL;
    if (index < kv->table.count && !push->within &&
        chord_id_equal(&kv->table.keys[index].key, &push->low))
        index++;  /* the stretch begins behind it */
    key = &kv->table.keys[index < kv->table.count ? index : 0];
    if (push->within)
        return chord_id_equal(&key->key, &push->low) ? key : NULL;
    if (!push->whole && chord_id_equal(&push->low, &push->high))
        return NULL;
    return chord_id_owned(&push->low, &key->key, &push->high) ? key : NULL;
}

/* Moves `push` on behind `key`, of which all (or what comes up to the last record) is sent. */
static void
push_advance(struct kv_push *push, const struct kv_key *key, const struct kv_message *message,
             bool all)
{
    push->low = key->key;
    push->within = !all;
    if (!all && message->record_count > 0)
        push->after = message->records[message->record_count - 1].publisher;
    push->whole = false;
}

/* Fills one message. False when the stretch is at its end. */
static bool
push_fill(struct kv *kv, struct kv_push *push, struct kv_message *message)
{
    const struct kv_key *key;

    while ((key = push_next(kv, push)) != NULL) {
        bool all = kv_fill(kv, message, key, &push->after, !push->within);
        push_advance(push, key, message, all);
        if (!all)
            return true;
        push->within = false;
        if (chord_id_equal(&push->low, &push->high))
            return false;
    }
    return false;
}

void
kv_copies_go(struct kv *kv)
{
    while (kv->push_count > 0) {
        struct kv_push *push = &kv->pushes[0];
        struct kv_message *message = kv_send(kv, &push->to, KV_STORE);
        bool more;

        if (message == NULL)
            return;
        message->copy = true;
        more = push_fill(kv, push, message);
        if (message->record_count == 0)
            kv->out->send_count--;
        if (!more)
            memmove(kv->pushes, kv->pushes + 1, --kv->push_count * sizeof(*kv->pushes));
    }
}
