/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PROTO_KV_TABLE_H
#define CPI_PROTO_KV_TABLE_H

/*
 * Records by key and publisher. Keys lie in one array, sorted, so that the keys of a stretch of the
 * ring are neighbours; the records of a key in another, sorted by publisher. What a publisher has
 * here is summed up, for the limit.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/kv/message.h"

struct kv_params;

/* What a record costs beyond its value: this struct, its pointer, malloc's. */
#define KV_ENTRY_COST 96u

struct kv_entry {
    struct chord_id publisher;
    uint64_t sequence;
    uint64_t expires_us;
    uint32_t bytes;         /* 0: taken back */
    uint8_t value[];
};

struct kv_key {
    struct chord_id key;
    struct kv_entry **entries;
    size_t count, capacity;
};

struct kv_publisher {
    struct chord_id id;
    uint64_t bytes;
};

struct kv_table {
    struct kv_key *keys;
    size_t count, capacity;
    size_t records;
    uint64_t bytes;
    struct kv_publisher *publishers;  /* sorted by id */
    size_t publisher_count, publisher_capacity;
};

enum kv_stored { KV_STORED_NEW, KV_STORED_KNOWN, KV_STORED_FULL };

void kv_table_release(struct kv_table *table);

/* Keeps a copy of `record` when its sequence is higher than what is there. */
enum kv_stored kv_table_store(struct kv_table *table, const struct kv_params *params,
                              const struct kv_record *record, uint64_t now_us);

/* Index of the first key at or after `key`; table->count when there is none. */
size_t kv_table_from(const struct kv_table *table, const struct chord_id *key);

/* NULL: nothing is there under `key`. */
const struct kv_key *kv_table_find(const struct kv_table *table, const struct chord_id *key);

/* Index of the first entry of `key` whose publisher comes after `publisher`. */
size_t kv_table_after(const struct kv_key *key, const struct chord_id *publisher);

/* The record of an entry; its value is borrowed. */
struct kv_record kv_entry_record(const struct chord_id *key, const struct kv_entry *entry,
                                 uint64_t now_us);

/* Forgets what has expired. */
void kv_table_sweep(struct kv_table *table, uint64_t now_us);

void kv_table_check(const struct kv_table *table);

#endif
