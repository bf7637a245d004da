/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/kv/message.h"

#include <stddef.h>

static bool
record_valid(const struct kv_record *record)
{
    return record->bytes <= KV_VALUE_BYTES_MAX && record->lifetime_us <= KV_LIFETIME_MAX_US &&
           (record->bytes == 0 || record->value != NULL);
}

static bool
records_valid(const struct kv_message *message)
{
    size_t bytes = 0;

    if (message->record_count > KV_BATCH_MAX)
        return false;
    for (uint32_t i = 0; i < message->record_count; i++) {
        const struct kv_record *record = &message->records[i];
        if (!record_valid(record))
            return false;
        if (message->kind == KV_RECORDS && !chord_id_equal(&record->key, &message->key))
            return false;
        /* Sorted, so that "after the last" means something and asking on comes to an end. */
        if (message->kind == KV_RECORDS && i > 0 &&
            chord_id_compare(&message->records[i - 1].publisher, &record->publisher) >= 0)
            return false;
        bytes += record->bytes;
    }
    return bytes <= KV_BATCH_BYTES_MAX;
}

bool
kv_message_valid(const struct kv_message *message)
{
    switch (message->kind) {
    /* A publisher stores one at a time; copies come in batches. */
    case KV_STORE:
        return message->record_count > 0 && (message->copy || message->record_count == 1) &&
               records_valid(message);
    case KV_STORED: return message->status < KV_STATUS_END;
    case KV_ASK: return true;
    case KV_RECORDS:
        return message->status < KV_STATUS_END && records_valid(message) &&
               !(message->more && message->record_count == 0);
    default: return false;
    }
}
