/* SPDX-License-Identifier: BSD-3-Clause */
#include "crossover.h"

#include <stdlib.h>
#include <string.h>

int crossover_init(struct crossover *crossover, const struct instance *instance)
{
    size_t n = (size_t)instance->cities;

    *crossover = (struct crossover){.instance = instance};
    crossover->link = calloc(n, sizeof *crossover->link);
    crossover->links = calloc(n, sizeof *crossover->links);
    crossover->free_list = calloc(n, sizeof *crossover->free_list);
    crossover->place = calloc(n, sizeof *crossover->place);
    if (crossover->link == NULL || crossover->links == NULL || crossover->free_list == NULL
        || crossover->place == NULL) {
        crossover_release(crossover);
        return -1;
    }
    return 0;
}

void crossover_release(struct crossover *crossover)
{
    free(crossover->link);
    free(crossover->links);
    free(crossover->free_list);
    free(crossover->place);
    *crossover = (struct crossover){0};
}

static void breed_by_order(struct crossover *crossover, struct random *random, const int32_t *a,
                           const int32_t *b, int32_t *child)
{
    int n = crossover->instance->cities;
    int start = random_below(random, n), count = 1 + random_below(random, n - 1);
    int filled = 0;

    memset(crossover->place, 0, (size_t)n * sizeof *crossover->place);
    for (int at = start; filled < count; at = at + 1 < n ? at + 1 : 0) {
        child[filled++] = a[at];
        crossover->place[a[at]] = -1;
    }
    /* Go on in b behind the city where the stretch of a ended. */
    int at = 0;
    while (b[at] != child[filled - 1]) {
        at++;
    }
    for (int i = 0; i < n; i++, at = at + 1 < n ? at + 1 : 0) {
        if (crossover->place[b[at]] >= 0) {
            child[filled++] = b[at];
        }
    }
}

static void add_link(struct crossover *crossover, int32_t from, int32_t to)
{
    int32_t *link = crossover->link[from];

    for (int i = 0; i < crossover->links[from]; i++) {
        if (link[i] == to) {
            link[i] = ~to; /* both parents have it */
            return;
        }
    }
    link[crossover->links[from]++] = to;
}

static void add_tour(struct crossover *crossover, const int32_t *city)
{
    int n = crossover->instance->cities;

    for (int i = 0, previous = city[n - 1]; i < n; previous = city[i++]) {
        add_link(crossover, previous, city[i]);
        add_link(crossover, city[i], previous);
    }
}

static inline int32_t linked(int32_t link)
{
    return link < 0 ? ~link : link;
}

/* A city in the child is nobody's way on any more. */
static void take(struct crossover *crossover, int32_t city, int left)
{
    int32_t last = crossover->free_list[left], place = crossover->place[city];

    crossover->free_list[place] = last;
    crossover->place[last] = place;
    crossover->place[city] = -1;
    for (int i = 0; i < crossover->links[city]; i++) {
        int32_t other = linked(crossover->link[city][i]);
        int32_t *link = crossover->link[other];
        for (int j = 0; j < crossover->links[other]; j++) {
            if (linked(link[j]) == city) {
                link[j] = link[--crossover->links[other]];
                break;
            }
        }
    }
}

/* No parent's edge leads on: to a near city still free, or else to any. */
static int32_t pick_any(const struct crossover *crossover, struct random *random, int32_t here,
                        int left)
{
    const struct instance *instance = crossover->instance;
    const int32_t *near = instance->near + (size_t)here * (size_t)instance->near_count;

    for (int i = 0; i < instance->near_count; i++) {
        if (crossover->place[near[i]] >= 0) {
            return near[i];
        }
    }
    return crossover->free_list[random_below(random, left)];
}

static int32_t pick(const struct crossover *crossover, struct random *random, int32_t here,
                    int left)
{
    int32_t best = -1;
    int fewest = 5, ties = 0;

    for (int i = 0; i < crossover->links[here]; i++) {
        int32_t link = crossover->link[here][i];
        int ways = link < 0 ? -1 : crossover->links[link];
        if (ways < fewest) {
            fewest = ways;
            ties = 0;
        }
        /* The k-th of equals replaces the one chosen so far with probability 1/k. */
        if (ways == fewest && (++ties == 1 || random_below(random, ties) == 0)) {
            best = linked(link);
        }
    }
    return best >= 0 ? best : pick_any(crossover, random, here, left);
}

static void breed_by_edges(struct crossover *crossover, struct random *random, const int32_t *a,
                           const int32_t *b, int32_t *child)
{
    int n = crossover->instance->cities;

    for (int i = 0; i < n; i++) {
        crossover->free_list[i] = crossover->place[i] = i;
        crossover->links[i] = 0;
    }
    add_tour(crossover, a);
    add_tour(crossover, b);

    child[0] = a[random_below(random, n)];
    for (int i = 0, left = n; i < n; i++) {
        take(crossover, child[i], --left);
        if (left > 0) {
            child[i + 1] = pick(crossover, random, child[i], left);
        }
    }
}

void crossover_breed(struct crossover *crossover, enum crossover_kind kind, struct random *random,
                     const int32_t *a, const int32_t *b, int32_t *child)
{
    if (kind == CROSSOVER_ORDER) {
        breed_by_order(crossover, random, a, b, child);
    } else {
        breed_by_edges(crossover, random, a, b, child);
    }
}
