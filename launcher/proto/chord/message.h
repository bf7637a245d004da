/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PROTO_CHORD_MESSAGE_H
#define CPI_PROTO_CHORD_MESSAGE_H

/*
 * What peers of a ring say to each other. Flat, no pointers: drivers copy it about.
 *
 * A peer is an id and a contact: the driver's own name for it (an index of its address book). A
 * driver that receives a message puts its own contacts in place of the sender's, in `from`,
 * `origin`, `subject` and `peers`; and it vouches that `from` is who sent the message.
 */

#include <stdbool.h>
#include <stdint.h>

#include "proto/chord/id.h"
#include "proto/chord/params.h"

#define CHORD_NO_CONTACT UINT32_MAX
#define CHORD_PEERS_MAX  CHORD_SUCCESSORS_MAX
#define CHORD_HOPS_MAX   64u  /* a lookup that went further runs in a circle */

struct chord_peer {
    struct chord_id id;
    uint32_t contact;
};

enum chord_kind {
    CHORD_STATE = 1,      /* what are your predecessor and successors? (stabilize, join) */
    CHORD_STATE_REPLY,    /* subject: the predecessor, if there is one; peers: the successors */
    CHORD_BUSY,           /* to STATE: I have a query open; the answer comes later */
    CHORD_NOT_MEMBER,     /* to STATE, PING, LOOKUP, STEP: I am in no ring (or no longer) */
    CHORD_NOTIFY,         /* I believe that I am your predecessor (rectify) */
    CHORD_PING,
    CHORD_PONG,
    CHORD_NUDGE,          /* what I told you of my state has changed: stabilize soon */
    CHORD_LOOKUP,         /* who owns `key`? Passed on; the answer goes to `origin` with `token` */
    CHORD_TAKEN,          /* to LOOKUP, to the hop before: I see to it (token: `hop_token`) */
    CHORD_LOOKUP_REPLY,   /* from the owner (or the predecessor): peers: its successors */
    CHORD_STEP,           /* iterative: who is next on the way to `key`? */
    CHORD_STEP_REPLY,     /* peers: the best before `key`; with FINAL: the owner and the next */
    CHORD_MEET,           /* subject: a peer that may be of another ring; look yourself up there */
    CHORD_LEAVE,          /* I go, and everyone who points at me may forget me */
    CHORD_KIND_END
};

enum chord_flag {
    CHORD_FLAG_MEMBER = 1,       /* the sender is in a ring */
    CHORD_FLAG_SUBJECT = 2,      /* `subject` is set */
    CHORD_FLAG_FINAL = 4,        /* LOOKUP: the hop before believes that you are the owner */
    CHORD_FLAG_PREDECESSOR = 8,  /* LOOKUP: the owner's predecessor answers, not the owner */
    CHORD_FLAG_INTRODUCE = 16,   /* LOOKUP: the owner of `key` shall get to know `origin`, which is
                                    where `key` is; there is no reply */
    CHORD_FLAGS_ALL = 31
};

struct chord_message {
    enum chord_kind kind;
    uint32_t flags;              /* of enum chord_flag */
    struct chord_peer from;
    uint64_t token;              /* names the query; a reply bears its query's */
    uint64_t hop_token;          /* LOOKUP: what TAKEN is to bear */
    struct chord_id key;         /* LOOKUP, LOOKUP_REPLY, STEP, STEP_REPLY */
    struct chord_peer origin;    /* LOOKUP: who wants to know */
    struct chord_peer subject;
    uint32_t hops;              /* LOOKUP, LOOKUP_REPLY: hops until now; MEET: hops still to go */
    uint32_t peer_count;
    struct chord_peer peers[CHORD_PEERS_MAX];  /* nearest clockwise first */
};

/* Whether a message that came from outside keeps the rules that need no knowledge of the ring:
 * kind, flags, counts. What it claims may still be false; chord_step expects that. */
bool chord_message_valid(const struct chord_message *message);

#endif
