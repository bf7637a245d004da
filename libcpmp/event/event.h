/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EVENT_EVENT_H
#define CPI_EVENT_EVENT_H

/*
 * Partial results, the ranks' side: events go to the agent, which passes them on to the launcher
 * and to subscribed ranks and acknowledges them; a rank has at most EVENT_WINDOW_BYTES under way.
 * cpmp.h has the rest.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cpmp.h>

int cpi_event_init(void);
void cpi_event_end(void);

int cpi_event_emit(const char *topic, const void *data, size_t bytes, bool is_text);
int cpi_event_subscribe(const char *topic, cpmp_event_fn *callback, void *arg);

/* Notes how far this rank is; tells the agent at most a few times a second. */
void cpi_event_progress(uint64_t done, uint64_t total);

#endif
