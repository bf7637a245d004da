/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_RING_SEGMENT_H
#define CPI_RING_SEGMENT_H

/*
 * The job segment: the memory that an agent and the ranks of one job on one peer share.
 *
 * The agent makes it (a sealed memfd: it can neither grow nor shrink), the ranks map it; it has no
 * name and dies with them. Everything is at an offset that follows from the header, so each process
 * maps it where it likes. Memory is sparse: a ring or slot that was never used costs nothing.
 *
 *   header | rank blocks [local + 1] | world map [world] | peer names [peers]
 *          | inboxes [local + 1] | collective areas [local] | rings [local + 1][local + 1]
 *
 * Local index `local` (one past the last rank) is the agent's own. Ring (r, s) is written by s and
 * read by r. Ring size falls as ranks grow, so that 256 ranks stay within 1 GiB (ARCHITECTURE.md,
 * bounds).
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "ring/ring.h"

#define CPI_SEGMENT_MAGIC     0x63706d7073656731ull /* "cpmpseg1" */
#define CPI_SEGMENT_LOCAL_MAX 1024u                 /* ranks of one job on one peer */
#define CPI_SEGMENT_WORLD_MAX 65536u                /* ranks of one job */
#define CPI_SEGMENT_NAME_MAX  64u                   /* a peer's name, with its 0 byte */
#define CPI_COLL_CONTEXTS     32u                   /* communicators with slots of their own */
#define CPI_COLL_SLOT_BYTES   (8192u + 128u)        /* payload and head of one rank's slot */
#define CPI_COLL_AREA_BYTES   (CPI_COLL_CONTEXTS * 2u * CPI_COLL_SLOT_BYTES)

/* How far a rank has come; written by the rank, read by the agent. */
enum cpi_rank_stage { CPI_RANK_STARTED = 0, CPI_RANK_JOINED = 1, CPI_RANK_ENDED = 2 };

struct cpi_segment_header {
    uint64_t magic;
    uint32_t frame_version;
    uint32_t world;         /* ranks of the job */
    uint32_t local;         /* ranks of the job on this peer */
    uint32_t peer;          /* this peer's index, */
    uint32_t peers;         /* of so many */
    uint32_t cores;         /* cores this peer gives */
    uint32_t lone_fence;    /* 1: who goes to sleep makes the barrier for both (cpi_inbox_fence) */
    uint64_t job;
    uint64_t bytes;         /* of the whole segment */
    uint64_t ring_bytes;    /* data bytes of one ring; a power of two */
    uint64_t capacity_millicores;
    uint64_t credit_bytes;  /* eager bytes that one rank may have unread at another */
};

/* Asleep or awake; the other side rings only a sleeper. One cache line each. */
struct cpi_doorbell {
    _Alignas(64) _Atomic uint32_t state;  /* 0 awake, 1 asleep; ranks sleep on it as a futex */
};

struct cpi_rank_block {
    struct cpi_doorbell doorbell;
    _Alignas(64) _Atomic uint32_t stage;  /* enum cpi_rank_stage */
    uint32_t world_rank;
    _Atomic uint32_t pid;                 /* as the rank sees it when it joins; 0 before */
    _Atomic uint32_t counted;             /* 1: it is in the host page's count of awake ranks */
    _Atomic uint64_t done, total;         /* cpmp_progress */
    uint64_t cookie_address, cookie;      /* what the agent is to find in this rank's memory */
    _Atomic uint32_t reached;             /* 1: it did (p2p/direct.h) */
    _Atomic uint32_t progress_new;        /* 1: the agent has been told to look at done and total */
    _Atomic uint32_t core;                /* 1 + that which it counts on (host page); 0: none */
};

/* Which local senders may have frames for this receiver: one bit each. */
struct cpi_inbox {
    _Alignas(64) _Atomic uint64_t bits[(CPI_SEGMENT_LOCAL_MAX + 1 + 63) / 64];
};

/* Where a world rank lives. */
struct cpi_place {
    uint32_t peer;
    uint32_t local;  /* local index on that peer */
};

/* Shared by all agents and ranks of one machine: how many ranks want a core right now, and how many
 * waited last on each. A memfd too; cpexec makes it for an embedded pool. */
#define CPI_HOST_CORES_MAX 1024u  /* those with higher numbers are not counted singly */
struct cpi_host_page {
    _Atomic int32_t awake;
    int32_t cores;
    _Atomic int16_t waited[CPI_HOST_CORES_MAX];
};

/* Up to so many awake for each core, those who wait for agents yield for a while before they sleep
 * (agent/router.c). */
#define CPI_HOST_FEW 2

/* One process's view. Plain pointers into its own mapping. */
struct cpi_segment {
    struct cpi_segment_header *header;
    struct cpi_rank_block *ranks;
    struct cpi_place *places;   /* [world] */
    char (*peer_names)[CPI_SEGMENT_NAME_MAX];
    struct cpi_inbox *inboxes;  /* [local + 1] */
    char *coll;                 /* [local] areas of CPI_COLL_AREA_BYTES */
    char *rings;
    size_t ring_stride;
    size_t bytes;
};

/* What the agent decides when it makes a segment. */
struct cpi_segment_config {
    uint64_t job;
    uint32_t world, local, peer, peers, cores;
    uint64_t capacity_millicores;
};

/* Bytes of a segment for `config`; 0 when a limit is exceeded. */
size_t cpi_segment_bytes(const struct cpi_segment_config *config);

/* Makes the memfd (close-on-exec, sealed) and maps it. The caller fills ranks[].world_rank, places
 * and peer_names. Owner of *fd_p: the caller. Errors: CPMP_EINVAL, CPMP_ELIMIT, CPMP_ESYS. */
int cpi_segment_make(struct cpi_segment *segment, const struct cpi_segment_config *config,
                     int *fd_p);

/* Maps the segment behind `fd` after checking its seals, header and size. CPMP_EPROTO when it is
 * not one, CPMP_EVERSION when it is of another version. */
int cpi_segment_map(struct cpi_segment *segment, int fd);

void cpi_segment_unmap(struct cpi_segment *segment);

/* The ring from local index `sender` to local index `receiver`. */
static inline struct cpi_ring *
cpi_segment_ring(const struct cpi_segment *segment, uint32_t receiver, uint32_t sender)
{
    size_t index = (size_t)receiver * (segment->header->local + 1) + sender;
    return (struct cpi_ring *)(segment->rings + index * segment->ring_stride);
}

/* Largest frame, header included, that fits the rings of all peers of the job: rings get smaller as
 * the ranks of their peer grow, and a frame travels as it is. Needs the map (places). */
size_t cpi_segment_frame_max(const struct cpi_segment *segment);

/* Asserts the header's and the rings' invariants; for tests and on demand. */
void cpi_segment_check(const struct cpi_segment *segment);

/* A receiver has cleared a bit of its inbox, or said that it is asleep, and is about to look at its
 * rings a last time: one of the two sides sees the other's store. That takes a barrier on both.
 * With a core for each rank a sleep is rare and the sender's barrier is a large part of a short
 * message, so there the receiver makes both (membarrier); else that would disturb who computes, and
 * in a job of several peers it would do so at every wait for an agent. */
void cpi_inbox_fence(const struct cpi_segment *segment);

/* Tells `receiver` that `sender` has put frames into its ring: sets the bit when it is clear.
 * Returns 1 when the receiver sleeps and must be woken (a rank: cpi_futex_wake; the agent: its
 * eventfd). The sleeper's side of the bargain is cpi_inbox_fence. */
int cpi_inbox_notify(const struct cpi_segment *segment, uint32_t receiver, uint32_t sender);

/* Gives the ring from `sender` back up to `position` and tells whether the sender had asked for
 * room (cpi_ring_want) and sleeps: then it must be woken, as after cpi_inbox_notify. */
int cpi_inbox_release(const struct cpi_segment *segment, uint32_t receiver, uint32_t sender,
                      uint64_t position);

#endif
