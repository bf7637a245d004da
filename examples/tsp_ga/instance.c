/* SPDX-License-Identifier: BSD-3-Clause */
#include "instance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Published with TSPLIB95 for the instances that come with the examples. */
static const struct {
    const char *name;
    int cities;
    int64_t optimum;
} known_optima[] = {
    {"att48", 48, 10628},    {"eil51", 51, 426},     {"berlin52", 52, 7542}, {"st70", 70, 675},
    {"kroA100", 100, 21282}, {"eil101", 101, 629},   {"ch130", 130, 6110},   {"a280", 280, 2579},
    {"pcb442", 442, 50778},  {"pr1002", 1002, 259045},
};

/* Degrees and minutes, written DDD.MM, as radians; with the value of pi that TSPLIB prescribes. */
static double geo_radians(double value)
{
    double degrees = trunc(value);
    return 3.141592 * (degrees + 5.0 * (value - degrees) / 3.0) / 180.0;
}

static int32_t geo_distance(double latitude_a, double longitude_a, double latitude_b,
                            double longitude_b)
{
    double q1 = cos(longitude_a - longitude_b);
    double q2 = cos(latitude_a - latitude_b);
    double q3 = cos(latitude_a + latitude_b);
    double q = 0.5 * ((1.0 + q1) * q2 - (1.0 - q1) * q3);

    /* Rounding may leave the cosine of a zero angle a little above 1. */
    q = fmax(-1.0, fmin(1.0, q));
    return (int32_t)(6378.388 * acos(q) + 1.0);
}

int32_t instance_compute(const struct instance *instance, int a, int b)
{
    if (a == b) {
        return 0;
    }
    if (instance->weight == WEIGHT_EXPLICIT) {
        return instance->table[(size_t)a * (size_t)instance->cities + (size_t)b];
    }
    if (instance->weight == WEIGHT_GEO) {
        return geo_distance(instance->x[a], instance->y[a], instance->x[b], instance->y[b]);
    }

    double dx = instance->x[a] - instance->x[b];
    double dy = instance->y[a] - instance->y[b];
    double squared = dx * dx + dy * dy;
    switch (instance->weight) {
    case WEIGHT_CEIL_2D:
        return (int32_t)ceil(sqrt(squared));
    case WEIGHT_ATT: /* rounded up, but from a division by 10 */
        return (int32_t)ceil(sqrt(squared / 10.0));
    default:
        return (int32_t)(sqrt(squared) + 0.5);
    }
}

int64_t instance_length(const struct instance *instance, const int32_t *city)
{
    int64_t length = instance_distance(instance, city[instance->cities - 1], city[0]);
    for (int i = 1; i < instance->cities; i++) {
        length += instance_distance(instance, city[i - 1], city[i]);
    }
    return length;
}

static int make_table(struct instance *instance)
{
    size_t n = (size_t)instance->cities;
    int32_t *table = calloc(n * n, sizeof *table);
    if (table == NULL) {
        return -1;
    }
    for (size_t a = 0; a < n; a++) {
        for (size_t b = a + 1; b < n; b++) {
            table[a * n + b] = table[b * n + a] = instance_compute(instance, (int)a, (int)b);
        }
    }
    instance->table = table;
    return 0;
}

/* The `count` nearest of city `a` by insertion; equally near ones by number, so that the list is
 * the same everywhere. */
static void list_nearest(const struct instance *instance, int a, int32_t *near, int count)
{
    int32_t distance[INSTANCE_NEAR_MAX];
    int filled = 0;

    for (int b = 0; b < instance->cities; b++) {
        if (b == a) {
            continue;
        }
        int32_t d = instance_distance(instance, a, b);
        if (filled == count && d >= distance[count - 1]) {
            continue;
        }
        int at = filled < count ? filled++ : count - 1;
        for (; at > 0 && distance[at - 1] > d; at--) {
            distance[at] = distance[at - 1];
            near[at] = near[at - 1];
        }
        distance[at] = d;
        near[at] = b;
    }
}

static int make_near(struct instance *instance)
{
    int count = instance->cities - 1;
    if (count > INSTANCE_NEAR_MAX) {
        count = INSTANCE_NEAR_MAX;
    }
    instance->near = calloc((size_t)instance->cities * (size_t)count, sizeof *instance->near);
    if (instance->near == NULL) {
        return -1;
    }
    instance->near_count = count;
    for (int a = 0; a < instance->cities; a++) {
        list_nearest(instance, a, instance->near + (size_t)a * (size_t)count, count);
    }
    return 0;
}

int instance_prepare(struct instance *instance)
{
    if (instance->weight == WEIGHT_GEO) {
        for (int i = 0; i < instance->cities; i++) {
            instance->x[i] = geo_radians(instance->x[i]);
            instance->y[i] = geo_radians(instance->y[i]);
        }
    }
    if (instance->table == NULL && instance->cities <= INSTANCE_TABLE_CITIES
        && make_table(instance) != 0) {
        return -1;
    }
    for (size_t i = 0; i < sizeof known_optima / sizeof *known_optima; i++) {
        if (strcmp(instance->name, known_optima[i].name) == 0
            && instance->cities == known_optima[i].cities) {
            instance->optimum = known_optima[i].optimum;
        }
    }
    return make_near(instance);
}

void instance_release(struct instance *instance)
{
    free(instance->x);
    free(instance->y);
    free(instance->table);
    free(instance->near);
    *instance = (struct instance){0};
}
