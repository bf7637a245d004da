/* SPDX-License-Identifier: BSD-3-Clause */
#include "check.h"

#include <complex.h>
#include <stddef.h>
#include <stdint.h>

/* Every reduction, to the bit, against one that this rank makes by itself: ((r0 op r1) op r2) op …
 * for floating point, pairs, users' operations on datatypes with gaps. Any number of ranks. */

static MPI_Comm comm; /* `rank` and `size` are those in it */

static uint64_t
mix(uint64_t x)
{
    x ^= x >> 33, x *= 0xff51afd7ed558ccdu;
    x ^= x >> 33, x *= 0xc4ceb9fe1a85ec53u;
    return x ^ x >> 33;
}

static uint64_t
noise(int r, int i)
{
    return mix((uint64_t)r * 1000003 + (uint64_t)i + 17);
}

/* --- what is reduced: how rank r's element i looks, and what `op` is on two --- */

struct kind {
    const char *name;
    size_t bytes; /* of one element in memory */
    void (*fill)(void *element, int r, int i);
    void (*join)(const void *left, void *right); /* right = left op right */
    int (*same)(const void *a, const void *b);
    MPI_Datatype type;
    MPI_Op op;
};

/* Of sizes so different that the order of additions shows. */
static double
rough(int r, int i)
{
    uint64_t n = noise(r, i);
    double value = (double)(n % 100003) + 1.0 / (1.0 + (double)(n / 100003 % 1009));

    return n & 1ull << 60 ? value * 1e12 : value;
}

#define NUMBER(name, c_type, value, joined)                                                        \
    static void fill_##name(void *element, int r, int i)                                           \
    {                                                                                              \
        *(c_type *)element = (c_type)(value);                                                      \
    }                                                                                              \
    static void join_##name(const void *left, void *right)                                         \
    {                                                                                              \
        c_type a = *(const c_type *)left, b = *(c_type *)right;                                    \
        *(c_type *)right = (c_type)(joined);                                                       \
    }                                                                                              \
    static int same_##name(const void *a, const void *b)                                           \
    {                                                                                              \
        return memcmp(a, b, sizeof(c_type)) == 0;                                                  \
    }

NUMBER(float_sum, float, rough(r, i), a + b)
NUMBER(double_sum, double, rough(r, i), a + b)
NUMBER(double_prod, double, 1.0 + rough(r, i) / 1e13, a * b)
NUMBER(double_max, double, rough(r, i), a < b ? b : a)
NUMBER(complex_prod, double complex, 1.0 + (double)(noise(r, i) % 1000) / 1e4 * I, a * b)
NUMBER(byte_bxor, unsigned char, noise(r, i), a ^ b)
NUMBER(short_min, short, noise(r, i), a < b ? a : b)
NUMBER(long_bor, long, noise(r, i), a | b)
NUMBER(int_land, int, noise(r, i) % 3, a && b)
NUMBER(int_lxor, int, noise(r, i) % 2, !a != !b)

static void
fill_long_double_sum(void *element, int r, int i)
{
    *(long double *)element = rough(r, i);
}

static void
join_long_double_sum(const void *left, void *right)
{
    *(long double *)right = *(const long double *)left + *(long double *)right;
}

/* Its last bytes are padding. */
static int
same_long_double_sum(const void *a, const void *b)
{
    return *(const long double *)a == *(const long double *)b;
}

/* Pairs, with many ties. */
#define PAIR(name, c_type, better)                                                                 \
    struct name {                                                                                  \
        c_type value;                                                                              \
        int place;                                                                                 \
    };                                                                                             \
    static void fill_##name(void *element, int r, int i)                                           \
    {                                                                                              \
        struct name *pair = element;                                                               \
        pair->value = (c_type)(noise(r, i) % 4);                                                   \
        pair->place = (int)(noise(r, i + 5) % 100);                                                \
    }                                                                                              \
    static void join_##name(const void *left, void *right)                                         \
    {                                                                                              \
        const struct name *a = left;                                                               \
        struct name *b = right;                                                                    \
        if (a->value better b->value || (a->value == b->value && a->place < b->place)) {           \
            b->value = a->value;                                                                   \
            b->place = a->place;                                                                   \
        }                                                                                          \
    }                                                                                              \
    static int same_##name(const void *a, const void *b)                                           \
    {                                                                                              \
        return ((const struct name *)a)->value == ((const struct name *)b)->value &&               \
               ((const struct name *)a)->place == ((const struct name *)b)->place;                 \
    }

PAIR(float_int, float, >)
PAIR(double_int, double, <)
PAIR(long_int, long, >)
PAIR(two_int, int, <)
PAIR(short_int, short, >)
PAIR(long_double_int, long double, <)

/* Users': affine maps, which do not commute, in a struct with a gap inside and one at its end. */
struct map {
    int8_t a;
    int32_t b;
    int8_t unused[4];
};

#define PRIME 97

static void
fill_map(void *element, int r, int i)
{
    struct map *map = element;

    memset(map, 0x55, sizeof(*map));
    map->a = (int8_t)(1 + noise(r, i) % (PRIME - 1));
    map->b = (int32_t)(noise(r, i + 1) % PRIME);
}

static void
join_map(const void *left, void *right)
{
    const struct map *l = left;
    struct map *r = right;

    r->b = (l->b * r->a + r->b) % PRIME;
    r->a = (int8_t)(l->a * r->a % PRIME);
}

static int
same_map(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct map)) == 0;
}

static int extent_seen;

static void
map_op(void *in, void *inout, int *count, MPI_Datatype *type)
{
    MPI_Aint lb, extent;

    MPI_Type_get_extent(*type, &lb, &extent);
    extent_seen = (int)extent;
    for (int i = 0; i < *count; i++)
        join_map((struct map *)in + i, (struct map *)inout + i);
}

/* --- the serial reduction --- */

/* Elements [start, start + count) of ranks 0 to last. */
static void
serial(const struct kind *kind, int last, int start, int count, char *out)
{
    _Alignas(16) char right[64];

    for (int i = 0; i < count; i++, out += kind->bytes) {
        kind->fill(out, 0, start + i);
        for (int r = 1; r <= last; r++) {
            kind->fill(right, r, start + i);
            kind->join(out, right);
            memcpy(out, right, kind->bytes);
        }
    }
}

static char *
elements_new(const struct kind *kind, int count)
{
    char *elements = malloc((size_t)(count + 1) * kind->bytes);

    CHECK(elements != NULL);
    for (int i = 0; i <= count; i++)
        kind->fill(elements + (size_t)i * kind->bytes, rank, i);
    return elements;
}

static void
check_result(const struct kind *kind, const char *what, const char *got, int last, int start,
             int count)
{
    char *wanted = malloc((size_t)(count + 1) * kind->bytes);

    serial(kind, last, start, count, wanted);
    for (int i = 0; i < count; i++) {
        if (kind->same(got + (size_t)i * kind->bytes, wanted + (size_t)i * kind->bytes))
            continue;
        printf("rank %d of %d: %s of %d %s: not what a serial reduction gives at %d\n", rank, size,
               what, count, kind->name, i);
        fflush(stdout);
        MPI_Abort(MPI_COMM_WORLD, 3);
    }
    free(wanted);
}

/* MPI_Name, or MPI_Iname and a wait. */
#define RUN(Name, name, ...)                                                                       \
    do {                                                                                           \
        MPI_Request run_request;                                                                   \
        if (nonblocking) {                                                                         \
            MPI_I##name(__VA_ARGS__, &run_request);                                                \
            MPI_Wait(&run_request, MPI_STATUS_IGNORE);                                             \
        } else {                                                                                   \
            MPI_##Name(__VA_ARGS__);                                                               \
        }                                                                                          \
    } while (0)

static void
test_whole(const struct kind *kind, int count, int nonblocking, int in_place)
{
    char *send = elements_new(kind, count), *recv = elements_new(kind, count);
    int root = (count + nonblocking) % size;

    RUN(Allreduce, allreduce, in_place ? MPI_IN_PLACE : send, recv, count, kind->type, kind->op,
        comm);
    check_result(kind, "allreduce", recv, size - 1, 0, count);
    free(recv);
    recv = elements_new(kind, count);
    RUN(Reduce, reduce, in_place && rank == root ? MPI_IN_PLACE : send, recv, count, kind->type,
        kind->op, root, comm);
    if (rank == root)
        check_result(kind, "reduce", recv, size - 1, 0, count);
    free(recv);
    free(send);
}

static void
test_prefixes(const struct kind *kind, int count, int nonblocking, int in_place)
{
    char *send = elements_new(kind, count), *recv = elements_new(kind, count);

    RUN(Scan, scan, in_place ? MPI_IN_PLACE : send, recv, count, kind->type, kind->op, comm);
    check_result(kind, "scan", recv, rank, 0, count);
    free(recv);
    recv = elements_new(kind, count);
    RUN(Exscan, exscan, in_place ? MPI_IN_PLACE : send, recv, count, kind->type, kind->op, comm);
    if (rank > 0)
        check_result(kind, "exscan", recv, rank - 1, 0, count);
    free(recv);
    free(send);
}

static void
test_parts(const struct kind *kind, int count, int nonblocking, int in_place)
{
    int counts[64], start = 0, total = 0;

    for (int r = 0; r < size; r++) { /* some get nothing */
        counts[r] = (r * 3 + 1) % 4 * count / 2;
        start += r < rank ? counts[r] : 0;
        total += counts[r];
    }
    char *send = elements_new(kind, total), *recv = elements_new(kind, total);
    RUN(Reduce_scatter, reduce_scatter, in_place ? MPI_IN_PLACE : send, recv, counts, kind->type,
        kind->op, comm);
    check_result(kind, "reduce_scatter", recv, size - 1, start, counts[rank]);
    free(recv);
    free(send);
    send = elements_new(kind, count * size);
    recv = elements_new(kind, count * size);
    RUN(Reduce_scatter_block, reduce_scatter_block, in_place ? MPI_IN_PLACE : send, recv, count,
        kind->type, kind->op, comm);
    check_result(kind, "reduce_scatter_block", recv, size - 1, rank * count, count);
    free(recv);
    free(send);
}

static void
test_kind(const struct kind *kind, int most)
{
    static const int counts[] = {1, 2, 7, 33, 500, 3001, 12345};

    for (int c = 0; c < 7 && counts[c] <= most; c++) {
        for (int way = 0; way < 4; way++) {
            test_whole(kind, counts[c], way / 2, way % 2);
            test_prefixes(kind, counts[c], way / 2, way % 2);
            test_parts(kind, counts[c], way / 2, way % 2);
        }
    }
}

static MPI_Datatype
map_type(void)
{
    int lengths[2] = {1, 1};
    MPI_Aint places[2] = {offsetof(struct map, a), offsetof(struct map, b)};
    MPI_Datatype types[2] = {MPI_INT8_T, MPI_INT32_T}, type, whole;

    MPI_Type_create_struct(2, lengths, places, types, &type);
    MPI_Type_create_resized(type, 0, sizeof(struct map), &whole);
    MPI_Type_free(&type);
    MPI_Type_commit(&whole);
    return whole;
}

#define KIND(c_name, c_type, mpi_type, mpi_op)                                                     \
    (struct kind){#c_name, sizeof(c_type), fill_##c_name, join_##c_name, same_##c_name, mpi_type,  \
                  mpi_op}

static void
test_all(MPI_Datatype map, MPI_Op map_join)
{
    const struct kind kinds[] = {
        KIND(double_sum, double, MPI_DOUBLE, MPI_SUM),
        KIND(map, struct map, map, map_join),
        KIND(float_sum, float, MPI_FLOAT, MPI_SUM),
        KIND(double_prod, double, MPI_DOUBLE, MPI_PROD),
        KIND(double_max, double, MPI_DOUBLE, MPI_MAX),
        KIND(long_double_sum, long double, MPI_LONG_DOUBLE, MPI_SUM),
        KIND(complex_prod, double complex, MPI_C_DOUBLE_COMPLEX, MPI_PROD),
        KIND(byte_bxor, unsigned char, MPI_BYTE, MPI_BXOR),
        KIND(short_min, short, MPI_SHORT, MPI_MIN),
        KIND(long_bor, long, MPI_LONG, MPI_BOR),
        KIND(int_land, int, MPI_INT, MPI_LAND),
        KIND(int_lxor, int, MPI_INT, MPI_LXOR),
        KIND(float_int, struct float_int, MPI_FLOAT_INT, MPI_MAXLOC),
        KIND(double_int, struct double_int, MPI_DOUBLE_INT, MPI_MINLOC),
        KIND(long_int, struct long_int, MPI_LONG_INT, MPI_MAXLOC),
        KIND(two_int, struct two_int, MPI_2INT, MPI_MINLOC),
        KIND(short_int, struct short_int, MPI_SHORT_INT, MPI_MAXLOC),
        KIND(long_double_int, struct long_double_int, MPI_LONG_DOUBLE_INT, MPI_MINLOC),
    };

    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
        test_kind(&kinds[k], k < 2 && size < 6 ? 12345 : k < 2 ? 3001 : 33);
    CHECK(extent_seen == (int)sizeof(struct map) || size == 1);
}

int
main(int argc, char **argv)
{
    MPI_Datatype map;
    MPI_Op join;

    begin(&argc, &argv);
    map = map_type();
    MPI_Op_create(map_op, 0, &join);
    MPI_Comm_split(MPI_COMM_WORLD, 0, (rank * 5 + 3) % 7, &comm); /* peers in no order */
    MPI_Comm_rank(comm, &rank);
    test_all(map, join);
    MPI_Comm_free(&comm);
    MPI_Type_free(&map);
    MPI_Op_free(&join);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    return end();
}
