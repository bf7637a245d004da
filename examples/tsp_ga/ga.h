/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TSP_GA_GA_H
#define CPI_TSP_GA_GA_H

/*
 * One island: a genetic algorithm whose children learn (a memetic algorithm).
 *
 * The population is founded with randomized nearest-neighbour tours, each brought to a local
 * optimum. A generation makes as many children as there are tours: in a random circle of all tours
 * each has a child with the next one, which goes through crossover, now and then a kick, and the
 * local search; it takes the place of the parent that it has more edges of, if it is shorter
 * (deterministic crowding, S. Mahfoud, 1992). So good tours spread slowly and the population stays
 * varied. When children are all their parents again, kicks alone go on; an island that has got
 * stuck founds its population anew around its best tour.
 *
 * Work is cut in steps of one child, so that the caller can look at the clock and at messages in
 * between. Everything an island does follows from instance, parameters, stream and immigrants.
 */

#include "crossover.h"
#include "instance.h"
#include "random.h"
#include "tour.h"

#include <stdbool.h>
#include <stdint.h>

#define GA_POPULATION_MIN 2
#define GA_POPULATION_MAX 10000

struct ga_parameters {
    int population;
    enum crossover_kind crossover;
    uint64_t seed;
};

struct ga_tour {
    int64_t length;
    int32_t *city;
};

struct ga {
    const struct instance *instance;
    struct ga_parameters parameters;
    struct random random;
    struct search search;
    struct crossover crossover;
    int32_t *cities;      /* the memory of all tours */
    struct ga_tour *tour; /* the population, and behind it room for a child */
    int32_t *circle;      /* in which order tours have children this generation */
    int32_t *scratch, *scratch_more;
    int tours;            /* founded so far; children begin when it is the whole population */
    int turn;             /* how many of this generation have had their child */
    int best;             /* index of the best tour */
    int64_t generations, children;
    int64_t stuck_since;  /* generation in which anything got better last */
};

/* Returns 0, or -1 for want of memory. `stream` tells the islands of one seed apart. */
int ga_init(struct ga *ga, const struct instance *instance, const struct ga_parameters *parameters,
            uint64_t stream);

void ga_release(struct ga *ga);

/* Found one tour or make one child. Returns whether that ended a generation. */
bool ga_step(struct ga *ga);

/* The best tour; valid until the next step. There is one after the first step. */
const struct ga_tour *ga_best(const struct ga *ga);

/* A tour from another island comes to live in place of the worst here, if it is shorter. */
void ga_immigrate(struct ga *ga, const int32_t *city, int64_t length);

#endif
