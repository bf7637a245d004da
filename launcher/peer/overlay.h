/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_OVERLAY_H
#define CPI_PEER_OVERLAY_H

/*
 * Drives the pure protocols of the overlay (chord, detector, kv) in the daemon's loop: gives them
 * the time, the messages that came and what links tell, and carries out what they want.
 *
 * A step's actions may lead to events (a reply to oneself, a link that fails at once). These wait
 * in a queue until the step is carried out, so no machine is ever stepped from within a step.
 */

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "peer/book.h"
#include "proto/chord/chord.h"
#include "proto/detector/detector.h"
#include "proto/kv/kv.h"
#include "wire/peer.pb-c.h"

#define OVERLAY_LOOKUPS_MAX 512u  /* of people; the daemon's own always find room */
#define OVERLAY_SURE_MAX    16u

struct overlay;

struct overlay_hooks {
    /* Sends to a contact, connecting first if need be. What can't be delivered is lost, and
     * overlay_link_down tells. */
    void (*send)(void *arg, uint32_t contact, Cpmp__PeerMessage *message);
    /* This peer has become a member of the ring, or is none any more. */
    void (*status)(void *arg, enum chord_status status);
    /* A contact is dead, or alive again, as the detector says. */
    void (*contact)(void *arg, uint32_t contact, enum detector_state state);
    /* This peer was taken for dead, and said that it isn't: keep this incarnation. */
    void (*incarnation)(void *arg, uint64_t incarnation);
};

/* `result` is valid in the call; it may come before the request returns. */
typedef void overlay_lookup_fn(void *arg, const struct chord_result *result, uint64_t took_us);
typedef void overlay_kv_fn(void *arg, const struct kv_result *result);

/* This peer must be in the book already, as BOOK_SELF. `incarnation` is above all it ever had. */
struct overlay *overlay_new(uv_loop_t *loop, struct book *book, uint64_t incarnation,
                            const struct overlay_hooks *hooks, void *arg);

/* Stops; the memory is freed when the loop has closed its handles. Nobody who waits hears more. */
void overlay_close(struct overlay *overlay);

/* Joins the ring through peers of the pool; none: the first of its ring. After `alone_us` without
 * a member it is a ring of one and goes on looking. */
void overlay_join(struct overlay *overlay, const uint32_t *contacts, size_t count,
                  uint64_t alone_us);

/* Tells the neighbours and is out. */
void overlay_leave(struct overlay *overlay);

/* A peer of the pool was met: if it is of another ring, the two become one. */
void overlay_met(struct overlay *overlay, uint32_t contact);

/* What came over a link from a peer whose identity the link has proved. */
void overlay_receive(struct overlay *overlay, uint32_t contact, const Cpmp__PeerMessage *message);

/* The link to a contact stands (rtt_us 0: not measured); it is gone (`refused`: and nobody is there
 * to connect to). */
void overlay_link_up(struct overlay *overlay, uint32_t contact, uint32_t rtt_us);
void overlay_link_down(struct overlay *overlay, uint32_t contact, bool refused);

/* Has the detector watch a peer of a job. */
void overlay_watch(struct overlay *overlay, uint32_t contact, bool watch);

/* At most OVERLAY_LOOKUPS_MAX are open; by disjoint ways, which cost many messages, go
 * OVERLAY_SURE_MAX of them at a time. */
void overlay_lookup(struct overlay *overlay, const struct chord_id *key, enum chord_mode mode,
                    overlay_lookup_fn *done, void *arg);

/* Publishes this peer's value under `key`; renew it before it expires. No bytes: takes it back. */
void overlay_put(struct overlay *overlay, const struct chord_id *key, const void *bytes,
                 size_t count, uint64_t lifetime_us, overlay_kv_fn *done, void *arg);
void overlay_get(struct overlay *overlay, const struct chord_id *key, overlay_kv_fn *done,
                 void *arg);

/* Calls book_hold for every contact in use. */
void overlay_hold(struct overlay *overlay);

const struct chord *overlay_chord(const struct overlay *overlay);
const struct kv *overlay_kv(const struct overlay *overlay);
const struct detector *overlay_detector(const struct overlay *overlay);

#endif
