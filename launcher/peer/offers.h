/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_OFFERS_H
#define CPI_PEER_OFFERS_H

/*
 * Offers on the ring: this peer's own is published and renewed; all of the pool's are gathered for
 * those who look for capacity, or for people.
 *
 * They lie under OFFERS_KEYS keys, by the first digit of the peer's id, so that no single peer of
 * the ring has to keep and tell them all. What was gathered is good for OFFERS_FRESH_US: a user who
 * starts job after job doesn't ask the ring each time, and a seller's own word counts in any case.
 */

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "peer/offer.h"
#include "peer/overlay.h"

#define OFFERS_KEYS        16u
#define OFFERS_RENEW_MS    20000u              /* published so often at rest */
#define OFFERS_CHANGE_MS   200u                /* and this long after a change */
#define OFFERS_LIFETIME_US UINT64_C(65000000)  /* three renewals, so that two may be lost */
#define OFFERS_TOLD_MAX    16384u              /* of an answer */
#define OFFERS_FRESH_US    UINT64_C(1000000)

/* The offers, valid in the call. `unanswered`: keys of which the ring didn't tell. */
typedef void offers_fn(void *arg, const struct offer *offers, size_t count, uint32_t unanswered);

struct offers_waiter {
    offers_fn *done;
    void *arg;
};

struct offers_hooks {
    /* Fills in this peer's offer as of now. */
    void (*state)(void *arg, struct offer *offer);
    /* Somebody else's was read and is true: his name and addresses. */
    void (*met)(void *arg, const struct offer *offer);
};

struct offers {
    struct overlay *overlay;
    const uint8_t *pool;           /* fingerprint, OFFER_POOL_BYTES */
    EVP_PKEY *key;
    const struct offers_hooks *hooks;
    void *arg;
    uv_timer_t timer;
    bool publishing, again;        /* a put is under way; and its content is old already */
    uint8_t self[SELLER_ID_BYTES];
    struct offer *list;            /* what was gathered last; [count] */
    size_t count, capacity;
    uint64_t gathered_us;
    uint32_t open, unanswered;     /* of the gathering under way */
    struct offers_waiter *waiters; /* [waiter_count] */
    size_t waiter_count;
};

void offers_init(struct offers *offers, uv_loop_t *loop, struct overlay *overlay,
                 const uint8_t id[SELLER_ID_BYTES], const uint8_t *pool, EVP_PKEY *key,
                 const struct offers_hooks *hooks, void *arg);

/* Publishes soon: something has changed; or now, when this peer has joined. */
void offers_changed(struct offers *offers, bool now);

/* Takes this peer's offer back: it leaves. */
void offers_withdraw(struct offers *offers);

/* Calls `done`, maybe at once, with the offers of all peers, this one's included. */
void offers_gather(struct offers *offers, offers_fn *done, void *arg);

/* Stops; memory by offers_release when the loop has closed the handles. */
void offers_close(struct offers *offers);
void offers_release(struct offers *offers);

/* A key on the ring: the first bytes of SHA-256 of "cpmp WHAT", then `count` bytes. */
void offers_ring_key(const char *what, const void *bytes, size_t count, struct chord_id *key_p);

#endif
