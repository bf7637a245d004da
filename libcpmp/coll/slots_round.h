/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_COLL_SLOTS_ROUND_H
#define CPI_COLL_SLOTS_ROUND_H

/*
 * One round through the slots, step by step; what rounds are is in slots.h.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "comm/comm.h"
#include "ring/segment.h"

#define CPI_SLOT_HEAD_BYTES    128u
#define CPI_SLOT_PAYLOAD_BYTES (CPI_COLL_SLOT_BYTES - CPI_SLOT_HEAD_BYTES)

enum cpi_round_kind {
    CPI_ROUND_NONE,
    CPI_ROUND_SYNC,
    CPI_ROUND_READ,
    CPI_ROUND_TO_ROOT,
    CPI_ROUND_FROM
};

/* The head of a slot; means something in the first rank's. Arriving and waiting meet on lines of
 * their own. */
struct cpi_slot_control {
    _Alignas(64) _Atomic uint32_t arrived;
    _Atomic uint32_t arrived_sleepers;
    _Atomic uint32_t attached; /* ranks that still hold the communicator; in slot 0 */
    _Alignas(64) _Atomic uint32_t release;
    _Atomic uint32_t release_sleepers;
    _Atomic uint32_t posted; /* messages of all runs here */
    _Atomic uint32_t posted_sleepers;
};

_Static_assert(sizeof(struct cpi_slot_control) <= CPI_SLOT_HEAD_BYTES, "the head fits");

/* Where the ranks of a communicator on several peers are. Hosts are numbered by their first rank;
 * `members` has the ranks of host 0, then of host 1, …, each in rank order. */
struct cpi_slots_hosts {
    int count, mine;
    int *starts;  /* [count + 1] in `members` */
    int *host_of; /* [comm size] */
    int *members; /* [comm size] */
};

/* A communicator's slots on this host, as one rank sees them; comm->coll. Size and rank are those
 * among the ranks here, which are all ranks when there is one host. */
struct cpi_slots {
    bool usable;
    int size, rank;
    struct cpi_slots_hosts *hosts; /* NULL: one host */
    uint32_t round;       /* the next one */
    uint32_t full[2];     /* by parity: `arrived` when all have come, in the last round there */
    enum cpi_round_kind kinds[2];
    struct cpi_slot_control *control[2];
    /* A run: a FROM round that goes on while the same root has more short messages for it. */
    bool run_open;
    int run_root;
    size_t run_used;      /* bytes of the root's slot */
    uint32_t posted[2];   /* by parity: `posted` when this rank has what was sent so far */
    char *payloads[];     /* [size], of parity 0 */
};

static inline char *
cpi_slot_payload(const struct cpi_slots *slots, int rank)
{
    return slots->payloads[rank] + (slots->round & 1) * CPI_COLL_SLOT_BYTES;
}

/* The slots of `comm`; NULL when it does without. May be collective, at the first call. */
struct cpi_slots *cpi_slots_of(struct cpi_comm *comm);

/* Begins a round, after ending a run; returns when this rank may take part, and write if it is
 * going to. */
void cpi_round_begin(struct cpi_slots *slots, enum cpi_round_kind kind, bool writes);

/* Counts this rank. True for the last one. */
bool cpi_round_arrive(struct cpi_slots *slots);

/* Waits until all have arrived, or until the round is released. */
void cpi_round_wait_full(struct cpi_slots *slots);
void cpi_round_wait_release(struct cpi_slots *slots);

void cpi_round_release(struct cpi_slots *slots);

/* Ends the round for this rank. */
void cpi_round_end(struct cpi_slots *slots);

/* A place for the next short message of `root`, in the run that is under way or in a new one. */
char *cpi_run_place(struct cpi_slots *slots, int root, size_t bytes);

/* The root has filled it; the others wait until it has. */
void cpi_run_post(struct cpi_slots *slots);
void cpi_run_wait(struct cpi_slots *slots);

#endif
