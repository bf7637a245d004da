/* SPDX-License-Identifier: BSD-3-Clause */
#include "native_check.h"

/* barrier, bcast and reduce of cpmp.h; reductions to the bit as done one after the other. */

#define COUNT_MAX 20000

static void
barriers(void)
{
    for (int i = 0; i < 50; i++) {
        double entered = cpmp_time(), last = 0, first = 0;
        OK(cpmp_barrier());
        double left = cpmp_time();
        /* One machine, one clock: nobody leaves before all have come. */
        OK(cpmp_reduce(&entered, &last, 1, CPMP_DOUBLE, CPMP_MAX, CPMP_ALL));
        OK(cpmp_reduce(&left, &first, 1, CPMP_DOUBLE, CPMP_MIN, CPMP_ALL));
        CHECK(last <= first);
    }
}

static void
bcasts(void)
{
    static const size_t lengths[] = {0, 1, 1000, 8192, 100001, (size_t)1 << 20};
    unsigned char *buffer = room_new((size_t)1 << 20);

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (int root = 0; root < size; root += size > 4 ? 3 : 1) {
            memset(buffer, rank == root ? 0x40 + root : 0xee, lengths[i]);
            buffer[lengths[i]] = 0xaa;
            OK(cpmp_bcast(buffer, lengths[i], root));
            for (size_t at = 0; at < lengths[i]; at++)
                CHECK(buffer[at] == 0x40 + root);
            CHECK(buffer[lengths[i]] == 0xaa);
        }
    }
    free(buffer);
}

/* Element i of a rank's contribution; doubles whose sum depends on the order. */
static double
part_of(int of, size_t i)
{
    return 1.0 / (double)(1 + (size_t)of * 7 + i % 97) + (of % 3 == 1 ? 1e15 : 0.0);
}

static int64_t
whole_of(int of, size_t i)
{
    return (int64_t)((size_t)of * 31 + i % 7) % 5 + 1;
}

#define FOLD(op, a, b)                                                                             \
    ((op) == CPMP_SUM ? (a) + (b) : (op) == CPMP_PROD ? (a) * (b)                                  \
     : (op) == CPMP_MIN ? ((b) < (a) ? (b) : (a)) : ((b) > (a) ? (b) : (a)))

/* A function that reduces `count` elements of a type in every way at `root` and checks it. */
#define REDUCE(type_name, c_type, value)                                                           \
    static void reduce_##c_type(size_t count, cpmp_op op, int root, int in_place)                  \
    {                                                                                              \
        c_type *in = room_new(count * sizeof(*in)), *out = room_new(count * sizeof(*out));         \
        int takes = root == CPMP_ALL || root == rank;                                              \
        for (size_t i = 0; i < count; i++)                                                         \
            in[i] = (c_type)value(rank, i);                                                        \
        c_type *target = !takes ? NULL : in_place ? in : out;                                      \
        OK(cpmp_reduce(in, target, count, type_name, op, root));                                   \
        for (size_t i = 0; takes && i < count; i++) {                                              \
            c_type expected = (c_type)value(0, i);                                                 \
            for (int of = 1; of < size; of++)                                                      \
                expected = (c_type)FOLD(op, expected, (c_type)value(of, i));                       \
            CHECK(memcmp(&target[i], &expected, sizeof(expected)) == 0);                           \
        }                                                                                          \
        free(in);                                                                                  \
        free(out);                                                                                 \
    }

REDUCE(CPMP_INT32, int32_t, whole_of)
REDUCE(CPMP_UINT32, uint32_t, whole_of)
REDUCE(CPMP_INT64, int64_t, whole_of)
REDUCE(CPMP_UINT64, uint64_t, whole_of)
REDUCE(CPMP_FLOAT, float, part_of)
REDUCE(CPMP_DOUBLE, double, part_of)

static void
reductions(void)
{
    static void (*const reduce[])(size_t, cpmp_op, int, int) = {
        reduce_int32_t, reduce_uint32_t, reduce_int64_t,
        reduce_uint64_t, reduce_float, reduce_double};
    static const size_t counts[] = {0, 1, 3, 1000, COUNT_MAX};

    for (unsigned c = 0; c < sizeof(counts) / sizeof(counts[0]); c++)
        for (unsigned type = 0; type < 6; type++)
            for (int op = CPMP_SUM; op <= CPMP_MAX; op++) {
                int root = ((int)(c + type) + op) % (size + 1) - 1;  /* CPMP_ALL is one of them */
                reduce[type](counts[c], (cpmp_op)op, root, (op + (int)c) % 2);
            }
}

static void
errors(void)
{
    int32_t number = 1;

    GIVES(CPMP_ERANK, cpmp_bcast(&number, 1, size));
    GIVES(CPMP_ERANK, cpmp_bcast(&number, 1, -1));
    GIVES(CPMP_EINVAL, cpmp_bcast(NULL, 1, 0));
    GIVES(CPMP_ERANK, cpmp_reduce(&number, &number, 1, CPMP_INT32, CPMP_SUM, size));
    GIVES(CPMP_ERANK, cpmp_reduce(&number, &number, 1, CPMP_INT32, CPMP_SUM, -2));
    GIVES(CPMP_EINVAL, cpmp_reduce(NULL, &number, 1, CPMP_INT32, CPMP_SUM, CPMP_ALL));
    GIVES(CPMP_EINVAL, cpmp_reduce(&number, NULL, 1, CPMP_INT32, CPMP_SUM, CPMP_ALL));
    GIVES(CPMP_EINVAL, cpmp_reduce(&number, &number, 1, (cpmp_type)6, CPMP_SUM, CPMP_ALL));
    GIVES(CPMP_EINVAL, cpmp_reduce(&number, &number, 1, CPMP_INT32, (cpmp_op)4, CPMP_ALL));
}

int
main(void)
{
    begin();
    barriers();
    bcasts();
    reductions();
    errors();
    return end();
}
