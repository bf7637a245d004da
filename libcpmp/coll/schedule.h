/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_COLL_SCHEDULE_H
#define CPI_COLL_SCHEDULE_H

/*
 * A schedule: what one rank does in one collective, as a list of steps that is made in full before
 * the first one runs. The progress engine runs it (a nonblocking collective), or its maker waits
 * for it.
 *
 * Sends and receives begin when they are reached and go on beside each other; a fence waits for all
 * before it. Copies and folds happen when they are reached: put a fence between a receive and what
 * uses its bytes, and between a send and what overwrites them. The schedule owns its buffers.
 *
 * Adding steps can't fail visibly: running out of memory is remembered, buffers come as NULL
 * (adding steps with them is harmless), and cpi_schedule_start tells. Moves of no bytes are left
 * out, which both sides see alike; cpi_schedule_signal and _await are for messages that carry none
 * on purpose.
 */

#include <stddef.h>

#include "coll/args.h"
#include "coll/fold.h"
#include "comm/comm.h"
#include "p2p/request.h"

struct cpi_schedule;

/* A schedule in `comm` under a tag of its own; NULL without memory. */
struct cpi_schedule *cpi_schedule_new(struct cpi_comm *comm);

/* For a rank that has no part in a collective for which others of `comm` have schedules. */
void cpi_schedule_skip(struct cpi_comm *comm);

/* A buffer as long as the schedule lives, aligned to 64; `bytes` may be 0. */
void *cpi_schedule_buffer(struct cpi_schedule *schedule, size_t bytes);

/* Peers are ranks of the communicator, never this one. */
void cpi_schedule_send(struct cpi_schedule *schedule, int peer, struct cpi_payload payload);
void cpi_schedule_recv(struct cpi_schedule *schedule, int peer, struct cpi_payload payload);
void cpi_schedule_signal(struct cpi_schedule *schedule, int peer);
void cpi_schedule_await(struct cpi_schedule *schedule, int peer);
void cpi_schedule_fence(struct cpi_schedule *schedule);

/* Packed bytes of `from` become those of `to`, as far as both go. */
void cpi_schedule_copy(struct cpi_schedule *schedule, struct cpi_payload to,
                       struct cpi_payload from);

/* `scratch` is the schedule's to add. */
void cpi_schedule_fold(struct cpi_schedule *schedule, const struct cpi_fold *fold);

/* Fold to a payload: `fold->out` is not looked at. */
void cpi_schedule_fold_to(struct cpi_schedule *schedule, const struct cpi_fold *fold,
                          struct cpi_payload to);

/* Begins. With request_p NULL: waits for the end, whose error it returns. Else *request_p is to be
 * waited for and freed by the caller, and `args` names what must live until then: datatypes,
 * operation and communicator get a reference each. The schedule frees itself in any case. */
int cpi_schedule_start(struct cpi_schedule *schedule, const struct cpi_coll_args *args,
                       struct cpi_request **request_p);

static inline struct cpi_payload
cpi_bytes(void *base, size_t bytes)
{
    return (struct cpi_payload){ .base = base, .bytes = bytes };
}

/* A place in a buffer that may be NULL for want of memory. */
static inline void *
cpi_at(void *buffer, size_t offset)
{
    return buffer ? (char *)buffer + offset : NULL;
}

#endif
