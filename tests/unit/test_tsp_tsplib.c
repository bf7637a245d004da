/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tsp_ga/instance.h"
#include "tsp_ga/tsplib.h"

static struct instance parsed(const char *text)
{
    struct instance instance;
    char error[TSPLIB_ERROR_BYTES] = "";

    if (tsplib_parse(text, strlen(text), "test.tsp", &instance, error) != 0) {
        fail_msg("%s", error);
    }
    return instance;
}

/* The text is refused, with just this error. */
static void refused(const char *text, const char *expected)
{
    struct instance instance;
    char error[TSPLIB_ERROR_BYTES] = "";

    assert_int_equal(tsplib_parse(text, strlen(text), "test.tsp", &instance, error), -1);
    assert_string_equal(error, expected);
}

static int distance(const char *weight_type, const char *first, const char *second)
{
    char text[512];

    snprintf(text, sizeof text, "TYPE : TSP\nDIMENSION : 3\nEDGE_WEIGHT_TYPE : %s\n"
             "NODE_COORD_SECTION\n1 %s\n2 %s\n3 0 0\nEOF\n", weight_type, first, second);
    struct instance instance = parsed(text);
    int result = instance_distance(&instance, 0, 1);
    assert_int_equal(result, instance_distance(&instance, 1, 0));
    assert_int_equal(result, instance_compute(&instance, 0, 1));
    assert_int_equal(instance_distance(&instance, 0, 0), 0);
    instance_release(&instance);
    return result;
}

static void distances_are_tsplibs(void **state)
{
    (void)state;
    assert_int_equal(distance("EUC_2D", "0 0", "3 4"), 5);
    assert_int_equal(distance("EUC_2D", "0 0", "1 1"), 1);  /* 1.41 */
    assert_int_equal(distance("EUC_2D", "0 0", "2.5 0"), 3); /* halves go up */
    assert_int_equal(distance("EUC_2D", "-1e8 0", "1.0E+08 0"), 200000000);
    assert_int_equal(distance("CEIL_2D", "0 0", "1 1"), 2);
    assert_int_equal(distance("CEIL_2D", "0 0", "3 4"), 5);
    assert_int_equal(distance("ATT", "0 0", "10 0"), 4);    /* 3.16, always up */
    assert_int_equal(distance("ATT", "0 0", "10 30"), 10);  /* 10.0 stays */
    assert_int_equal(distance("GEO", "38.24 20.42", "39.57 26.15"), 509); /* ulysses16 */
    assert_int_equal(distance("GEO", "38.24 20.42", "38.24 20.42"), 1);
}

/* The same triangle, 1-2: 3, 1-3: 4, 2-3: 5, as each format writes it. */
static void every_matrix_format_gives_the_same(void **state)
{
    static const struct {
        const char *format, *weights;
    } cases[] = {
        {"FULL_MATRIX", "9999 3 4\n3 9999 5\n4 5 9999"}, {"UPPER_ROW", "3 4\n5"},
        {"LOWER_ROW", "3\n4 5"}, {"UPPER_DIAG_ROW", "0 3 4\n0 5 0"},
        {"LOWER_DIAG_ROW", "0\n3 0\n4 5 0"}, {"UPPER_COL", "3 4 5"}, {"LOWER_COL", "3 4 5"},
        {"UPPER_DIAG_COL", "0 3 0 4 5 0"}, {"LOWER_DIAG_COL", "0 3 4 0 5 0"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        snprintf(text, sizeof text, "DIMENSION : 3\nEDGE_WEIGHT_TYPE : EXPLICIT\n"
                 "EDGE_WEIGHT_FORMAT : %s\nEDGE_WEIGHT_SECTION\n%s\nEOF\n", cases[i].format,
                 cases[i].weights);
        struct instance instance = parsed(text);
        assert_int_equal(instance_distance(&instance, 0, 1), 3);
        assert_int_equal(instance_distance(&instance, 2, 0), 4);
        assert_int_equal(instance_distance(&instance, 1, 2), 5);
        assert_int_equal(instance_distance(&instance, 1, 1), 0);
        instance_release(&instance);
    }
}

static void loose_writing_is_understood(void **state)
{
    (void)state;
    struct instance instance = parsed(
        "NAME:loose\r\nCOMMENT : one\r\nCOMMENT : two\r\nTYPE : TSP (M.~Hofmeister)\r\n"
        "DIMENSION:3\r\nEDGE_WEIGHT_TYPE :EUC_2D\r\n\r\nNODE_COORD_SECTION\r\n"
        "\t3 0.0 4e0\r\n 1 0 0\r\n\r\n2 +3 0");
    assert_string_equal(instance.name, "loose");
    assert_int_equal(instance_distance(&instance, 1, 2), 5);
    instance_release(&instance);

    instance = parsed("DIMENSION : 3\nEDGE_WEIGHT_TYPE : EXPLICIT\nEDGE_WEIGHT_FORMAT : UPPER_ROW\n"
                      "DISPLAY_DATA_TYPE : TWOD_DISPLAY\nEDGE_WEIGHT_SECTION\n1\n\n2 3\n"
                      "DISPLAY_DATA_SECTION\n1 0 0\n2 1 1\n3 2 2\nEOF\nwhatever follows\n");
    assert_int_equal(instance_distance(&instance, 1, 2), 3);
    assert_null(instance.x);
    instance_release(&instance);
}

static void places_to_draw_do_not_become_distances(void **state)
{
    (void)state;
    struct instance instance = parsed("DIMENSION : 3\nEDGE_WEIGHT_TYPE : EUC_2D\n"
                                      "NODE_COORD_SECTION\n1 0 0\n2 0 7\n3 0 9\n"
                                      "DISPLAY_DATA_SECTION\n1 0 0\n2 1 1\n3 2 2\nEOF\n");
    assert_int_equal(instance_distance(&instance, 0, 1), 7);
    assert_int_equal(instance_compute(&instance, 0, 1), 7);
    instance_release(&instance);
}

#define HEAD "DIMENSION : 3\nEDGE_WEIGHT_TYPE : EUC_2D\nNODE_COORD_SECTION\n"

static void a_malformed_head_is_named_with_its_line(void **state)
{
    (void)state;
    refused("", "test.tsp:1: the file ends without a DIMENSION; is it a TSPLIB file?");
    refused("NAME: x\n\nTYPE : ATSP\n", "test.tsp:3: TYPE is 'ATSP'; only TSP, the symmetric"
            " travelling salesman, is known here");
    refused("DIMENSION : many\n", "test.tsp:1: DIMENSION must be a whole number, not 'many'");
    refused("DIMENSION : 2\n", "test.tsp:1: DIMENSION 2 is outside of what this program takes,"
            " 3 to 10000 cities");
    refused("DIMENSION : 99999999999999999999\n",
            "test.tsp:1: DIMENSION must be a whole number, not '99999999999999999999'");
    refused("DIMENSION : 3\nDIMENSION : 4\n", "test.tsp:2: DIMENSION is given a second time");
    refused("EDGE_WEIGHT_TYPE : MAN_2D\n", "test.tsp:1: EDGE_WEIGHT_TYPE 'MAN_2D' is not known"
            " here; these are: EUC_2D, CEIL_2D, ATT, GEO, EXPLICIT");
    refused("\x1b[31mNAME\n", "test.tsp:1: '?[31mNAME' is not a keyword of TSPLIB that is known"
            " here");
    refused("DIMENSION : 5\nEDGE_WEIGHT_TYPE : GEO\nEOF\n", "test.tsp:3: the file ends without a"
            " NODE_COORD_SECTION or EDGE_WEIGHT_SECTION that gives the distances");
}

static void a_malformed_place_is_named_with_its_line(void **state)
{
    (void)state;
    refused("NODE_COORD_SECTION\n1 0 0\n",
            "test.tsp:1: DIMENSION must stand before NODE_COORD_SECTION");
    refused(HEAD "1 0 0\n2 5\n3 1 1\n", "test.tsp:5: expected the number of a city and two"
            " coordinates, not '2 5'");
    refused(HEAD "1 0 0 0\n", "test.tsp:4: expected the number of a city and two coordinates,"
            " not '1 0 0 0'");
    refused(HEAD "0 0 0\n", "test.tsp:4: '0' is not the number of a city, 1 to 3");
    refused(HEAD "1 0 0\n\n1 0 0\n", "test.tsp:6: city 1 is given a second time");
    refused(HEAD "1 0 nan\n", "test.tsp:4: 'nan' is not a coordinate from -1e+08 to 1e+08");
    refused(HEAD "1 0 1e9\n", "test.tsp:4: '1e9' is not a coordinate from -1e+08 to 1e+08");
    refused(HEAD "1 0 0x10\n", "test.tsp:4: '0x10' is not a coordinate from -1e+08 to 1e+08");
    refused(HEAD "1 0 0\n2 1 1\n", "test.tsp:5: the file ends before all 3 cities are given");
    refused(HEAD "1 0 0\n2 1 1\nEOF\n", "test.tsp:6: expected the number of a city and two"
            " coordinates, not 'EOF'");
    refused(HEAD "1 0 0\n2 1 1\n3 2 2\n4 3 3\nEOF\n", "test.tsp:7: there are more numbers than"
            " DIMENSION 3 asks for, from '4 3 3' on");
}

#define MATRIX(format)                                                                            \
    "DIMENSION : 3\nEDGE_WEIGHT_TYPE : EXPLICIT\nEDGE_WEIGHT_FORMAT : " format                     \
    "\nEDGE_WEIGHT_SECTION\n"

static void a_malformed_matrix_is_named_with_its_line(void **state)
{
    (void)state;
    refused(MATRIX("FULL_MATRIX") "0 1 2\n1 0 3\n9 3 0\n", "test.tsp:7: the matrix is not"
            " symmetric: 9 at row 3, column 1, but 2 the other way round");
    refused(MATRIX("UPPER_ROW") "1 2\n-3\n", "test.tsp:6: '-3' is not a weight, a whole number"
            " from 0 to 1000000000 (row 2, column 3)");
    refused(MATRIX("LOWER_DIAG_ROW") "0 1 0\n", "test.tsp:6: the file ends before all weights are"
            " given: row 3, column 1 is missing");
    refused(MATRIX("UPPER_ROW") "1\n2 3 4\nEOF\n", "test.tsp:6: there are more numbers than"
            " DIMENSION 3 asks for, from '4' on");
    refused(MATRIX("SPARSE"), "test.tsp:3: EDGE_WEIGHT_FORMAT 'SPARSE' is not known here; these"
            " are: FULL_MATRIX, UPPER_ROW, LOWER_ROW, UPPER_DIAG_ROW, LOWER_DIAG_ROW and the same"
            " with COL");
    refused("DIMENSION : 4096\nEDGE_WEIGHT_TYPE : EXPLICIT\nEDGE_WEIGHT_FORMAT : UPPER_ROW\n"
            "EDGE_WEIGHT_SECTION\n1 2 3\n",
            "test.tsp:4: the rest of the file is too short for the weights of 4096 cities");
    refused("DIMENSION : 5000\nEDGE_WEIGHT_TYPE : EXPLICIT\nEDGE_WEIGHT_FORMAT : UPPER_ROW\n"
            "EDGE_WEIGHT_SECTION\n1 2 3\n",
            "test.tsp:4: a matrix of 5000 cities is more than this program takes, 4096");
    refused("DIMENSION : 3\nEDGE_WEIGHT_TYPE : EUC_2D\nEDGE_WEIGHT_FORMAT : FUNCTION\n"
            "EDGE_WEIGHT_SECTION\n1 2 3\n", "test.tsp:4: EDGE_WEIGHT_SECTION goes with"
            " EDGE_WEIGHT_TYPE EXPLICIT and a format of a matrix");
}

static void shipped_instances_load_and_know_their_optimum(void **state)
{
    static const struct {
        const char *name;
        int cities;
        int64_t optimum;
    } shipped[] = {
        {"att48", 48, 10628},    {"eil51", 51, 426},   {"berlin52", 52, 7542}, {"st70", 70, 675},
        {"kroA100", 100, 21282}, {"eil101", 101, 629}, {"ch130", 130, 6110},   {"a280", 280, 2579},
        {"pcb442", 442, 50778},  {"pr1002", 1002, 259045},
    };

    (void)state;
    for (size_t i = 0; i < sizeof shipped / sizeof *shipped; i++) {
        const char *srcdir = getenv("CPMP_SRCDIR");
        char path[4096], error[TSPLIB_ERROR_BYTES];
        struct instance instance;
        size_t bytes;
        char *text;

        snprintf(path, sizeof path, "%s/examples/tsplib/%s.tsp", srcdir != NULL ? srcdir : ".",
                 shipped[i].name);
        if (tsplib_slurp(path, &text, &bytes, error) != 0
            || tsplib_parse(text, bytes, path, &instance, error) != 0) {
            fail_msg("%s", error);
        }
        assert_string_equal(instance.name, shipped[i].name);
        assert_int_equal(instance.cities, shipped[i].cities);
        assert_int_equal(instance.optimum, shipped[i].optimum);
        instance_release(&instance);
        free(text);
    }
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
    char error[TSPLIB_ERROR_BYTES], *text;
    size_t bytes;

    (void)state;
    assert_int_equal(tsplib_slurp("no/such.tsp", &text, &bytes, error), -1);
    assert_string_equal(error, "cannot read no/such.tsp: No such file or directory");
    assert_int_equal(tsplib_slurp("/", &text, &bytes, error), -1);
    assert_string_equal(error, "cannot read /: Is a directory");
    assert_null(text);
}

static void near_cities_come_in_order(void **state)
{
    (void)state;
    struct instance instance = parsed("DIMENSION : 5\nEDGE_WEIGHT_TYPE : EUC_2D\n"
                                      "NODE_COORD_SECTION\n1 0 0\n2 30 0\n3 10 0\n4 -10 0\n"
                                      "5 20 0\nEOF\n");
    const int32_t expected[] = {2, 3, 4, 1};
    assert_int_equal(instance.near_count, 4);
    assert_memory_equal(instance.near, expected, sizeof expected);
    instance_release(&instance);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_are_tsplibs),
        cmocka_unit_test(every_matrix_format_gives_the_same),
        cmocka_unit_test(loose_writing_is_understood),
        cmocka_unit_test(places_to_draw_do_not_become_distances),
        cmocka_unit_test(a_malformed_head_is_named_with_its_line),
        cmocka_unit_test(a_malformed_place_is_named_with_its_line),
        cmocka_unit_test(a_malformed_matrix_is_named_with_its_line),
        cmocka_unit_test(shipped_instances_load_and_know_their_optimum),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named),
        cmocka_unit_test(near_cities_come_in_order),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
