/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TSP_GA_EXCHANGE_H
#define CPI_TSP_GA_EXCHANGE_H

/*
 * What islands tell each other: their best tours, and when to stop.
 *
 * var   Through one global variable that holds the best tour of the job (PPP2P, section 5). An
 *       island that beats it puts its own in, by an update that keeps the shorter; each looks at it
 *       in intervals and takes the tour in. Nobody waits for anybody, so fast islands do more.
 * ring  In intervals each island sends its best to the next rank and takes in that of the one
 *       before. All go in step, so a run can be had again to the bit.
 * none  As var, but no island takes a tour in: each lives alone.
 *
 * Improvements of the whole job are emitted as partial results under the topic "best": all in ring,
 * in the others those by 0.1 %, the rest collected for a second; the first is emitted at once, and
 * so is one that ends the job.
 */

#include "ga.h"
#include "instance.h"

#include <cpmp.h>
#include <stdbool.h>
#include <stdint.h>

enum exchange_kind { EXCHANGE_VAR, EXCHANGE_RING, EXCHANGE_NONE };

struct exchange_parameters {
    enum exchange_kind kind;
    int64_t interval; /* generations between exchanges */
    int64_t target;   /* the job stops when a tour is not longer; 0: none */
};

/* What an island wants that has made a step. */
enum exchange_wish {
    WISH_GO_ON,
    WISH_LEAVE,  /* it has reached its own end: time, generations */
    WISH_END_ALL /* the user wants the job to end */
};

/* The best tour of the job; the content of the global variable, and what goes round in the ring. */
struct record {
    int64_t length;
    int64_t announced; /* the length last emitted as partial result */
    double seconds;    /* when it was found, after the start of the job */
    int32_t finder;    /* the rank that did */
    int32_t stop;      /* everybody is to stop */
    int32_t city[];
};

struct exchange {
    const struct instance *instance;
    struct exchange_parameters parameters;
    int rank, size;
    int holder;            /* ring: the lowest rank that had the best tour at the last exchange */
    double start;          /* cpmp_time when the job began */
    double looked;         /* … when the variable was looked at last */
    double emitted;        /* … when this rank emitted last */
    int64_t next;          /* the generation of the next exchange */
    size_t record_bytes;
    struct record *record; /* the best of the job, as far as known here */
    struct record *mail;   /* ring: what comes from the left */
    cpmp_var *var;         /* ring: NULL */
};

/* All ranks call it. It aborts the job when the library fails it, as do all functions here. */
void exchange_init(struct exchange *exchange, const struct instance *instance,
                   const struct exchange_parameters *parameters);

void exchange_release(struct exchange *exchange);

/* After a step of the island: exchange if it is time to. Returns whether the island is to stop. */
bool exchange_step(struct exchange *exchange, struct ga *ga, enum exchange_wish wish);

/* All ranks call it when they have stopped. Then exchange->record is the best of the job on all. */
void exchange_finish(struct exchange *exchange, struct ga *ga);

#endif
