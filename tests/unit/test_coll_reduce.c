/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reductions of 1 to 17 ranks equal a serial reduction in rank order, to the bit: each algorithm,
 * each with datatypes dense and with gaps, operations that commute and that don't, in place and
 * not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "coll/coll.h"
#include "coll/select.h"
#include "p2p/p2p.h"
#include "ranks.h"
#include "type/pack.h"

static const int counts[] = { 0, 1, 3, 16, 130, 3001 };
#define COUNTS (sizeof(counts) / sizeof(counts[0]))

struct work {
    struct cpi_comm world;
    struct cpi_type *type;
    struct cpi_op *op;
    size_t bytes;   /* packed, of one vector */
    char *serial;   /* [size + 1] vectors: entry r is r0 op … op r(r) */
    char *send, *recv, *packed;
};

/* Values whose sum depends on the order in which it is taken. */
static double
value_of(int rank, size_t i)
{
    uint64_t x = ((uint64_t)rank * 1000003u + i) * 0x9e3779b97f4a7c15u;
    double sign = x >> 63 ? -1 : 1;

    return sign * (double)(x >> 40 & 0xffff) * ((x >> 20 & 3) == 0 ? 1e12 : 0.001);
}

static void
fill(struct work *w, int rank, size_t count, char *typed)
{
    size_t doubles = w->bytes / 8;
    double value;

    for (size_t i = 0; i < doubles; i++) {
        value = value_of(rank, i);
        if (w->type->prim == CPI_PRIM_INT64) {
            int64_t whole = (int64_t)value;
            memcpy(w->packed + 8 * i, &whole, 8);
        } else {
            memcpy(w->packed + 8 * i, &value, 8);
        }
    }
    cpi_type_unpack(w->type, typed, count, 0, w->packed, w->bytes);
}

/* All prefixes, by MPI's rule for one rank after the other. */
static void
make_serial(struct work *w, size_t count, size_t span)
{
    char *sum = calloc(1, span), *next = calloc(1, span);

    RANK_CHECK(sum && next);
    fill(w, 0, count, sum);
    cpi_type_pack(w->type, sum, count, 0, w->serial, w->bytes);
    for (int r = 1; r < w->world.size; r++) {
        char *swap = sum;

        fill(w, r, count, next);
        cpi_op_apply(w->op, sum, next, count, w->type);
        cpi_type_pack(w->type, next, count, 0, w->serial + (size_t)r * w->bytes, w->bytes);
        sum = next, next = swap;
    }
    free(sum);
    free(next);
}

static void
expect(struct work *w, const char *typed, size_t start, size_t count, int prefix)
{
    size_t bytes = count * w->type->size;

    memset(w->packed, 0x77, bytes);
    cpi_type_pack(w->type, typed, count, 0, w->packed, bytes);
    RANK_CHECK(memcmp(w->packed, w->serial + (size_t)prefix * w->bytes + start * w->type->size,
                      bytes) == 0);
}

/* Ends what was begun; it was blocking when *request_p is NULL. */
static void
done(int error, struct cpi_request **request_p)
{
    RANK_CHECK(error == CPMP_OK);
    if (!*request_p)
        return;
    cpi_p2p_wait(*request_p);
    RANK_CHECK((*request_p)->status.error == CPMP_OK);
    cpi_request_free(*request_p);
    *request_p = NULL;
}

static void
check_all(struct work *w, size_t count, bool in_place, bool nonblocking)
{
    struct cpi_comm *comm = &w->world;
    struct cpi_request *request = NULL, **slot = nonblocking ? &request : NULL;
    const void *send = in_place ? CPI_IN_PLACE : w->send;
    int rank = comm->rank, last = comm->size - 1;
    int root = (int)(count * 7) % comm->size;

    fill(w, rank, count, w->send);
    fill(w, rank, count, w->recv);
    done(cpi_coll_allreduce(send, w->recv, count, w->type, w->op, comm, slot), &request);
    expect(w, w->recv, 0, count, last);

    fill(w, rank, count, w->recv);
    done(cpi_coll_reduce(rank == root ? send : w->send, rank == root ? w->recv : NULL, count,
                         w->type, w->op, root, comm, slot), &request);
    if (rank == root)
        expect(w, w->recv, 0, count, last);

    fill(w, rank, count, w->recv);
    done(cpi_coll_scan(send, w->recv, count, w->type, w->op, comm, slot), &request);
    expect(w, w->recv, 0, count, rank);

    fill(w, rank, count, w->recv);
    done(cpi_coll_exscan(send, w->recv, count, w->type, w->op, comm, slot), &request);
    if (rank > 0)
        expect(w, w->recv, 0, count, rank - 1);
}

static void
check_scatter(struct work *w, size_t count, bool in_place, bool nonblocking)
{
    struct cpi_comm *comm = &w->world;
    struct cpi_request *request = NULL, **slot = nonblocking ? &request : NULL;
    const void *send = in_place ? CPI_IN_PLACE : w->send;
    size_t block = count / (size_t)comm->size, start = 0, at = 0;
    int *parts = malloc(sizeof(int) * (size_t)comm->size);

    RANK_CHECK(parts);
    for (int i = 0; i < comm->size; i++) { /* uneven, some of them empty */
        size_t left = count - at, part = i == comm->size - 1 ? left : block * (size_t)(i % 3);

        part = part < left ? part : left;
        if (i == comm->rank)
            start = at;
        parts[i] = (int)part;
        at += part;
    }
    fill(w, comm->rank, count, w->send);
    fill(w, comm->rank, count, w->recv);
    done(cpi_coll_reduce_scatter(send, w->recv, parts, w->type, w->op, comm, slot), &request);
    expect(w, w->recv, start, (size_t)parts[comm->rank], comm->size - 1);
    free(parts);
    if (block * (size_t)comm->size != count)
        return;
    fill(w, comm->rank, count, w->recv);
    done(cpi_coll_reduce_scatter_block(send, w->recv, block, w->type, w->op, comm, slot), &request);
    expect(w, w->recv, (size_t)comm->rank * block, block, comm->size - 1);
}

/* `index` of the rows of each kind; false when no kind has so many. */
static bool
force(int index)
{
    static const enum cpi_coll_kind kinds[] = { CPI_COLL_REDUCE, CPI_COLL_ALLREDUCE,
                                                CPI_COLL_REDUCE_SCATTER, CPI_COLL_SCAN };
    bool any = false;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        any |= cpi_coll_force(kinds[i], index);
    return any;
}

static void
check_type(struct work *w, struct cpi_type *type, struct cpi_op *op)
{
    w->type = type;
    w->op = op;
    for (size_t c = 0; c < COUNTS; c++) {
        size_t count = (size_t)counts[c], span = (count + 1) * (size_t)cpi_type_extent(type) + 64;

        w->bytes = count * type->size;
        w->serial = malloc((size_t)(w->world.size + 1) * w->bytes + 1);
        w->send = malloc(span), w->recv = malloc(span), w->packed = malloc(w->bytes + 1);
        RANK_CHECK(w->serial && w->send && w->recv && w->packed);
        make_serial(w, count, span);
        for (int index = -2; index < 0 || force(index); index++) {
            force(index);
            check_all(w, count, c % 2, index & 1);
            check_scatter(w, count, c % 2, index & 1);
        }
        force(-1);
        free(w->serial), free(w->send), free(w->recv), free(w->packed);
    }
}

/* Composition of x → ax + b on pairs that lie 24 bytes apart or 16. */
static void
compose(void *in, void *inout, int *count, void *type)
{
    ptrdiff_t extent = cpi_type_extent(*(struct cpi_type **)type);

    for (int i = 0; i < *count; i++) {
        double *f = (double *)((char *)in + i * extent);
        double *g = (double *)((char *)inout + i * extent);
        double a = f[0] * g[0], b = f[0] * g[1] + f[1];

        g[0] = a, g[1] = b;
    }
}

static void
reduce_rank(void *arg)
{
    struct work w;
    struct cpi_op *op;
    struct cpi_type *pair, *apart;

    (void)arg;
    RANK_CHECK(cpi_comm_init_world(&w.world) == CPMP_OK);
    RANK_CHECK(cpi_op_new(compose, false, &op) == CPMP_OK);
    RANK_CHECK(cpi_type_contiguous(2, cpi_type_of_prim(CPI_PRIM_DOUBLE), &pair) == CPMP_OK);
    RANK_CHECK(cpi_type_resized(pair, 0, 24, &apart) == CPMP_OK);
    check_type(&w, cpi_type_of_prim(CPI_PRIM_DOUBLE), cpi_op_of_kind(CPI_OP_SUM));
    check_type(&w, cpi_type_of_prim(CPI_PRIM_INT64), cpi_op_of_kind(CPI_OP_PROD));
    check_type(&w, pair, op);
    check_type(&w, apart, op);
    cpi_type_put(pair);
    cpi_type_put(apart);
    cpi_op_put(op);
    cpi_comm_release(&w.world);
    RANK_CHECK(cpi_request_count() == 0);
}

static void
reductions_equal_a_serial_one_to_the_bit(void **state)
{
    (void)state;
    for (uint32_t ranks = 1; ranks <= 17; ranks++)
        assert_int_equal(ranks_run(ranks, 2, reduce_rank, NULL), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reductions_equal_a_serial_one_to_the_bit),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
