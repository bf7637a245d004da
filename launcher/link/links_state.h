/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_LINK_LINKS_STATE_H
#define CPI_LINK_LINKS_STATE_H

/* What links.c (links come and go), links_peers.c (what is remembered) and links_probe.c share. */

#include "base/list.h"
#include "link/links.h"

#define LINKS_BUCKETS 1024u

/* Where an address comes from. */
enum links_origin { LINKS_SAID, LINKS_SEEN };

struct links_peer {
    struct cpi_list in_bucket;
    struct links *links;
    struct tls_peer who;
    struct carrier *link;        /* up, and what messages go by */
    struct carrier *dialing;     /* ours, not up yet */
    unsigned carriers;           /* these and those that are closing: the peer outlives them */
    int forgotten;               /* revoked: goes with its last carrier */
    size_t address_count;
    struct address addresses[LINKS_ADDRESSES_MAX];  /* the best first */
    enum links_origin origins[LINKS_ADDRESSES_MAX];
    struct address seen;         /* where its link came from, port of no meaning; family 0: none */
    unsigned failures;           /* in a row */
    uint64_t retry_ms, used_ms;
    struct rate messages, bytes; /* of the identity, whatever links it has */
    struct text why;
};

/* A link of a peer; its `arg`. */
struct carrier {
    struct links_peer *peer;
    struct link *link;
};

struct links {
    uv_loop_t *loop;
    struct tls_context *context;
    unsigned char own_id[IDENTITY_ID_BYTES];
    const struct link_limits *limits;
    unsigned up_max, up;
    const struct links_hooks *hooks;
    void *arg;
    struct cpi_list buckets[LINKS_BUCKETS];
    size_t peer_count;
    struct cpi_list probes;
    unsigned open;               /* links of all kinds that have not ended */
    int closing;
    uv_idle_t last;              /* so that on_closed comes from the loop */
};

/* links_peers.c */
struct links_peer *links_peer_find(const struct links *links,
                                   const unsigned char id[IDENTITY_ID_BYTES]);
/* Finds or makes. */
struct links_peer *links_peer_get(struct links *links, const unsigned char id[IDENTITY_ID_BYTES]);
void links_peer_free(struct links_peer *peer);
/* A link works at that address. */
void links_peer_reached(struct links_peer *peer, const struct address *address);
/* None could be made. */
void links_peer_failed(struct links_peer *peer);

/* links.c: one less is open. */
void links_put(struct links *links);
/* links_probe.c: takes the other end of somebody's probe. */
void links_take_probe(struct links *links, struct link *link);
void links_end_probes(struct links *links);

#endif
