/* SPDX-License-Identifier: BSD-3-Clause */
#include "mpi/request.h"

#include <stdlib.h>

#include "p2p/engine.h"
#include "p2p/p2p.h"

struct orphan {
    struct cpi_list link;
    struct cpi_request *request;
};

static bool orphans_run(struct cpi_hook *hook);

static struct cpi_list orphans = {&orphans, &orphans};
static struct cpi_hook orphans_hook = {.run = orphans_run};

static void
on_free(struct cpi_request *request)
{
    struct cpi_bsend_call *call = request->extra;

    if (request->payload.packer != NULL)
        cpi_type_put((struct cpi_type *)(uintptr_t)request->payload.layout);
    if (call != NULL) {
        cpi_type_put(cpi_type_of(call->type));
        free(call);
    }
    cpi_comm_put(request->owner);
}

void
cpi_request_give(struct cpi_request *request, struct cpi_comm *comm, MPI_Request *handle)
{
    *handle = (MPI_Request)request;
    if (request->shared)
        return;
    if (request->payload.packer != NULL)
        cpi_type_get((struct cpi_type *)(uintptr_t)request->payload.layout);
    cpi_comm_get(comm);
    request->owner = comm;
    request->on_free = on_free;
}

static bool
orphans_run(struct cpi_hook *hook)
{
    bool moved = false;

    CPI_LIST_FOR_SAFE(link, &orphans)
    {
        struct orphan *orphan = CPI_CONTAINER(link, struct orphan, link);
        if (!orphan->request->done)
            continue;
        cpi_list_remove(&orphan->link);
        cpi_request_free(orphan->request);
        free(orphan);
        moved = true;
    }
    if (moved && cpi_list_empty(&orphans))
        cpi_engine_hook_remove(hook);
    return moved;
}

bool
cpi_request_orphan(struct cpi_request *request)
{
    struct orphan *orphan = malloc(sizeof(*orphan));

    if (orphan == NULL)
        return false;
    orphan->request = request;
    if (cpi_list_empty(&orphans))
        cpi_engine_hook_add(&orphans_hook);
    cpi_list_append(&orphans, &orphan->link);
    return true;
}

static bool
orphans_have_send(void)
{
    CPI_LIST_FOR(link, &orphans)
        if (CPI_CONTAINER(link, struct orphan, link)->request->kind == CPI_REQUEST_SEND)
            return true;
    return false;
}

void
cpi_request_orphans_drain(void)
{
    unsigned round = 0;

    while (orphans_have_send())
        cpi_engine_rest(&round);
}

void
cpi_status_empty(MPI_Status *status)
{
    if (status == MPI_STATUS_IGNORE)
        return;
    status->MPI_SOURCE = MPI_ANY_SOURCE;
    status->MPI_TAG = MPI_ANY_TAG;
    status->MPI_ERROR = MPI_SUCCESS;
    status->_cancelled = 0;
    status->_ucount = 0;
}

void
cpi_status_fill(MPI_Status *status, const struct cpi_status *from, const struct cpi_comm *comm)
{
    if (status == MPI_STATUS_IGNORE)
        return;
    status->MPI_SOURCE = comm == NULL ? from->source : cpi_comm_from_world(comm, from->source);
    status->MPI_TAG = from->tag;
    status->_cancelled = from->cancelled;
    status->_ucount = from->bytes;
}
