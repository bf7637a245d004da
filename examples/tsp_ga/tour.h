/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TSP_GA_TOUR_H
#define CPI_TSP_GA_TOUR_H

/*
 * Tours and their local search: 2-opt and Or-opt with neighbour lists and don't-look bits.
 *
 * A tour is an array with each city once, walked in a circle. The search improves one tour at a
 * time in place. It looks only at cities in a work queue (those not in it have their "don't-look
 * bit" set); a move puts the cities whose edges it changed back in. So a tour that is a local
 * optimum but for three edges is made one again by looking near these.
 *
 * Textbook: J. L. Bentley, "Fast algorithms for geometric traveling salesman problems", ORSA
 * Journal on Computing 4(4), 1992; D. S. Johnson, L. A. McGeoch, "The traveling salesman problem: a
 * case study in local optimization", 1997, section 3.
 */

#include "instance.h"
#include "random.h"

#include <stdbool.h>
#include <stdint.h>

struct search {
    const struct instance *instance;
    int cities;
    int32_t *city;     /* the tour being worked on; the caller's */
    int32_t *position; /* where each city stands in it */
    int32_t *queue;    /* ring of cities to look at, each at most once */
    bool *queued;
    int queue_first, queue_count;
};

/* Returns 0, or -1 for want of memory. `instance` must outlive the search. */
int search_init(struct search *search, const struct instance *instance);

void search_release(struct search *search);

/* Begin to work on `city`: its positions are taken in, the queue is empty. */
void search_load(struct search *search, int32_t *city);

/* Have the search look at this city; at all of them, in tour order. */
void search_push(struct search *search, int city);
void search_push_all(struct search *search);

/* Work until the queue is empty. Returns by how much the tour became shorter. When all cities were
 * pushed and nothing was gained, no 2-opt or Or-opt move to a near city improves it. */
int64_t search_run(struct search *search);

/* Cut the tour in four within a stretch of at most 50 cities and swap the middle two (a "double
 * bridge", which 2-opt and Or-opt hardly undo); queues the ends. Returns the change in length.
 * Tours of fewer than 8 cities stay as they are. */
int64_t search_kick(struct search *search, struct random *random);

/* A tour to begin with: from a random city to a near one not visited yet, mostly the nearest.
 * `free_list` and `place` are scratch of as many elements as there are cities. */
void tour_found(const struct instance *instance, struct random *random, int32_t *city,
                int32_t *free_list, int32_t *place);

/* Is each city in it exactly once? */
bool tour_is_valid(const int32_t *city, int cities);

/* Turn and mirror it so that it begins with city 0 and goes on to the lower of the two neighbours:
 * two arrays are the same tour if and only if they are equal in this form. `scratch` is as long. */
void tour_normalize(int32_t *city, int cities, int32_t *scratch);

#endif
