/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "mpi/check.h"
#include "mpi/error.h"
#include "mpi/request.h"
#include "p2p/p2p.h"
#include "type/payload.h"

static int
send_init(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm handle,
          enum cpi_send_mode mode, MPI_Request *request_p, const char *function)
{
    int class = cpi_check_send(buf, count, type, dest, tag, handle);
    struct cpi_request *request;

    if (class == MPI_SUCCESS && request_p == NULL)
        class = MPI_ERR_REQUEST;
    if (class == MPI_SUCCESS) {
        struct cpi_comm *comm = cpi_comm_of(handle);
        struct cpi_payload payload = cpi_type_payload(buf, (size_t)count, cpi_type_of(type));
        class = cpi_error_class(cpi_p2p_send_init(&payload, cpi_comm_to_world(comm, dest),
                                                  comm->context, tag, mode, &request));
    }
    if (class != MPI_SUCCESS)
        return cpi_error_raise(handle, class, function);
    cpi_request_give(request, cpi_comm_of(handle), request_p);
    return MPI_SUCCESS;
}

CPI_ALIAS(Send_init)
int
PMPI_Send_init(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm,
               MPI_Request *request)
{
    CPI_ENTER();
    return send_init(buf, count, type, dest, tag, comm, CPI_SEND_STANDARD, request, CPI_FUNCTION);
}

CPI_ALIAS(Ssend_init)
int
PMPI_Ssend_init(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm,
                MPI_Request *request)
{
    CPI_ENTER();
    return send_init(buf, count, type, dest, tag, comm, CPI_SEND_SYNC, request, CPI_FUNCTION);
}

CPI_ALIAS(Rsend_init)
int
PMPI_Rsend_init(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm,
                MPI_Request *request)
{
    CPI_ENTER();
    return send_init(buf, count, type, dest, tag, comm, CPI_SEND_READY, request, CPI_FUNCTION);
}

CPI_ALIAS(Bsend_init)
int
PMPI_Bsend_init(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm,
                MPI_Request *request)
{
    CPI_ENTER();
    int class = cpi_check_send(buf, count, type, dest, tag, comm);
    CPI_REQUIRE(comm, class == MPI_SUCCESS, class);
    struct cpi_bsend_call *call = malloc(sizeof(*call));
    CPI_REQUIRE(comm, call != NULL, MPI_ERR_NO_MEM);
    *call = (struct cpi_bsend_call){buf, count, type, dest, tag};
    class = send_init(NULL, 0, MPI_BYTE, MPI_PROC_NULL, 0, comm, CPI_SEND_STANDARD, request,
                      CPI_FUNCTION);
    if (class != MPI_SUCCESS) {
        free(call);
        return class;
    }
    cpi_type_get(cpi_type_of(type));
    cpi_request_of(*request)->extra = call;
    return MPI_SUCCESS;
}

CPI_ALIAS(Recv_init)
int
PMPI_Recv_init(void *buf, int count, MPI_Datatype type, int source, int tag, MPI_Comm handle,
               MPI_Request *request_p)
{
    struct cpi_request *request;

    CPI_ENTER();
    int class = cpi_check_recv(buf, count, type, source, tag, handle);
    CPI_REQUIRE(handle, class == MPI_SUCCESS, class);
    CPI_REQUIRE(handle, request_p != NULL, MPI_ERR_REQUEST);
    struct cpi_comm *comm = cpi_comm_of(handle);
    struct cpi_payload payload = cpi_type_payload(buf, (size_t)count, cpi_type_of(type));
    class = cpi_error_class(cpi_p2p_recv_init(&payload, cpi_comm_to_world(comm, source),
                                              comm->context, tag, &request));
    CPI_REQUIRE(handle, class == MPI_SUCCESS, class);
    cpi_request_give(request, comm, request_p);
    return MPI_SUCCESS;
}

static bool
startable(MPI_Request handle)
{
    return cpi_request_valid(handle) && cpi_request_of(handle)->persistent &&
           !cpi_request_of(handle)->active;
}

static int
request_start(MPI_Request handle, const char *function)
{
    struct cpi_request *request = cpi_request_of(handle);
    struct cpi_comm *comm = request->owner;
    int class = request->extra == NULL ? MPI_SUCCESS : cpi_bsend(request->extra, comm);

    if (class == MPI_SUCCESS)
        class = cpi_error_class(cpi_p2p_start(request));
    return class == MPI_SUCCESS ? class : cpi_error_raise((MPI_Comm)comm, class, function);
}

CPI_ALIAS(Start)
int
PMPI_Start(MPI_Request *request)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, request != NULL && startable(*request), MPI_ERR_REQUEST);
    return request_start(*request, CPI_FUNCTION);
}

CPI_ALIAS(Startall)
int
PMPI_Startall(int count, MPI_Request requests[])
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, count >= 0, MPI_ERR_ARG);
    CPI_REQUIRE(MPI_COMM_NULL, count == 0 || requests != NULL, MPI_ERR_REQUEST);
    for (int i = 0; i < count; i++)
        CPI_REQUIRE(MPI_COMM_NULL, startable(requests[i]), MPI_ERR_REQUEST);
    for (int i = 0; i < count; i++) {
        CPI_REQUIRE(MPI_COMM_NULL, startable(requests[i]), MPI_ERR_REQUEST); /* named twice */
        int class = request_start(requests[i], CPI_FUNCTION);
        if (class != MPI_SUCCESS)
            return class;
    }
    return MPI_SUCCESS;
}
