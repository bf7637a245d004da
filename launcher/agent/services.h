/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_AGENT_SERVICES_H
#define CPI_AGENT_SERVICES_H

/*
 * What ranks ask of agents, over frames (wire/var.h): global variables, partial results, abort.
 *
 * The agent of a variable's home peer keeps it (wire/store.h); calls for other homes are passed on.
 * An event of a local rank goes to the launcher and to every subscribed rank, then is acknowledged
 * to the rank, which has a bounded amount under way: so a launcher that is behind slows the ranks
 * that emit.
 *
 * Bounds: one call a rank; what a rank may have unacknowledged of events; and for frames that a
 * connection doesn't take yet the outbox, which holds replies (one a rank) and events under way.
 */

#include <uv.h>

#include "agent/router.h"
#include "control/stream.h"

struct services;

/* Errors: CPMP_ENOMEM. */
int services_open(struct services **services_p, struct router *router,
                  struct control_stream *stream, const struct cpi_segment *segment);
void services_close(struct services *services);

/* Sends what had found no room before; call it when the router has run and when the stream has
 * room. */
void services_flush(struct services *services);

/* World rank `rank` is gone. */
void services_forget(struct services *services, uint32_t rank);

/* Everything that ranks emitted has been given to the stream. */
bool services_are_drained(const struct services *services);

#endif
