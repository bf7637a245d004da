/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_MPI_COLLECTIVE_H
#define CPI_MPI_COLLECTIVE_H

/*
 * What the files of collectives share. Each collective is written once, as a function that ends
 * with (…, MPI_Comm comm, MPI_Request *handle, const char *function); `handle` is NULL for the
 * blocking one.
 */

#include "mpi/check.h"
#include "mpi/error.h"
#include "mpi/request.h"

/* The body of such a function: checks, then calls the library with `request_p`. */
#define CPI_COLLECTIVE(check, call)                                                                \
    do {                                                                                           \
        struct cpi_request *request = NULL, **request_p = handle != NULL ? &request : NULL;        \
        int class = (check);                                                                       \
        if (class == MPI_SUCCESS)                                                                  \
            class = cpi_error_class(call);                                                         \
        if (class != MPI_SUCCESS)                                                                  \
            return cpi_error_raise(comm, class, function);                                         \
        if (handle != NULL)                                                                        \
            cpi_request_give(request, cpi_comm_of(comm), handle);                                  \
        return MPI_SUCCESS;                                                                        \
    } while (0)

/* What a nonblocking one adds to the blocking one. */
#define CPI_ENTER_NONBLOCKING()                                                                    \
    do {                                                                                           \
        CPI_ENTER();                                                                               \
        CPI_REQUIRE(comm, request != NULL, MPI_ERR_REQUEST);                                       \
    } while (0)

static inline int
cpi_check_comm(MPI_Comm comm)
{
    return cpi_comm_valid(comm) ? MPI_SUCCESS : MPI_ERR_COMM;
}

static inline int
cpi_check_root(MPI_Comm comm, int root)
{
    if (!cpi_comm_valid(comm))
        return MPI_ERR_COMM;
    return cpi_rank_valid(cpi_comm_of(comm), root) ? MPI_SUCCESS : MPI_ERR_ROOT;
}

static inline bool
cpi_at_root(MPI_Comm comm, int root)
{
    return cpi_comm_of(comm)->rank == root;
}

#endif
