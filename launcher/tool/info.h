/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TOOL_INFO_H
#define CPI_TOOL_INFO_H

/* cpmp info: the machine, its peer, its pool, its sandbox. Without a daemon, what can be told
 * without one. */

#include "tool/session.h"

int tool_info_run(struct tool *tool);

/* The same of a reply: a table for each group, or with tool->options.json an object. */
int tool_info_show(struct tool *tool, const Cpmp__Local *reply);

/* What this process sees of its machine, in the shape of a reply. Owned by the caller; freed by
 * cpmp__info_reply__free_unpacked. `why` tells why no daemon was asked. */
Cpmp__InfoReply *tool_info_machine(const char *why);

#endif
