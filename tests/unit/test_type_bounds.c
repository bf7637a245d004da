/* SPDX-License-Identifier: BSD-3-Clause */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <cpmp.h>

#include "type/type.h"

static struct cpi_type *
prim(enum cpi_prim kind)
{
    return cpi_type_of_prim(kind);
}

static void
expect(const struct cpi_type *type, size_t size, ptrdiff_t lb, ptrdiff_t ub, ptrdiff_t true_lb,
       ptrdiff_t true_ub)
{
    cpi_type_check(type);
    assert_int_equal(type->size, size);
    assert_int_equal(type->lb, lb);
    assert_int_equal(type->ub, ub);
    assert_int_equal(type->true_lb, true_lb);
    assert_int_equal(type->true_ub, true_ub);
}

static void
predefined_types_have_the_sizes_of_c(void **state)
{
    (void)state;
    expect(prim(CPI_PRIM_INT32), 4, 0, 4, 0, 4);
    expect(prim(CPI_PRIM_LONG_DOUBLE), 16, 0, 16, 0, 16);
    expect(prim(CPI_PRIM_COMPLEX_DOUBLE), 16, 0, 16, 0, 16);
    expect(prim(CPI_PRIM_WCHAR), 4, 0, 4, 0, 4);
    expect(prim(CPI_PRIM_DOUBLE_INT), 12, 0, 16, 0, 12);
    expect(prim(CPI_PRIM_SHORT_INT), 6, 0, 8, 0, 8);
    expect(prim(CPI_PRIM_LONG_DOUBLE_INT), 20, 0, 32, 0, 20);
    assert_int_equal(prim(CPI_PRIM_SHORT_INT)->piece_count, 2);
    assert_false(prim(CPI_PRIM_DOUBLE_INT)->flags & CPI_TYPE_DENSE);
    assert_true(prim(CPI_PRIM_FLOAT_INT)->flags & CPI_TYPE_DENSE);
}

static void
every_predefined_type_is_consistent(void **state)
{
    (void)state;
    for (int kind = CPI_PRIM_NONE + 1; kind < CPI_PRIM_END; kind++) {
        const struct cpi_type *type = prim((enum cpi_prim)kind);

        cpi_type_check(type);
        assert_true(type->flags & CPI_TYPE_PREDEFINED);
        assert_true(strlen(type->name) > 0);
        assert_int_equal(cpi_type_elements(type, type->size), type->elements);
    }
}

static void
struct_is_padded_to_its_alignment(void **state)
{
    struct cpi_type *olds[] = { prim(CPI_PRIM_DOUBLE), prim(CPI_PRIM_CHAR) };
    int lengths[] = { 1, 1 };
    ptrdiff_t places[] = { 0, 8 };
    struct cpi_type *pair, *two;

    (void)state;
    assert_int_equal(cpi_type_struct(2, lengths, places, olds, &pair), CPMP_OK);
    expect(pair, 9, 0, 16, 0, 9);
    assert_int_equal(cpi_type_contiguous(2, pair, &two), CPMP_OK);
    expect(two, 18, 0, 32, 0, 25);
    cpi_type_put(pair);
    cpi_type_put(two);
}

static void
explicit_bounds_are_sticky(void **state)
{
    struct cpi_type *olds[] = { prim(CPI_PRIM_LB), prim(CPI_PRIM_INT32), prim(CPI_PRIM_UB) };
    int lengths[] = { 1, 1, 1 };
    ptrdiff_t places[] = { -3, 0, 6 };
    struct cpi_type *marked, *two, *resized, *mixed;

    (void)state;
    assert_int_equal(cpi_type_struct(3, lengths, places, olds, &marked), CPMP_OK);
    expect(marked, 4, -3, 6, 0, 4);
    /* MPI-3.1, example 4.9 goes on so */
    assert_int_equal(cpi_type_contiguous(2, marked, &two), CPMP_OK);
    expect(two, 8, -3, 15, 0, 13);
    assert_int_equal(cpi_type_resized(prim(CPI_PRIM_INT32), -4, 20, &resized), CPMP_OK);
    expect(resized, 4, -4, 16, 0, 4);
    olds[0] = resized, olds[1] = prim(CPI_PRIM_DOUBLE);
    places[0] = 0, places[1] = 64;
    assert_int_equal(cpi_type_struct(2, lengths, places, olds, &mixed), CPMP_OK);
    expect(mixed, 12, -4, 16, 0, 72);
    cpi_type_put(resized);
    cpi_type_put(mixed);
    cpi_type_put(two);
    cpi_type_put(marked);
}

static void
vectors_count_their_bounds_with_negative_strides(void **state)
{
    struct cpi_type *forth, *back, *apart;

    (void)state;
    assert_int_equal(cpi_type_vector(2, 3, 4, prim(CPI_PRIM_DOUBLE), &forth), CPMP_OK);
    expect(forth, 48, 0, 56, 0, 56);
    assert_int_equal(cpi_type_vector(2, 3, -4, prim(CPI_PRIM_DOUBLE), &back), CPMP_OK);
    expect(back, 48, -32, 24, -32, 24);
    assert_int_equal(cpi_type_hvector(2, 1, 5, prim(CPI_PRIM_INT32), &apart), CPMP_OK);
    expect(apart, 8, 0, 12, 0, 9);
    cpi_type_put(forth);
    cpi_type_put(back);
    cpi_type_put(apart);
}

static void
empty_types_are_zero(void **state)
{
    struct cpi_type *none, *blocks, *indexed, *structure;

    (void)state;
    assert_int_equal(cpi_type_contiguous(0, prim(CPI_PRIM_DOUBLE), &none), CPMP_OK);
    expect(none, 0, 0, 0, 0, 0);
    assert_int_equal(cpi_type_vector(5, 0, 3, prim(CPI_PRIM_DOUBLE), &blocks), CPMP_OK);
    expect(blocks, 0, 0, 0, 0, 0);
    assert_int_equal(cpi_type_indexed(0, NULL, NULL, none, &indexed), CPMP_OK);
    expect(indexed, 0, 0, 0, 0, 0);
    assert_int_equal(cpi_type_struct(0, NULL, NULL, NULL, &structure), CPMP_OK);
    expect(structure, 0, 0, 0, 0, 0);
    cpi_type_put(none);
    cpi_type_put(blocks);
    cpi_type_put(indexed);
    cpi_type_put(structure);
}

static void
subarray_spans_the_whole_array(void **state)
{
    int sizes[] = { 4, 5, 6 }, subsizes[] = { 2, 3, 2 }, starts[] = { 1, 1, 3 };
    struct cpi_type *block;

    (void)state;
    assert_int_equal(cpi_type_subarray(3, sizes, subsizes, starts, CPI_TYPE_ORDER_C,
                                       prim(CPI_PRIM_INT32), &block), CPMP_OK);
    expect(block, 48, 0, 480, 4 * (30 + 6 + 3), 4 * (60 + 18 + 5));
    cpi_type_put(block);
    assert_int_equal(cpi_type_subarray(3, sizes, subsizes, starts, CPI_TYPE_ORDER_FORTRAN,
                                       prim(CPI_PRIM_INT32), &block), CPMP_OK);
    expect(block, 48, 0, 480, 4 * (1 + 4 + 60), 4 * (2 + 12 + 80 + 1));
    cpi_type_put(block);
    starts[2] = 5;
    assert_int_equal(cpi_type_subarray(3, sizes, subsizes, starts, CPI_TYPE_ORDER_C,
                                       prim(CPI_PRIM_INT32), &block), CPMP_EINVAL);
}

static void
neighbours_become_one_piece(void **state)
{
    int lengths[] = { 1, 2, 1 }, places[] = { 0, 1, 3 };
    int even[] = { 0, 3, 6, 9 }, odd[] = { 0, 3, 4, 6 };
    struct cpi_type *type, *rows;

    (void)state;
    assert_int_equal(cpi_type_indexed(3, lengths, places, prim(CPI_PRIM_FLOAT), &type), CPMP_OK);
    assert_true(type->flags & CPI_TYPE_DENSE);
    cpi_type_put(type);
    assert_int_equal(cpi_type_indexed_block(4, 1, even, prim(CPI_PRIM_FLOAT), &type), CPMP_OK);
    assert_int_equal(type->piece_count, 1);
    assert_int_equal(type->only.stride, 12);
    cpi_type_put(type);
    assert_int_equal(cpi_type_indexed_block(4, 1, odd, prim(CPI_PRIM_FLOAT), &type), CPMP_OK);
    assert_int_equal(type->piece_count, 3);
    cpi_type_put(type);
    /* a matrix's column, as often as the matrix has rows: still one piece */
    assert_int_equal(cpi_type_vector(10, 1, 4, prim(CPI_PRIM_INT64), &type), CPMP_OK);
    assert_int_equal(cpi_type_hvector(7, 1, 320, type, &rows), CPMP_OK);
    assert_int_equal(rows->piece_count, 1);
    assert_int_equal(rows->only.count, 70);
    cpi_type_put(type);
    cpi_type_put(rows);
}

static void
what_does_not_fit_is_refused(void **state)
{
    struct cpi_type *wide, *type = NULL;
    int minus[] = { -1 }, zero[] = { 0 };

    (void)state;
    assert_int_equal(cpi_type_contiguous(-1, prim(CPI_PRIM_INT8), &type), CPMP_EINVAL);
    assert_int_equal(cpi_type_indexed(1, minus, zero, prim(CPI_PRIM_INT8), &type), CPMP_EINVAL);
    assert_int_equal(cpi_type_vector(1, -1, 1, prim(CPI_PRIM_INT8), &type), CPMP_EINVAL);
    assert_int_equal(cpi_type_contiguous(INT_MAX, prim(CPI_PRIM_DOUBLE), &wide), CPMP_OK);
    assert_int_equal(cpi_type_contiguous(INT_MAX, wide, &type), CPMP_ELIMIT);
    assert_int_equal(cpi_type_vector(2, 1, INT_MAX, wide, &type), CPMP_ELIMIT);
    assert_int_equal(cpi_type_resized(wide, PTRDIFF_MAX, 1, &type), CPMP_ELIMIT);
    assert_null(type);
    cpi_type_put(wide);
}

static void
elements_count_primitives(void **state)
{
    struct cpi_type *olds[] = { prim(CPI_PRIM_INT16), prim(CPI_PRIM_DOUBLE_INT) };
    int lengths[] = { 3, 2 };
    ptrdiff_t places[] = { 0, 8 };
    struct cpi_type *mixed, *many, *again;

    (void)state;
    assert_int_equal(cpi_type_struct(2, lengths, places, olds, &mixed), CPMP_OK);
    assert_int_equal(mixed->elements, 7);
    assert_int_equal(cpi_type_vector(4, 2, 3, mixed, &many), CPMP_OK);
    assert_int_equal(cpi_type_dup(many, &again), CPMP_OK);
    assert_int_equal(again->elements, 56);
    assert_int_equal(cpi_type_elements(again, 0), 0);
    assert_int_equal(cpi_type_elements(again, 30), 7);
    assert_int_equal(cpi_type_elements(again, 4), 2);
    assert_int_equal(cpi_type_elements(again, 5), CPI_TYPE_UNDEFINED);
    assert_int_equal(cpi_type_elements(again, 14), 4);
    assert_int_equal(cpi_type_elements(again, 18), 5);
    assert_int_equal(cpi_type_elements(again, 20), CPI_TYPE_UNDEFINED);
    assert_int_equal(cpi_type_elements(again, 3 * again->size + 30 + 2), 3 * 56 + 8);
    cpi_type_put(mixed);
    cpi_type_put(many);
    cpi_type_put(again);
}

static void
contents_are_the_arguments(void **state)
{
    int lengths[] = { 2, 3 }, places[] = { 7, 1 };
    struct cpi_type *type;

    (void)state;
    assert_int_equal(cpi_type_indexed(2, lengths, places, prim(CPI_PRIM_INT8), &type), CPMP_OK);
    assert_int_equal(type->combiner, CPI_COMBINER_INDEXED);
    assert_int_equal(type->integer_count, 5);
    assert_memory_equal(type->integers, ((int[]){ 2, 2, 3, 7, 1 }), 5 * sizeof(int));
    assert_int_equal(type->type_count, 1);
    assert_ptr_equal(type->types[0], prim(CPI_PRIM_INT8));
    cpi_type_put(type);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predefined_types_have_the_sizes_of_c),
        cmocka_unit_test(every_predefined_type_is_consistent),
        cmocka_unit_test(struct_is_padded_to_its_alignment),
        cmocka_unit_test(explicit_bounds_are_sticky),
        cmocka_unit_test(vectors_count_their_bounds_with_negative_strides),
        cmocka_unit_test(empty_types_are_zero),
        cmocka_unit_test(subarray_spans_the_whole_array),
        cmocka_unit_test(neighbours_become_one_piece),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(elements_count_primitives),
        cmocka_unit_test(contents_are_the_arguments),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
