/* SPDX-License-Identifier: BSD-3-Clause */
#include "ga.h"

#include <stdlib.h>
#include <string.h>

#define KICK_ONE_IN 8         /* children that are kicked although they differ from their parent */
#define STUCK_GENERATIONS 100 /* without any improvement: found the population anew */

static int allocate(struct ga *ga)
{
    size_t n = (size_t)ga->instance->cities;
    size_t tours = (size_t)ga->parameters.population + 1;

    ga->cities = calloc(tours * n, sizeof *ga->cities);
    ga->tour = calloc(tours, sizeof *ga->tour);
    ga->circle = calloc(tours, sizeof *ga->circle);
    ga->scratch = calloc(n, sizeof *ga->scratch);
    ga->scratch_more = calloc(n, sizeof *ga->scratch_more);
    if (ga->cities == NULL || ga->tour == NULL || ga->circle == NULL || ga->scratch == NULL
        || ga->scratch_more == NULL) {
        return -1;
    }
    for (size_t i = 0; i < tours; i++) {
        ga->tour[i].city = ga->cities + i * n;
    }
    return 0;
}

int ga_init(struct ga *ga, const struct instance *instance, const struct ga_parameters *parameters,
            uint64_t stream)
{
    *ga = (struct ga){.instance = instance, .parameters = *parameters};
    random_init(&ga->random, parameters->seed, stream);
    if (allocate(ga) != 0 || search_init(&ga->search, instance) != 0
        || crossover_init(&ga->crossover, instance) != 0) {
        ga_release(ga);
        return -1;
    }
    return 0;
}

void ga_release(struct ga *ga)
{
    search_release(&ga->search);
    crossover_release(&ga->crossover);
    free(ga->cities);
    free(ga->tour);
    free(ga->circle);
    free(ga->scratch);
    free(ga->scratch_more);
    *ga = (struct ga){0};
}

const struct ga_tour *ga_best(const struct ga *ga)
{
    return &ga->tour[ga->best];
}

static void note_if_best(struct ga *ga, int tour)
{
    if (ga->tour[tour].length < ga->tour[ga->best].length) {
        ga->best = tour;
    }
}

static void found_tour(struct ga *ga, int at)
{
    struct ga_tour *tour = &ga->tour[at];

    tour_found(ga->instance, &ga->random, tour->city, ga->scratch, ga->scratch_more);
    search_load(&ga->search, tour->city);
    search_push_all(&ga->search);
    tour->length = instance_length(ga->instance, tour->city) - search_run(&ga->search);
}

static void shuffle_circle(struct ga *ga)
{
    for (int i = 0; i < ga->parameters.population; i++) {
        int j = random_below(&ga->random, i + 1);
        ga->circle[i] = ga->circle[j];
        ga->circle[j] = i;
    }
}

/* Is there an edge between them in the tour that is loaded in the search? */
static inline bool is_edge(const struct ga *ga, int a, int b)
{
    int apart = abs(ga->search.position[a] - ga->search.position[b]);
    return apart == 1 || apart == ga->instance->cities - 1;
}

/* How many edges of `parent` the child, loaded in the search, has not. */
static int differences_from(const struct ga *ga, const int32_t *parent)
{
    int n = ga->instance->cities, differences = 0;

    for (int i = 0, from = parent[n - 1]; i < n; from = parent[i++]) {
        differences += !is_edge(ga, from, parent[i]);
    }
    return differences;
}

/* Queue the cities of the child, loaded in the search, that have an edge which `parent` has not:
 * all else around them was a local optimum already. Returns how many there are. */
static int push_differences(struct ga *ga, const int32_t *parent)
{
    int n = ga->instance->cities, pushed = 0;

    for (int i = 0, from = parent[n - 1]; i < n; from = parent[i++]) {
        if (!is_edge(ga, from, parent[i])) {
            /* An edge lost: both its ends have a new one. */
            search_push(&ga->search, from);
            search_push(&ga->search, parent[i]);
            pushed++;
        }
    }
    return pushed;
}

static void breed(struct ga *ga, const struct ga_tour *a, const struct ga_tour *b,
                  struct ga_tour *child)
{
    crossover_breed(&ga->crossover, ga->parameters.crossover, &ga->random, a->city, b->city,
                    child->city);
    search_load(&ga->search, child->city);
    int differences = push_differences(ga, a->city);
    child->length = instance_length(ga->instance, child->city);
    if (differences == 0 || random_below(&ga->random, KICK_ONE_IN) == 0) {
        child->length += search_kick(&ga->search, &ga->random);
    }
    child->length -= search_run(&ga->search);
    ga->children++;
}

/* The child is in the place behind the population; swapping puts it in and leaves room for the
 * next. */
static void replace(struct ga *ga, int parent)
{
    struct ga_tour *child = &ga->tour[ga->parameters.population];
    struct ga_tour swapped = ga->tour[parent];

    ga->tour[parent] = *child;
    *child = swapped;
    note_if_best(ga, parent);
}

/* Keep the best tour, as the first, and have the others founded again. */
static void begin_anew(struct ga *ga)
{
    struct ga_tour best = ga->tour[ga->best];

    ga->tour[ga->best] = ga->tour[0];
    ga->tour[0] = best;
    ga->best = 0;
    ga->tours = 1;
}

static bool end_turn(struct ga *ga)
{
    if (++ga->turn < ga->parameters.population) {
        return false;
    }
    ga->turn = 0;
    ga->generations++;
    if (ga->generations - ga->stuck_since >= STUCK_GENERATIONS) {
        ga->stuck_since = ga->generations;
        begin_anew(ga);
    }
    return true;
}

bool ga_step(struct ga *ga)
{
    int population = ga->parameters.population;

    if (ga->tours < population) {
        found_tour(ga, ga->tours);
        note_if_best(ga, ga->tours++);
        return false;
    }
    if (ga->turn == 0) {
        shuffle_circle(ga);
    }
    int a = ga->circle[ga->turn], b = ga->circle[(ga->turn + 1) % population];
    breed(ga, &ga->tour[a], &ga->tour[b], &ga->tour[population]);
    /* Crowding: without it a tour much better than the rest, as an immigrant may be, would fill the
     * island with tours like itself in a few generations. */
    int nearer = differences_from(ga, ga->tour[b].city) < differences_from(ga, ga->tour[a].city)
        ? b : a;
    if (ga->tour[population].length < ga->tour[nearer].length) {
        ga->stuck_since = ga->generations;
        replace(ga, nearer);
    }
    return end_turn(ga);
}

void ga_immigrate(struct ga *ga, const int32_t *city, int64_t length)
{
    int worst = 0;

    for (int i = 1; i < ga->tours; i++) {
        if (ga->tour[i].length > ga->tour[worst].length) {
            worst = i;
        }
    }
    if (ga->tours == 0 || length >= ga->tour[worst].length) {
        return;
    }
    memcpy(ga->tour[worst].city, city, (size_t)ga->instance->cities * sizeof *city);
    ga->tour[worst].length = length;
    note_if_best(ga, worst);
}
