/* SPDX-License-Identifier: BSD-3-Clause */
#include "p2p/pair.h"

#include <assert.h>
#include <cpmp.h>
#include <stdlib.h>
#include <string.h>

#include "p2p/copy.h"
#include "p2p/direct.h"
#include "p2p/p2p.h"
#include "plat/plat.h"

/* Between peers the agents hold what a busy rank has not read, so a long message is sent in a
 * window, and few at a time: at most GRANTS_MAX × WINDOW_BYTES wait at an agent for one rank. */
#define WINDOW_BYTES (1024u << 10)
#define ACK_BYTES    (WINDOW_BYTES / 4)
#define GRANTS_MAX   8u

/* --- the sender's credit --- */

static void
credit_take(struct cpi_pair *pair, uint32_t cost)
{
    pair->eager_taken += cost;
    if (pair->eager_taken - pair->eager_told < cpi_state.credit_bytes / 2)
        return;
    pair->eager_told = pair->eager_taken;
    cpi_control_send(pair, CPI_FRAME_CREDIT, pair->eager_told, 0, NULL, 0);
}

/* --- what a receive learns when it is matched --- */

static void
receive_match(struct cpi_request *request, int source, int tag, uint64_t length)
{
    size_t room = request->payload.bytes;

    request->status.source = source;
    request->status.tag = tag;
    request->status.bytes = length < room ? length : room;
    request->limit = length;
    request->offset = 0;
    request->acked = 0;
    request->began_ns = 0;
}

void
cpi_receive_finish(struct cpi_request *request)
{
    cpi_copy_note(request);
    cpi_request_finish(request, request->limit > request->payload.bytes ? CPMP_ETRUNC : CPMP_OK);
}

/* --- long messages --- */

static void
clear_to_send(struct cpi_pair *pair, struct cpi_request *request)
{
    struct cpi_frame_cts cts = {
        .receiver = cpi_request_handle(request),
        .window = pair->remote ? WINDOW_BYTES : 0,
    };

    request->stage = CPI_STAGE_DATA;
    cpi_state.granted += pair->remote;
    bool direct = cpi_direct_land(pair, request);
    cpi_control_send(pair, CPI_FRAME_CTS, direct, request->other, &cts, sizeof(cts));
}

static void
long_begin(struct cpi_pair *pair, struct cpi_request *request, uint64_t other,
           const struct cpi_memory_offer *offer)
{
    request->other = other;
    request->way = cpi_copy_choose(pair, request, offer);
    request->began_ns = offer->pid != 0 && request->limit > 0 ? cpi_clock_ns() : 0;
    if (request->way == CPI_COPY_SHARED) {
        cpi_copy_share(pair, request, offer);
        return;
    }
    if (request->way == CPI_COPY_PULL && cpi_copy_pull(pair, request, offer)) {
        cpi_receive_finish(request);
        return;
    }
    /* One without data holds no grant: nothing would follow that could give it back. */
    if (pair->remote && request->limit > 0 && cpi_state.granted >= GRANTS_MAX) {
        request->stage = CPI_STAGE_GRANT;
        cpi_list_append(&cpi_state.grants, &request->link);
        return;
    }
    clear_to_send(pair, request);
    if (request->limit > 0)
        return;
    cpi_state.granted -= pair->remote;
    cpi_receive_finish(request);
}

/* A long message from another peer is complete: the next one may come. */
static void
grant_next(void)
{
    cpi_state.granted--;
    if (cpi_list_empty(&cpi_state.grants))
        return;
    struct cpi_request *next = CPI_CONTAINER(cpi_state.grants.next, struct cpi_request, link);
    cpi_list_remove(&next->link);
    long_begin(&cpi_state.pairs[next->status.source], next, next->other,
               &(struct cpi_memory_offer){0});
}

void
cpi_receive_finish_long(struct cpi_request *request)
{
    cpi_receive_finish(request);
    grant_next();
}

static void
on_data(struct cpi_pair *pair, const struct cpi_frame *frame)
{
    struct cpi_request *request = cpi_request_find(frame->handle);
    size_t part = cpi_frame_payload_bytes(frame);

    if (request == NULL || request->kind != CPI_REQUEST_RECV || request->stage != CPI_STAGE_DATA ||
        (uint32_t)request->status.source != pair->world_rank ||
        frame->length != request->offset || part > request->limit - request->offset)
        cpi_engine_fail("data came for a receive that is not under way");
    cpi_direct_unland(request);
    cpi_payload_write(&request->payload, request->offset, frame + 1, part);
    request->offset += part;
    if (request->offset == request->limit && pair->remote) {
        cpi_receive_finish_long(request);
    } else if (request->offset == request->limit) {
        cpi_receive_finish(request);
    } else if (pair->remote && request->offset - request->acked >= ACK_BYTES) {
        request->acked = request->offset;
        cpi_control_send(pair, CPI_FRAME_ACK, request->offset, request->other, NULL, 0);
    }
}

/* --- unexpected messages --- */

static struct cpi_message *
message_new(int source, const struct cpi_frame *frame, size_t data_bytes)
{
    struct cpi_message *message = malloc(sizeof(*message) + data_bytes);

    if (message == NULL)
        cpi_engine_fail("out of memory for a message that no receive waits for");
    message->context = frame->context;
    message->source = source;
    message->tag = frame->tag;
    message->length = frame->length;
    message->arrived = 0;
    message->is_rts = frame->kind == CPI_FRAME_RTS;
    message->other = frame->handle;
    message->memory = (struct cpi_memory_offer){0};
    message->data = (char *)(message + 1);
    return message;
}

static void
message_keep(struct cpi_message *message)
{
    if (cpi_match_keep(&cpi_state.match, message) != CPMP_OK)
        cpi_engine_fail("out of memory for a message that no receive waits for");
}

/* Give an unexpected message, already taken out of matching, to a receive. */
static void
message_take(struct cpi_request *request, struct cpi_message *message)
{
    struct cpi_pair *pair = &cpi_state.pairs[message->source];

    receive_match(request, message->source, message->tag, message->length);
    if (message->is_rts) {
        long_begin(pair, request, message->other, &message->memory);
    } else {
        cpi_payload_write(&request->payload, 0, message->data, message->arrived);
        if (message->arrived == message->length) {
            credit_take(pair, message->cost);
            cpi_receive_finish(request);
        } else {
            request->stage = CPI_STAGE_STREAM;
            pair->stream_request = request;
            pair->stream_message = NULL;
        }
    }
    free(message);
}

/* --- eager messages --- */

static void
on_eager(struct cpi_pair *pair, const struct cpi_frame *frame)
{
    int source = (int)pair->world_rank;
    size_t part = cpi_frame_payload_bytes(frame);
    uint64_t length = frame->length;

    if (part > length || length > cpi_state.credit_bytes || pair->stream_left > 0)
        cpi_engine_fail("an eager message is out of bounds");
    uint32_t cost = cpi_eager_cost(length);
    pair->eager_arrived += cost;
    if (pair->eager_arrived - pair->eager_told > cpi_state.credit_bytes)
        cpi_engine_fail("a rank sent more than its credit");
    struct cpi_request *request = cpi_match_arrive(&cpi_state.match, frame->context, source,
                                                   frame->tag);
    if (request != NULL) {
        receive_match(request, source, frame->tag, length);
        cpi_payload_write(&request->payload, 0, frame + 1, part);
        if (part == length) {
            bool fits = length <= request->payload.bytes;
            cpi_request_finish(request, fits ? CPMP_OK : CPMP_ETRUNC);
            credit_take(pair, cost);
            return;
        }
        request->stage = CPI_STAGE_STREAM;
        pair->stream_request = request;
    } else {
        struct cpi_message *message = message_new(source, frame, length);
        message->cost = cost;
        message->arrived = part;
        memcpy(message->data, frame + 1, part);
        message_keep(message);
        pair->stream_message = part < length ? message : NULL;
    }
    pair->stream_at = part;
    pair->stream_left = length - part;
    pair->stream_cost = cost;
}

static void
on_more(struct cpi_pair *pair, const struct cpi_frame *frame)
{
    size_t part = cpi_frame_payload_bytes(frame);

    if (part > pair->stream_left || frame->length != pair->stream_at)
        cpi_engine_fail("a part of an eager message is out of order");
    if (pair->stream_request != NULL) {
        cpi_payload_write(&pair->stream_request->payload, pair->stream_at, frame + 1, part);
    } else {
        memcpy(pair->stream_message->data + pair->stream_at, frame + 1, part);
        pair->stream_message->arrived += part;
    }
    pair->stream_at += part;
    pair->stream_left -= part;
    if (pair->stream_left > 0)
        return;
    if (pair->stream_request != NULL) {
        struct cpi_request *request = pair->stream_request;
        pair->stream_request = NULL;
        credit_take(pair, pair->stream_cost);
        cpi_receive_finish(request);
    }
    pair->stream_message = NULL;
}

static void
on_request_to_send(struct cpi_pair *pair, const struct cpi_frame *frame)
{
    int source = (int)pair->world_rank;
    struct cpi_memory_offer offer = {0};

    if (cpi_frame_payload_bytes(frame) == sizeof(offer) && !pair->remote)
        memcpy(&offer, frame + 1, sizeof(offer));
    struct cpi_request *request = cpi_match_arrive(&cpi_state.match, frame->context, source,
                                                   frame->tag);
    if (request != NULL) {
        receive_match(request, source, frame->tag, frame->length);
        long_begin(pair, request, frame->handle, &offer);
        return;
    }
    struct cpi_message *message = message_new(source, frame, 0);
    message->cost = 0;
    message->memory = offer;
    message_keep(message);
}

void
cpi_recv_on_frame(struct cpi_pair *pair, const struct cpi_frame *frame)
{
    switch (frame->kind) {
    case CPI_FRAME_EAGER:
        on_eager(pair, frame);
        break;
    case CPI_FRAME_MORE:
        on_more(pair, frame);
        break;
    case CPI_FRAME_RTS:
        on_request_to_send(pair, frame);
        break;
    case CPI_FRAME_DATA:
        on_data(pair, frame);
        break;
    default:
        assert(!"not a frame of receives");
    }
}

void
cpi_recv_begin(struct cpi_request *request)
{
    struct cpi_message *message = NULL;

    if (cpi_state.match.unexpected_count > 0)
        message = cpi_match_find(&cpi_state.match, request->context, request->peer, request->tag);
    if (message != NULL) {
        cpi_match_remove(&cpi_state.match, message);
        message_take(request, message);
        return;
    }
    request->stage = CPI_STAGE_POSTED;
    if (cpi_match_post(&cpi_state.match, request) != CPMP_OK)
        cpi_request_finish(request, CPMP_ENOMEM);
}

/* --- probes and cancel --- */

static bool
probe(int source, uint32_t context, int tag, struct cpi_message **message_p,
      struct cpi_status *status)
{
    struct cpi_message *message = cpi_match_find(&cpi_state.match, context, source, tag);

    if (message == NULL)
        return false;
    *status = (struct cpi_status){
        .source = message->source, .tag = message->tag, .bytes = message->length};
    if (message_p != NULL) {
        cpi_match_remove(&cpi_state.match, message);
        *message_p = message;
    }
    return true;
}

static bool
probe_null(int source, struct cpi_message **message_p, struct cpi_status *status)
{
    if (source != CPI_PROC_NULL)
        return false;
    *status = (struct cpi_status){.source = CPI_PROC_NULL, .tag = CPI_ANY_TAG};
    if (message_p != NULL)
        *message_p = NULL;
    return true;
}

bool
cpi_p2p_improbe(int source, uint32_t context, int tag, struct cpi_message **message_p,
                struct cpi_status *status)
{
    if (probe_null(source, message_p, status) || probe(source, context, tag, message_p, status))
        return true;
    cpi_engine_progress();
    return probe(source, context, tag, message_p, status);
}

void
cpi_p2p_mprobe(int source, uint32_t context, int tag, struct cpi_message **message_p,
               struct cpi_status *status)
{
    unsigned round = 0;

    while (!cpi_p2p_improbe(source, context, tag, message_p, status))
        cpi_engine_rest(&round);
}

bool
cpi_p2p_iprobe(int source, uint32_t context, int tag, struct cpi_status *status)
{
    return cpi_p2p_improbe(source, context, tag, NULL, status);
}

void
cpi_p2p_probe(int source, uint32_t context, int tag, struct cpi_status *status)
{
    cpi_p2p_mprobe(source, context, tag, NULL, status);
}

int
cpi_p2p_imrecv(const struct cpi_payload *payload, struct cpi_message *message,
               struct cpi_request **request_p)
{
    if (message == NULL)
        return cpi_p2p_irecv(payload, CPI_PROC_NULL, 0, CPI_ANY_TAG, request_p);
    struct cpi_request *request = cpi_request_new();
    if (request == NULL)
        return CPMP_ENOMEM;
    request->kind = CPI_REQUEST_RECV;
    request->active = true;
    request->context = message->context;
    request->peer = message->source;
    request->tag = message->tag;
    request->payload = *payload;
    message_take(request, message);
    *request_p = request;
    return CPMP_OK;
}

void
cpi_p2p_cancel(struct cpi_request *request)
{
    if (request->kind != CPI_REQUEST_RECV || request->done || request->stage != CPI_STAGE_POSTED)
        return;
    cpi_match_unpost(&cpi_state.match, request);
    request->status.cancelled = true;
    cpi_request_finish(request, CPMP_OK);
}
