/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SIM_RING_H
#define SIM_RING_H

/*
 * The ring as it really is, seen from above: who lives, and whom each peer points to. Peers are
 * numbers; where they lie on the ring says their rank, the order of their ids.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_SUCCESSORS_MAX 32

struct sim_ring_peer {
    uint32_t rank;
    bool is_up;             /* its process runs */
    bool is_member;         /* and has joined */
    uint32_t predecessor;   /* UINT32_MAX: none */
    uint32_t successor_count;
    uint32_t successors[SIM_SUCCESSORS_MAX];
};

struct sim_ring {
    struct sim_ring_peer *peers;
    uint32_t count;
    uint32_t successors;  /* length of a full list */
    uint32_t *by_rank;    /* number of the peer of each rank */
    uint32_t *marks;      /* scratch */
};

/* What is broken first: a text that names the invariant, and up to two peers concerned. */
struct sim_broken {
    const char *what;  /* NULL: nothing */
    uint32_t peer, other;
};

void sim_ring_init(struct sim_ring *ring, uint32_t peers, uint32_t successors);
void sim_ring_release(struct sim_ring *ring);

/* Zave's invariant over all members: config.h. */
struct sim_broken sim_ring_check(const struct sim_ring *ring);

/* The goal: each peer that is up is a member, has the one before it as predecessor, and as
 * successors as many of those after it as there are, or a full list. */
struct sim_broken sim_ring_check_ideal(const struct sim_ring *ring);

/* Whether the proof allows that `peer` goes: each member keeps a live successor, and one more peer
 * than a list holds keeps being skipped by nobody's list (the principals). */
bool sim_ring_may_lose(const struct sim_ring *ring, uint32_t peer);

/* The peer at `steps` after `rank`, counting only those that are up; UINT32_MAX: none is. */
uint32_t sim_ring_up_after(const struct sim_ring *ring, uint32_t rank, uint32_t steps);

#endif
