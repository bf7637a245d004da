/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_LINK_LINKS_H
#define CPI_LINK_LINKS_H

/*
 * The links of a daemon by peer: a message for a peer goes over the link that is there, or one is
 * made. What is remembered of a peer that has no link: its name, its addresses (the one that last
 * worked first), when to try again.
 *
 * When both sides connect at once, the link that the peer with the smaller id began survives. The
 * other one is closed with a goodbye, so that no message is lost. A link that comes when the old
 * one is older than LINKS_RACE_MS is no such race: the other side has lost the old one, so the new
 * one takes its place.
 *
 * A peer that can't be reached is left alone for a while, 0.5 s at first, doubling up to 60 s, give
 * or take a quarter; a new address or a link from its side ends that.
 */

#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "link/link.h"
#include "text/text.h"

#define LINKS_ADDRESSES_MAX 8u      /* remembered of a peer */
#define LINKS_PEERS_MAX     4096u   /* remembered; those without a link give way */
#define LINKS_RACE_MS       5000u
#define LINKS_RETRY_MS      500u
#define LINKS_RETRY_MAX_MS  60000u

struct links;

struct links_hooks {
    /* `bytes` and `peer` are valid during the call only. */
    void (*on_message)(void *arg, const struct tls_peer *peer, const void *bytes, size_t count);
    /* There is a link now; not called again when another one takes its place. */
    void (*on_up)(void *arg, const struct tls_peer *peer);
    /* There is none any more, or none could be made: what was sent may be lost. `why` for
     * people. */
    void (*on_down)(void *arg, const unsigned char id[IDENTITY_ID_BYTES], enum link_end end,
                    const char *why);
    /* links_has_room turned from 0 to 1. May be NULL. */
    void (*on_room)(void *arg, const unsigned char id[IDENTITY_ID_BYTES]);
    /* links_close is done, and the memory is gone. May be NULL. */
    void (*on_closed)(void *arg);
};

/* What links_each shows of a peer. */
struct links_view {
    struct tls_peer peer;          /* without name and key (zeroes) when it never had a link */
    int is_up, is_connecting;
    int is_server;                 /* the peer began the link */
    struct address address;        /* of the link */
    uint64_t round_trip_us;        /* 0: not known */
    uint64_t up_ms, used_ms;       /* how long ago */
    size_t queued_bytes;
    const char *why;               /* the last reason for having none; valid during the call */
};

/* `context`, `limits` and `hooks` must outlive it. More than `up_max` links: the least used is
 * closed. */
struct links *links_new(uv_loop_t *loop, struct tls_context *context,
                        const unsigned char own_id[IDENTITY_ID_BYTES],
                        const struct link_limits *limits, unsigned up_max,
                        const struct links_hooks *hooks, void *arg);
/* Says goodbye to all; on_closed follows. Nothing may be called after it. */
void links_close(struct links *links);

/* Takes a link from the door (link_purpose PEER or PROBE). */
void links_adopt(struct links *links, struct link *link);

/* The addresses that a peer says it has; they replace what it said before. Where we saw it come
 * from is added by itself, with the first port it says. */
void links_learn(struct links *links, const unsigned char id[IDENTITY_ID_BYTES],
                 const struct address *addresses, size_t count);
/* Up to `capacity` of them, the best first; how many. */
size_t links_addresses(const struct links *links, const unsigned char id[IDENTITY_ID_BYTES],
                       struct address *out, size_t capacity);

/* Sends, and makes a link if there is none. CPMP_OK: on its way or waiting for the link;
 * CPMP_ENOENT: no address is known; CPMP_EAGAIN: it could not be reached just now, see on_down;
 * CPMP_ELIMIT: the message is too long, or the peer does not read (its link has ended then). */
int links_send(struct links *links, const unsigned char id[IDENTITY_ID_BYTES], const void *bytes,
               size_t count);
/* Makes a link if there is none; as links_send. */
int links_connect(struct links *links, const unsigned char id[IDENTITY_ID_BYTES]);

int links_has_room(struct links *links, const unsigned char id[IDENTITY_ID_BYTES]);
int links_is_up(const struct links *links, const unsigned char id[IDENTITY_ID_BYTES]);
/* 0: not known. */
uint64_t links_round_trip_us(const struct links *links, const unsigned char id[IDENTITY_ID_BYTES]);
/* Its name, "" when it never had a link. */
const char *links_name(const struct links *links, const unsigned char id[IDENTITY_ID_BYTES]);

/* Drops the links of all whom `revoked` names, at once, and forgets these peers. */
void links_revoke(struct links *links, tls_revoked_fn *revoked, void *arg);
/* Drops the link of one peer with a goodbye. */
void links_drop(struct links *links, const unsigned char id[IDENTITY_ID_BYTES], const char *why);

/* `fn` must not change the table. */
typedef void links_view_fn(void *arg, const struct links_view *view);
void links_each(const struct links *links, links_view_fn *fn, void *arg);

/* Tries whether the peer can be reached at that address, by a connection of its own that ends at
 * once. `fn` is called once, from the loop: `reached`, else why not, for people. */
typedef void links_probed_fn(void *arg, const unsigned char id[IDENTITY_ID_BYTES],
                             const struct address *address, int reached, const char *why);
void links_probe(struct links *links, const unsigned char id[IDENTITY_ID_BYTES],
                 const struct address *address, links_probed_fn *fn, void *arg);

/* Peers and addresses as lines of text ("<id in hex> <name or -> <address> ..."), for the next
 * start; and back, where lines that are none are left out and counted. */
void links_print(const struct links *links, struct text *out);
size_t links_parse(struct links *links, const char *text);

#endif
