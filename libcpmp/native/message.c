/* SPDX-License-Identifier: BSD-3-Clause */
#include "native/native.h"

#include <cpmp.h>

#include "p2p/engine.h"
#include "p2p/p2p.h"

/* A cpmp_request is a request of the engine. */
static struct cpi_request *
inner(cpmp_request *request)
{
    return (struct cpi_request *)request;
}

static int
send_check(const void *buf, size_t bytes, int dest, int tag)
{
    if (!cpi_job_active() || cpi_native_comm()->size == 0)
        return CPMP_ESTATE;
    if (dest < 0 || dest >= cpi_engine.size)
        return CPMP_ERANK;
    if (tag < 0 || tag > CPMP_TAG_MAX)
        return CPMP_ETAG;
    return buf == NULL && bytes > 0 ? CPMP_EINVAL : CPMP_OK;
}

static int
source_check(int source, int tag)
{
    if (!cpi_job_active() || cpi_native_comm()->size == 0)
        return CPMP_ESTATE;
    if (source != CPMP_ANY_SOURCE && (source < 0 || source >= cpi_engine.size))
        return CPMP_ERANK;
    return tag != CPMP_ANY_TAG && (tag < 0 || tag > CPMP_TAG_MAX) ? CPMP_ETAG : CPMP_OK;
}

static struct cpi_payload
payload_of(const void *buf, size_t bytes)
{
    return (struct cpi_payload){.base = (void *)(uintptr_t)buf, .bytes = bytes};
}

static void
status_set(cpmp_status *status, const struct cpi_status *inner_status)
{
    if (status != NULL)
        *status = (cpmp_status){.source = inner_status->source, .tag = inner_status->tag,
                                .bytes = inner_status->bytes};
}

int
cpmp_send(const void *buf, size_t bytes, int dest, int tag)
{
    int error = send_check(buf, bytes, dest, tag);
    struct cpi_payload payload = payload_of(buf, bytes);

    if (error != CPMP_OK)
        return error;
    return cpi_p2p_send(&payload, dest, cpi_native_comm()->context, tag, CPI_SEND_STANDARD);
}

int
cpmp_recv(void *buf, size_t capacity_bytes, int source, int tag, cpmp_status *status)
{
    int error = source_check(source, tag);
    struct cpi_payload payload = payload_of(buf, capacity_bytes);
    struct cpi_status seen;

    if (error != CPMP_OK)
        return error;
    if (buf == NULL && capacity_bytes > 0)
        return CPMP_EINVAL;
    error = cpi_p2p_recv(&payload, source, cpi_native_comm()->context, tag, &seen);
    if (error == CPMP_OK || error == CPMP_ETRUNC)
        status_set(status, &seen);
    return error;
}

int
cpmp_isend(const void *buf, size_t bytes, int dest, int tag, cpmp_request **request_p)
{
    int error = send_check(buf, bytes, dest, tag);
    struct cpi_payload payload = payload_of(buf, bytes);

    if (error != CPMP_OK)
        return error;
    return request_p == NULL ? CPMP_EINVAL
                             : cpi_p2p_isend(&payload, dest, cpi_native_comm()->context, tag,
                                             CPI_SEND_STANDARD, (struct cpi_request **)request_p);
}

int
cpmp_irecv(void *buf, size_t capacity_bytes, int source, int tag, cpmp_request **request_p)
{
    int error = source_check(source, tag);
    struct cpi_payload payload = payload_of(buf, capacity_bytes);

    if (error != CPMP_OK)
        return error;
    if (request_p == NULL || (buf == NULL && capacity_bytes > 0))
        return CPMP_EINVAL;
    return cpi_p2p_irecv(&payload, source, cpi_native_comm()->context, tag,
                         (struct cpi_request **)request_p);
}

/* Hands the outcome of a request that is done to the caller and frees it. */
static int
request_end(cpmp_request **request_p, cpmp_status *status)
{
    struct cpi_request *request = inner(*request_p);
    int error = request->status.error;

    status_set(status, &request->status);
    cpi_request_free(request);
    *request_p = NULL;
    return error;
}

int
cpmp_wait(cpmp_request **request_p, cpmp_status *status)
{
    if (!cpi_job_active())
        return CPMP_ESTATE;
    if (request_p == NULL)
        return CPMP_EINVAL;
    if (*request_p == NULL)
        return CPMP_OK;
    cpi_p2p_wait(inner(*request_p));
    return request_end(request_p, status);
}

int
cpmp_wait_all(int count, cpmp_request *requests[], cpmp_status *statuses)
{
    int first = CPMP_OK;

    if (count < 0 || (requests == NULL && count > 0))
        return CPMP_EINVAL;
    for (int i = 0; i < count; i++) {
        int error = cpmp_wait(&requests[i], statuses == NULL ? NULL : &statuses[i]);
        if (first == CPMP_OK)
            first = error;
    }
    return first;
}

int
cpmp_test(cpmp_request **request_p, int *done_p, cpmp_status *status)
{
    if (!cpi_job_active())
        return CPMP_ESTATE;
    if (request_p == NULL || done_p == NULL)
        return CPMP_EINVAL;
    *done_p = *request_p == NULL || cpi_p2p_test(inner(*request_p));
    return *request_p == NULL || !*done_p ? (int)CPMP_OK : request_end(request_p, status);
}

int
cpmp_iprobe(int source, int tag, int *found_p, cpmp_status *status)
{
    int error = source_check(source, tag);
    struct cpi_status seen;

    if (error != CPMP_OK)
        return error;
    if (found_p == NULL)
        return CPMP_EINVAL;
    *found_p = cpi_p2p_iprobe(source, cpi_native_comm()->context, tag, &seen);
    if (*found_p)
        status_set(status, &seen);
    return CPMP_OK;
}

int
cpmp_probe(int source, int tag, cpmp_status *status)
{
    int error = source_check(source, tag);
    struct cpi_status seen;

    if (error != CPMP_OK)
        return error;
    cpi_p2p_probe(source, cpi_native_comm()->context, tag, &seen);
    status_set(status, &seen);
    return CPMP_OK;
}
