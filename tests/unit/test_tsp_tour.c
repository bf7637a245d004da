/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tsp_ga/crossover.h"
#include "tsp_ga/instance.h"
#include "tsp_ga/random.h"
#include "tsp_ga/tour.h"

/* Cities at random places of a small square, so that equal distances and equal places happen. */
static struct instance random_instance(struct random *random, int cities)
{
    struct instance instance = {.weight = WEIGHT_EUC_2D, .cities = cities};
    int side = 2 + random_below(random, 200);

    instance.x = calloc((size_t)cities, sizeof *instance.x);
    instance.y = calloc((size_t)cities, sizeof *instance.y);
    assert_non_null(instance.x);
    assert_non_null(instance.y);
    for (int i = 0; i < cities; i++) {
        instance.x[i] = random_below(random, side);
        instance.y[i] = random_below(random, side);
    }
    assert_int_equal(instance_prepare(&instance), 0);
    return instance;
}

static void random_tour(struct random *random, int32_t *city, int cities)
{
    for (int i = 0; i < cities; i++) {
        int j = random_below(random, i + 1);
        city[i] = city[j];
        city[j] = i;
    }
}

static int random_cities(struct random *random)
{
    return random_below(random, 4) == 0 ? INSTANCE_CITIES_MIN + random_below(random, 8)
        : INSTANCE_CITIES_MIN + random_below(random, 120);
}

/* Would the search look at the move that gives `to` to `from` in place of `old`? */
static bool is_looked_at(const struct instance *instance, int from, int old, int to)
{
    const int32_t *near = instance->near + from * instance->near_count;

    for (int i = 0; i < instance->near_count; i++) {
        if (near[i] == to) {
            return instance_distance(instance, from, to) < instance_distance(instance, from, old);
        }
    }
    return false;
}

/* No 2-opt move that gives a city a near one, nearer than what it has, improves the tour. */
static void check_two_opt(const struct instance *instance, const int32_t *city)
{
    int n = instance->cities;

    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            int a = city[i], b = city[(i + 1) % n], c = city[j], d = city[(j + 1) % n];
            bool looked_at = is_looked_at(instance, a, b, c) || is_looked_at(instance, b, a, d)
                || is_looked_at(instance, c, d, a) || is_looked_at(instance, d, c, b);
            int gain = instance_distance(instance, a, b) + instance_distance(instance, c, d)
                - instance_distance(instance, a, c) - instance_distance(instance, b, d);
            assert_true(!looked_at || gain <= 0);
        }
    }
}

static void local_search_leaves_valid_optima_of_the_length_it_says(void **state)
{
    struct random random;

    (void)state;
    random_init(&random, 1, 0);
    for (int run = 0; run < 400; run++) {
        struct instance instance = random_instance(&random, random_cities(&random));
        struct search search;
        int32_t city[200];

        assert_int_equal(search_init(&search, &instance), 0);
        random_tour(&random, city, instance.cities);
        int64_t length = instance_length(&instance, city);
        search_load(&search, city);
        search_push_all(&search);
        for (int kick = 0; kick < 5; kick++) {
            length -= search_run(&search);
            assert_true(tour_is_valid(city, instance.cities));
            assert_int_equal(length, instance_length(&instance, city));
            length += search_kick(&search, &random);
            assert_true(tour_is_valid(city, instance.cities));
            assert_int_equal(length, instance_length(&instance, city));
        }
        /* Don't-look bits may miss a move; a whole look in vain proves that there is none. */
        for (int64_t gain = 1; gain > 0;) {
            search_push_all(&search);
            gain = search_run(&search);
        }
        check_two_opt(&instance, city);
        search_release(&search);
        instance_release(&instance);
    }
}

static void tours_to_begin_with_are_valid(void **state)
{
    struct random random;

    (void)state;
    random_init(&random, 2, 0);
    for (int run = 0; run < 400; run++) {
        struct instance instance = random_instance(&random, random_cities(&random));
        int32_t city[200], scratch[200], more[200];

        tour_found(&instance, &random, city, scratch, more);
        assert_true(tour_is_valid(city, instance.cities));
        instance_release(&instance);
    }
}

static bool has_edge(const int32_t *city, int cities, int a, int b)
{
    for (int i = 0; i < cities; i++) {
        int next = city[(i + 1) % cities];
        if ((city[i] == a && next == b) || (city[i] == b && next == a)) {
            return true;
        }
    }
    return false;
}

static void children_are_valid_tours(void **state)
{
    struct random random;

    (void)state;
    random_init(&random, 3, 0);
    for (int run = 0; run < 400; run++) {
        struct instance instance = random_instance(&random, random_cities(&random));
        struct crossover crossover;
        int32_t a[200], b[200], child[200];

        assert_int_equal(crossover_init(&crossover, &instance), 0);
        random_tour(&random, a, instance.cities);
        random_tour(&random, b, instance.cities);
        for (int kind = CROSSOVER_EDGE; kind <= CROSSOVER_ORDER; kind++) {
            crossover_breed(&crossover, (enum crossover_kind)kind, &random, a, b, child);
            assert_true(tour_is_valid(child, instance.cities));
        }
        crossover_release(&crossover);
        instance_release(&instance);
    }
}

/* A child of parents that are the same tour is that tour, too. */
static void children_of_twins_are_their_twins(void **state)
{
    struct random random;

    (void)state;
    random_init(&random, 4, 0);
    for (int run = 0; run < 100; run++) {
        struct instance instance = random_instance(&random, random_cities(&random));
        int n = instance.cities;
        struct crossover crossover;
        int32_t a[200], b[200], child[200];

        assert_int_equal(crossover_init(&crossover, &instance), 0);
        random_tour(&random, a, n);
        for (int i = 0; i < n; i++) {
            b[i] = a[(n + 2 - i) % n]; /* the same, elsewhere and the other way round */
        }
        crossover_breed(&crossover, CROSSOVER_EDGE, &random, a, b, child);
        for (int i = 0; i < n; i++) {
            assert_true(has_edge(a, n, child[i], child[(i + 1) % n]));
        }
        crossover_breed(&crossover, CROSSOVER_ORDER, &random, a, a, child);
        for (int i = 0; i < n; i++) {
            assert_true(has_edge(a, n, child[i], child[(i + 1) % n]));
        }
        crossover_release(&crossover);
        instance_release(&instance);
    }
}

static void the_normal_form_is_the_same_for_the_same_tour(void **state)
{
    struct random random;

    (void)state;
    random_init(&random, 5, 0);
    for (int run = 0; run < 200; run++) {
        int n = random_cities(&random), turn = random_below(&random, n);
        int32_t a[200], b[200], scratch[200];

        random_tour(&random, a, n);
        for (int i = 0; i < n; i++) {
            b[i] = a[run % 2 == 0 ? (turn + i) % n : (turn + n - i) % n];
        }
        tour_normalize(a, n, scratch);
        tour_normalize(b, n, scratch);
        assert_int_equal(a[0], 0);
        assert_true(tour_is_valid(a, n));
        assert_memory_equal(a, b, (size_t)n * sizeof *a);
    }
}

static void a_wrong_tour_is_not_valid(void **state)
{
    const int32_t twice[] = {0, 1, 1}, outside[] = {0, 1, 3}, below[] = {0, -1, 2};

    (void)state;
    assert_false(tour_is_valid(twice, 3));
    assert_false(tour_is_valid(outside, 3));
    assert_false(tour_is_valid(below, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(local_search_leaves_valid_optima_of_the_length_it_says),
        cmocka_unit_test(tours_to_begin_with_are_valid),
        cmocka_unit_test(children_are_valid_tours),
        cmocka_unit_test(children_of_twins_are_their_twins),
        cmocka_unit_test(the_normal_form_is_the_same_for_the_same_tour),
        cmocka_unit_test(a_wrong_tour_is_not_valid),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
