/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/kv/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/kv/kv.h"

/* --- sorted arrays --- */

/* Index of the first member at or after `id`, or after it. Each begins with a chord_id, or with a
 * pointer to one. */
static size_t
lower_bound(const void *array, size_t count, size_t stride, bool pointers,
            const struct chord_id *id, bool beyond)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const void *at = (const char *)array + middle * stride;
        const struct chord_id *here = pointers ? *(const struct chord_id *const *)at : at;
        int order = chord_id_compare(here, id);
        if (order < 0 || (beyond && order == 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Room for one more member at `index`; false without memory. */
static bool
array_open(void **array, size_t *count, size_t *capacity, size_t stride, size_t index)
{
    if (*count == *capacity) {
        size_t wanted = *capacity ? 2 * *capacity : 4;
        void *grown = reallocarray(*array, wanted, stride);
        if (grown == NULL)
            return false;
        *array = grown;
        *capacity = wanted;
    }
    char *at = (char *)*array + index * stride;
    memmove(at + stride, at, (*count - index) * stride);
    memset(at, 0, stride);
    (*count)++;
    return true;
}

static void
array_close(void *array, size_t *count, size_t stride, size_t index)
{
    char *at = (char *)array + index * stride;

    memmove(at, at + stride, (*count - index - 1) * stride);
    (*count)--;
}

/* --- finding --- */

size_t
kv_table_from(const struct kv_table *table, const struct chord_id *key)
{
    return lower_bound(table->keys, table->count, sizeof(*table->keys), false, key, false);
}

const struct kv_key *
kv_table_find(const struct kv_table *table, const struct chord_id *key)
{
    size_t index = kv_table_from(table, key);

    if (index == table->count || !chord_id_equal(&table->keys[index].key, key))
        return NULL;
    return &table->keys[index];
}

static size_t
entry_from(const struct kv_key *key, const struct chord_id *publisher)
{
    return lower_bound(key->entries, key->count, sizeof(*key->entries), true, publisher, false);
}

size_t
kv_table_after(const struct kv_key *key, const struct chord_id *publisher)
{
    return lower_bound(key->entries, key->count, sizeof(*key->entries), true, publisher, true);
}

/* --- publishers --- */

static size_t
publisher_from(const struct kv_table *table, const struct chord_id *id)
{
    return lower_bound(table->publishers, table->publisher_count, sizeof(*table->publishers),
                       false, id, false);
}

static bool
publisher_is_at(const struct kv_table *table, size_t index, const struct chord_id *id)
{
    return index < table->publisher_count &&
           chord_id_equal(&table->publishers[index].id, id);
}

static bool
publisher_charge(struct kv_table *table, const struct chord_id *id, uint64_t cost)
{
    size_t index = publisher_from(table, id);
    void *array = table->publishers;

    if (!publisher_is_at(table, index, id)) {
        if (!array_open(&array, &table->publisher_count, &table->publisher_capacity,
                        sizeof(*table->publishers), index))
            return false;
        table->publishers = array;
        table->publishers[index].id = *id;
    }
    table->publishers[index].bytes += cost;
    return true;
}

static void
publisher_credit(struct kv_table *table, const struct chord_id *id, uint64_t cost)
{
    size_t index = publisher_from(table, id);

    assert(publisher_is_at(table, index, id) && table->publishers[index].bytes >= cost);
    table->publishers[index].bytes -= cost;
    if (table->publishers[index].bytes == 0)
        array_close(table->publishers, &table->publisher_count, sizeof(*table->publishers), index);
}

/* --- entries --- */

static uint64_t
entry_cost(uint32_t bytes)
{
    return KV_ENTRY_COST + bytes;
}

static struct kv_entry *
entry_new(const struct kv_record *record, const struct kv_params *params, uint64_t now_us)
{
    struct kv_entry *entry = malloc(sizeof(*entry) + record->bytes);
    uint64_t lifetime_us = record->lifetime_us;

    if (entry == NULL)
        return NULL;
    if (record->bytes == 0 && lifetime_us > params->removed_us)
        lifetime_us = params->removed_us;
    *entry = (struct kv_entry){
        .publisher = record->publisher,
        .sequence = record->sequence,
        .expires_us = now_us + lifetime_us,
        .bytes = record->bytes,
    };
    if (record->bytes > 0)
        memcpy(entry->value, record->value, record->bytes);
    return entry;
}

static void
entry_drop(struct kv_table *table, struct kv_key *key, size_t index)
{
    struct kv_entry *entry = key->entries[index];
    uint64_t cost = entry_cost(entry->bytes);

    publisher_credit(table, &entry->publisher, cost);
    table->bytes -= cost;
    table->records--;
    array_close(key->entries, &key->count, sizeof(*key->entries), index);
    free(entry);
}

static void
key_drop_if_empty(struct kv_table *table, size_t index)
{
    if (table->keys[index].count > 0)
        return;
    free(table->keys[index].entries);
    array_close(table->keys, &table->count, sizeof(*table->keys), index);
}

static struct kv_key *
key_open(struct kv_table *table, const struct chord_id *id)
{
    size_t index = kv_table_from(table, id);
    void *array = table->keys;

    if (index < table->count && chord_id_equal(&table->keys[index].key, id))
        return &table->keys[index];
    if (!array_open(&array, &table->count, &table->capacity, sizeof(*table->keys), index))
        return NULL;
    table->keys = array;
    table->keys[index].key = *id;
    return &table->keys[index];
}

/* Puts a new entry of `record` at `index`, where none of its publisher is. */
static bool
entry_insert(struct kv_table *table, const struct kv_params *params, struct kv_key *key,
             size_t index, const struct kv_record *record, uint64_t now_us)
{
    uint64_t cost = entry_cost(record->bytes);
    struct kv_entry *entry = entry_new(record, params, now_us);
    void *array = key->entries;

    if (entry == NULL)
        return false;
    if (!publisher_charge(table, &record->publisher, cost))
        goto free_entry;
    if (!array_open(&array, &key->count, &key->capacity, sizeof(*key->entries), index))
        goto credit_publisher;
    key->entries = array;
    key->entries[index] = entry;
    table->bytes += cost;
    table->records++;
    return true;

credit_publisher:
    publisher_credit(table, &record->publisher, cost);
free_entry:
    free(entry);
    return false;
}

/* Whether there is room for `record` once `old` (NULL: nothing) is gone. */
static bool
fits(const struct kv_table *table, const struct kv_params *params, const struct kv_key *key,
     const struct kv_entry *old, const struct kv_record *record)
{
    uint64_t cost = entry_cost(record->bytes), freed = old != NULL ? entry_cost(old->bytes) : 0;
    size_t index = publisher_from(table, &record->publisher);
    uint64_t own = publisher_is_at(table, index, &record->publisher)
                       ? table->publishers[index].bytes : 0;

    return key->count - (old != NULL) < params->key_records_max &&
           table->bytes - freed + cost <= params->bytes_max &&
           own - freed + cost <= params->publisher_bytes_max;
}

enum kv_stored
kv_table_store(struct kv_table *table, const struct kv_params *params,
               const struct kv_record *record, uint64_t now_us)
{
    struct kv_key *key = key_open(table, &record->key);
    size_t index = key == NULL ? 0 : entry_from(key, &record->publisher);
    struct kv_entry *old = NULL;
    bool stored;

    if (key == NULL)
        return KV_STORED_FULL;
    if (index < key->count && chord_id_equal(&key->entries[index]->publisher, &record->publisher))
        old = key->entries[index];
    if (old != NULL && old->sequence >= record->sequence)
        return KV_STORED_KNOWN;
    stored = fits(table, params, key, old, record);
    if (stored && old != NULL)
        entry_drop(table, key, index);
    stored = stored && entry_insert(table, params, key, index, record, now_us);
    key_drop_if_empty(table, kv_table_from(table, &record->key));
    return stored ? KV_STORED_NEW : KV_STORED_FULL;
}

struct kv_record
kv_entry_record(const struct chord_id *key, const struct kv_entry *entry, uint64_t now_us)
{
    return (struct kv_record){
        .key = *key,
        .publisher = entry->publisher,
        .sequence = entry->sequence,
        .lifetime_us = entry->expires_us > now_us ? entry->expires_us - now_us : 0,
        .bytes = entry->bytes,
        .value = entry->bytes > 0 ? entry->value : NULL,
    };
}

/* --- all of it --- */

void
kv_table_sweep(struct kv_table *table, uint64_t now_us)
{
    for (size_t i = table->count; i-- > 0;) {
        struct kv_key *key = &table->keys[i];
        for (size_t j = key->count; j-- > 0;)
            if (key->entries[j]->expires_us <= now_us)
                entry_drop(table, key, j);
        key_drop_if_empty(table, i);
    }
}

void
kv_table_release(struct kv_table *table)
{
    kv_table_sweep(table, UINT64_MAX);
    free(table->keys);
    free(table->publishers);
    memset(table, 0, sizeof(*table));
}

void
kv_table_check(const struct kv_table *table)
{
    uint64_t bytes = 0, charged = 0;
    size_t records = 0;

    for (size_t i = 0; i < table->count; i++) {
        const struct kv_key *key = &table->keys[i];
        assert(key->count > 0);
        assert(i == 0 || chord_id_compare(&table->keys[i - 1].key, &key->key) < 0);
        for (size_t j = 0; j < key->count; j++) {
            assert(j == 0 || chord_id_compare(&key->entries[j - 1]->publisher,
                                              &key->entries[j]->publisher) < 0);
            bytes += entry_cost(key->entries[j]->bytes);
            records++;
        }
    }
    for (size_t i = 0; i < table->publisher_count; i++)
        charged += table->publishers[i].bytes;
    assert(bytes == table->bytes && charged == bytes && records == table->records);
}
