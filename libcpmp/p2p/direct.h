/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_P2P_DIRECT_H
#define CPI_P2P_DIRECT_H

/*
 * Long messages between peers, past the rings: the sender's agent copies out of the sender's memory
 * into what it sends, the receiver's agent out of what comes into the receiver's memory. Both ranks
 * sleep meanwhile, and their agents have the cores.
 *
 *   receiver: LAND ─▶ its agent, CTS ─▶ sender: HAUL ─▶ its agent ─CARGO─▶ agent; MOVED to both
 *
 * For payloads in one piece, with agents that can reach into their ranks (wire/frame.h: REACH).
 * Where one of both sides can't, the message goes as DATA.
 */

#include <stdbool.h>

#include "p2p/pair.h"

#define CPI_DIRECT_BYTES_MIN (32u << 10)  /* shorter ones are quick through the rings */

/* Of a job with several peers: offers this rank's memory to its agent. */
void cpi_direct_init(void);

/* Before the receiver's CTS: true when its agent will put the message in place. */
bool cpi_direct_land(const struct cpi_pair *pair, struct cpi_request *request);

/* The message came as DATA nevertheless. */
void cpi_direct_unland(struct cpi_request *request);

/* The sender, upon a CTS that says so: true when its agent takes the message from its place. */
bool cpi_direct_haul(const struct cpi_pair *pair, struct cpi_request *request);

#endif
