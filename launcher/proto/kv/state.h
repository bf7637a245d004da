/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PROTO_KV_STATE_H
#define CPI_PROTO_KV_STATE_H

/*
 * What the files of kv share. kv.c takes events apart and keeps the time, requests.c is the asker's
 * side, copies.c sees that copies are where they should be.
 */

#include "proto/kv/kv.h"
#include "proto/kv/table.h"

#define KV_PUSHES_MAX    32u       /* stretches of the ring that are being sent to somebody */
#define KV_SWEEP_US      5000000u  /* what has expired is in the way for no longer */

enum kv_phase {
    KV_PHASE_FREE,
    KV_PHASE_WAIT,    /* for the next attempt */
    KV_PHASE_LOOKUP,  /* to be looked up, then being looked up */
    KV_PHASE_SEND,    /* the owner is known: to be sent */
    KV_PHASE_ASKED    /* answers are due */
};

/* One of those a GET asks; a PUT asks the owner only. */
struct kv_asked {
    struct chord_peer peer;
    struct chord_id after;  /* pages: what came was up to here */
    bool to_send;           /* the question, or the one for the next page */
    bool done;
};

struct kv_request {
    enum kv_phase phase;
    bool put;
    bool lookup_sent;
    uint32_t attempts;       /* begun */
    uint64_t user_token;
    uint64_t token;          /* of this attempt: what comes with another is late */
    uint64_t deadline_us;
    uint64_t pages_end_us;          /* GET: no page is waited for beyond */
    struct chord_id key;
    uint64_t sequence, expires_us;  /* PUT */
    uint8_t *value;                 /* PUT; owned */
    uint32_t bytes;
    enum kv_status status;          /* PUT: why the last attempt failed */
    uint32_t answers;
    struct kv_asked asked[KV_COPIES_MAX];
    size_t asked_count;
    struct kv_table found;          /* GET: what they said, merged */
};

/* The records of keys in (low, high], on their way to a peer. */
struct kv_push {
    struct chord_peer to;
    struct chord_id low, high;   /* low moves on; equal: all of the ring */
    bool whole;                  /* low == high means everything, not nothing */
    struct chord_id after;       /* within the key that follows low */
    bool within;
};

struct kv {
    const struct kv_params *params;
    struct chord_peer self;
    bool member, has_predecessor;
    struct chord_peer predecessor;
    struct chord_peer successors[KV_COPIES_MAX];
    size_t successor_count;      /* that have copies: at most k - 1 */
    struct kv_table table;
    struct kv_request *requests;
    size_t request_count;        /* ever used: requests[0 … count - 1] */
    uint64_t last_token;
    struct kv_push pushes[KV_PUSHES_MAX];
    size_t push_count;
    uint64_t sweep_us;
    uint64_t now_us;
    /* Results of this step: their memory is freed in the next one. */
    struct kv_table given[KV_RESULTS_MAX];
    struct kv_record *given_records[KV_RESULTS_MAX];
    size_t given_count;
    struct kv_actions *out;
    bool more;                   /* there is more to send at once */
};

/* A message to be filled in, or NULL when this step has no room: the next one goes on. */
struct kv_message *kv_send(struct kv *kv, const struct chord_peer *to, enum kv_kind kind);

/* Whether this peer keeps the keys of (predecessor, self], and `key` is one. */
bool kv_owns(const struct kv *kv, const struct chord_id *key);

/* Adds records of `key` after `after` to `message` until it is full. True when all are in. */
bool kv_fill(const struct kv *kv, struct kv_message *message, const struct kv_key *key,
             const struct chord_id *after, bool from_first);

/* --- requests.c --- */
void kv_request_begin(struct kv *kv, const struct kv_event *event);
void kv_request_found(struct kv *kv, const struct kv_event *event);
void kv_request_answer(struct kv *kv, const struct kv_message *message);
void kv_requests_go(struct kv *kv);
uint64_t kv_requests_deadline_us(const struct kv *kv);
void kv_requests_release(struct kv *kv);

/* --- copies.c --- */
/* The ring around this peer is now as `event` says. */
void kv_copies_ring(struct kv *kv, const struct kv_event *event);
/* A record that came from its publisher goes to those who have copies. */
void kv_copies_spread(struct kv *kv, const struct kv_record *record);
void kv_copies_go(struct kv *kv);

#endif
