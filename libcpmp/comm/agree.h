/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_COMM_AGREE_H
#define CPI_COMM_AGREE_H

/*
 * The two collectives that communicators are made with. They run before the new communicator
 * exists, over a set of world ranks and a context and tag that its maker has to itself.
 */

#include <stddef.h>
#include <stdint.h>

struct cpi_circle {
    int size, rank;
    const int *world_ranks;  /* [size] */
    uint32_t context;
    int tag;
};

/* all[i × bytes …] = `mine` of rank i, everywhere. Bruck: ⌈log2 n⌉ rounds, (n − 1) × bytes
 * received. */
int cpi_circle_gather(const struct cpi_circle *circle, const void *mine, size_t bytes, void *all);

/* words[i] = AND over all ranks of words[i]. Dissemination: ⌈log2 n⌉ rounds (AND may count a rank
 * twice). */
int cpi_circle_and(const struct cpi_circle *circle, uint64_t *words, size_t count);

#endif
