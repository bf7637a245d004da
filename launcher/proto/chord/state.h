/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PROTO_CHORD_STATE_H
#define CPI_PROTO_CHORD_STATE_H

/*
 * The inside of a ring's peer, shared by the files of this folder.
 *
 * Who owns what: `query` and the ring pointers belong to ring.c (join.c uses `query` while this
 * peer is no member); `lookups` and `forwards` to route.c; `fingers` and `work` to finger.c; `old`
 * to merge.c; `searches` to search.c. Others ask them by function.
 *
 * Room for actions: a handler sends at most CHORD_ROOM messages and gives one result. Handlers of
 * timers run only when that much is left; else they stay due, and chord_deadline_us says so.
 */

#include "proto/chord/chord.h"

#define CHORD_ROOM         9u
#define CHORD_FINGERS_MAX  24u  /* levels beyond the successor list: enough for 2^24 peers */
#define CHORD_LOOKUPS_MAX  8u
#define CHORD_FORWARDS_MAX 64u  /* hops that are watched; further ones go on unwatched */
#define CHORD_TRIED_MAX    12u  /* next hops; when half of all died at once, 1 in 4000 has more */
#define CHORD_SEEN_MAX     16u  /* lookups that are not passed on a second time */
#define CHORD_DELAYED_MAX  4u
#define CHORD_OLD_MAX      20u  /* remembered, to find other rings through: */
#define CHORD_LOST_MAX     12u  /* the first are those that were dropped or met; then a sample */
#define CHORD_SUSPECTS_MAX 16u

enum chord_ask {
    CHORD_ASK_NOTHING,
    CHORD_ASK_SUCCESSOR,         /* stabilize: STATE to the head of the list */
    CHORD_ASK_CANDIDATE,         /* STATE to a peer that would be a better head */
    CHORD_ASK_PREDECESSOR,       /* rectify: PING */
    CHORD_ASK_JOIN_PLACE,        /* join: LOOKUP through a known peer */
    CHORD_ASK_JOIN_PREDECESSOR,  /* join: STATE to who is before our place */
    CHORD_ASK_JOIN_SUCCESSOR     /* join: STATE to who is after it */
};

/* The one state-changing query that may be open. While it is, others are told "busy": what they
 * would read may be out of date by the time the answer is here. */
struct chord_query {
    enum chord_ask ask;
    uint8_t attempts;        /* left after this one */
    uint8_t detours;         /* made by candidate and join queries */
    bool busy;               /* the peer said so; we wait a bounded time */
    struct chord_peer peer;
    struct chord_peer about; /* rectify: who wants to be predecessor; candidate: who named it */
    uint64_t token;
    uint64_t sent_us;
    uint64_t deadline_us;
};

struct chord_delayed {
    uint32_t contact;
    uint64_t token;
};

struct chord_suspect {
    uint32_t contact;
    bool sure;               /* the driver said so, not our own impatience */
    uint64_t until_us;
};

enum chord_purpose {
    CHORD_FOR_NOTHING,       /* slot is free */
    CHORD_FOR_USER,
    CHORD_FOR_FINGER,
    CHORD_FOR_MERGE
};

struct chord_lookup {
    enum chord_purpose purpose;
    uint16_t attempts;       /* left after this one */
    uint16_t repeats;        /* made after the first */
    uint64_t user_token;
    uint64_t token;          /* of the first attempt; each further one adds 1 */
    uint64_t deadline_us;
    struct chord_id key;
};

/* A lookup on its way over this peer, until the next hop has taken it. */
struct chord_forward {
    struct chord_forward *link;
    struct chord_id key;
    struct chord_peer origin;
    uint64_t token;
    uint32_t flags;
    uint32_t hops;           /* until here */
    uint32_t tried_count;
    uint32_t tried[CHORD_TRIED_MAX];
    uint32_t next;           /* the contact that is to take it */
    uint64_t hop_token;
    uint64_t deadline_us;
};

enum chord_phase { CHORD_PHASE_IDLE, CHORD_PHASE_LOOKUP, CHORD_PHASE_PROBE };

/* The finger that is being renewed. */
struct chord_work {
    enum chord_phase phase;
    int level;
    uint32_t left;           /* levels still to do in this round */
    uint32_t count;          /* candidates */
    uint32_t at;
    uint32_t best_rtt_us;
    uint64_t token;
    uint64_t sent_us;
    uint64_t deadline_us;
    struct chord_peer best;  /* contact CHORD_NO_CONTACT: none yet */
    struct chord_peer candidates[CHORD_PROBES_MAX];
};

struct chord_search;

struct chord {
    const struct chord_params *params;
    struct chord_actions *out;     /* during a step */
    uint64_t now_us;
    uint64_t random, secret;
    enum chord_status status;
    struct chord_peer self;

    struct chord_peer predecessor; /* contact CHORD_NO_CONTACT: unknown */
    struct chord_peer candidate;   /* heard from, would be a better head; or no contact */
    struct chord_peer rectifier;   /* heard from, would be a better predecessor; or no contact */
    struct chord_query query;
    uint64_t tick_us;              /* next stabilize */
    uint64_t nudge_us;             /* when to tell the predecessor of a change; 0: none */
    uint32_t successor_count;
    uint32_t delayed_count;
    struct chord_delayed delayed[CHORD_DELAYED_MAX];

    uint32_t known_count;          /* to join through; of known[] */
    uint32_t known_at;
    uint64_t join_us;              /* when to start (over); CHORD_NEVER while a query is open */
    uint64_t alone_us;             /* when to be a ring of one; CHORD_NEVER: not */
    uint32_t known[CHORD_KNOWN_MAX];

    uint64_t merge_us;             /* next probe of an old peer */
    bool candidate_met;            /* `candidate` came of a probe: zip on when it is adopted */
    uint64_t finger_us;            /* next round */
    int finger_level;              /* last level that was looked at */
    uint32_t finger_count;

    struct chord_peer old[CHORD_OLD_MAX];
    struct chord_suspect suspects[CHORD_SUSPECTS_MAX];
    struct chord_lookup lookups[CHORD_LOOKUPS_MAX];
    struct chord_forward *forwards; /* a list, each on the heap */
    uint32_t forward_count;
    uint32_t seen_at;
    uint32_t seen[CHORD_SEEN_MAX]; /* hashes of the last lookups that came by */
    struct chord_work work;
    struct chord_search *searches; /* a list, each on the heap */
    struct chord_peer successors[CHORD_SUCCESSORS_MAX];
    struct chord_finger fingers[CHORD_FINGERS_MAX];
};

/* --- chord.c: small things --- */

uint64_t chord_random(struct chord *chord);
uint64_t chord_random_below(struct chord *chord, uint64_t limit);  /* 0 when limit is 0 */

/* A number for a query, its answer's proof: who is asked sees it. It tells nothing of those that
 * follow, so nobody answers a lookup that did not come by. */
uint64_t chord_token(struct chord *chord);

/* A message of `kind` in the actions, with `from` and the flags of this peer; the rest is zero. */
struct chord_message *chord_send(struct chord *chord, uint32_t contact, enum chord_kind kind,
                                 uint64_t token);

struct chord_result *chord_give_result(struct chord *chord, uint64_t token, enum chord_why why);
bool chord_has_room(const struct chord *chord);

static inline bool
chord_has(const struct chord_peer *peer)
{
    return peer->contact != CHORD_NO_CONTACT;
}

void chord_suspect_add(struct chord *chord, uint32_t contact, bool sure);
void chord_suspect_remove(struct chord *chord, uint32_t contact);
bool chord_suspect_is_sure(const struct chord *chord, uint32_t contact);

/* How long to wait for this contact's answer: four measured round trips, within bounds. */
uint64_t chord_timeout_us(const struct chord *chord, uint32_t contact);

#endif
