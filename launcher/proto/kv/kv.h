/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PROTO_KV_KV_H
#define CPI_PROTO_KV_KV_H

/*
 * Soft state on the ring: what peers publish under keys (offers, jobs, who has a file), kept by the
 * key's owner and the next k - 1 peers after it, until it expires. A pure state machine; the
 * driver gives it chord's view of the ring and carries its lookups and messages.
 *
 * - A publisher has one record under a key, renewed before it expires. That also mends what was
 *   lost: nothing here is kept for ever, and nobody is asked to be reliable.
 * - Replicas follow the ring. When the owner's next peers change, it sends them what it owns. When
 *   a peer comes between, whoever owned its keys until now sends it them, and keeps his as a copy.
 * - A reader asks the owner and the copies, and merges what they say by sequence number. So a
 *   record is found as long as one of them has it and answers, also while the ring is changing.
 * - Memory is bounded, in total and for each publisher; what is too much is refused, not dropped.
 *
 * Chord paper (Stoica et al., 2003), section 3.2, leaves storage to the application and proposes
 * copies on the successors; DHash does the same.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/chord/chord.h"
#include "proto/kv/message.h"

#define KV_SENDS_MAX    8u
#define KV_LOOKUPS_MAX  4u
#define KV_RESULTS_MAX  2u
#define KV_COPIES_MAX   8u
#define KV_NEVER        UINT64_MAX

/* name, default, the reason for the default */
#define KV_PARAMS(P)                                                                               \
    P(copies, 3, "k: two may go at once before the next renewal")                                  \
    P(ask_us, 1000000, "owner and copies have that long to answer; then others are asked")         \
    P(attempts, 4, "a request meets a changing ring seldom more than twice")                       \
    P(retry_us, 200000, "for the ring to settle before the next attempt")                          \
    P(requests_max, 512, "requests of this peer under way")                                        \
    P(bytes_max, 67108864, "all values that are kept here, with what they cost")                   \
    P(publisher_bytes_max, 4194304, "those of one publisher")                                      \
    P(key_records_max, 16384, "records under one key")                                             \
    P(removed_us, 60000000, "that a record was taken back is remembered for that long")

struct kv_params {
#define KV_PARAM_FIELD(name, value, why) uint64_t name;
    KV_PARAMS(KV_PARAM_FIELD)
#undef KV_PARAM_FIELD
};

struct kv_params kv_params_default(void);

struct kv;

enum kv_event_kind {
    KV_EVENT_TIME,     /* kv_deadline_us has come */
    KV_EVENT_MESSAGE,  /* message */
    KV_EVENT_RING,     /* predecessor, successors: as chord has them now */
    KV_EVENT_FOUND,    /* token, lookup: what became of a lookup */
    KV_EVENT_PUT,      /* token, key, sequence, lifetime, value: publish; a result follows */
    KV_EVENT_GET       /* token, key: a result follows, exactly one */
};

struct kv_event {
    enum kv_event_kind kind;
    uint64_t now_us;
    uint64_t token;
    struct chord_id key;
    const struct kv_message *message;
    const struct chord_result *lookup;
    const struct chord_peer *predecessor;  /* RING; NULL: unknown */
    const struct chord_peer *successors;
    size_t successor_count;
    bool member;                           /* RING: this peer is in the ring */
    uint64_t sequence;                     /* PUT: higher than before */
    uint64_t lifetime_us;                  /* PUT: 0 takes the record back */
    const void *value;                     /* PUT: copied */
    uint32_t bytes;
};

struct kv_send {
    uint32_t contact;
    struct kv_message message;
};

struct kv_lookup {
    uint64_t token;
    struct chord_id key;
};

enum kv_why {
    KV_DONE,
    KV_UNREACHABLE,  /* after all attempts */
    KV_REFUSED,      /* no room there */
    KV_BUSY          /* too many requests of this peer are under way */
};

struct kv_result {
    uint64_t token;
    enum kv_why why;
    bool put;
    uint32_t answers;          /* GET: of so many copies */
    bool cut;                  /* GET: there are more records than a reader takes */
    struct chord_id key;
    size_t record_count;       /* GET: sorted by publisher; those taken back are left out */
    const struct kv_record *records;
};

/* Memory that messages and results point to is valid until the next step. */
struct kv_actions {
    size_t send_count, lookup_count, result_count;
    struct kv_send sends[KV_SENDS_MAX];
    struct kv_lookup lookups[KV_LOOKUPS_MAX];
    struct kv_result results[KV_RESULTS_MAX];
};

/* NULL: no memory. `params` must outlive it. */
struct kv *kv_new(const struct kv_params *params, const struct chord_peer *self);
void kv_free(struct kv *kv);

/* Takes one event; overwrites *out. */
void kv_step(struct kv *kv, const struct kv_event *event, struct kv_actions *out);

/* When to step with KV_EVENT_TIME at the latest. */
uint64_t kv_deadline_us(const struct kv *kv);

/* Asserts what must hold between steps. */
void kv_check(const struct kv *kv);

/* --- looking at it --- */

/* Records here under `key`, and their publishers' newest sequence; for tests and for people. */
size_t kv_count(const struct kv *kv, const struct chord_id *key);
size_t kv_records(const struct kv *kv);
size_t kv_bytes(const struct kv *kv);

/* The record of `publisher` under `key`, with what is left of its lifetime. False: none. */
bool kv_peek(const struct kv *kv, const struct chord_id *key, const struct chord_id *publisher,
             uint64_t now_us, struct kv_record *record_p);

/* Calls `each` for every contact that is held. */
void kv_each_contact(const struct kv *kv, void (*each)(void *arg, uint32_t contact), void *arg);

#endif
