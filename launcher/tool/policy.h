/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TOOL_POLICY_H
#define CPI_TOOL_POLICY_H

/* cpmp policy, cpmp policy set: what others may have of this machine. */

#include "tool/session.h"

int tool_policy_run(struct tool *tool);
int tool_policy_set_run(struct tool *tool);

/* The same of a reply: the keys that are operands ("key", or "key=value" that was set); without
 * operands all of them. */
int tool_policy_show(struct tool *tool, const Cpmp__Local *reply);

#endif
