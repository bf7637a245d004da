/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/overlay_codec.h"

#include <stddef.h>
#include <string.h>

#include <cpmp.h>

static ProtobufCBinaryData
id_bytes(const struct chord_id *id)
{
    return (ProtobufCBinaryData){.len = CHORD_ID_BYTES, .data = (uint8_t *)id->bytes};
}

/* None is zero. */
static int
id_read(ProtobufCBinaryData bytes, struct chord_id *id_p)
{
    memset(id_p, 0, sizeof(*id_p));
    if (bytes.len == 0)
        return CPMP_OK;
    if (bytes.len != CHORD_ID_BYTES)
        return CPMP_EPROTO;
    memcpy(id_p->bytes, bytes.data, CHORD_ID_BYTES);
    return CPMP_OK;
}

/* --- peers --- */

void
overlay_codec_describe(struct overlay_codec_peer *peer, const struct book *book,
                       const struct chord_peer *who)
{
    const struct book_entry *entry = book_get(book, who->contact);

    cpmp__overlay_peer__init(&peer->body);
    peer->id = who->id;
    peer->body.id = id_bytes(&peer->id);
    if (entry == NULL)
        return;
    peer->body.name = (char *)entry->name;
    for (uint32_t i = 0; i < entry->address_count; i++)
        peer->addresses[i] = (char *)entry->addresses[i];
    peer->body.addresses = peer->addresses;
    peer->body.n_addresses = entry->address_count;
}

int
overlay_codec_intern(const Cpmp__OverlayPeer *body, bool own_word, struct book *book,
                     uint64_t now_us, struct chord_peer *peer_p)
{
    struct book_peer said = {.own_word = own_word};

    if (body == NULL || body->id.len != CHORD_ID_BYTES || body->n_addresses > BOOK_ADDRESSES_MAX)
        return CPMP_EPROTO;
    id_read(body->id, &said.id);
    said.name = body->name;
    said.addresses = body->addresses;
    said.address_count = body->n_addresses;
    peer_p->id = said.id;
    peer_p->contact = book_intern(book, &said, now_us);
    return peer_p->contact == CHORD_NO_CONTACT ? CPMP_ELIMIT : CPMP_OK;
}

/* --- chord --- */

void
overlay_codec_chord_fill(struct overlay_codec_chord *codec, const struct book *book,
                         const struct chord_message *message)
{
    Cpmp__ChordMessage *body = &codec->body;

    cpmp__chord_message__init(body);
    body->kind = (uint32_t)message->kind;
    body->flags = message->flags;
    body->token = message->token;
    body->hop_token = message->hop_token;
    body->hops = message->hops;
    codec->key = message->key;
    body->key = id_bytes(&codec->key);
    if (message->kind == CHORD_LOOKUP) {
        overlay_codec_describe(&codec->origin, book, &message->origin);
        body->origin = &codec->origin.body;
    }
    if (message->flags & CHORD_FLAG_SUBJECT) {
        overlay_codec_describe(&codec->subject, book, &message->subject);
        body->subject = &codec->subject.body;
    }
    for (uint32_t i = 0; i < message->peer_count; i++) {
        overlay_codec_describe(&codec->peers[i], book, &message->peers[i]);
        codec->peer_list[i] = &codec->peers[i].body;
    }
    body->n_peers = message->peer_count;
    body->peers = codec->peer_list;
}

static int
peers_read(const Cpmp__ChordMessage *body, struct book *book, uint64_t now_us,
           struct chord_message *message)
{
    if (body->n_peers > CHORD_PEERS_MAX)
        return CPMP_EPROTO;
    for (size_t i = 0; i < body->n_peers; i++) {
        int error = overlay_codec_intern(body->peers[i], false, book, now_us,
                                         &message->peers[message->peer_count]);
        if (error == CPMP_EPROTO)
            return error;
        message->peer_count += error == CPMP_OK;
    }
    return CPMP_OK;
}

int
overlay_codec_chord_read(const Cpmp__ChordMessage *body, const struct chord_peer *from,
                         struct book *book, uint64_t now_us, struct chord_message *message_p)
{
    struct chord_message *message = message_p;
    int error;

    memset(message, 0, sizeof(*message));
    if (body->kind == 0 || body->kind >= CHORD_KIND_END)
        return CPMP_EPROTO;
    message->kind = (enum chord_kind)body->kind;
    message->flags = body->flags;
    message->from = *from;
    message->token = body->token;
    message->hop_token = body->hop_token;
    message->hops = body->hops;
    error = id_read(body->key, &message->key);
    if (error == CPMP_OK && message->kind == CHORD_LOOKUP)
        error = overlay_codec_intern(body->origin, false, book, now_us, &message->origin);
    if (error == CPMP_OK && (body->flags & CHORD_FLAG_SUBJECT))
        error = overlay_codec_intern(body->subject, false, book, now_us, &message->subject);
    if (error == CPMP_OK)
        error = peers_read(body, book, now_us, message);
    if (error == CPMP_OK && !chord_message_valid(message))
        error = CPMP_EPROTO;
    return error;
}

/* --- kv --- */

void
overlay_codec_kv_fill(struct overlay_codec_kv *codec, const struct kv_message *message)
{
    Cpmp__KvMessage *body = &codec->body;

    cpmp__kv_message__init(body);
    body->kind = (uint32_t)message->kind;
    body->status = (uint32_t)message->status;
    body->token = message->token;
    body->copy = message->copy;
    body->more = message->more;
    body->key = id_bytes(&message->key);
    body->after = id_bytes(&message->after);
    for (uint32_t i = 0; i < message->record_count; i++) {
        const struct kv_record *record = &message->records[i];
        Cpmp__KvRecord *out = &codec->records[i];

        cpmp__kv_record__init(out);
        if (message->kind == KV_STORE)
            out->key = id_bytes(&record->key);
        out->publisher = id_bytes(&record->publisher);
        out->sequence = record->sequence;
        out->lifetime_us = record->lifetime_us;
        out->value = (ProtobufCBinaryData){.len = record->bytes, .data = (uint8_t *)record->value};
        codec->record_list[i] = out;
    }
    body->n_records = message->record_count;
    body->records = codec->record_list;
}

static int
record_read(const Cpmp__KvRecord *body, const struct chord_id *key, struct kv_record *record)
{
    int error = id_read(body->key, &record->key);

    if (error == CPMP_OK)
        error = id_read(body->publisher, &record->publisher);
    if (body->key.len == 0)
        record->key = *key;
    if (error != CPMP_OK || body->value.len > KV_VALUE_BYTES_MAX)
        return CPMP_EPROTO;
    record->sequence = body->sequence;
    record->lifetime_us = body->lifetime_us;
    record->bytes = (uint32_t)body->value.len;
    record->value = body->value.len > 0 ? body->value.data : NULL;
    return CPMP_OK;
}

int
overlay_codec_kv_read(const Cpmp__KvMessage *body, const struct chord_peer *from,
                      struct kv_message *message_p)
{
    struct kv_message *message = message_p;
    int error;

    memset(message, 0, offsetof(struct kv_message, records));
    if (body->kind == 0 || body->kind >= KV_KIND_END || body->status >= KV_STATUS_END ||
        body->n_records > KV_BATCH_MAX)
        return CPMP_EPROTO;
    message->kind = (enum kv_kind)body->kind;
    message->status = (enum kv_status)body->status;
    message->from = *from;
    message->token = body->token;
    message->copy = body->copy;
    message->more = body->more;
    error = id_read(body->key, &message->key);
    if (error == CPMP_OK)
        error = id_read(body->after, &message->after);
    for (size_t i = 0; i < body->n_records && error == CPMP_OK; i++)
        error = record_read(body->records[i], &message->key, &message->records[i]);
    message->record_count = (uint32_t)body->n_records;
    if (error == CPMP_OK && !kv_message_valid(message))
        error = CPMP_EPROTO;
    return error;
}
