/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tsp_ga/ga.h"
#include "tsp_ga/instance.h"
#include "tsp_ga/tsplib.h"

static struct instance load(const char *path)
{
    const char *srcdir = getenv("CPMP_SRCDIR");
    char full[4096], error[TSPLIB_ERROR_BYTES], *text;
    struct instance instance;
    size_t bytes;

    snprintf(full, sizeof full, "%s/%s", srcdir != NULL ? srcdir : ".", path);
    if (tsplib_slurp(full, &text, &bytes, error) != 0
        || tsplib_parse(text, bytes, path, &instance, error) != 0) {
        fail_msg("%s", error);
    }
    free(text);
    return instance;
}

static struct ga island(const struct instance *instance, enum crossover_kind crossover,
                        uint64_t seed, uint64_t stream)
{
    struct ga_parameters parameters = {.population = 20, .crossover = crossover, .seed = seed};
    struct ga ga;

    assert_int_equal(ga_init(&ga, instance, &parameters, stream), 0);
    return ga;
}

static void evolve(struct ga *ga, int64_t generations)
{
    while (ga->generations < generations) {
        ga_step(ga);
    }
}

/* Shortest of all round trips, by dynamic programming over subsets (Held and Karp). */
static int64_t exact_length(const struct instance *instance)
{
    int n = instance->cities - 1; /* the last city is where it begins and ends */
    size_t sets = (size_t)1 << n;
    int64_t *least = malloc(sets * (size_t)n * sizeof *least);
    int64_t best = INT64_MAX;

    assert_non_null(least);
    for (size_t set = 1; set < sets; set++) {
        for (int to = 0; to < n; to++) {
            int64_t *here = &least[set * (size_t)n + (size_t)to];
            size_t before = set & ~((size_t)1 << to);
            *here = before == 0 ? instance_distance(instance, n, to) : INT64_MAX / 2;
            if ((set >> to & 1) == 0) {
                *here = INT64_MAX / 2;
                continue;
            }
            for (int from = 0; from < n; from++) {
                int64_t over = least[before * (size_t)n + (size_t)from]
                    + instance_distance(instance, from, to);
                if ((before >> from & 1) != 0 && over < *here) {
                    *here = over;
                }
            }
        }
    }
    for (int to = 0; to < n; to++) {
        int64_t length = least[(sets - 1) * (size_t)n + (size_t)to]
            + instance_distance(instance, to, n);
        best = length < best ? length : best;
    }
    free(least);
    return best;
}

/* Also holds GEO distances and a triangular matrix against the optima that TSPLIB publishes. */
static void it_finds_the_optimum_of_small_instances(void **state)
{
    static const struct {
        const char *path;
        int64_t optimum;
    } cases[] = {
        {"tests/fuzz/seeds/fuzz_tsplib/ulysses16.tsp", 6859},
        {"tests/fuzz/seeds/fuzz_tsplib/gr17.tsp", 2085},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct instance instance = load(cases[i].path);
        assert_int_equal(exact_length(&instance), cases[i].optimum);
        for (int crossover = CROSSOVER_EDGE; crossover <= CROSSOVER_ORDER; crossover++) {
            struct ga ga = island(&instance, (enum crossover_kind)crossover, 1, 0);
            evolve(&ga, 100);
            assert_int_equal(ga_best(&ga)->length, cases[i].optimum);
            assert_int_equal(instance_length(&instance, ga_best(&ga)->city), cases[i].optimum);
            ga_release(&ga);
        }
        instance_release(&instance);
    }
}

static void tiny_instances_work(void **state)
{
    static const char *const paths[] = {"tests/fuzz/seeds/fuzz_tsplib/att.tsp",
                                        "tests/fuzz/seeds/fuzz_tsplib/square.tsp",
                                        "tests/fuzz/seeds/fuzz_tsplib/full.tsp",
                                        "tests/fuzz/seeds/fuzz_tsplib/upper.tsp"};

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct instance instance = load(paths[i]);
        struct ga ga = island(&instance, CROSSOVER_ORDER, 1, 0);
        evolve(&ga, 20);
        assert_int_equal(ga_best(&ga)->length, exact_length(&instance));
        ga_release(&ga);
        instance_release(&instance);
    }
}

static void the_best_never_gets_worse_and_is_what_it_says(void **state)
{
    (void)state;
    struct instance instance = load("examples/tsplib/kroA100.tsp");
    struct ga ga = island(&instance, CROSSOVER_ORDER, 7, 3);
    int64_t best = INT64_MAX;

    /* Long enough to get stuck and begin anew. */
    while (ga.generations < 400) {
        ga_step(&ga);
        assert_true(ga_best(&ga)->length <= best);
        best = ga_best(&ga)->length;
        for (int i = 0; i < ga.tours; i++) {
            assert_true(ga.tour[i].length >= best);
        }
    }
    for (int i = 0; i < ga.tours; i++) {
        assert_true(tour_is_valid(ga.tour[i].city, instance.cities));
        assert_int_equal(ga.tour[i].length, instance_length(&instance, ga.tour[i].city));
    }
    assert_int_equal(best, instance.optimum);
    ga_release(&ga);
    instance_release(&instance);
}

static void the_same_seed_gives_the_same_island_another_stream_another(void **state)
{
    (void)state;
    struct instance instance = load("examples/tsplib/a280.tsp");
    struct ga a = island(&instance, CROSSOVER_EDGE, 5, 1);
    struct ga b = island(&instance, CROSSOVER_EDGE, 5, 1);
    struct ga other = island(&instance, CROSSOVER_EDGE, 5, 2);
    size_t bytes = 20 * (size_t)instance.cities * sizeof *a.cities;

    evolve(&a, 10);
    evolve(&b, 10);
    evolve(&other, 10);
    for (int i = 0; i < a.tours; i++) {
        assert_int_equal(a.tour[i].length, b.tour[i].length);
    }
    assert_memory_equal(a.cities, b.cities, bytes);
    assert_memory_not_equal(a.cities, other.cities, bytes);
    ga_release(&a);
    ga_release(&b);
    ga_release(&other);
    instance_release(&instance);
}

static void an_immigrant_takes_the_place_of_the_worst(void **state)
{
    (void)state;
    struct instance instance = load("examples/tsplib/pcb442.tsp");
    struct ga rich = island(&instance, CROSSOVER_ORDER, 1, 0);
    struct ga poor = island(&instance, CROSSOVER_ORDER, 1, 1);
    int64_t sum = 0, sum_after = 0, worst = 0;

    evolve(&rich, 50);
    evolve(&poor, 1);
    for (int i = 0; i < poor.tours; i++) {
        sum += poor.tour[i].length;
        worst = poor.tour[i].length > worst ? poor.tour[i].length : worst;
    }
    const struct ga_tour *guest = ga_best(&rich);
    assert_true(guest->length < ga_best(&poor)->length);
    ga_immigrate(&poor, guest->city, guest->length);
    for (int i = 0; i < poor.tours; i++) {
        sum_after += poor.tour[i].length;
    }
    assert_int_equal(ga_best(&poor)->length, guest->length);
    assert_memory_equal(ga_best(&poor)->city, guest->city,
                        (size_t)instance.cities * sizeof *guest->city);
    assert_int_equal(sum_after, sum - worst + guest->length);

    /* One that is longer than all is not let in. */
    ga_immigrate(&poor, guest->city, INT64_MAX);
    assert_int_equal(ga_best(&poor)->length, guest->length);
    ga_release(&rich);
    ga_release(&poor);
    instance_release(&instance);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_finds_the_optimum_of_small_instances),
        cmocka_unit_test(tiny_instances_work),
        cmocka_unit_test(the_best_never_gets_worse_and_is_what_it_says),
        cmocka_unit_test(the_same_seed_gives_the_same_island_another_stream_another),
        cmocka_unit_test(an_immigrant_takes_the_place_of_the_worst),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
