/* SPDX-License-Identifier: BSD-3-Clause */
#include "mpi/check.h"
#include "mpi/error.h"
#include "mpi/handles.h"

_Static_assert(sizeof(MPI_Datatype) == sizeof(void *), "users' functions get a handle's address");

CPI_ALIAS(Op_create)
int
PMPI_Op_create(MPI_User_function *function, int commutes, MPI_Op *op)
{
    struct cpi_op *made;

    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, function != NULL, MPI_ERR_ARG);
    CPI_REQUIRE(MPI_COMM_NULL, op != NULL, MPI_ERR_OP);
    int error = cpi_op_new((cpi_op_user_fn *)function, commutes != 0, &made);
    CPI_REQUIRE(MPI_COMM_NULL, error == CPMP_OK, cpi_error_class(error));
    *op = (MPI_Op)made;
    return MPI_SUCCESS;
}

CPI_ALIAS(Op_free)
int
PMPI_Op_free(MPI_Op *op)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, op != NULL && cpi_op_valid(*op) && !cpi_op_of(*op)->predefined,
                MPI_ERR_OP);
    cpi_op_put(cpi_op_of(*op));
    *op = MPI_OP_NULL;
    return MPI_SUCCESS;
}

CPI_ALIAS(Op_commutative)
int
PMPI_Op_commutative(MPI_Op op, int *commutes)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, cpi_op_valid(op), MPI_ERR_OP);
    CPI_REQUIRE(MPI_COMM_NULL, commutes != NULL, MPI_ERR_ARG);
    *commutes = cpi_op_of(op)->commutes;
    return MPI_SUCCESS;
}

CPI_ALIAS(Reduce_local)
int
PMPI_Reduce_local(const void *in, void *inout, int count, MPI_Datatype type, MPI_Op op)
{
    CPI_ENTER();
    int class = cpi_check_elements(in, count, type);
    CPI_REQUIRE(MPI_COMM_NULL, class == MPI_SUCCESS, class);
    class = cpi_check_elements(inout, count, type);
    CPI_REQUIRE(MPI_COMM_NULL, class == MPI_SUCCESS, class);
    CPI_REQUIRE(MPI_COMM_NULL, cpi_op_valid(op) &&
                cpi_op_allowed(cpi_op_of(op), cpi_type_of(type)), MPI_ERR_OP);
    if (count > 0)
        cpi_op_apply(cpi_op_of(op), in, inout, (size_t)count, cpi_type_of(type));
    return MPI_SUCCESS;
}
