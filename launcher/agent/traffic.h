/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_AGENT_TRAFFIC_H
#define CPI_AGENT_TRAFFIC_H

/*
 * What moves frames in an agent, as one part: the fabric (only in a job of several peers), the
 * router and the services, driven by one descriptor in the loop.
 */

#include <uv.h>

#include "agent/fabric.h"
#include "agent/job.h"
#include "agent/router.h"
#include "agent/services.h"
#include "control/stream.h"
#include "link/address.h"

struct traffic {
    struct fabric *fabric;
    struct router *router;
    struct services *services;
    struct control_stream *stream;
    const struct job *job;
    uv_poll_t poll;
};

/* Opens the fabric of a job of several peers; nothing for one peer. On failure `why`
 * (FABRIC_WHY_MAX bytes) is for people. Errors: fabric_open's. */
int traffic_listen(struct traffic *traffic, const struct job *job, char *why);

/* What goes into Ready.fabric_address; "" without a fabric. */
const char *traffic_address(const struct traffic *traffic);

/* Starts the router on the job's segment and connects to the other peers. CPMP_EINVAL: an address
 * is none; CPMP_ENOMEM, CPMP_ESYS. */
int traffic_start(struct traffic *traffic, uv_loop_t *loop, struct control_stream *stream);

/* Takes in whatever ranks have written by now, so that what a rank said comes before its end is
 * told. */
void traffic_settle(struct traffic *traffic);

/* A rank's process is gone. */
void traffic_forget(struct traffic *traffic, uint32_t rank);

/* Is everything that ranks emitted with the launcher? True when nothing was started. */
bool traffic_is_drained(const struct traffic *traffic);

/* Fills in the counts. */
void traffic_count(const struct traffic *traffic, Cpmp__Done *done);

/* After the loop has closed its handles. */
void traffic_release(struct traffic *traffic);

#endif
