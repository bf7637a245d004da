/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TSP_GA_INSTANCE_H
#define CPI_TSP_GA_INSTANCE_H

/*
 * A symmetric travelling-salesman instance in memory: the distance between any two cities, and for
 * each city its nearest others. tsplib.h makes one from a file.
 *
 * Small instances (INSTANCE_TABLE_CITIES) look distances up, larger ones compute them from the
 * coordinates each time: the table of 16 ranks on one machine would cost more memory than it saves
 * time. Cities are numbered from 0 here and from 1 wherever people see them.
 */

#include <stddef.h>
#include <stdint.h>

#define INSTANCE_CITIES_MIN 3
#define INSTANCE_CITIES_MAX 10000  /* neighbour lists are made in time of its square */
#define INSTANCE_EXPLICIT_MAX 4096 /* with EXPLICIT weights: a table of 64 MiB */
#define INSTANCE_TABLE_CITIES 2048 /* up to here distances are looked up: 16 MiB */
#define INSTANCE_COORDINATE_MAX 1e8
#define INSTANCE_WEIGHT_MAX 1000000000 /* two of them and a half fit in 32 bits */
#define INSTANCE_NEAR_MAX 10           /* nearest cities that the local search looks at */

enum weight_type { WEIGHT_EUC_2D, WEIGHT_CEIL_2D, WEIGHT_ATT, WEIGHT_GEO, WEIGHT_EXPLICIT };

struct instance {
    char name[64];
    enum weight_type weight;
    int cities;
    double *x, *y;    /* coordinates; in radians for GEO; NULL for EXPLICIT */
    int32_t *table;   /* cities × cities, or NULL: compute */
    int32_t *near;    /* near_count nearest cities of each city, the nearest first */
    int near_count;
    int64_t optimum;  /* length of the best tour there is; 0: unknown */
};

/* Take in what the file gave: GEO coordinates become radians, the table and the lists are made, and
 * the optimum is looked up. Returns 0, or -1 for want of memory. */
int instance_prepare(struct instance *instance);

void instance_release(struct instance *instance);

/* What TSPLIB defines for two places, whichever way it is stored. */
int32_t instance_compute(const struct instance *instance, int a, int b);

/* Sum over the closed tour. */
int64_t instance_length(const struct instance *instance, const int32_t *city);

static inline int32_t instance_distance(const struct instance *instance, int a, int b)
{
    if (instance->table != NULL) {
        return instance->table[(size_t)a * (size_t)instance->cities + (size_t)b];
    }
    return instance_compute(instance, a, b);
}

#endif
