/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PROTO_KV_MESSAGE_H
#define CPI_PROTO_KV_MESSAGE_H

/*
 * What peers say to each other about soft state. Flat but for the values, which the message
 * borrows. The driver vouches that `from` is who sent the message (as for chord's messages).
 */

#include <stdbool.h>
#include <stdint.h>

#include "proto/chord/message.h"

#define KV_VALUE_BYTES_MAX  4096u
#define KV_BATCH_MAX        64u              /* records of a message */
#define KV_BATCH_BYTES_MAX  (128u << 10)     /* and their values together */
#define KV_LIFETIME_MAX_US  UINT64_C(86400000000)

enum kv_kind {
    KV_STORE = 1,      /* keep these; answered by STORED */
    KV_STORED,         /* status */
    KV_ASK,            /* what is there under `key`, beyond the record of `after`? */
    KV_RECORDS,        /* records, sorted by publisher; `more`: ask on after the last of them */
    KV_KIND_END
};

enum kv_status {
    KV_GOOD,
    KV_NOT_MINE,       /* the key is another peer's; look it up again */
    KV_FULL,           /* no room for it */
    KV_STATUS_END
};

/* A value under a key: one of each publisher, the one with the highest sequence. Without a value it
 * says that the publisher took it back. */
struct kv_record {
    struct chord_id key;
    struct chord_id publisher;
    uint64_t sequence;
    uint64_t lifetime_us;   /* from when the message came */
    uint32_t bytes;         /* at most KV_VALUE_BYTES_MAX */
    const uint8_t *value;
};

struct kv_message {
    enum kv_kind kind;
    enum kv_status status;  /* STORED, RECORDS */
    struct chord_peer from;
    uint64_t token;         /* a reply bears its request's; STORE with 0 wants none */
    bool copy;              /* STORE: as a copy, whoever owns the keys */
    bool more;              /* RECORDS */
    struct chord_id key;    /* ASK, RECORDS */
    struct chord_id after;  /* ASK: publisher of the last record seen; 0: from the first */
    uint32_t record_count;  /* STORE, RECORDS */
    struct kv_record records[KV_BATCH_MAX];
};

/* Whether a message that came from outside keeps the rules: kind, counts, sizes, lifetimes, one key
 * for all in RECORDS. */
bool kv_message_valid(const struct kv_message *message);

#endif
