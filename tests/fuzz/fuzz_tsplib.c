/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whatever bytes come, the TSPLIB parser refuses them with an error that names file and line, or
 * makes an instance whose distances are a symmetric, bounded table and whose neighbour lists are
 * sound, and on which the local search ends with a valid tour.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tsp_ga/instance.h"
#include "tsp_ga/random.h"
#include "tsp_ga/tour.h"
#include "tsp_ga/tsplib.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", what);
        abort();
    }
}

static void check_distances(const struct instance *instance)
{
    int n = instance->cities;

    check(n >= INSTANCE_CITIES_MIN && n <= INSTANCE_CITIES_MAX, "the number of cities is bounded");
    for (int a = 0; a < n; a++) {
        for (int i = 0; i < instance->near_count; i++) {
            int b = instance->near[a * instance->near_count + i];
            check(b >= 0 && b < n && b != a, "a near city is another city");
            int32_t there = instance_distance(instance, a, b);
            check(there >= 0 && there <= INSTANCE_WEIGHT_MAX, "a distance is bounded");
            check(there == instance_distance(instance, b, a), "distances are symmetric");
        }
    }
}

static void check_search(const struct instance *instance)
{
    size_t n = (size_t)instance->cities;
    int32_t *city = calloc(3 * n, sizeof *city);
    struct search search;
    struct random random;

    check(city != NULL && search_init(&search, instance) == 0, "there is memory");
    random_init(&random, 1, 0);
    tour_found(instance, &random, city, city + n, city + 2 * n);
    int64_t length = instance_length(instance, city);
    search_load(&search, city);
    search_push_all(&search);
    length -= search_run(&search);
    check(tour_is_valid(city, instance->cities), "the tour is one");
    check(length == instance_length(instance, city), "its length is what the search says");
    search_release(&search);
    free(city);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char error[TSPLIB_ERROR_BYTES] = "";
    struct instance instance;

    if (tsplib_parse((const char *)data, bytes, "fuzz.tsp", &instance, error) != 0) {
        check(strncmp(error, "fuzz.tsp:", 9) == 0, "the error names file and line");
        check(strlen(error) < TSPLIB_ERROR_BYTES - 1, "the error is not cut");
        return 0;
    }
    check_distances(&instance);
    check_search(&instance);
    instance_release(&instance);
    return 0;
}
