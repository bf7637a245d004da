/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TOOL_POOL_H
#define CPI_TOOL_POOL_H

/* cpmp pool, pool invite, pool revoke: who belongs to it. */

#include "tool/session.h"

int tool_pool_run(struct tool *tool);
int tool_pool_invite_run(struct tool *tool);
int tool_pool_revoke_run(struct tool *tool);

/* The same of replies. The token stands alone on standard output; what to do with it goes to
 * tool->notes. */
int tool_pool_show(struct tool *tool, const Cpmp__LocalWelcome *welcome);
int tool_pool_invited(struct tool *tool, const Cpmp__Local *reply);
int tool_pool_revoked(struct tool *tool, const Cpmp__Local *reply);

#endif
