/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SIM_TRACE_H
#define SIM_TRACE_H

/*
 * The last events of each peer, to be shown when an invariant breaks, and all of them as they
 * happen when asked for. Texts are made when shown; until then an event is a few numbers.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_TRACE_EVENTS 48  /* kept for each peer */

struct sim_trace_event {
    uint64_t at_us;
    const char *what;    /* a literal: "sends", "hears", "wakes", … */
    const char *detail;  /* a literal or NULL: the name of a message */
    uint32_t other;      /* a peer, UINT32_MAX for none */
    uint64_t value;      /* shown in hexadecimal unless 0 */
};

struct sim_trace {
    struct sim_trace_event *events;  /* SIM_TRACE_EVENTS for each peer; NULL: nothing is kept */
    uint32_t *counts;
    uint32_t peers;
    bool is_loud;  /* show each event as it happens */
};

#define SIM_NOBODY UINT32_MAX

void sim_trace_init(struct sim_trace *trace, uint32_t peers, bool is_kept, bool is_loud);
void sim_trace_release(struct sim_trace *trace);

void sim_trace_add(struct sim_trace *trace, uint32_t peer, const struct sim_trace_event *event);

/* The last events of a peer, at most `most`, oldest first. */
void sim_trace_print(const struct sim_trace *trace, uint32_t peer, size_t most);

#endif
