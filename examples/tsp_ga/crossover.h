/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TSP_GA_CROSSOVER_H
#define CPI_TSP_GA_CROSSOVER_H

/*
 * Two parents make a child.
 *
 * Order crossover (L. Davis, 1985): a stretch of the first parent, then the other cities in the
 * order of the second. Edge recombination (D. Whitley, T. Starkweather, D. Fuquay, 1989; with
 * preference for common edges, 1991): walk from city to city along edges of the parents, the ones
 * that both have first, then towards the city with fewest ways left; so nearly all edges of the
 * child are a parent's.
 */

#include "instance.h"
#include "random.h"

#include <stdbool.h>
#include <stdint.h>

enum crossover_kind { CROSSOVER_EDGE, CROSSOVER_ORDER };

struct crossover {
    const struct instance *instance;
    int32_t (*link)[4]; /* neighbours of a city in the parents; common ones once, as ~city */
    int32_t *links;     /* how many of them */
    int32_t *free_list; /* cities not in the child yet … */
    int32_t *place;     /* … and where each stands there; -1: in the child */
};

/* Returns 0, or -1 for want of memory. */
int crossover_init(struct crossover *crossover, const struct instance *instance);

void crossover_release(struct crossover *crossover);

/* Fill `child` from parents `a` and `b`; none of the three overlaps another. */
void crossover_breed(struct crossover *crossover, enum crossover_kind kind, struct random *random,
                     const int32_t *a, const int32_t *b, int32_t *child);

#endif
