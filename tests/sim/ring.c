/* SPDX-License-Identifier: BSD-3-Clause */
#include "ring.h"

#include <stdlib.h>
#include <string.h>

#include "text/memory.h"

#define NOBODY UINT32_MAX

void sim_ring_init(struct sim_ring *ring, uint32_t peers, uint32_t successors)
{
    *ring = (struct sim_ring){ .count = peers, .successors = successors };
    ring->peers = memory_new(peers, sizeof *ring->peers);
    ring->by_rank = memory_new(peers, sizeof *ring->by_rank);
    ring->marks = memory_new(peers, sizeof *ring->marks);
}

void sim_ring_release(struct sim_ring *ring)
{
    free(ring->peers);
    free(ring->by_rank);
    free(ring->marks);
}

/* The first live one of the list, without `gone`; an empty list points to the peer itself, as that
 * of the first of all does. */
static uint32_t best_successor(const struct sim_ring *ring, uint32_t peer, uint32_t gone)
{
    const struct sim_ring_peer *own = &ring->peers[peer];

    if (own->successor_count == 0)
        return peer;
    for (uint32_t i = 0; i < own->successor_count; i++) {
        uint32_t next = own->successors[i];

        if (next != gone && ring->peers[next].is_member)
            return next;
    }
    return NOBODY;
}

static struct sim_broken broken(const char *what, uint32_t peer, uint32_t other)
{
    return (struct sim_broken){ what, peer, other };
}

/* Marks the cycle that `peer` leads to with 1 and counts how often it goes around. */
static uint32_t cycle_mark(const struct sim_ring *ring, uint32_t peer)
{
    uint32_t turns = 0, at;

    for (uint32_t i = 0; i < ring->count; i++)
        peer = best_successor(ring, peer, NOBODY);
    at = peer;
    do {
        uint32_t next = best_successor(ring, at, NOBODY);

        ring->marks[at] = 1;
        turns += ring->peers[next].rank <= ring->peers[at].rank;
        at = next;
    } while (at != peer);
    return turns;
}

/* Follows `peer` until it comes to what is marked; NOBODY: it runs into a cycle of its own. */
static bool leads_into_ring(const struct sim_ring *ring, uint32_t peer)
{
    for (uint32_t i = 0; i <= ring->count; i++) {
        if (ring->marks[peer] == 1)
            return true;
        peer = best_successor(ring, peer, NOBODY);
    }
    return false;
}

struct sim_broken sim_ring_check(const struct sim_ring *ring)
{
    uint32_t first = NOBODY;

    memset(ring->marks, 0, ring->count * sizeof *ring->marks);
    for (uint32_t i = 0; i < ring->count; i++) {
        if (!ring->peers[i].is_member)
            continue;
        if (best_successor(ring, i, NOBODY) == NOBODY)
            return broken("each member has a live successor in its list", i, NOBODY);
        if (first == NOBODY)
            first = i;
    }
    if (first == NOBODY)
        return broken(NULL, NOBODY, NOBODY);
    if (cycle_mark(ring, first) != 1)
        return broken("the ring goes once around the identifiers", first,
                      best_successor(ring, first, NOBODY));
    for (uint32_t i = 0; i < ring->count; i++)
        if (ring->peers[i].is_member && !leads_into_ring(ring, i))
            return broken("there is one ring, and each member leads into it", i,
                          best_successor(ring, i, NOBODY));
    return broken(NULL, NOBODY, NOBODY);
}

uint32_t sim_ring_up_after(const struct sim_ring *ring, uint32_t rank, uint32_t steps)
{
    for (uint32_t i = 1; i <= ring->count; i++) {
        uint32_t peer = ring->by_rank[(rank + i) % ring->count];

        if (ring->peers[peer].is_up && --steps == 0)
            return peer;
    }
    return NOBODY;
}

static uint32_t up_before(const struct sim_ring *ring, uint32_t rank)
{
    for (uint32_t i = 1; i <= ring->count; i++) {
        uint32_t peer = ring->by_rank[(rank + ring->count - i) % ring->count];

        if (ring->peers[peer].is_up)
            return peer;
    }
    return NOBODY;
}

static struct sim_broken peer_check_ideal(const struct sim_ring *ring, uint32_t i, uint32_t up)
{
    const struct sim_ring_peer *peer = &ring->peers[i];
    uint32_t wanted = up - 1 < ring->successors ? up - 1 : ring->successors;
    uint32_t rank = peer->rank, before = up_before(ring, peer->rank);

    if (!peer->is_member)
        return broken("each peer that runs is a member", i, NOBODY);
    if (up > 1 && peer->predecessor != before)
        return broken("each predecessor is the peer before", i, before);
    for (uint32_t at = 0; at < wanted; at++) {
        uint32_t next = sim_ring_up_after(ring, rank, 1);

        if (at >= peer->successor_count || peer->successors[at] != next)
            return broken("successor lists are the peers that follow", i, next);
        rank = ring->peers[next].rank;
    }
    return broken(NULL, NOBODY, NOBODY);
}

struct sim_broken sim_ring_check_ideal(const struct sim_ring *ring)
{
    uint32_t up = 0;

    for (uint32_t i = 0; i < ring->count; i++)
        up += ring->peers[i].is_up;
    for (uint32_t i = 0; i < ring->count; i++) {
        struct sim_broken found;

        if (!ring->peers[i].is_up)
            continue;
        found = peer_check_ideal(ring, i, up);
        if (found.what != NULL)
            return found;
    }
    return broken(NULL, NOBODY, NOBODY);
}

/* Whether going clockwise from `a` one meets `b` before coming to `c`. */
static bool lies_between(const struct sim_ring *ring, uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t size = ring->count, from = ring->peers[a].rank;
    uint32_t to_b = (ring->peers[b].rank + size - from) % size;
    uint32_t to_c = (ring->peers[c].rank + size - from) % size;

    return to_b > 0 && (to_b < to_c || to_c == 0);
}

/* Whether two neighbours in the list of `peer`, itself first, have `other` between them. */
static bool skips(const struct sim_ring *ring, uint32_t peer, uint32_t other)
{
    const struct sim_ring_peer *own = &ring->peers[peer];
    uint32_t last = peer;

    for (uint32_t i = 0; i < own->successor_count; i++) {
        if (lies_between(ring, last, other, own->successors[i]))
            return true;
        last = own->successors[i];
    }
    return false;
}

static bool is_principal(const struct sim_ring *ring, uint32_t peer, uint32_t gone)
{
    for (uint32_t i = 0; i < ring->count; i++)
        if (i != gone && ring->peers[i].is_member && skips(ring, i, peer))
            return false;
    return true;
}

bool sim_ring_may_lose(const struct sim_ring *ring, uint32_t peer)
{
    uint32_t principals = 0;

    for (uint32_t i = 0; i < ring->count; i++) {
        uint32_t best;

        if (i == peer || !ring->peers[i].is_member)
            continue;
        best = best_successor(ring, i, peer);
        if (best == NOBODY)
            return false;
        principals += is_principal(ring, i, peer);
    }
    return principals > ring->successors;
}
