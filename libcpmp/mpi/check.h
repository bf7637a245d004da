/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_MPI_CHECK_H
#define CPI_MPI_CHECK_H

/* Arguments that many functions have: each check returns an MPI error class. */

#include "mpi/handles.h"

/* `count` elements at `buf`. NULL is MPI_BOTTOM too: right when the datatype holds addresses. */
static inline int
cpi_check_elements(const void *buf, int count, MPI_Datatype type)
{
    if (count < 0)
        return MPI_ERR_COUNT;
    if (!cpi_type_usable(type))
        return MPI_ERR_TYPE;
    if (buf == NULL && count > 0 && cpi_type_of(type)->size > 0 && cpi_type_of(type)->true_lb == 0)
        return MPI_ERR_BUFFER;
    return MPI_SUCCESS;
}

static inline bool
cpi_rank_valid(const struct cpi_comm *comm, int rank)
{
    return rank >= 0 && rank < comm->size;
}

static inline int
cpi_check_dest(int dest, int tag, MPI_Comm comm)
{
    if (!cpi_comm_valid(comm))
        return MPI_ERR_COMM;
    if (tag < 0 || tag > CPI_TAG_UB)
        return MPI_ERR_TAG;
    return cpi_rank_valid(cpi_comm_of(comm), dest) || dest == MPI_PROC_NULL ? MPI_SUCCESS
                                                                           : MPI_ERR_RANK;
}

static inline int
cpi_check_source(int source, int tag, MPI_Comm comm)
{
    if (!cpi_comm_valid(comm))
        return MPI_ERR_COMM;
    if ((tag < 0 && tag != MPI_ANY_TAG) || tag > CPI_TAG_UB)
        return MPI_ERR_TAG;
    return cpi_rank_valid(cpi_comm_of(comm), source) || source == MPI_ANY_SOURCE ||
                   source == MPI_PROC_NULL
               ? MPI_SUCCESS
               : MPI_ERR_RANK;
}

static inline int
cpi_check_send(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm)
{
    int class = cpi_check_dest(dest, tag, comm);

    return class != MPI_SUCCESS ? class : cpi_check_elements(buf, count, type);
}

static inline int
cpi_check_recv(const void *buf, int count, MPI_Datatype type, int source, int tag, MPI_Comm comm)
{
    int class = cpi_check_source(source, tag, comm);

    return class != MPI_SUCCESS ? class : cpi_check_elements(buf, count, type);
}

#endif
