/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_JOBS_H
#define CPI_PEER_JOBS_H

/*
 * Jobs of the pool, as their launchers' peers tell of them on the ring.
 *
 * Each peer publishes one list of the jobs that were started on it, under one of JOBS_KEYS keys by
 * its id, and each job by itself, with its peers, under a key of its own. Both are renewed while
 * cpexec is connected, and taken back when it goes.
 */

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "peer/offers.h"
#include "peer/overlay.h"
#include "wire/local.pb-c.h"

#define JOBS_KEYS        16u
#define JOBS_HERE_MAX    256u
#define JOBS_RENEW_MS    20000u
#define JOBS_CHANGE_MS   50u      /* published so long after a change */
#define JOBS_ROW_MAX     65536u   /* bytes, of one job */
#define JOBS_TOLD_MAX    16384u   /* rows of an answer */
#define JOBS_LIFETIME_US UINT64_C(65000000)

/* A job that was started on this peer. */
struct jobs_one {
    uint64_t session;         /* its cpexec's */
    Cpmp__JobRow *row;        /* owned */
    bool changed;             /* since it was published */
};

struct jobs {
    struct overlay *overlay;
    uint8_t self[CHORD_ID_BYTES];
    uv_timer_t timer, soon;
    struct jobs_one *list;
    size_t count;
    struct jobs_gathering *gathering;  /* all that are under way */
};

/* `rows` are valid in the call. */
typedef void jobs_fn(void *arg, Cpmp__JobRow **rows, size_t count);

void jobs_init(struct jobs *jobs, uv_loop_t *loop, struct overlay *overlay,
               const uint8_t self[CHORD_ID_BYTES]);

/* What a cpexec of this machine says of its job. A new row replaces the old one. False: too many
 * jobs are started here, or it is too long. */
bool jobs_state(struct jobs *jobs, uint64_t session, const Cpmp__JobRow *row, bool over);

/* That cpexec is gone, and its job with it. */
void jobs_session_gone(struct jobs *jobs, uint64_t session);

/* All jobs of the pool, without their peers; or one with its peers (`job` other than 0). */
void jobs_gather(struct jobs *jobs, uint64_t job, jobs_fn *done, void *arg);

void jobs_close(struct jobs *jobs);
void jobs_release(struct jobs *jobs);

#endif
