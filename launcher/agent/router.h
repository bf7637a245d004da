/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_AGENT_ROUTER_H
#define CPI_AGENT_ROUTER_H

/*
 * The router carries frames between the rings of an agent's ranks, the connections to the other
 * agents (fabric.h), and the agent's own handlers.
 *
 *   rank --ring--> source --batch--> connection --> router there --ring--> rank
 *
 * Out: frames that a rank wrote are looked at where they lie. Short ones are copied into the open
 * batch of their connection, long ones go out straight from the ring, whose space is given back in
 * order when they have gone. A connection with nothing under way sends at once; else batches grow
 * until something completes. No room (four batches under way, or no grant): frames stay in the
 * ring, and the rank finds it full. So a slow connection slows its senders, and nothing is dropped.
 *
 * In: each frame is checked (form, its source lives on that peer, its dest here, its incarnation is
 * not an old one) and copied into its rank's ring. A rank that computes lets its ring fill up: its
 * frames then wait in its backlog, in order, and nobody else's wait.
 *
 * Bounds. A backlog holds what credits let ranks send: Σ over senders of the segment's
 * credit_bytes, the windows of long messages, and requests to send. Whatever they do, it is bounded
 * by the connection's window (ROUTER_WINDOW_*): an agent may send so many bytes of frames beyond
 * those that reached their rings; one that sends more breaks the protocol. Frames of a handler for
 * another peer that finds no room are queued up to ROUTER_QUEUE_MAX bytes, then refused.
 *
 * Frames to a peer whose connection is lost are counted and dropped; they are the recovery's
 * business.
 *
 * One thread. All work is done in router_run; callbacks run there and may call the functions below.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/fabric.h"
#include "ring/segment.h"

#define ROUTER_WINDOW_MIN ((uint64_t)4 << 20)
#define ROUTER_WINDOW_MAX ((uint64_t)64 << 20)
#define ROUTER_QUEUE_MAX  ((size_t)4 << 20)

struct router;

struct router_events {
    /* The connection to `peer` is gone; as in fabric_events. May be NULL. */
    void (*lost)(void *arg, uint32_t peer, int error, const char *why);
    /* Local rank `local` wrote something into its ring that is no frame, or not its own; its ring
     * is not read any more. `why` is for people. */
    void (*faulty)(void *arg, uint32_t local, const char *why);
};

struct router_config {
    const struct cpi_segment *segment;  /* with its map of places filled in */
    struct fabric *fabric;              /* NULL in a job of one peer; the router gets its events */
    struct cpi_host_page *host;         /* NULL: never spin */
    const uint32_t *pids;               /* of local ranks, who can't know them; NULL: they can */
    int bell_fd;                        /* eventfd that ranks write to; stays the caller's */
    struct router_events events;
    void *arg;
};

struct router_counts {
    uint64_t frames_out, frames_in;  /* over connections */
    uint64_t frames_dropped;         /* for lost peers, of old incarnations, of no handler */
    uint64_t backlog_bytes;          /* now */
    uint64_t backlog_bytes_max;      /* ever */
};

/* Receives frames for this agent of one kind: from a local rank (`peer` is this peer's index) or
 * from another peer, a rank's there or its agent's. `frame` with its payload is valid in the call.
 * */
typedef void router_frame_fn(void *arg, uint32_t peer, const struct cpi_frame *frame);

/* Errors: CPMP_ENOMEM, CPMP_ESYS (errno is set). */
int router_open(struct router **router_p, const struct router_config *config);

/* Frames not delivered are forgotten. Before fabric_close. NULL is fine. */
void router_close(struct router *router);

/* Whom frames of `kind` for this agent go to. */
void router_on(struct router *router, enum cpi_frame_kind kind, router_frame_fn *fn, void *arg);

/* Readable when router_run should be called. It stays the same. */
int router_fd(const struct router *router);

/* Works until there is nothing more to do, at most about a millisecond; then either the ranks know
 * that the agent sleeps, or router_fd is readable. */
void router_run(struct router *router);

/* Send a frame, copied, `frame->size` bytes of at most cpi_ring_frame_max: to a rank wherever it
 * is, or to the agent of another peer, whose handler for its kind gets it. Filled in by the caller:
 * everything. Errors: CPMP_ERANK, CPMP_EINVAL, CPMP_EPEER (its connection is lost), CPMP_EAGAIN
 * (ROUTER_QUEUE_MAX are waiting for that connection), CPMP_ENOMEM. */
int router_send_to_rank(struct router *router, uint32_t world_rank, const struct cpi_frame *frame);
int router_send_to_agent(struct router *router, uint32_t peer, const struct cpi_frame *frame);

/* Local rank `local` has ended: its memory is not touched any more. */
void router_forget(struct router *router, uint32_t local);

/* Is everything that local ranks and handlers sent on its way out, and all that came in its ring?
 * */
bool router_is_drained(struct router *router);

void router_counts(const struct router *router, struct router_counts *counts);

/* Asserts the invariants. */
void router_check(const struct router *router);

#endif
