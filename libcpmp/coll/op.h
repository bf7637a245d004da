/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_COLL_OP_H
#define CPI_COLL_OP_H

/*
 * Operations of reductions: MPI's own on predefined datatypes, and users' functions on any.
 *
 * struct cpi_op is the object behind MPI_Op: the handle is its address, and its size is part of the
 * binary interface. Predefined ones are never freed; a user's begins with one reference.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "type/type.h"

#define CPI_OP_ABI_BYTES 2048

enum cpi_op_kind {
    CPI_OP_USER,
    CPI_OP_MAX,
    CPI_OP_MIN,
    CPI_OP_SUM,
    CPI_OP_PROD,
    CPI_OP_LAND,
    CPI_OP_BAND,
    CPI_OP_LOR,
    CPI_OP_BOR,
    CPI_OP_LXOR,
    CPI_OP_BXOR,
    CPI_OP_MINLOC,
    CPI_OP_MAXLOC,
    CPI_OP_REPLACE,
    CPI_OP_NO_OP,
    CPI_OP_END
};

/* MPI_User_function: inout[i] = in[i] op inout[i] for i < *count. `type` points to the handle. */
typedef void cpi_op_user_fn(void *in, void *inout, int *count, void *type);

/* out[i] = left[i] op right[i]; `out` may be `left` or `right`, not overlap them otherwise. */
typedef void cpi_op_loop_fn(void *out, const void *left, const void *right, size_t count);

struct cpi_op {
    _Atomic uint32_t references;
    uint8_t kind; /* enum cpi_op_kind */
    bool predefined;
    bool commutes;
    cpi_op_user_fn *user;
    void *attributes; /* the binding's */
    int fortran;      /* the binding's: its Fortran handle */
    char name[64];
};

_Static_assert(sizeof(struct cpi_op) <= CPI_OP_ABI_BYTES, "programs hold copies of this size");

/* Makes *op the predefined operation `kind`. */
void cpi_op_predefine(struct cpi_op *op, enum cpi_op_kind kind, const char *name);

/* The library's own, for use without the MPI binding. */
struct cpi_op *cpi_op_of_kind(enum cpi_op_kind kind);

/* A user's operation with one reference; CPMP_ENOMEM. */
int cpi_op_new(cpi_op_user_fn *user, bool commutes, struct cpi_op **op_p);
struct cpi_op *cpi_op_get(struct cpi_op *op);
void cpi_op_put(struct cpi_op *op);

/* Is `op` defined on elements of `type`? (MPI-3.1, 5.9.2) */
bool cpi_op_allowed(const struct cpi_op *op, const struct cpi_type *type);

/* The loop of a predefined operation on a primitive; NULL where there is none. */
cpi_op_loop_fn *cpi_op_loop(enum cpi_op_kind kind, enum cpi_prim prim);

/* inout[i] = in[i] op inout[i] on `count` elements as they lie in memory (MPI_Reduce_local). */
void cpi_op_apply(const struct cpi_op *op, const void *in, void *inout, size_t count,
                  struct cpi_type *type);

#endif
