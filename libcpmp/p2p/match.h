/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_P2P_MATCH_H
#define CPI_P2P_MATCH_H

/*
 * Matching: which receive takes which message. Pure; no I/O.
 *
 * Keys are (context, source, tag), either of the latter two possibly "any". Receives that wait lie
 * in the bin of their own key. A message that comes looks into the at most four bins that could
 * match it (kinds of wildcard that no receive uses are skipped) and takes the receive posted first.
 * Messages that came unexpected lie in the bin of their exact key and, from the first time that a
 * wildcard of some kind is asked for, in the bin of that kind too. So each step costs the same with
 * 10 000 messages as with one, whatever their order.
 */

#include <stddef.h>
#include <stdint.h>

#include "p2p/request.h"

/* An unexpected message. The engine owns the rest of its fields. */
struct cpi_message {
    struct cpi_list links[4];   /* by kind of wildcard; [0] is the exact key's */
    void *bins[4];
    struct cpi_list arrival;    /* all of them, in order of arrival */
    uint32_t context;
    int source, tag;
    bool in_match;              /* false once taken out */
    bool is_rts;
    uint64_t length;            /* of the whole message */
    uint64_t arrived;           /* bytes of it in `data` */
    uint64_t other;             /* RTS: the sender's handle */
    struct cpi_memory_offer memory;  /* RTS: where it lies at the sender */
    uint32_t cost;              /* of the sender's credit */
    char *data;                 /* eager: `length` bytes, behind this struct */
};

struct cpi_bin;

struct cpi_table {
    struct cpi_bin **slots;
    size_t slot_count, bin_count;
    struct cpi_bin *recent;  /* the last one added to; only this one may be without members */
};

struct cpi_match {
    struct cpi_table posted, unexpected;
    bool indexed[4];
    struct cpi_list arrivals;
    struct cpi_bin *free_bins;
    uint64_t post_order;
    size_t posted_count, unexpected_count;
    size_t posted_wild;  /* those of posted_count with a wildcard */
};

int cpi_match_init(struct cpi_match *match);
void cpi_match_release(struct cpi_match *match);

/* Add a receive (its context, peer and tag are set). CPMP_ENOMEM or CPMP_OK. */
int cpi_match_post(struct cpi_match *match, struct cpi_request *request);

/* Take a posted receive back. */
void cpi_match_unpost(struct cpi_match *match, struct cpi_request *request);

/* The oldest receive that takes (context, source, tag), removed; or NULL. */
struct cpi_request *cpi_match_arrive(struct cpi_match *match, uint32_t context, int source,
                                     int tag);

/* Add an unexpected message (key fields set). */
int cpi_match_keep(struct cpi_match *match, struct cpi_message *message);

/* The oldest message that (context, source, tag), with wildcards, takes; stays. Or NULL. */
struct cpi_message *cpi_match_find(struct cpi_match *match, uint32_t context, int source, int tag);

/* Take a message out. */
void cpi_match_remove(struct cpi_match *match, struct cpi_message *message);

/* Asserts every invariant; slow. */
void cpi_match_check(const struct cpi_match *match);

#endif
