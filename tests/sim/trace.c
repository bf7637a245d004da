/* SPDX-License-Identifier: BSD-3-Clause */
#include "trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "text/memory.h"

void sim_trace_init(struct sim_trace *trace, uint32_t peers, bool is_kept, bool is_loud)
{
    *trace = (struct sim_trace){ .peers = peers, .is_loud = is_loud };
    if (is_kept) {
        trace->events = memory_new((size_t)peers * SIM_TRACE_EVENTS, sizeof *trace->events);
        trace->counts = memory_new(peers, sizeof *trace->counts);
    }
}

void sim_trace_release(struct sim_trace *trace)
{
    free(trace->events);
    free(trace->counts);
}

static void event_print(uint32_t peer, const struct sim_trace_event *event)
{
    printf("# %10.6f  peer %" PRIu32 " %s", (double)event->at_us / 1e6, peer, event->what);
    if (event->detail != NULL)
        printf(" %s", event->detail);
    if (event->other != SIM_NOBODY)
        printf(" peer %" PRIu32, event->other);
    if (event->value != 0)
        printf(" %016" PRIx64, event->value);
    printf("\n");
}

void sim_trace_add(struct sim_trace *trace, uint32_t peer, const struct sim_trace_event *event)
{
    if (trace->events != NULL) {
        uint32_t at = trace->counts[peer]++ % SIM_TRACE_EVENTS;

        trace->events[(size_t)peer * SIM_TRACE_EVENTS + at] = *event;
    }
    if (trace->is_loud)
        event_print(peer, event);
}

void sim_trace_print(const struct sim_trace *trace, uint32_t peer, size_t most)
{
    uint32_t count = trace->counts != NULL ? trace->counts[peer] : 0;
    uint32_t shown = count < SIM_TRACE_EVENTS ? count : SIM_TRACE_EVENTS;

    if (shown > most)
        shown = (uint32_t)most;
    for (uint32_t i = count - shown; i != count; i++)
        event_print(peer, &trace->events[(size_t)peer * SIM_TRACE_EVENTS + i % SIM_TRACE_EVENTS]);
}
