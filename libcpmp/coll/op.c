/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/op.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "type/pack.h"

static const char *const op_names[CPI_OP_END] = {
    "user", "MAX", "MIN", "SUM", "PROD", "LAND", "BAND", "LOR", "BOR", "LXOR", "BXOR", "MINLOC",
    "MAXLOC", "REPLACE", "NO_OP",
};

static struct cpi_op predefined[CPI_OP_END];

void
cpi_op_predefine(struct cpi_op *op, enum cpi_op_kind kind, const char *name)
{
    assert(kind > CPI_OP_USER && kind < CPI_OP_END);
    memset(op, 0, sizeof(*op));
    op->references = 1;
    op->kind = (uint8_t)kind;
    op->predefined = true;
    op->commutes = kind != CPI_OP_REPLACE && kind != CPI_OP_NO_OP;
    snprintf(op->name, sizeof(op->name), "%s", name);
}

struct cpi_op *
cpi_op_of_kind(enum cpi_op_kind kind)
{
    if (predefined[kind].references == 0)
        cpi_op_predefine(&predefined[kind], kind, op_names[kind]);
    return &predefined[kind];
}

int
cpi_op_new(cpi_op_user_fn *user, bool commutes, struct cpi_op **op_p)
{
    struct cpi_op *op = calloc(1, sizeof(*op));

    if (!op)
        return CPMP_ENOMEM;
    op->references = 1;
    op->kind = CPI_OP_USER;
    op->user = user;
    op->commutes = commutes;
    *op_p = op;
    return CPMP_OK;
}

struct cpi_op *
cpi_op_get(struct cpi_op *op)
{
    if (!op->predefined)
        atomic_fetch_add_explicit(&op->references, 1, memory_order_relaxed);
    return op;
}

void
cpi_op_put(struct cpi_op *op)
{
    if (!op || op->predefined)
        return;
    if (atomic_fetch_sub_explicit(&op->references, 1, memory_order_acq_rel) == 1)
        free(op);
}

bool
cpi_op_allowed(const struct cpi_op *op, const struct cpi_type *type)
{
    switch (op->kind) {
    case CPI_OP_USER:
        return true;
    case CPI_OP_REPLACE:
    case CPI_OP_NO_OP:
        return type->prim != CPI_PRIM_NONE;
    default:
        return cpi_op_loop(op->kind, type->prim) != NULL;
    }
}

static void
apply_user(const struct cpi_op *op, const char *in, char *inout, size_t count,
           struct cpi_type *type)
{
    ptrdiff_t extent = cpi_type_extent(type);

    while (count) {
        int now = count < INT_MAX ? (int)count : INT_MAX;

        op->user((void *)(uintptr_t)in, inout, &now, &type);
        in += now * extent;
        inout += now * extent;
        count -= (size_t)now;
    }
}

void
cpi_op_apply(const struct cpi_op *op, const void *in, void *inout, size_t count,
             struct cpi_type *type)
{
    cpi_op_loop_fn *loop;

    switch (op->kind) {
    case CPI_OP_USER:
        apply_user(op, in, inout, count, type);
        return;
    case CPI_OP_REPLACE:
        cpi_type_copy(type, inout, count, type, in, count);
        return;
    case CPI_OP_NO_OP:
        return;
    default:
        loop = cpi_op_loop(op->kind, type->prim);
        assert(loop); /* cpi_op_allowed was asked */
        loop(inout, in, inout, count);
    }
}
