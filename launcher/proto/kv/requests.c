/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The asker's side. A request is looked up, sent to the owner (and, when it reads, to those who
 * have copies), and begun again with a new lookup when nobody answers or the owner says that it
 * isn't one.
 *
 *   WAIT --time--> LOOKUP --found--> SEND --sent--> ASKED --answers--> result
 *     ^               |                               |
 *     +-- not found --+-------- none, not mine -------+
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/kv/state.h"

/* Who has pages without end is waited for that often as long as for one. */
#define PAGES_MOST 60u

/* --- beginning and end --- */

static struct kv_request *
request_free_one(struct kv *kv)
{
    for (size_t i = 0; i < kv->request_count; i++)
        if (kv->requests[i].phase == KV_PHASE_FREE)
            return &kv->requests[i];
    if (kv->request_count == kv->params->requests_max)
        return NULL;
    void *grown = reallocarray(kv->requests, kv->request_count + 1, sizeof(*kv->requests));
    if (grown == NULL)
        return NULL;
    kv->requests = grown;
    return &kv->requests[kv->request_count++];
}

static void
request_release(struct kv_request *request)
{
    kv_table_release(&request->found);
    free(request->value);
    memset(request, 0, sizeof(*request));
}

void
kv_requests_release(struct kv *kv)
{
    for (size_t i = 0; i < kv->request_count; i++)
        request_release(&kv->requests[i]);
    free(kv->requests);
}

static void
result_add(struct kv *kv, uint64_t token, bool put, const struct chord_id *key, enum kv_why why)
{
    struct kv_result *result = &kv->out->results[kv->out->result_count++];

    *result = (struct kv_result){.token = token, .why = why, .put = put, .key = *key};
}

static bool
value_copy(struct kv_request *request, const struct kv_event *event)
{
    if (event->bytes == 0)
        return true;
    request->value = malloc(event->bytes);
    if (request->value != NULL)
        memcpy(request->value, event->value, event->bytes);
    return request->value != NULL;
}

void
kv_request_begin(struct kv *kv, const struct kv_event *event)
{
    bool put = event->kind == KV_EVENT_PUT;
    struct kv_request *request = request_free_one(kv);
    uint64_t lifetime_us = event->lifetime_us;

    assert(!put || event->bytes <= KV_VALUE_BYTES_MAX);
    if (request != NULL)
        memset(request, 0, sizeof(*request));
    if (request == NULL || (put && !value_copy(request, event))) {
        result_add(kv, event->token, put, &event->key, KV_BUSY);
        return;
    }
    if (put && lifetime_us == 0)
        lifetime_us = kv->params->removed_us;
    request->phase = KV_PHASE_WAIT;
    request->deadline_us = kv->now_us;
    request->put = put;
    request->user_token = event->token;
    request->key = event->key;
    request->sequence = event->sequence;
    request->expires_us = kv->now_us + lifetime_us;
    request->bytes = event->lifetime_us == 0 ? 0 : event->bytes;
}

/* All records that were found, in the order of their publishers; memory of the table, which is kept
 * until the next step. */
static void
records_give(struct kv *kv, struct kv_request *request, struct kv_result *result)
{
    const struct kv_key *key = kv_table_find(&request->found, &request->key);
    struct kv_record *records = key == NULL ? NULL : calloc(key->count, sizeof(*records));

    for (size_t i = 0; records != NULL && i < key->count; i++)
        if (key->entries[i]->bytes > 0 && key->entries[i]->expires_us > kv->now_us)
            records[result->record_count++] =
                kv_entry_record(&key->key, key->entries[i], kv->now_us);
    result->cut = key != NULL && (records == NULL || key->count >= kv->params->key_records_max);
    result->records = records;
    kv->given[kv->given_count] = request->found;
    kv->given_records[kv->given_count++] = records;
    memset(&request->found, 0, sizeof(request->found));
}

static void
request_end(struct kv *kv, struct kv_request *request, enum kv_why why)
{
    struct kv_result *result = &kv->out->results[kv->out->result_count];

    result_add(kv, request->user_token, request->put, &request->key, why);
    result->answers = request->answers;
    if (!request->put && why == KV_DONE)
        records_give(kv, request, result);
    request_release(request);
}

/* --- an attempt --- */

/* This attempt is over, without success: wait for the next, or give up in request_go. */
static void
attempt_fail(struct kv *kv, struct kv_request *request)
{
    request->phase = KV_PHASE_WAIT;
    request->deadline_us = kv->now_us + kv->params->retry_us;
    request->asked_count = 0;
    request->token = 0;
}

static struct kv_request *
request_of(struct kv *kv, uint64_t token, enum kv_phase phase)
{
    for (size_t i = 0; token != 0 && i < kv->request_count; i++)
        if (kv->requests[i].token == token && kv->requests[i].phase == phase)
            return &kv->requests[i];
    return NULL;
}

static void
asked_add(struct kv *kv, struct kv_request *request, const struct chord_peer *peer)
{
    for (size_t i = 0; i < request->asked_count; i++)
        if (chord_id_equal(&request->asked[i].peer.id, &peer->id))
            return;
    if (request->asked_count < kv->params->copies)
        request->asked[request->asked_count++] =
            (struct kv_asked){.peer = *peer, .to_send = true};
}

void
kv_request_found(struct kv *kv, const struct kv_event *event)
{
    struct kv_request *request = request_of(kv, event->token, KV_PHASE_LOOKUP);
    const struct chord_result *lookup = event->lookup;

    if (request == NULL)
        return;
    if (lookup->why != CHORD_FOUND) {
        attempt_fail(kv, request);
        return;
    }
    request->asked_count = 0;
    asked_add(kv, request, &lookup->owner);
    for (uint32_t i = 0; !request->put && i < lookup->successor_count; i++)
        asked_add(kv, request, &lookup->successors[i]);
    request->phase = KV_PHASE_SEND;
    request->deadline_us = kv->now_us + kv->params->ask_us;
    request->pages_end_us = kv->now_us + PAGES_MOST * kv->params->ask_us;
}

/* --- answers --- */

static struct kv_asked *
asked_of(struct kv_request *request, const struct chord_id *id)
{
    for (size_t i = 0; i < request->asked_count; i++)
        if (chord_id_equal(&request->asked[i].peer.id, id) && !request->asked[i].done)
            return &request->asked[i];
    return NULL;
}

static bool
all_done(const struct kv_request *request)
{
    for (size_t i = 0; i < request->asked_count; i++)
        if (!request->asked[i].done)
            return false;
    return true;
}

static void
put_answered(struct kv *kv, struct kv_request *request, enum kv_status status)
{
    request->status = status;
    if (status == KV_GOOD) {
        request->answers = 1;
        request->asked[0].done = true;
    } else {
        attempt_fail(kv, request);
    }
}

static void
records_merge(struct kv *kv, struct kv_request *request, struct kv_asked *asked,
              const struct kv_message *message)
{
    for (uint32_t i = 0; i < message->record_count; i++)
        kv_table_store(&request->found, kv->params, &message->records[i], kv->now_us);
    if (message->record_count > 0)
        asked->after = message->records[message->record_count - 1].publisher;
    if (message->more) {
        asked->to_send = true;
        request->phase = KV_PHASE_SEND;
        request->deadline_us = kv->now_us + kv->params->ask_us;
        if (request->deadline_us > request->pages_end_us)
            request->deadline_us = request->pages_end_us;
        return;
    }
    asked->done = true;
    request->answers++;
}

/* The first page begins anywhere, a further one behind the one before. */
static bool
page_follows(const struct kv_asked *asked, const struct kv_message *message)
{
    static const struct chord_id zero;

    return message->record_count == 0 || chord_id_equal(&asked->after, &zero) ||
           chord_id_compare(&message->records[0].publisher, &asked->after) > 0;
}

void
kv_request_answer(struct kv *kv, const struct kv_message *message)
{
    struct kv_request *request = request_of(kv, message->token, KV_PHASE_ASKED);
    struct kv_asked *asked;

    if (request == NULL)
        request = request_of(kv, message->token, KV_PHASE_SEND);
    if (request == NULL || request->put != (message->kind == KV_STORED))
        return;
    asked = asked_of(request, &message->from.id);
    if (asked == NULL || asked->to_send)
        return;
    if (request->put) {
        put_answered(kv, request, message->status);
        return;
    }
    if (!chord_id_equal(&message->key, &request->key) || !page_follows(asked, message))
        return;
    records_merge(kv, request, asked, message);
}

/* --- going on --- */

static void
look_up(struct kv *kv, struct kv_request *request)
{
    struct kv_lookup *lookup;

    if (kv->out->lookup_count == KV_LOOKUPS_MAX) {
        kv->more = true;
        return;
    }
    request->attempts++;
    request->token = ++kv->last_token;
    request->phase = KV_PHASE_LOOKUP;
    request->deadline_us = KV_NEVER;  /* a lookup always ends */
    lookup = &kv->out->lookups[kv->out->lookup_count++];
    *lookup = (struct kv_lookup){.token = request->token, .key = request->key};
}

static struct kv_record
request_record(const struct kv *kv, const struct kv_request *request)
{
    return (struct kv_record){
        .key = request->key,
        .publisher = kv->self.id,
        .sequence = request->sequence,
        .lifetime_us = request->expires_us > kv->now_us ? request->expires_us - kv->now_us : 0,
        .bytes = request->bytes,
        .value = request->value,
    };
}

/* This peer is itself the one to ask. Messages of this step may point into the table, so it is not
 * changed after them. */
static void
serve_self(struct kv *kv, struct kv_request *request, struct kv_asked *asked)
{
    const struct kv_key *key = kv_table_find(&kv->table, &request->key);
    struct kv_record record = request_record(kv, request);
    enum kv_stored stored;

    if (!request->put) {
        for (size_t i = 0; key != NULL && i < key->count; i++) {
            record = kv_entry_record(&request->key, key->entries[i], kv->now_us);
            kv_table_store(&request->found, kv->params, &record, kv->now_us);
        }
        asked->to_send = false;
        asked->done = true;
        request->answers++;
        return;
    }
    if (kv->out->send_count > 0) {
        kv->more = true;
        return;
    }
    asked->to_send = false;
    if (!kv_owns(kv, &request->key)) {
        put_answered(kv, request, KV_NOT_MINE);
        return;
    }
    stored = kv_table_store(&kv->table, kv->params, &record, kv->now_us);
    if (stored == KV_STORED_NEW)
        kv_copies_spread(kv, &record);
    put_answered(kv, request, stored == KV_STORED_FULL ? KV_FULL : KV_GOOD);
}

static void
asked_send(struct kv *kv, struct kv_request *request, struct kv_asked *asked)
{
    struct kv_message *message;

    if (chord_id_equal(&asked->peer.id, &kv->self.id)) {
        serve_self(kv, request, asked);
        return;
    }
    message = kv_send(kv, &asked->peer, request->put ? KV_STORE : KV_ASK);
    if (message == NULL)
        return;
    asked->to_send = false;
    message->token = request->token;
    if (request->put) {
        message->record_count = 1;
        message->records[0] = request_record(kv, request);
    } else {
        message->key = request->key;
        message->after = asked->after;
    }
}

static void
send_all(struct kv *kv, struct kv_request *request)
{
    bool waiting = false;

    for (size_t i = 0; i < request->asked_count; i++) {
        if (request->asked[i].to_send)
            asked_send(kv, request, &request->asked[i]);
        if (request->phase != KV_PHASE_SEND)
            return;
        waiting = waiting || request->asked[i].to_send;
    }
    if (!waiting)
        request->phase = KV_PHASE_ASKED;
}

static void
give_up(struct kv *kv, struct kv_request *request)
{
    request_end(kv, request, request->status == KV_FULL ? KV_REFUSED : KV_UNREACHABLE);
}

/* The time for answers is over: a reader is content with those that came. */
static void
ask_over(struct kv *kv, struct kv_request *request)
{
    if (!request->put && request->answers > 0)
        request_end(kv, request, KV_DONE);
    else
        attempt_fail(kv, request);
}

static void
request_go(struct kv *kv, struct kv_request *request)
{
    if (kv->out->result_count == KV_RESULTS_MAX) {
        kv->more = true;
        return;
    }
    if (request->phase == KV_PHASE_WAIT && request->deadline_us <= kv->now_us) {
        if (request->attempts == kv->params->attempts)
            give_up(kv, request);
        else
            look_up(kv, request);
    }
    if (request->phase == KV_PHASE_SEND)
        send_all(kv, request);
    if (request->phase == KV_PHASE_SEND || request->phase == KV_PHASE_ASKED) {
        if (all_done(request))
            request_end(kv, request, KV_DONE);
        else if (request->deadline_us <= kv->now_us)
            ask_over(kv, request);
    }
}

void
kv_requests_go(struct kv *kv)
{
    for (size_t i = 0; i < kv->request_count; i++)
        if (kv->requests[i].phase != KV_PHASE_FREE)
            request_go(kv, &kv->requests[i]);
}

uint64_t
kv_requests_deadline_us(const struct kv *kv)
{
    uint64_t deadline_us = KV_NEVER;

    for (size_t i = 0; i < kv->request_count; i++)
        if (kv->requests[i].phase != KV_PHASE_FREE && kv->requests[i].deadline_us < deadline_us)
            deadline_us = kv->requests[i].deadline_us;
    return deadline_us;
}
