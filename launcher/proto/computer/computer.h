/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PROTO_COMPUTER_COMPUTER_H
#define CPI_PROTO_COMPUTER_COMPUTER_H

/*
 * The computer of a job (PPP2P's virtual computer): the peers enrolled for it, until the quota of
 * ranks is full. A pure state machine that cpexec drives.
 *
 * It asks for sellers (COMPUTER_WANT_SELLERS; who answers, the overlay's offers or a market, is
 * not its business), drops those that the job can't use, and picks: the fewest that have enough
 * free cores, those with most first, the nearer one of equals, ranks in proportion to free cores.
 * All are enlisted at once. Who refuses is asked for what it says to have left, or others take its
 * part; who is silent is out. A seller's own answer is the only truth: an offer that was stale, or
 * a lie, costs a retry. A reservation is a promise of the seller to a nonce; each nonce is either
 * enrolled in the end, or was refused, lost, or released.
 *
 * When it can't be done, it says what there is and what to do; with wait_us it gives all back,
 * so that two that wait don't hold halves from each other, and tries again until the time is up.
 *
 * Events are answered by the actions of *out; computer_deadline_us is when COMPUTER_TICK is due.
 * Times are those of one clock that doesn't go back. Memory is its own, bounded by
 * COMPUTER_SELLERS_MAX.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/computer/require.h"
#include "proto/computer/seller.h"

#define COMPUTER_SELLERS_MAX  1024u
#define COMPUTER_ACTIONS_MAX  (2 * COMPUTER_SELLERS_MAX + 4)
#define COMPUTER_WHY_BYTES    2048u
#define COMPUTER_REASON_BYTES 160u
#define COMPUTER_FOREVER      UINT64_MAX

/* A peer named by --host, and how many ranks may be there; 0: as many as fit. */
struct computer_host {
    char pattern[SELLER_NAME_BYTES];  /* name or id, * and ? as in require.h */
    uint32_t ranks;
};

struct computer_config {
    uint32_t ranks;               /* the quota, 1 or more */
    uint32_t rank_millicores;     /* capacity that each needs; 0: a free core, however fast */
    uint64_t rank_memory_bytes;   /* that each needs; 0: not known */
    uint32_t per_seller;          /* ranks on one seller at most; 0: no matter */
    uint32_t oversubscribe;       /* ranks for each core of a seller's; 0 and 1: only free cores */
    bool spread;                  /* over all sellers rather than the fewest */
    struct require require;
    const struct computer_host *hosts;  /* copied; none: any peer */
    uint32_t host_count;
    uint64_t wait_us;             /* try for so long; 0: once; COMPUTER_FOREVER */
    uint64_t grace_us;            /* try silently for so long: a job that has just ended is seen */
                                  /*   late; only where there could be room */
    uint64_t again_us;            /* between tries while waiting; 0: 1 s */
    uint64_t sellers_limit_us;    /* for an answer to WANT_SELLERS; 0: 5 s */
    uint64_t enlist_limit_us;     /* of silence after ENLIST; 0: 10 s */
    uint64_t enlist_total_us;     /* for an ENLIST with signs of life; 0: 10 min */
    uint64_t seed;                /* for nonces */
};

enum computer_event_kind {
    COMPUTER_START,     /* first, once */
    COMPUTER_SELLERS,   /* the answer to WANT_SELLERS */
    COMPUTER_ENLISTED,  /* the reservation `nonce` holds */
    COMPUTER_PROGRESS,  /* `nonce` isn't done, but is worked at */
    COMPUTER_REFUSED,   /* `nonce` doesn't hold; ranks_free ranks may be had instead */
    COMPUTER_LOST,      /* the seller of `nonce` can't be reached (any more) */
    COMPUTER_TICK,      /* time has passed */
    COMPUTER_CANCEL,    /* the job is not wanted any more */
};

struct computer_event {
    enum computer_event_kind kind;
    uint64_t now_us;
    uint64_t nonce;
    uint32_t ranks_free;             /* REFUSED */
    const char *why;                 /* REFUSED, LOST: the reason, for people; copied; or NULL */
    const struct seller *sellers;    /* SELLERS; copied. Of more than COMPUTER_SELLERS_MAX the */
    uint32_t seller_count;           /*   first ones count, of two with one id the first */
};

enum computer_action_kind {
    COMPUTER_WANT_SELLERS,  /* find sellers of `ranks` ranks and answer with COMPUTER_SELLERS */
    COMPUTER_ENLIST,        /* ask `seat`'s seller for `ranks` ranks under `nonce` */
    COMPUTER_RELEASE,       /* tell `seat`'s seller that `nonce` isn't wanted; no answer */
    COMPUTER_WAITING,       /* say that it waits, and why: computer_why */
    COMPUTER_FORMED,        /* last: the seats with ranks are the computer */
    COMPUTER_SHORT,         /* last: there is none; computer_why says why */
};

struct computer_action {
    enum computer_action_kind kind;
    uint32_t seat;            /* for computer_seat; valid until the next WANT_SELLERS */
    uint64_t nonce;
    uint32_t ranks;
    uint32_t millicores;      /* ENLIST: of all these ranks together; 0: no matter */
    uint64_t memory_bytes;    /* ENLIST: the same; 0: no matter */
    bool oversubscribe;       /* ENLIST: more ranks than free cores are meant */
};

struct computer_out {
    struct computer_action actions[COMPUTER_ACTIONS_MAX];
    uint32_t count;
};

/* A seller and what became of it. */
struct computer_seat {
    struct seller seller;
    uint32_t ranks;           /* enlisted (after FORMED), or asked for; 0: none */
    bool enlisted;
    uint64_t nonce;           /* of the reservation; 0: none */
    const char *why;          /* what is against it; "": nothing. Owned by the computer. */
};

struct computer;

/* NULL when memory ends. */
struct computer *computer_new(const struct computer_config *config);
void computer_free(struct computer *computer);

/* Takes an event; out->actions are to be carried out in their order. Events that come too late or
 * belong to nothing change nothing: what was given up was released then. CANCEL releases
 * everything, also what was formed, and is the last event. */
void computer_step(struct computer *computer, const struct computer_event *event,
                   struct computer_out *out);

/* When to send COMPUTER_TICK; UINT64_MAX: not. */
uint64_t computer_deadline_us(const struct computer *computer);

uint32_t computer_seat_count(const struct computer *computer);
struct computer_seat computer_seat(const struct computer *computer, uint32_t seat);

/* What keeps it from being formed, and what to do: lines for people, without the last newline. */
const char *computer_why(const struct computer *computer);

/* Asserts its invariants. */
void computer_check(const struct computer *computer);

#endif
