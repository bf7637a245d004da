/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_AGENT_ROUTER_DIRECT_H
#define CPI_AGENT_ROUTER_DIRECT_H

/*
 * Long messages past the rings (p2p/direct.h): copied out of a rank's memory into batches here, and
 * into a rank's memory there. All of a connection's hauls wait in one queue, and ROUTER_CARGOES
 * frames of cargo are under way at most, each a batch of its own, so that short frames go between.
 */

#include "agent/router_state.h"
#include "process/reach.h"

#define ROUTER_CARGO_BYTES ((CPI_CARGO_MAX + sizeof(struct cpi_frame) + 63) & ~(size_t)63)
#define ROUTER_CARGOES     3u           /* frames of cargo under way on a connection */

/* A long message past the rings: a landing (in) or a haul (out). */
struct router_direct {
    bool used, failed;
    uint16_t incarnation;       /* of the rank here */
    uint32_t here, there;       /* world ranks */
    uint64_t handle, other;     /* requests, here and there */
    uint64_t address, bytes, offset;
    struct router_direct *next; /* haul of the same connection */
};

/* A local rank's memory. */
struct router_reach {
    struct reach memory;
    struct router_direct *directs;  /* [2 * CPI_DIRECT_MAX]; NULL: its memory is out of reach */
};

/* Takes the frames of ranks that ask for it. */
void router_direct_on(struct router *router);

/* Sends the next frame of cargo. True when anything moved. */
bool router_cargo_send(struct router *router, struct router_link *link);

/* A slot's batch has gone, or will not go. */
void router_cargo_release(struct router_link *link, struct router_slot *slot);

/* A frame of cargo into its rank's memory. CPMP_EPROTO: it fits no landing. */
int router_cargo_take(struct router *router, const struct cpi_frame *frame);

/* The connection is lost. */
void router_link_hauls_drop(struct router *router, struct router_link *link);

#endif
