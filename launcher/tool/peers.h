/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TOOL_PEERS_H
#define CPI_TOOL_PEERS_H

/* cpmp peers: who is in the pool, and what is free there. */

#include "tool/session.h"

int tool_peers_run(struct tool *tool);

/* The same of a reply: a table, or with tool->options.json an object. */
int tool_peers_show(struct tool *tool, const Cpmp__Local *reply);

/* Rows in the order that people see: this peer first, the others by name and id. Owned by the
 * caller (free); the rows are those of the reply. */
Cpmp__PeerRow **tool_peers_sorted(const Cpmp__PeersReply *reply);

/* "0.35 ms"; "here" for this peer, "-" when it was not measured. */
void tool_peers_distance(struct text *text, const Cpmp__PeerRow *row);

/* A member of an object, or the whole: {"peers": [...], "unanswered": N} without its braces. */
void tool_peers_json(struct text *text, const Cpmp__PeersReply *reply);

#endif
