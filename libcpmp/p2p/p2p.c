/* SPDX-License-Identifier: BSD-3-Clause */
#include "p2p/p2p.h"

#include <assert.h>
#include <cpmp.h>

#include "p2p/pair.h"

/* What every send that was done at once gets. */
static struct cpi_request done_send = {
    .kind = CPI_REQUEST_SEND, .active = true, .done = true, .shared = true};

static bool
send_at_once(const struct cpi_payload *payload, int dest, uint32_t context, int tag,
             enum cpi_send_mode mode)
{
    if (dest == CPI_PROC_NULL)
        return true;
    struct cpi_pair *pair = &cpi_state.pairs[dest];
    uint32_t cost = cpi_eager_cost(payload->bytes);
    if (payload->bytes > cpi_state.payload_max || mode == CPI_SEND_SYNC || pair->busy ||
        payload->bytes > cpi_state.eager_max ||
        pair->eager_sent - pair->eager_acked + cost > cpi_state.credit_bytes)
        return false;
    struct cpi_frame *frame = cpi_frame_begin(pair, CPI_FRAME_EAGER, payload->bytes);
    if (frame == NULL)
        return false;
    frame->context = context;
    frame->tag = tag;
    frame->length = payload->bytes;
    frame->handle = 0;
    cpi_payload_read(payload, 0, frame + 1, payload->bytes);
    cpi_frame_push(pair, frame, payload->bytes);
    pair->eager_sent += cost;
    return true;
}

static struct cpi_request *
request_make(const struct cpi_payload *payload, enum cpi_request_kind kind, int peer,
             uint32_t context, int tag)
{
    struct cpi_request *request = cpi_request_new();

    if (request == NULL)
        return NULL;
    request->kind = (uint8_t)kind;
    request->payload = *payload;
    request->peer = peer;
    request->context = context;
    request->tag = tag;
    return request;
}

int
cpi_p2p_start(struct cpi_request *request)
{
    assert(!request->active || !request->persistent);
    request->active = true;
    request->done = false;
    request->status = (struct cpi_status){.source = CPI_PROC_NULL, .tag = CPI_ANY_TAG};
    if (request->peer == CPI_PROC_NULL)
        cpi_request_finish(request, CPMP_OK);
    else if (request->kind == CPI_REQUEST_SEND)
        cpi_send_begin(request);
    else
        cpi_recv_begin(request);
    return CPMP_OK;
}

int
cpi_p2p_send_init(const struct cpi_payload *payload, int dest, uint32_t context, int tag,
                  enum cpi_send_mode mode, struct cpi_request **request_p)
{
    struct cpi_request *request = request_make(payload, CPI_REQUEST_SEND, dest, context, tag);

    if (request == NULL)
        return CPMP_ENOMEM;
    request->mode = (uint8_t)mode;
    request->persistent = true;
    *request_p = request;
    return CPMP_OK;
}

int
cpi_p2p_recv_init(const struct cpi_payload *payload, int source, uint32_t context, int tag,
                  struct cpi_request **request_p)
{
    struct cpi_request *request = request_make(payload, CPI_REQUEST_RECV, source, context, tag);

    if (request == NULL)
        return CPMP_ENOMEM;
    request->persistent = true;
    *request_p = request;
    return CPMP_OK;
}

int
cpi_p2p_isend(const struct cpi_payload *payload, int dest, uint32_t context, int tag,
              enum cpi_send_mode mode, struct cpi_request **request_p)
{
    if (send_at_once(payload, dest, context, tag, mode)) {
        *request_p = &done_send;
        return CPMP_OK;
    }
    struct cpi_request *request = request_make(payload, CPI_REQUEST_SEND, dest, context, tag);
    if (request == NULL)
        return CPMP_ENOMEM;
    request->mode = (uint8_t)mode;
    cpi_p2p_start(request);
    *request_p = request;
    return CPMP_OK;
}

int
cpi_p2p_irecv(const struct cpi_payload *payload, int source, uint32_t context, int tag,
              struct cpi_request **request_p)
{
    struct cpi_request *request = request_make(payload, CPI_REQUEST_RECV, source, context, tag);

    if (request == NULL)
        return CPMP_ENOMEM;
    cpi_p2p_start(request);
    *request_p = request;
    return CPMP_OK;
}

int
cpi_p2p_send(const struct cpi_payload *payload, int dest, uint32_t context, int tag,
             enum cpi_send_mode mode)
{
    struct cpi_request *request;

    if (send_at_once(payload, dest, context, tag, mode))
        return CPMP_OK;
    int error = cpi_p2p_isend(payload, dest, context, tag, mode, &request);
    if (error != CPMP_OK)
        return error;
    cpi_p2p_wait(request);
    error = request->status.error;
    cpi_request_free(request);
    return error;
}

int
cpi_p2p_recv(const struct cpi_payload *payload, int source, uint32_t context, int tag,
             struct cpi_status *status)
{
    struct cpi_request *request;
    int error = cpi_p2p_irecv(payload, source, context, tag, &request);

    if (error != CPMP_OK)
        return error;
    cpi_p2p_wait(request);
    error = request->status.error;
    if (status != NULL)
        *status = request->status;
    cpi_request_free(request);
    return error;
}

void
cpi_p2p_wait(struct cpi_request *request)
{
    if (request->active)
        cpi_engine_wait(&request->done);
}

bool
cpi_p2p_test(struct cpi_request *request)
{
    if (request->active && !request->done)
        cpi_engine_progress();
    return request->done || !request->active;
}
