/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TOOL_TOP_H
#define CPI_TOOL_TOP_H

/* cpmp top: peers and jobs, live. What is on the screen is made here, of the last replies, and
 * is pure; the terminal is tool/terminal.h. */

#include "tool/session.h"

enum tool_top_sort { TOOL_TOP_NAME, TOOL_TOP_FREE, TOOL_TOP_MEMORY, TOOL_TOP_DISTANCE };

struct tool_top {
    const char *pool, *name;             /* of the pool, of this peer */
    const Cpmp__PeersReply *peers;       /* NULL: not known yet */
    const Cpmp__JobsReply *jobs;         /* the same */
    uint64_t now_s;
    enum tool_top_sort sort;
    size_t scroll;                       /* peers that are above the screen */
    const char *trouble;                 /* "", or what failed last */
};

int tool_top_run(struct tool *tool);

/* Adds at most `lines` lines of at most `columns`, each ending in \n and led by a byte that says
 * how it is shown: blank as it is, * bold, # reverse. top->scroll is cut to what there is. */
void tool_top_screen(struct text *text, struct tool_top *top, size_t lines, size_t columns);

/* A key that was typed: true when it means to quit. What no key is for does nothing. */
bool tool_top_key(struct tool_top *top, int key);

/* What tool_top_key takes besides characters. */
enum tool_top_keys { TOOL_TOP_UP = 1000, TOOL_TOP_DOWN, TOOL_TOP_PAGE_UP, TOOL_TOP_PAGE_DOWN };

#endif
