/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/kv/kv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/kv/state.h"

struct kv_params
kv_params_default(void)
{
    return (struct kv_params){
#define KV_PARAM_VALUE(name, value, why) .name = value,
        KV_PARAMS(KV_PARAM_VALUE)
#undef KV_PARAM_VALUE
    };
}

struct kv *
kv_new(const struct kv_params *params, const struct chord_peer *self)
{
    struct kv *kv = calloc(1, sizeof(*kv));

    if (kv == NULL)
        return NULL;
    kv->params = params;
    kv->self = *self;
    kv->sweep_us = KV_NEVER;
    return kv;
}

static void
given_free(struct kv *kv)
{
    for (size_t i = 0; i < kv->given_count; i++) {
        kv_table_release(&kv->given[i]);
        free(kv->given_records[i]);
    }
    kv->given_count = 0;
}

void
kv_free(struct kv *kv)
{
    if (kv == NULL)
        return;
    given_free(kv);
    kv_requests_release(kv);
    kv_table_release(&kv->table);
    free(kv);
}

/* --- what the parts use --- */

struct kv_message *
kv_send(struct kv *kv, const struct chord_peer *to, enum kv_kind kind)
{
    struct kv_send *send;

    if (kv->out->send_count == KV_SENDS_MAX) {
        kv->more = true;
        return NULL;
    }
    send = &kv->out->sends[kv->out->send_count++];
    send->contact = to->contact;
    memset(&send->message, 0, offsetof(struct kv_message, records));
    send->message.kind = kind;
    send->message.from = kv->self;
    return &send->message;
}

bool
kv_owns(const struct kv *kv, const struct chord_id *key)
{
    if (!kv->member)
        return false;
    if (kv->has_predecessor)
        return chord_id_owned(&kv->predecessor.id, key, &kv->self.id);
    return kv->successor_count == 0;
}

bool
kv_fill(const struct kv *kv, struct kv_message *message, const struct kv_key *key,
        const struct chord_id *after, bool from_first)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < message->record_count; i++)
        bytes += message->records[i].bytes;
    for (size_t i = from_first ? 0 : kv_table_after(key, after); i < key->count; i++) {
        if (key->entries[i]->expires_us <= kv->now_us)
            continue;
        if (message->record_count == KV_BATCH_MAX ||
            bytes + key->entries[i]->bytes > KV_BATCH_BYTES_MAX)
            return false;
        message->records[message->record_count++] =
            kv_entry_record(&key->key, key->entries[i], kv->now_us);
        bytes += key->entries[i]->bytes;
    }
    return true;
}

/* --- what others want --- */

static void
stored_reply(struct kv *kv, const struct kv_message *request, enum kv_status status)
{
    struct kv_message *reply;

    if (request->token == 0)
        return;
    /* Without room the asker tries again: nothing that was promised is broken. */
    reply = kv_send(kv, &request->from, KV_STORED);
    if (reply == NULL)
        return;
    reply->token = request->token;
    reply->status = status;
}

/* A publisher's own record. */
static enum kv_status
store_own(struct kv *kv, const struct kv_record *record, const struct chord_id *from)
{
    enum kv_stored stored;

    if (!chord_id_equal(&record->publisher, from) || !kv_owns(kv, &record->key))
        return KV_NOT_MINE;
    stored = kv_table_store(&kv->table, kv->params, record, kv->now_us);
    if (stored == KV_STORED_NEW)
        kv_copies_spread(kv, record);
    return stored == KV_STORED_FULL ? KV_FULL : KV_GOOD;
}

static void
store(struct kv *kv, const struct kv_message *message)
{
    if (!message->copy) {
        stored_reply(kv, message, store_own(kv, &message->records[0], &message->from.id));
        return;
    }
    for (uint32_t i = 0; i < message->record_count; i++)
        kv_table_store(&kv->table, kv->params, &message->records[i], kv->now_us);
}

static void
ask(struct kv *kv, const struct kv_message *message)
{
    static const struct chord_id zero;
    const struct kv_key *key = kv_table_find(&kv->table, &message->key);
    struct kv_message *reply = kv_send(kv, &message->from, KV_RECORDS);

    if (reply == NULL)
        return;
    reply->token = message->token;
    reply->key = message->key;
    if (key != NULL)
        reply->more = !kv_fill(kv, reply, key, &message->after,
                               chord_id_equal(&message->after, &zero));
}

static void
message_take(struct kv *kv, const struct kv_message *message)
{
    if (!kv_message_valid(message))
        return;
    switch (message->kind) {
    case KV_STORE: store(kv, message); break;
    case KV_ASK: ask(kv, message); break;
    case KV_STORED:
    case KV_RECORDS: kv_request_answer(kv, message); break;
    default: break;
    }
}

/* --- the step --- */

static void
event_take(struct kv *kv, const struct kv_event *event)
{
    switch (event->kind) {
    case KV_EVENT_TIME: break;
    case KV_EVENT_MESSAGE: message_take(kv, event->message); break;
    case KV_EVENT_RING: kv_copies_ring(kv, event); break;
    case KV_EVENT_FOUND: kv_request_found(kv, event); break;
    case KV_EVENT_PUT:
    case KV_EVENT_GET: kv_request_begin(kv, event); break;
    }
}

static void
sweep(struct kv *kv)
{
    if (kv->now_us >= kv->sweep_us)
        kv_table_sweep(&kv->table, kv->now_us);
    if (kv->table.records == 0)
        kv->sweep_us = KV_NEVER;
    else if (kv->sweep_us <= kv->now_us || kv->sweep_us == KV_NEVER)
        kv->sweep_us = kv->now_us + KV_SWEEP_US;
}

void
kv_step(struct kv *kv, const struct kv_event *event, struct kv_actions *out)
{
    assert(event->now_us >= kv->now_us);
    given_free(kv);
    kv->now_us = event->now_us;
    kv->out = out;
    kv->more = false;
    out->send_count = out->lookup_count = out->result_count = 0;
    /* First, since what is sent below points into the table. */
    sweep(kv);
    event_take(kv, event);
    kv_requests_go(kv);
    kv_copies_go(kv);
    kv->out = NULL;
}

uint64_t
kv_deadline_us(const struct kv *kv)
{
    uint64_t deadline_us = kv_requests_deadline_us(kv);

    if (kv->more || kv->push_count > 0)
        return kv->now_us;
    return deadline_us < kv->sweep_us ? deadline_us : kv->sweep_us;
}

/* --- looking at it --- */

void
kv_check(const struct kv *kv)
{
    kv_table_check(&kv->table);
    assert(kv->table.bytes <= kv->params->bytes_max);
    assert(kv->successor_count < kv->params->copies);
    assert(kv->push_count <= KV_PUSHES_MAX);
    for (size_t i = 0; i < kv->request_count; i++) {
        const struct kv_request *request = &kv->requests[i];
        assert(request->attempts <= kv->params->attempts);
        assert(request->asked_count <= kv->params->copies);
        if (request->phase != KV_PHASE_FREE)
            kv_table_check(&request->found);
    }
}

size_t
kv_count(const struct kv *kv, const struct chord_id *key)
{
    const struct kv_key *found = kv_table_find(&kv->table, key);

    return found == NULL ? 0 : found->count;
}

size_t
kv_records(const struct kv *kv)
{
    return kv->table.records;
}

size_t
kv_bytes(const struct kv *kv)
{
    return kv->table.bytes;
}

bool
kv_peek(const struct kv *kv, const struct chord_id *key, const struct chord_id *publisher,
        uint64_t now_us, struct kv_record *record_p)
{
    const struct kv_key *found = kv_table_find(&kv->table, key);

    for (size_t i = 0; found != NULL && i < found->count; i++) {
        const struct kv_entry *entry = found->entries[i];
        if (!chord_id_equal(&entry->publisher, publisher) || entry->expires_us <= now_us)
            continue;
        *record_p = kv_entry_record(key, entry, now_us);
        return true;
    }
    return false;
}

void
kv_each_contact(const struct kv *kv, void (*each)(void *arg, uint32_t contact), void *arg)
{
    if (kv->has_predecessor)
        each(arg, kv->predecessor.contact);
    for (size_t i = 0; i < kv->successor_count; i++)
        each(arg, kv->successors[i].contact);
    for (size_t i = 0; i < kv->push_count; i++)
        each(arg, kv->pushes[i].to.contact);
    for (size_t i = 0; i < kv->request_count; i++)
        for (size_t j = 0; j < kv->requests[i].asked_count; j++)
            each(arg, kv->requests[i].asked[j].peer.contact);
}
