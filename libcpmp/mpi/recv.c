/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "mpi/check.h"
#include "mpi/error.h"
#include "mpi/request.h"
#include "p2p/p2p.h"
#include "type/pack.h"
#include "type/payload.h"

CPI_ALIAS(Recv)
int
PMPI_Recv(void *buf, int count, MPI_Datatype type, int source, int tag, MPI_Comm handle,
          MPI_Status *status)
{
    struct cpi_status got;

    CPI_ENTER();
    int class = cpi_check_recv(buf, count, type, source, tag, handle);
    CPI_REQUIRE(handle, class == MPI_SUCCESS, class);
    struct cpi_comm *comm = cpi_comm_of(handle);
    struct cpi_payload payload = cpi_type_payload(buf, (size_t)count, cpi_type_of(type));
    got.error = CPMP_OK;
    int error = cpi_p2p_recv(&payload, cpi_comm_to_world(comm, source), comm->context, tag, &got);
    if (error == got.error)
        cpi_status_fill(status, &got, comm);
    CPI_RETURN(handle, cpi_error_class(error));
}

static int
recv_begin(void *buf, int count, MPI_Datatype type, int source, int tag, MPI_Comm handle,
           struct cpi_request **request_p)
{
    int class = cpi_check_recv(buf, count, type, source, tag, handle);

    if (class != MPI_SUCCESS)
        return class;
    struct cpi_comm *comm = cpi_comm_of(handle);
    struct cpi_payload payload = cpi_type_payload(buf, (size_t)count, cpi_type_of(type));
    return cpi_error_class(cpi_p2p_irecv(&payload, cpi_comm_to_world(comm, source), comm->context,
                                         tag, request_p));
}

CPI_ALIAS(Irecv)
int
PMPI_Irecv(void *buf, int count, MPI_Datatype type, int source, int tag, MPI_Comm comm,
           MPI_Request *request_p)
{
    struct cpi_request *request;

    CPI_ENTER();
    CPI_REQUIRE(comm, request_p != NULL, MPI_ERR_REQUEST);
    int class = recv_begin(buf, count, type, source, tag, comm, &request);
    CPI_REQUIRE(comm, class == MPI_SUCCESS, class);
    cpi_request_give(request, cpi_comm_of(comm), request_p);
    return MPI_SUCCESS;
}

/* --- both ways --- */

/* Waits for a receive of ours, and tells how it went. */
static int
recv_end(struct cpi_request *request, const struct cpi_comm *comm, MPI_Status *status)
{
    cpi_p2p_wait(request);
    int error = request->status.error;
    cpi_status_fill(status, &request->status, comm);
    cpi_request_free(request);
    return error;
}

CPI_ALIAS(Sendrecv)
int
PMPI_Sendrecv(const void *sendbuf, int sendcount, MPI_Datatype sendtype, int dest, int sendtag,
              void *recvbuf, int recvcount, MPI_Datatype recvtype, int source, int recvtag,
              MPI_Comm handle, MPI_Status *status)
{
    struct cpi_request *request;

    CPI_ENTER();
    int class = cpi_check_send(sendbuf, sendcount, sendtype, dest, sendtag, handle);
    CPI_REQUIRE(handle, class == MPI_SUCCESS, class);
    class = recv_begin(recvbuf, recvcount, recvtype, source, recvtag, handle, &request);
    CPI_REQUIRE(handle, class == MPI_SUCCESS, class);
    struct cpi_comm *comm = cpi_comm_of(handle);
    struct cpi_payload payload = cpi_type_payload(sendbuf, (size_t)sendcount,
                                                  cpi_type_of(sendtype));
    int error = cpi_p2p_send(&payload, cpi_comm_to_world(comm, dest), comm->context, sendtag,
                             CPI_SEND_STANDARD);
    int recv_error = recv_end(request, comm, status);
    CPI_RETURN(handle, cpi_error_class(error != CPMP_OK ? error : recv_error));
}

CPI_ALIAS(Sendrecv_replace)
int
PMPI_Sendrecv_replace(void *buf, int count, MPI_Datatype type, int dest, int sendtag, int source,
                      int recvtag, MPI_Comm handle, MPI_Status *status)
{
    char small[1024], *packed = small;
    struct cpi_request *request;

    CPI_ENTER();
    int class = cpi_check_send(buf, count, type, dest, sendtag, handle);
    CPI_REQUIRE(handle, class == MPI_SUCCESS, class);
    struct cpi_comm *comm = cpi_comm_of(handle);
    size_t bytes = (size_t)count * cpi_type_of(type)->size;
    if (bytes > sizeof(small))
        packed = malloc(bytes);
    CPI_REQUIRE(handle, packed != NULL, MPI_ERR_NO_MEM);
    cpi_type_pack(cpi_type_of(type), buf, (size_t)count, 0, packed, bytes);
    class = recv_begin(buf, count, type, source, recvtag, handle, &request);
    if (class == MPI_SUCCESS) {
        struct cpi_payload payload = {.base = packed, .bytes = bytes};
        int error = cpi_p2p_send(&payload, cpi_comm_to_world(comm, dest), comm->context, sendtag,
                                 CPI_SEND_STANDARD);
        int recv_error = recv_end(request, comm, status);
        class = cpi_error_class(error != CPMP_OK ? error : recv_error);
    }
    if (packed != small)
        free(packed);
    CPI_RETURN(handle, class);
}

/* --- probes --- */

CPI_ALIAS(Probe)
int
PMPI_Probe(int source, int tag, MPI_Comm handle, MPI_Status *status)
{
    struct cpi_status seen;

    CPI_ENTER();
    int class = cpi_check_source(source, tag, handle);
    CPI_REQUIRE(handle, class == MPI_SUCCESS, class);
    struct cpi_comm *comm = cpi_comm_of(handle);
    cpi_p2p_probe(cpi_comm_to_world(comm, source), comm->context, tag, &seen);
    cpi_status_fill(status, &seen, comm);
    return MPI_SUCCESS;
}

CPI_ALIAS(Iprobe)
int
PMPI_Iprobe(int source, int tag, MPI_Comm handle, int *flag, MPI_Status *status)
{
    struct cpi_status seen;

    CPI_ENTER();
    int class = cpi_check_source(source, tag, handle);
    CPI_REQUIRE(handle, class == MPI_SUCCESS, class);
    CPI_REQUIRE(handle, flag != NULL, MPI_ERR_ARG);
    struct cpi_comm *comm = cpi_comm_of(handle);
    *flag = cpi_p2p_iprobe(cpi_comm_to_world(comm, source), comm->context, tag, &seen);
    if (*flag)
        cpi_status_fill(status, &seen, comm);
    return MPI_SUCCESS;
}

/* A handle for a message that a probe may take; it comes first, since nothing can be put back. */
static struct cpi_matched *
matched_new(struct cpi_comm *comm)
{
    struct cpi_matched *matched = malloc(sizeof(*matched));

    if (matched != NULL)
        *matched = (struct cpi_matched){.comm = comm};
    return matched;
}

static void
matched_give(struct cpi_matched *matched, MPI_Message *handle)
{
    if (matched->message == NULL) {
        free(matched);
        *handle = MPI_MESSAGE_NO_PROC;
        return;
    }
    cpi_comm_get(matched->comm);
    *handle = (MPI_Message)matched;
}

CPI_ALIAS(Mprobe)
int
PMPI_Mprobe(int source, int tag, MPI_Comm handle, MPI_Message *message, MPI_Status *status)
{
    struct cpi_status seen;

    CPI_ENTER();
    int class = cpi_check_source(source, tag, handle);
    CPI_REQUIRE(handle, class == MPI_SUCCESS, class);
    CPI_REQUIRE(handle, message != NULL, MPI_ERR_ARG);
    struct cpi_comm *comm = cpi_comm_of(handle);
    struct cpi_matched *matched = matched_new(comm);
    CPI_REQUIRE(handle, matched != NULL, MPI_ERR_NO_MEM);
    cpi_p2p_mprobe(cpi_comm_to_world(comm, source), comm->context, tag, &matched->message, &seen);
    cpi_status_fill(status, &seen, comm);
    matched_give(matched, message);
    return MPI_SUCCESS;
}

CPI_ALIAS(Improbe)
int
PMPI_Improbe(int source, int tag, MPI_Comm handle, int *flag, MPI_Message *message,
             MPI_Status *status)
{
    struct cpi_status seen;

    CPI_ENTER();
    int class = cpi_check_source(source, tag, handle);
    CPI_REQUIRE(handle, class == MPI_SUCCESS, class);
    CPI_REQUIRE(handle, flag != NULL && message != NULL, MPI_ERR_ARG);
    struct cpi_comm *comm = cpi_comm_of(handle);
    struct cpi_matched *matched = matched_new(comm);
    CPI_REQUIRE(handle, matched != NULL, MPI_ERR_NO_MEM);
    *flag = cpi_p2p_improbe(cpi_comm_to_world(comm, source), comm->context, tag,
                            &matched->message, &seen);
    if (!*flag) {
        free(matched);
        return MPI_SUCCESS;
    }
    cpi_status_fill(status, &seen, comm);
    matched_give(matched, message);
    return MPI_SUCCESS;
}

/* Begins the receive of a matched message and ends its handle. */
static int
matched_recv(void *buf, int count, MPI_Datatype type, MPI_Message *handle, MPI_Comm *comm_p,
             struct cpi_request **request_p)
{
    *comm_p = MPI_COMM_WORLD;
    if (handle == NULL || *handle == NULL || *handle == MPI_MESSAGE_NULL)
        return MPI_ERR_REQUEST;
    struct cpi_matched *matched = *handle == MPI_MESSAGE_NO_PROC ? NULL : cpi_matched_of(*handle);
    if (matched != NULL)
        *comm_p = (MPI_Comm)matched->comm;
    int class = cpi_check_elements(buf, count, type);
    if (class != MPI_SUCCESS)
        return class;
    struct cpi_payload payload = cpi_type_payload(buf, (size_t)count, cpi_type_of(type));
    int error = cpi_p2p_imrecv(&payload, matched == NULL ? NULL : matched->message, request_p);
    if (error != CPMP_OK)
        return cpi_error_class(error);
    cpi_comm_get(cpi_comm_of(*comm_p));
    if (matched != NULL)
        cpi_comm_put(matched->comm);
    free(matched);
    *handle = MPI_MESSAGE_NULL;
    return MPI_SUCCESS;
}

CPI_ALIAS(Mrecv)
int
PMPI_Mrecv(void *buf, int count, MPI_Datatype type, MPI_Message *message, MPI_Status *status)
{
    struct cpi_request *request;
    MPI_Comm comm;

    CPI_ENTER();
    int class = matched_recv(buf, count, type, message, &comm, &request);
    CPI_REQUIRE(comm, class == MPI_SUCCESS, class);
    class = cpi_error_class(recv_end(request, cpi_comm_of(comm), status));
    if (class != MPI_SUCCESS)
        class = cpi_error_raise(comm, class, CPI_FUNCTION);
    cpi_comm_put(cpi_comm_of(comm));
    return class;
}

CPI_ALIAS(Imrecv)
int
PMPI_Imrecv(void *buf, int count, MPI_Datatype type, MPI_Message *message, MPI_Request *request_p)
{
    struct cpi_request *request;
    MPI_Comm comm;

    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, request_p != NULL, MPI_ERR_REQUEST);
    int class = matched_recv(buf, count, type, message, &comm, &request);
    CPI_REQUIRE(comm, class == MPI_SUCCESS, class);
    cpi_request_give(request, cpi_comm_of(comm), request_p);
    cpi_comm_put(cpi_comm_of(comm));
    return MPI_SUCCESS;
}
