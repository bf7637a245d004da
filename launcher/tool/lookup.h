/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TOOL_LOOKUP_H
#define CPI_TOOL_LOOKUP_H

/*
 * cpmp ring --lookup, --text, --count: which peer is responsible for a key. Many lookups are under
 * way at a time; each is asked once, and what came of it is kept for the sums at the end.
 */

#include "tool/session.h"

#define TOOL_LOOKUPS_MAX   100000u
#define TOOL_LOOKUPS_AHEAD 64u      /* under way at a time */
#define TOOL_KEY_BYTES     20u

/* One lookup. What the answer brought is owned. */
struct tool_lookup {
    uint8_t key[TOOL_KEY_BYTES];
    bool answered;
    uint8_t owner[TOOL_KEY_BYTES];
    char *name;                /* of the owner */
    char *failure;             /* why there is no answer; NULL: there is one, or none has come */
    uint32_t hops;
    uint64_t took_us;
};

int tool_lookup_run(struct tool *tool);

/* The key of a text: the first 20 bytes of its SHA-256. */
void tool_lookup_key(uint8_t key[TOOL_KEY_BYTES], const char *text);

/* What came of them: a sentence for one, sums for many; TOOL_FAILED when one has failed. */
int tool_lookup_show(struct tool *tool, const struct tool_lookup *lookups, size_t count);

void tool_lookup_release(struct tool_lookup *lookups, size_t count);

#endif
