/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PROTO_CHORD_CHORD_H
#define CPI_PROTO_CHORD_CHORD_H

/*
 * One peer's part in a Chord ring, in the version that is proved correct (Pamela Zave, "Reasoning
 * about identifier spaces: how to make Chord correct", IEEE TSE 43(12), 2017), as a pure state
 * machine: chord_step takes one event and fills actions; chord_deadline_us says when to wake it.
 *
 * The driver carries out the actions in their order, after chord_step has returned. It may lose,
 * delay, repeat and reorder messages. What makes the ring right is told in ring.c, how lookups go
 * in route.c and search.c, how two rings become one in merge.c.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/chord/id.h"
#include "proto/chord/message.h"
#include "proto/chord/params.h"

#define CHORD_SENDS_MAX   16u  /* what does not fit waits for the next step, which is due at once */
#define CHORD_RESULTS_MAX 4u
#define CHORD_KNOWN_MAX   8u   /* peers to join through that are used */
#define CHORD_NEVER       UINT64_MAX

struct chord;

enum chord_status {
    CHORD_IDLE,     /* neither joined nor told to */
    CHORD_JOINING,
    CHORD_MEMBER,   /* in a ring; that may be one of its own */
    CHORD_GONE      /* left, as it was told to; join to come back */
};

enum chord_event_kind {
    CHORD_EVENT_TIME,      /* chord_deadline_us has come (early is harmless) */
    CHORD_EVENT_MESSAGE,   /* message */
    CHORD_EVENT_FAILED,    /* contact: cannot be reached, the link or the detector is sure of it */
    CHORD_EVENT_ALIVE,     /* contact: can be reached, again. After a failure say MET as well: who
                              it was may be forgotten by now */
    CHORD_EVENT_DISTANCE,  /* contact, rtt_us: measured by the driver */
    CHORD_EVENT_JOIN,      /* known, known_count, alone_us; no known peer: a ring of its own. While
                              joining: further peers to try */
    CHORD_EVENT_LEAVE,     /* say so to the neighbours and be out */
    CHORD_EVENT_LOOKUP,    /* key, token, mode: one result with this token follows */
    CHORD_EVENT_MET        /* peer: of the pool, and maybe of another ring: merge if so; while
                              joining: one more to join through */
};

enum chord_mode {
    CHORD_RECURSIVE,  /* over standing links: about half the latency */
    CHORD_DISJOINT    /* iterative, `paths` ways with no peer in common, and the owner asked itself:
                         right as long as one of the ways is honest */
};

struct chord_event {
    enum chord_event_kind kind;
    uint64_t now_us;                      /* never less than in the step before */
    const struct chord_message *message;  /* the driver's; used during the step only */
    uint32_t contact;
    uint32_t rtt_us;
    const struct chord_peer *known;       /* to join through; the ids may be left zero */
    size_t known_count;
    uint64_t alone_us;                    /* JOIN: when nobody is a member for so long, be a ring of
                                             one and go on looking: a whole pool restarts at once.
                                             0: wait for a member for ever */
    struct chord_id key;
    uint64_t token;
    enum chord_mode mode;
    struct chord_peer peer;
};

struct chord_send {
    uint32_t contact;
    struct chord_message message;
};

enum chord_why {
    CHORD_FOUND,
    CHORD_TIMED_OUT,   /* no answer, after all attempts */
    CHORD_NO_RING,     /* this peer is in none */
    CHORD_TOO_MANY     /* lookups at once; ask again when one has ended */
};

struct chord_result {
    uint64_t token;
    enum chord_why why;
    struct chord_id key;
    struct chord_peer owner;      /* from here on: when found */
    uint32_t hops;                /* messages from here to the owner */
    uint32_t paths;               /* CHORD_DISJOINT: how many ways came to this owner */
    uint32_t successor_count;
    struct chord_peer successors[CHORD_SUCCESSORS_MAX];  /* the owner's: where replicas are */
};

enum chord_change {
    CHORD_CHANGED_STATUS = 1,
    CHORD_CHANGED_PREDECESSOR = 2,  /* so the range (predecessor, self] that is owned; see old_ */
    CHORD_CHANGED_SUCCESSORS = 4
};

struct chord_actions {
    size_t send_count;
    size_t result_count;
    uint32_t changed;                   /* of enum chord_change */
    bool had_predecessor;               /* before this step */
    struct chord_peer old_predecessor;
    struct chord_send sends[CHORD_SENDS_MAX];
    struct chord_result results[CHORD_RESULTS_MAX];
};

/* A peer with this id; `params` is the caller's and must outlive it. The seed is to differ from
 * start to start of the same peer: the numbers of its queries come from it. NULL: out of memory. */
struct chord *chord_new(const struct chord_params *params, const struct chord_id *self,
                        uint32_t self_contact, uint64_t seed);
void chord_free(struct chord *chord);

/* Takes one event; overwrites *out (its counts are enough, the driver need not clear it). */
void chord_step(struct chord *chord, const struct chord_event *event, struct chord_actions *out);

/* When to step next with CHORD_EVENT_TIME at the latest; CHORD_NEVER when nothing is to come. */
uint64_t chord_deadline_us(const struct chord *chord);

/* Asserts what must hold between steps. */
void chord_check(const struct chord *chord);

/* --- looking at it --- */

enum chord_status chord_status(const struct chord *chord);
const struct chord_peer *chord_self(const struct chord *chord);
const struct chord_peer *chord_predecessor(const struct chord *chord);  /* NULL: unknown */

/* Nearest first; never this peer itself, so none in a ring of one. Valid until the next step. */
const struct chord_peer *chord_successors(const struct chord *chord, size_t *count_p);

struct chord_finger {
    struct chord_peer peer;
    uint32_t rtt_us;   /* 0: not measured */
    uint8_t level;     /* the peer lies in [self + 2^level, self + 2^(level + 1)) */
};

/* Sorted by level, highest first; one a level. Valid until the next step. */
const struct chord_finger *chord_fingers(const struct chord *chord, size_t *count_p);

/* Whether this peer is to answer for `key`, as far as it knows: a member whose predecessor is not
 * known (yet) believes those who come to it. */
bool chord_owns(const struct chord *chord, const struct chord_id *key);

/* Whether routes leave this contact out for now, since it failed or kept silent. */
bool chord_suspects(const struct chord *chord, uint32_t contact);

/* Whether a state-changing query is open (others are told "busy" meanwhile). */
bool chord_is_busy(const struct chord *chord);

/* Calls `each` for every contact that is still held, some more than once; a driver forgets the
 * others. */
void chord_each_contact(const struct chord *chord, void (*each)(void *arg, uint32_t contact),
                        void *arg);

/* Memory that this peer takes now. */
size_t chord_bytes(const struct chord *chord);

/* Makes a member out of a fresh peer, in the state of a ring that has long been at rest: for
 * benches of rings too large to be grown. `fingers` sorted as chord_fingers tells; counts above
 * the limits are cut. */
void chord_place(struct chord *chord, uint64_t now_us, const struct chord_peer *predecessor,
                 const struct chord_peer *successors, size_t successor_count,
                 const struct chord_finger *fingers, size_t finger_count);

#endif
