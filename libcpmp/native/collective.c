/* SPDX-License-Identifier: BSD-3-Clause */
#include <cpmp.h>

#include "coll/coll.h"
#include "native/native.h"

/* By cpmp_type and cpmp_op. */
static const enum cpi_prim prims[] = {CPI_PRIM_INT32,  CPI_PRIM_UINT32, CPI_PRIM_INT64,
                                      CPI_PRIM_UINT64, CPI_PRIM_FLOAT,  CPI_PRIM_DOUBLE};
static const enum cpi_op_kind kinds[] = {CPI_OP_SUM, CPI_OP_PROD, CPI_OP_MIN, CPI_OP_MAX};

static int
ready_check(int root, bool all_allowed)
{
    const struct cpi_comm *comm = cpi_native_comm();

    if (!cpi_job_active() || comm->size == 0)
        return CPMP_ESTATE;
    if (all_allowed && root == CPMP_ALL)
        return CPMP_OK;
    return root < 0 || root >= comm->size ? CPMP_ERANK : CPMP_OK;
}

int
cpmp_barrier(void)
{
    int error = ready_check(0, false);

    return error != CPMP_OK ? error : cpi_coll_barrier(cpi_native_comm(), NULL);
}

int
cpmp_bcast(void *buf, size_t bytes, int root)
{
    int error = ready_check(root, false);

    if (error != CPMP_OK)
        return error;
    if (buf == NULL && bytes > 0)
        return CPMP_EINVAL;
    return cpi_coll_bcast(buf, bytes, cpi_type_of_prim(CPI_PRIM_BYTE), root, cpi_native_comm(),
                          NULL);
}

int
cpmp_reduce(const void *in, void *out, size_t count, cpmp_type type, cpmp_op op, int root)
{
    struct cpi_comm *comm = cpi_native_comm();
    int error = ready_check(root, true);

    if (error != CPMP_OK)
        return error;
    bool takes = root == CPMP_ALL || root == comm->rank;
    if ((unsigned)type >= sizeof(prims) / sizeof(prims[0]) ||
        (unsigned)op >= sizeof(kinds) / sizeof(kinds[0]) || (count > 0 && in == NULL) ||
        (count > 0 && takes && out == NULL))
        return CPMP_EINVAL;
    const void *send = takes && in == out ? CPI_IN_PLACE : in;
    struct cpi_type *element = cpi_type_of_prim(prims[type]);
    struct cpi_op *operation = cpi_op_of_kind(kinds[op]);
    if (root == CPMP_ALL)
        return cpi_coll_allreduce(send, out, count, element, operation, comm, NULL);
    return cpi_coll_reduce(send, out, count, element, operation, root, comm, NULL);
}
