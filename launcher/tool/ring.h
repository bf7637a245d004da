/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TOOL_RING_H
#define CPI_TOOL_RING_H

/* cpmp ring: this peer among its neighbours, as the overlay knows them. */

#include "tool/session.h"

int tool_ring_run(struct tool *tool);

/* The same of a reply: tables, or with tool->options.json an object. */
int tool_ring_show(struct tool *tool, const Cpmp__Local *reply);

/* A member of an object: a peer as others on the ring are shown; null for NULL. */
void tool_ring_peer_json(struct text *text, const char *name, const Cpmp__RingPeer *peer);

#endif
