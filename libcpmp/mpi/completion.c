/* SPDX-License-Identifier: BSD-3-Clause */
#include "mpi/error.h"
#include "mpi/request.h"
#include "p2p/engine.h"
#include "p2p/p2p.h"

/* A request is active from its start until it was waited or tested for; the null request and a
 * persistent one between its rounds are inactive, and MPI takes them for done. */
static inline bool
is_active(MPI_Request handle)
{
    return handle != MPI_REQUEST_NULL && cpi_request_of(handle)->active;
}

static inline bool
handle_valid(MPI_Request handle)
{
    return handle == MPI_REQUEST_NULL || cpi_request_valid(handle);
}

static int
handles_check(int count, const MPI_Request *handles)
{
    if (count < 0)
        return MPI_ERR_ARG;
    if (count > 0 && handles == NULL)
        return MPI_ERR_REQUEST;
    for (int i = 0; i < count; i++)
        if (!handle_valid(handles[i]))
            return MPI_ERR_REQUEST;
    return MPI_SUCCESS;
}

/* Ends the round of a request that is done: status, then free, or inactive when persistent. The
 * communicator, for the error handler, is kept for the caller on an error only: he puts it. */
static int
request_end(MPI_Request *handle, MPI_Status *status, struct cpi_comm **comm_p)
{
    struct cpi_request *request = cpi_request_of(*handle);
    struct cpi_comm *comm = request->owner;
    int class = cpi_error_class(request->status.error);

    cpi_status_fill(status, &request->status, comm);
    if (class != MPI_SUCCESS) {
        *comm_p = comm != NULL ? comm : cpi_comm_of(MPI_COMM_WORLD);
        cpi_comm_get(*comm_p);
    }
    if (request->persistent) {
        request->active = false;
        return class;
    }
    cpi_request_free(request);
    *handle = MPI_REQUEST_NULL;
    return class;
}

/* The same, for a function that ends one request. */
static int
request_end_one(MPI_Request *handle, MPI_Status *status, const char *function)
{
    struct cpi_comm *comm;
    int class = request_end(handle, status, &comm);

    if (__builtin_expect(class == MPI_SUCCESS, 1))
        return class;
    class = cpi_error_raise((MPI_Comm)comm, class, function);
    cpi_comm_put(comm);
    return class;
}

/* The first error among several requests: with it the job dies, others see MPI_ERR_IN_STATUS. */
struct failure {
    int class;
    struct cpi_comm *comm;
};

/* Ends request i of several, with its MPI_ERROR in its status. */
static void
request_end_among(MPI_Request *handle, MPI_Status *status, struct failure *failure)
{
    struct cpi_comm *comm;
    int class = request_end(handle, status, &comm);

    if (status != MPI_STATUS_IGNORE)
        status->MPI_ERROR = class;
    if (class == MPI_SUCCESS)
        return;
    if (failure->class == MPI_SUCCESS)
        *failure = (struct failure){class, comm};
    else
        cpi_comm_put(comm);
}

static int
failure_raise(const struct failure *failure, const char *function)
{
    if (failure->class == MPI_SUCCESS)
        return MPI_SUCCESS;
    const struct cpi_errhandler *errhandler = failure->comm->errhandler;
    bool fatal = errhandler->kind == CPI_ERRHANDLER_FATAL;
    int class = cpi_error_raise((MPI_Comm)failure->comm,
                                fatal ? failure->class : MPI_ERR_IN_STATUS, function);
    cpi_comm_put(failure->comm);
    return class;
}

static MPI_Status *
status_at(MPI_Status *statuses, int i)
{
    return statuses == MPI_STATUSES_IGNORE ? MPI_STATUS_IGNORE : &statuses[i];
}

/* --- one --- */

CPI_ALIAS(Wait)
int
PMPI_Wait(MPI_Request *handle, MPI_Status *status)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, handle != NULL && handle_valid(*handle), MPI_ERR_REQUEST);
    if (!is_active(*handle)) {
        cpi_status_empty(status);
        return MPI_SUCCESS;
    }
    cpi_p2p_wait(cpi_request_of(*handle));
    return request_end_one(handle, status, CPI_FUNCTION);
}

CPI_ALIAS(Test)
int
PMPI_Test(MPI_Request *handle, int *flag, MPI_Status *status)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, handle != NULL && handle_valid(*handle), MPI_ERR_REQUEST);
    CPI_REQUIRE(MPI_COMM_NULL, flag != NULL, MPI_ERR_ARG);
    *flag = 1;
    if (!is_active(*handle)) {
        cpi_status_empty(status);
        return MPI_SUCCESS;
    }
    *flag = cpi_p2p_test(cpi_request_of(*handle));
    return *flag ? request_end_one(handle, status, CPI_FUNCTION) : MPI_SUCCESS;
}

CPI_ALIAS(Request_get_status)
int
PMPI_Request_get_status(MPI_Request handle, int *flag, MPI_Status *status)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, handle_valid(handle), MPI_ERR_REQUEST);
    CPI_REQUIRE(MPI_COMM_NULL, flag != NULL, MPI_ERR_ARG);
    *flag = 1;
    if (!is_active(handle)) {
        cpi_status_empty(status);
        return MPI_SUCCESS;
    }
    struct cpi_request *request = cpi_request_of(handle);
    *flag = cpi_p2p_test(request);
    if (*flag)
        cpi_status_fill(status, &request->status, request->owner);
    return MPI_SUCCESS;
}

CPI_ALIAS(Request_free)
int
PMPI_Request_free(MPI_Request *handle)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, handle != NULL && cpi_request_valid(*handle), MPI_ERR_REQUEST);
    struct cpi_request *request = cpi_request_of(*handle);
    /* MPI forbids it for collectives: nothing would tell when their buffers are free. */
    CPI_REQUIRE(MPI_COMM_NULL, request->kind != CPI_REQUEST_OTHER, MPI_ERR_REQUEST);
    if (request->done || !request->active)
        cpi_request_free(request);
    else
        CPI_REQUIRE(MPI_COMM_NULL, cpi_request_orphan(request), MPI_ERR_NO_MEM);
    *handle = MPI_REQUEST_NULL;
    return MPI_SUCCESS;
}

CPI_ALIAS(Cancel)
int
PMPI_Cancel(MPI_Request *handle)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, handle != NULL && cpi_request_valid(*handle) && is_active(*handle),
                MPI_ERR_REQUEST);
    CPI_REQUIRE(MPI_COMM_NULL, cpi_request_of(*handle)->kind != CPI_REQUEST_OTHER,
                MPI_ERR_REQUEST);
    cpi_p2p_cancel(cpi_request_of(*handle));
    return MPI_SUCCESS;
}

/* --- any --- */

/* The first that is done, or -1; *active_p tells whether any is active. */
static int
done_find(int count, const MPI_Request *handles, bool *active_p)
{
    *active_p = false;
    for (int i = 0; i < count; i++) {
        if (!is_active(handles[i]))
            continue;
        *active_p = true;
        if (cpi_request_of(handles[i])->done)
            return i;
    }
    return -1;
}

/* Ends request `found` of several; -1: none was active. */
static int
any_end(int found, MPI_Request *handles, int *index, MPI_Status *status, const char *function)
{
    if (found >= 0) {
        *index = found;
        return request_end_one(&handles[found], status, function);
    }
    *index = MPI_UNDEFINED;
    cpi_status_empty(status);
    return MPI_SUCCESS;
}

CPI_ALIAS(Waitany)
int
PMPI_Waitany(int count, MPI_Request handles[], int *index, MPI_Status *status)
{
    unsigned round = 0;
    bool active;
    int found;

    CPI_ENTER();
    int class = handles_check(count, handles);
    CPI_REQUIRE(MPI_COMM_NULL, class == MPI_SUCCESS, class);
    CPI_REQUIRE(MPI_COMM_NULL, index != NULL, MPI_ERR_ARG);
    while ((found = done_find(count, handles, &active)) < 0 && active)
        cpi_engine_rest(&round);
    return any_end(found, handles, index, status, CPI_FUNCTION);
}

CPI_ALIAS(Testany)
int
PMPI_Testany(int count, MPI_Request handles[], int *index, int *flag, MPI_Status *status)
{
    bool active;

    CPI_ENTER();
    int class = handles_check(count, handles);
    CPI_REQUIRE(MPI_COMM_NULL, class == MPI_SUCCESS, class);
    CPI_REQUIRE(MPI_COMM_NULL, index != NULL && flag != NULL, MPI_ERR_ARG);
    int found = done_find(count, handles, &active);
    if (found < 0 && active) {
        cpi_engine_progress();
        found = done_find(count, handles, &active);
    }
    *flag = found >= 0 || !active;
    if (*flag)
        return any_end(found, handles, index, status, CPI_FUNCTION);
    *index = MPI_UNDEFINED;
    return MPI_SUCCESS;
}

/* --- all --- */

/* Ends all of several that are done. */
static int
all_end(int count, MPI_Request *handles, MPI_Status *statuses, const char *function)
{
    struct failure failure = {MPI_SUCCESS, NULL};

    for (int i = 0; i < count; i++) {
        if (is_active(handles[i]))
            request_end_among(&handles[i], status_at(statuses, i), &failure);
        else
            cpi_status_empty(status_at(statuses, i));
    }
    return failure_raise(&failure, function);
}

CPI_ALIAS(Waitall)
int
PMPI_Waitall(int count, MPI_Request handles[], MPI_Status statuses[])
{
    CPI_ENTER();
    int class = handles_check(count, handles);
    CPI_REQUIRE(MPI_COMM_NULL, class == MPI_SUCCESS, class);
    for (int i = 0; i < count; i++)
        if (is_active(handles[i]) && !cpi_request_of(handles[i])->done)
            cpi_p2p_wait(cpi_request_of(handles[i]));
    return all_end(count, handles, statuses, CPI_FUNCTION);
}

static bool
all_done(int count, const MPI_Request *handles)
{
    for (int i = 0; i < count; i++)
        if (is_active(handles[i]) && !cpi_request_of(handles[i])->done)
            return false;
    return true;
}

CPI_ALIAS(Testall)
int
PMPI_Testall(int count, MPI_Request handles[], int *flag, MPI_Status statuses[])
{
    CPI_ENTER();
    int class = handles_check(count, handles);
    CPI_REQUIRE(MPI_COMM_NULL, class == MPI_SUCCESS, class);
    CPI_REQUIRE(MPI_COMM_NULL, flag != NULL, MPI_ERR_ARG);
    *flag = all_done(count, handles);
    if (!*flag) {
        cpi_engine_progress();
        *flag = all_done(count, handles);
    }
    return *flag ? all_end(count, handles, statuses, CPI_FUNCTION) : MPI_SUCCESS;
}

/* --- some --- */

static int
some_end(int count, MPI_Request *handles, int *outcount, int *indices, MPI_Status *statuses,
         const char *function)
{
    struct failure failure = {MPI_SUCCESS, NULL};
    int ended = 0;

    for (int i = 0; i < count; i++) {
        if (!is_active(handles[i]) || !cpi_request_of(handles[i])->done)
            continue;
        request_end_among(&handles[i], status_at(statuses, ended), &failure);
        indices[ended++] = i;
    }
    *outcount = ended;
    return failure_raise(&failure, function);
}

static int
some_check(int count, const MPI_Request *handles, const int *outcount, const int *indices)
{
    int class = handles_check(count, handles);

    if (class == MPI_SUCCESS && (outcount == NULL || (count > 0 && indices == NULL)))
        class = MPI_ERR_ARG;
    return class;
}

CPI_ALIAS(Waitsome)
int
PMPI_Waitsome(int count, MPI_Request handles[], int *outcount, int indices[],
              MPI_Status statuses[])
{
    unsigned round = 0;
    bool active;
    int found;

    CPI_ENTER();
    int class = some_check(count, handles, outcount, indices);
    CPI_REQUIRE(MPI_COMM_NULL, class == MPI_SUCCESS, class);
    while ((found = done_find(count, handles, &active)) < 0 && active)
        cpi_engine_rest(&round);
    if (found >= 0)
        return some_end(count, handles, outcount, indices, statuses, CPI_FUNCTION);
    *outcount = MPI_UNDEFINED;
    return MPI_SUCCESS;
}

CPI_ALIAS(Testsome)
int
PMPI_Testsome(int count, MPI_Request handles[], int *outcount, int indices[],
              MPI_Status statuses[])
{
    bool active;

    CPI_ENTER();
    int class = some_check(count, handles, outcount, indices);
    CPI_REQUIRE(MPI_COMM_NULL, class == MPI_SUCCESS, class);
    if (done_find(count, handles, &active) < 0 && active)
        cpi_engine_progress();
    if (active)
        return some_end(count, handles, outcount, indices, statuses, CPI_FUNCTION);
    *outcount = MPI_UNDEFINED;
    return MPI_SUCCESS;
}
