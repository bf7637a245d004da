/* SPDX-License-Identifier: BSD-3-Clause */
/* Operations on each kind they are defined for, and folding blocks in order. */
#include <complex.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <cpmp.h>

#include "coll/fold.h"
#include "coll/op.h"

#define COUNT 37 /* not a multiple of any vector's width */

static void
apply(enum cpi_op_kind op, enum cpi_prim prim, const void *in, void *inout, size_t count)
{
    struct cpi_type *type = cpi_type_of_prim(prim);

    assert_true(cpi_op_allowed(cpi_op_of_kind(op), type));
    cpi_op_apply(cpi_op_of_kind(op), in, inout, count, type);
}

static void
integers_add_and_wrap_around(void **state)
{
    int32_t a[COUNT], b[COUNT];
    uint8_t c[COUNT], d[COUNT];

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        a[i] = INT_MAX - i, b[i] = 2 * i;
        c[i] = (uint8_t)(250 + i), d[i] = (uint8_t)(i * 9);
    }
    apply(CPI_OP_SUM, CPI_PRIM_INT32, a, b, COUNT);
    apply(CPI_OP_PROD, CPI_PRIM_UINT8, c, d, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(b[i], (int32_t)(uint32_t)((uint32_t)INT_MAX + (uint32_t)i));
        assert_int_equal(d[i], (uint8_t)((250 + i) * (i * 9)));
    }
}

static void
minimum_and_maximum_keep_the_sign(void **state)
{
    int16_t a[COUNT], low[COUNT], high[COUNT];
    double x[COUNT], y[COUNT];

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        a[i] = (int16_t)(i % 2 ? -i : i);
        low[i] = high[i] = (int16_t)(5 - i);
        x[i] = i * 0.5, y[i] = 9.25 - i;
    }
    apply(CPI_OP_MIN, CPI_PRIM_INT16, a, low, COUNT);
    apply(CPI_OP_MAX, CPI_PRIM_INT16, a, high, COUNT);
    apply(CPI_OP_MAX, CPI_PRIM_DOUBLE, x, y, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(low[i], a[i] < 5 - i ? a[i] : 5 - i);
        assert_int_equal(high[i], a[i] > 5 - i ? a[i] : 5 - i);
        assert_true(y[i] == (i * 0.5 > 9.25 - i ? i * 0.5 : 9.25 - i));
    }
}

static void
logical_and_bitwise_differ(void **state)
{
    uint32_t a[] = { 0, 2, 4, 0, 6 }, b[] = { 0, 1, 0, 8, 2 };
    uint32_t out[5];
    bool yes[] = { true, true, false }, no[] = { true, false, false };

    (void)state;
    memcpy(out, b, sizeof(out));
    apply(CPI_OP_LAND, CPI_PRIM_UINT32, a, out, 5);
    assert_memory_equal(out, ((uint32_t[]){ 0, 1, 0, 0, 1 }), sizeof(out));
    memcpy(out, b, sizeof(out));
    apply(CPI_OP_BAND, CPI_PRIM_UINT32, a, out, 5);
    assert_memory_equal(out, ((uint32_t[]){ 0, 0, 0, 0, 2 }), sizeof(out));
    memcpy(out, b, sizeof(out));
    apply(CPI_OP_LXOR, CPI_PRIM_UINT32, a, out, 5);
    assert_memory_equal(out, ((uint32_t[]){ 0, 0, 1, 1, 0 }), sizeof(out));
    memcpy(out, b, sizeof(out));
    apply(CPI_OP_BXOR, CPI_PRIM_UINT32, a, out, 5);
    assert_memory_equal(out, ((uint32_t[]){ 0, 3, 4, 8, 4 }), sizeof(out));
    apply(CPI_OP_LXOR, CPI_PRIM_C_BOOL, yes, no, 3);
    assert_true(!no[0] && no[1] && !no[2]);
}

static void
complex_numbers_multiply(void **state)
{
    double complex a[] = { 1 + 2 * I, 3 }, b[] = { 2 - I, 0.5 * I };

    (void)state;
    apply(CPI_OP_PROD, CPI_PRIM_COMPLEX_DOUBLE, a, b, 2);
    assert_true(b[0] == 4 + 3 * I && b[1] == 1.5 * I);
}

static void
locations_prefer_the_lower_place(void **state)
{
    struct cpi_double_int a[] = { { 1.5, 7 }, { 2.5, 3 }, { 9, 1 } };
    struct cpi_double_int b[] = { { 1.5, 2 }, { 2.0, 9 }, { 9, 4 } }, c[3];

    (void)state;
    memcpy(c, b, sizeof(c));
    apply(CPI_OP_MINLOC, CPI_PRIM_DOUBLE_INT, a, b, 3);
    assert_true(b[0].value == 1.5 && b[0].place == 2);
    assert_true(b[1].value == 2.0 && b[1].place == 9);
    assert_int_equal(b[2].place, 1);
    apply(CPI_OP_MAXLOC, CPI_PRIM_DOUBLE_INT, a, c, 3);
    assert_true(c[0].place == 2 && c[1].place == 3 && c[2].place == 1);
}

/* MPI-3.1, 5.9.2: the table of operations and the classes they go with. */
static void
operations_are_refused_where_mpi_defines_none(void **state)
{
    static const struct {
        enum cpi_op_kind op;
        enum cpi_prim prim;
        bool allowed;
    } cases[] = {
        { CPI_OP_SUM, CPI_PRIM_INT64, true },        { CPI_OP_SUM, CPI_PRIM_COMPLEX_FLOAT, true },
        { CPI_OP_SUM, CPI_PRIM_FLOAT128, true },     { CPI_OP_SUM, CPI_PRIM_BYTE, false },
        { CPI_OP_SUM, CPI_PRIM_LOGICAL4, false },    { CPI_OP_MAX, CPI_PRIM_COMPLEX_FLOAT, false },
        { CPI_OP_MAX, CPI_PRIM_LONG_DOUBLE, true },  { CPI_OP_LAND, CPI_PRIM_DOUBLE, false },
        { CPI_OP_LOR, CPI_PRIM_LOGICAL2, true },     { CPI_OP_BAND, CPI_PRIM_BYTE, true },
        { CPI_OP_BOR, CPI_PRIM_FLOAT, false },       { CPI_OP_MINLOC, CPI_PRIM_INT32, false },
        { CPI_OP_MINLOC, CPI_PRIM_SHORT_INT, true }, { CPI_OP_MAXLOC, CPI_PRIM_TWO_FLOAT, true },
        { CPI_OP_SUM, CPI_PRIM_TWO_INT, false },     { CPI_OP_MIN, CPI_PRIM_WCHAR, false },
    };
    struct cpi_type *derived;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(cpi_op_allowed(cpi_op_of_kind(cases[i].op),
                                        cpi_type_of_prim(cases[i].prim)),
                         cases[i].allowed);
    assert_int_equal(cpi_type_contiguous(2, cpi_type_of_prim(CPI_PRIM_INT32), &derived), CPMP_OK);
    assert_false(cpi_op_allowed(cpi_op_of_kind(CPI_OP_SUM), derived));
    cpi_type_put(derived);
}

/* Composition of x → ax + b: associative, not commutative; and it counts its calls. */
static int calls;
static void *handle_seen;

static void
compose(void *in, void *inout, int *count, void *type)
{
    double *f = in, *g = inout;

    calls++;
    handle_seen = *(void **)type;
    for (int i = 0; i < *count; i++, f += 2, g += 2) {
        double a = f[0] * g[0], b = f[0] * g[1] + f[1];

        g[0] = a;
        g[1] = b;
    }
}

static void
users_operations_fold_in_order(void **state)
{
    double blocks[3][2] = { { 2, 1 }, { 0.5, 3 }, { 4, -1 } }, out[2];
    char *pointers[] = { (char *)blocks[0], (char *)blocks[1], (char *)blocks[2] };
    struct cpi_op *op;
    struct cpi_type *type;

    (void)state;
    assert_int_equal(cpi_op_new(compose, false, &op), CPMP_OK);
    assert_int_equal(cpi_type_contiguous(2, cpi_type_of_prim(CPI_PRIM_DOUBLE), &type), CPMP_OK);
    calls = 0;
    cpi_fold_run(&(struct cpi_fold){ .op = op, .type = type, .count = 1, .n = 3,
                                     .blocks = pointers, .out = out });
    assert_true(out[0] == 4 && out[1] == 6); /* 2 (0.5 (4 x − 1) + 3) + 1 */
    assert_int_equal(calls, 2);
    assert_ptr_equal(handle_seen, type);
    cpi_type_put(type);
    cpi_op_put(op);
}

static void
elements_with_gaps_are_laid_out_for_the_operation(void **state)
{
    struct cpi_type *type = cpi_type_of_prim(CPI_PRIM_DOUBLE_INT);
    struct cpi_double_int elements[3][2] = { { { 3, 0 }, { 1, 0 } }, { { 2, 1 }, { 8, 1 } },
                                             { { 2, 2 }, { 0, 2 } } };
    char packed[3][24], out[24], *pointers[3];
    char *scratch = malloc(cpi_fold_scratch_bytes(type, 2));
    double value;
    int place;

    (void)state;
    assert_non_null(scratch);
    for (int k = 0; k < 3; k++) {
        pointers[k] = packed[k];
        for (int i = 0; i < 2; i++) {
            memcpy(packed[k] + 12 * i, &elements[k][i].value, 8);
            memcpy(packed[k] + 12 * i + 8, &elements[k][i].place, 4);
        }
    }
    cpi_fold_run(&(struct cpi_fold){ .op = cpi_op_of_kind(CPI_OP_MINLOC), .type = type,
                                     .count = 2, .n = 3, .blocks = pointers, .out = out,
                                     .scratch = scratch });
    memcpy(&value, out, 8);
    memcpy(&place, out + 8, 4);
    assert_true(value == 2 && place == 1);
    memcpy(&value, out + 12, 8);
    memcpy(&place, out + 20, 4);
    assert_true(value == 0 && place == 2);
    free(scratch);
}

struct padded {
    double value;
    char padding[56];
};

/* Writes all of an element, as an assignment of structs does. */
static void
add_padded(void *in, void *inout, int *count, void *type)
{
    (void)type;
    for (int i = 0; i < *count; i++) {
        struct padded sum;

        memset(&sum, 0x5a, sizeof(sum));
        sum.value = ((struct padded *)in)[i].value + ((struct padded *)inout)[i].value;
        ((struct padded *)inout)[i] = sum;
    }
}

static void
operations_may_write_what_lies_between_the_data(void **state)
{
    double blocks[3][2] = { { 1, 2 }, { 10, 20 }, { 100, 200 } }, out[2];
    char *pointers[] = { (char *)blocks[0], (char *)blocks[1], (char *)blocks[2] };
    struct cpi_op *op;
    struct cpi_type *type;

    (void)state;
    assert_int_equal(cpi_op_new(add_padded, true, &op), CPMP_OK);
    assert_int_equal(cpi_type_resized(cpi_type_of_prim(CPI_PRIM_DOUBLE), 0, sizeof(struct padded),
                                      &type), CPMP_OK);
    size_t bytes = cpi_fold_scratch_bytes(type, 2);
    unsigned char *scratch = malloc(bytes + sizeof(struct padded));
    assert_non_null(scratch);
    memset(scratch + bytes, 0xa5, sizeof(struct padded));
    cpi_fold_run(&(struct cpi_fold){ .op = op, .type = type, .count = 2, .n = 3,
                                     .blocks = pointers, .out = out, .scratch = scratch });
    assert_true(out[0] == 111 && out[1] == 222);
    for (size_t i = 0; i < sizeof(struct padded); i++)
        assert_int_equal(scratch[bytes + i], 0xa5);
    free(scratch);
    cpi_type_put(type);
    cpi_op_put(op);
}

static void
long_folds_equal_the_loop_over_blocks(void **state)
{
    enum { BLOCKS = 5, LENGTH = 3001 };
    static double blocks[BLOCKS][LENGTH], out[LENGTH];
    char *pointers[BLOCKS];

    (void)state;
    for (int k = 0; k < BLOCKS; k++) {
        pointers[k] = (char *)blocks[k];
        for (int i = 0; i < LENGTH; i++)
            blocks[k][i] = 1.0 / (3 + i) * (k % 2 ? -1e8 : 1.0 + k);
    }
    cpi_fold_run(&(struct cpi_fold){ .op = cpi_op_of_kind(CPI_OP_SUM),
                                     .type = cpi_type_of_prim(CPI_PRIM_DOUBLE), .count = LENGTH,
                                     .n = BLOCKS, .blocks = pointers, .out = out });
    for (int i = 0; i < LENGTH; i++) {
        volatile double sum = blocks[0][i];

        for (int k = 1; k < BLOCKS; k++)
            sum = sum + blocks[k][i];
        assert_true(sum == out[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_add_and_wrap_around),
        cmocka_unit_test(minimum_and_maximum_keep_the_sign),
        cmocka_unit_test(logical_and_bitwise_differ),
        cmocka_unit_test(complex_numbers_multiply),
        cmocka_unit_test(locations_prefer_the_lower_place),
        cmocka_unit_test(operations_are_refused_where_mpi_defines_none),
        cmocka_unit_test(users_operations_fold_in_order),
        cmocka_unit_test(elements_with_gaps_are_laid_out_for_the_operation),
        cmocka_unit_test(operations_may_write_what_lies_between_the_data),
        cmocka_unit_test(long_folds_equal_the_loop_over_blocks),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
