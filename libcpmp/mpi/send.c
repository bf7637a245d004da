/* SPDX-License-Identifier: BSD-3-Clause */
#include "mpi/check.h"
#include "mpi/error.h"
#include "mpi/request.h"
#include "p2p/p2p.h"
#include "type/payload.h"

static inline int
send_blocking(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm handle,
              enum cpi_send_mode mode, const char *function)
{
    int class = cpi_check_send(buf, count, type, dest, tag, handle);

    if (__builtin_expect(class != MPI_SUCCESS, 0))
        return cpi_error_raise(handle, class, function);
    struct cpi_comm *comm = cpi_comm_of(handle);
    struct cpi_payload payload = cpi_type_payload(buf, (size_t)count, cpi_type_of(type));
    int error = cpi_p2p_send(&payload, cpi_comm_to_world(comm, dest), comm->context, tag, mode);
    return __builtin_expect(error == CPMP_OK, 1)
               ? MPI_SUCCESS
               : cpi_error_raise(handle, cpi_error_class(error), function);
}

CPI_ALIAS(Send)
int
PMPI_Send(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm)
{
    CPI_ENTER();
    return send_blocking(buf, count, type, dest, tag, comm, CPI_SEND_STANDARD, CPI_FUNCTION);
}

CPI_ALIAS(Ssend)
int
PMPI_Ssend(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm)
{
    CPI_ENTER();
    return send_blocking(buf, count, type, dest, tag, comm, CPI_SEND_SYNC, CPI_FUNCTION);
}

CPI_ALIAS(Rsend)
int
PMPI_Rsend(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm)
{
    CPI_ENTER();
    return send_blocking(buf, count, type, dest, tag, comm, CPI_SEND_READY, CPI_FUNCTION);
}

CPI_ALIAS(Bsend)
int
PMPI_Bsend(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm)
{
    struct cpi_bsend_call call = {buf, count, type, dest, tag};

    CPI_ENTER();
    int class = cpi_check_send(buf, count, type, dest, tag, comm);
    CPI_REQUIRE(comm, class == MPI_SUCCESS, class);
    CPI_RETURN(comm, cpi_bsend(&call, cpi_comm_of(comm)));
}

static inline int
send_begin(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm handle,
           enum cpi_send_mode mode, MPI_Request *request_p, const char *function)
{
    int class = cpi_check_send(buf, count, type, dest, tag, handle);
    struct cpi_request *request;

    if (class == MPI_SUCCESS && request_p == NULL)
        class = MPI_ERR_REQUEST;
    if (__builtin_expect(class != MPI_SUCCESS, 0))
        return cpi_error_raise(handle, class, function);
    struct cpi_comm *comm = cpi_comm_of(handle);
    struct cpi_payload payload = cpi_type_payload(buf, (size_t)count, cpi_type_of(type));
    int error = cpi_p2p_isend(&payload, cpi_comm_to_world(comm, dest), comm->context, tag, mode,
                              &request);
    if (__builtin_expect(error != CPMP_OK, 0))
        return cpi_error_raise(handle, cpi_error_class(error), function);
    cpi_request_give(request, comm, request_p);
    return MPI_SUCCESS;
}

CPI_ALIAS(Isend)
int
PMPI_Isend(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm,
           MPI_Request *request)
{
    CPI_ENTER();
    return send_begin(buf, count, type, dest, tag, comm, CPI_SEND_STANDARD, request, CPI_FUNCTION);
}

CPI_ALIAS(Issend)
int
PMPI_Issend(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm,
            MPI_Request *request)
{
    CPI_ENTER();
    return send_begin(buf, count, type, dest, tag, comm, CPI_SEND_SYNC, request, CPI_FUNCTION);
}

CPI_ALIAS(Irsend)
int
PMPI_Irsend(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm,
            MPI_Request *request)
{
    CPI_ENTER();
    return send_begin(buf, count, type, dest, tag, comm, CPI_SEND_READY, request, CPI_FUNCTION);
}

/* The user's buffer is free at once, so what the user gets is a request that is done. */
CPI_ALIAS(Ibsend)
int
PMPI_Ibsend(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm,
            MPI_Request *request)
{
    struct cpi_bsend_call call = {buf, count, type, dest, tag};

    CPI_ENTER();
    int class = cpi_check_send(buf, count, type, dest, tag, comm);
    CPI_REQUIRE(comm, class == MPI_SUCCESS, class);
    CPI_REQUIRE(comm, request != NULL, MPI_ERR_REQUEST);
    class = cpi_bsend(&call, cpi_comm_of(comm));
    CPI_REQUIRE(comm, class == MPI_SUCCESS, class);
    return send_begin(NULL, 0, MPI_BYTE, MPI_PROC_NULL, 0, comm, CPI_SEND_STANDARD, request,
                      CPI_FUNCTION);
}
