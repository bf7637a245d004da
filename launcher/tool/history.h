/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TOOL_HISTORY_H
#define CPI_TOOL_HISTORY_H

/* cpmp history: what ran here, for whom, how long. */

#include "tool/session.h"

int tool_history_run(struct tool *tool);

/* The same of a reply: a table, latest first, or with tool->options.json an object. */
int tool_history_show(struct tool *tool, const Cpmp__Local *reply);

#endif
