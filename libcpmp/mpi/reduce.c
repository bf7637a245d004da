/* SPDX-License-Identifier: BSD-3-Clause */
#include "mpi/collective.h"

#include "coll/coll.h"

/* Reductions, blocking and nonblocking. */

/* One side of a reduction. */
static int
check_fold(const void *buf, int count, MPI_Datatype type, MPI_Op op)
{
    int class = cpi_check_elements(buf, count, type);

    if (class != MPI_SUCCESS)
        return class;
    return cpi_op_valid(op) && cpi_op_allowed(cpi_op_of(op), cpi_type_of(type)) ? MPI_SUCCESS
                                                                               : MPI_ERR_OP;
}

/* Both sides at every rank; the sending one may be in place. */
static int
check_folds(const void *send, const void *recv, int count, MPI_Datatype type, MPI_Op op,
            MPI_Comm comm)
{
    int class = cpi_check_comm(comm);

    if (class == MPI_SUCCESS)
        class = recv == MPI_IN_PLACE ? MPI_ERR_ARG : check_fold(recv, count, type, op);
    if (class == MPI_SUCCESS && send != MPI_IN_PLACE)
        class = check_fold(send, count, type, op);
    return class;
}

static int
check_reduce(const void *send, const void *recv, int count, MPI_Datatype type, MPI_Op op, int root,
             MPI_Comm comm)
{
    int class = cpi_check_root(comm, root);

    if (class != MPI_SUCCESS)
        return class;
    if (cpi_at_root(comm, root))
        return check_folds(send, recv, count, type, op, comm);
    return send == MPI_IN_PLACE ? MPI_ERR_ARG : check_fold(send, count, type, op);
}

static int
reduce(const void *send, void *recv, int count, MPI_Datatype type, MPI_Op op, int root,
       MPI_Comm comm, MPI_Request *handle, const char *function)
{
    CPI_COLLECTIVE(check_reduce(send, recv, count, type, op, root, comm),
                   cpi_coll_reduce(send, recv, (size_t)count, cpi_type_of(type), cpi_op_of(op),
                                   root, cpi_comm_of(comm), request_p));
}

CPI_ALIAS(Reduce)
int
PMPI_Reduce(const void *send, void *recv, int count, MPI_Datatype type, MPI_Op op, int root,
            MPI_Comm comm)
{
    CPI_ENTER();
    return reduce(send, recv, count, type, op, root, comm, NULL, CPI_FUNCTION);
}

CPI_ALIAS(Ireduce)
int
PMPI_Ireduce(const void *send, void *recv, int count, MPI_Datatype type, MPI_Op op, int root,
             MPI_Comm comm, MPI_Request *request)
{
    CPI_ENTER_NONBLOCKING();
    return reduce(send, recv, count, type, op, root, comm, request, CPI_FUNCTION);
}

static int
allreduce(const void *send, void *recv, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm,
          MPI_Request *handle, const char *function)
{
    CPI_COLLECTIVE(check_folds(send, recv, count, type, op, comm),
                   cpi_coll_allreduce(send, recv, (size_t)count, cpi_type_of(type), cpi_op_of(op),
                                      cpi_comm_of(comm), request_p));
}

CPI_ALIAS(Allreduce)
int
PMPI_Allreduce(const void *send, void *recv, int count, MPI_Datatype type, MPI_Op op,
               MPI_Comm comm)
{
    CPI_ENTER();
    return allreduce(send, recv, count, type, op, comm, NULL, CPI_FUNCTION);
}

CPI_ALIAS(Iallreduce)
int
PMPI_Iallreduce(const void *send, void *recv, int count, MPI_Datatype type, MPI_Op op,
                MPI_Comm comm, MPI_Request *request)
{
    CPI_ENTER_NONBLOCKING();
    return allreduce(send, recv, count, type, op, comm, request, CPI_FUNCTION);
}

/* --- prefixes --- */

static int
scan(const void *send, void *recv, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm,
     MPI_Request *handle, const char *function)
{
    CPI_COLLECTIVE(check_folds(send, recv, count, type, op, comm),
                   cpi_coll_scan(send, recv, (size_t)count, cpi_type_of(type), cpi_op_of(op),
                                 cpi_comm_of(comm), request_p));
}

CPI_ALIAS(Scan)
int
PMPI_Scan(const void *send, void *recv, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm)
{
    CPI_ENTER();
    return scan(send, recv, count, type, op, comm, NULL, CPI_FUNCTION);
}

CPI_ALIAS(Iscan)
int
PMPI_Iscan(const void *send, void *recv, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm,
           MPI_Request *request)
{
    CPI_ENTER_NONBLOCKING();
    return scan(send, recv, count, type, op, comm, request, CPI_FUNCTION);
}

static int
exscan(const void *send, void *recv, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm,
       MPI_Request *handle, const char *function)
{
    CPI_COLLECTIVE(check_folds(send, recv, count, type, op, comm),
                   cpi_coll_exscan(send, recv, (size_t)count, cpi_type_of(type), cpi_op_of(op),
                                   cpi_comm_of(comm), request_p));
}

CPI_ALIAS(Exscan)
int
PMPI_Exscan(const void *send, void *recv, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm)
{
    CPI_ENTER();
    return exscan(send, recv, count, type, op, comm, NULL, CPI_FUNCTION);
}

CPI_ALIAS(Iexscan)
int
PMPI_Iexscan(const void *send, void *recv, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm,
             MPI_Request *request)
{
    CPI_ENTER_NONBLOCKING();
    return exscan(send, recv, count, type, op, comm, request, CPI_FUNCTION);
}

/* --- reduce_scatter --- */

static int
check_reduce_scatter(const void *send, const void *recv, const int *recv_counts, MPI_Datatype type,
                     MPI_Op op, MPI_Comm comm)
{
    int class = cpi_check_comm(comm);
    long total = 0;

    if (class != MPI_SUCCESS)
        return class;
    if (recv_counts == NULL)
        return MPI_ERR_ARG;
    for (int i = 0; i < cpi_comm_of(comm)->size; i++) {
        if (recv_counts[i] < 0)
            return MPI_ERR_COUNT;
        total += recv_counts[i];
    }
    if (total == 0)
        return check_folds(MPI_IN_PLACE, NULL, 0, type, op, comm);
    class = check_folds(send, recv, recv_counts[cpi_comm_of(comm)->rank], type, op, comm);
    /* What is sent is more than what is received. */
    if (class == MPI_SUCCESS)
        class = check_fold(send == MPI_IN_PLACE ? recv : send, 1, type, op);
    return class;
}

static int
reduce_scatter(const void *send, void *recv, const int recv_counts[], MPI_Datatype type, MPI_Op op,
               MPI_Comm comm, MPI_Request *handle, const char *function)
{
    CPI_COLLECTIVE(check_reduce_scatter(send, recv, recv_counts, type, op, comm),
                   cpi_coll_reduce_scatter(send, recv, recv_counts, cpi_type_of(type),
                                           cpi_op_of(op), cpi_comm_of(comm), request_p));
}

CPI_ALIAS(Reduce_scatter)
int
PMPI_Reduce_scatter(const void *send, void *recv, const int recv_counts[], MPI_Datatype type,
                    MPI_Op op, MPI_Comm comm)
{
    CPI_ENTER();
    return reduce_scatter(send, recv, recv_counts, type, op, comm, NULL, CPI_FUNCTION);
}

CPI_ALIAS(Ireduce_scatter)
int
PMPI_Ireduce_scatter(const void *send, void *recv, const int recv_counts[], MPI_Datatype type,
                     MPI_Op op, MPI_Comm comm, MPI_Request *request)
{
    CPI_ENTER_NONBLOCKING();
    return reduce_scatter(send, recv, recv_counts, type, op, comm, request, CPI_FUNCTION);
}

static int
reduce_scatter_block(const void *send, void *recv, int recv_count, MPI_Datatype type, MPI_Op op,
                     MPI_Comm comm, MPI_Request *handle, const char *function)
{
    CPI_COLLECTIVE(check_folds(send, recv, recv_count, type, op, comm),
                   cpi_coll_reduce_scatter_block(send, recv, (size_t)recv_count, cpi_type_of(type),
                                                 cpi_op_of(op), cpi_comm_of(comm), request_p));
}

CPI_ALIAS(Reduce_scatter_block)
int
PMPI_Reduce_scatter_block(const void *send, void *recv, int recv_count, MPI_Datatype type,
                          MPI_Op op, MPI_Comm comm)
{
    CPI_ENTER();
    return reduce_scatter_block(send, recv, recv_count, type, op, comm, NULL, CPI_FUNCTION);
}

CPI_ALIAS(Ireduce_scatter_block)
int
PMPI_Ireduce_scatter_block(const void *send, void *recv, int recv_count, MPI_Datatype type,
                           MPI_Op op, MPI_Comm comm, MPI_Request *request)
{
    CPI_ENTER_NONBLOCKING();
    return reduce_scatter_block(send, recv, recv_count, type, op, comm, request, CPI_FUNCTION);
}
