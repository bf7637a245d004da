/* SPDX-License-Identifier: BSD-3-Clause */
#include "p2p/pair.h"

#include <assert.h>
#include <cpmp.h>
#include <stdlib.h>
#include <string.h>

#include "p2p/copy.h"
#include "p2p/direct.h"
#include "p2p/p2p.h"

void
cpi_payload_read(const struct cpi_payload *payload, size_t position, void *out, size_t bytes)
{
    if (bytes == 0)
        return;
    if (payload->packer == NULL)
        memcpy(out, (const char *)payload->base + position, bytes);
    else
        payload->packer->pack(payload->layout, payload->base, payload->count, position, out, bytes);
}

void
cpi_payload_write_some(const struct cpi_payload *payload, size_t position, const void *in,
                       size_t bytes)
{
    if (position >= payload->bytes)
        return;
    if (bytes > payload->bytes - position)
        bytes = payload->bytes - position;
    if (bytes == 0)
        return;
    if (payload->packer == NULL)
        memcpy((char *)payload->base + position, in, bytes);
    else
        payload->packer->unpack(payload->layout, payload->base, payload->count, position, in,
                                bytes);
}

/* To another peer, one that had to wait for others would fill the rings too: it may as well ask,
 * and go past them (direct.h). */
static bool
eager_allowed(const struct cpi_pair *pair, const struct cpi_request *request, bool waited)
{
    size_t bytes = request->payload.bytes;
    size_t most = !pair->remote ? cpi_state.eager_max
                  : waited      ? CPI_DIRECT_BYTES_MIN - 1
                                : cpi_state.eager_max_remote;

    return request->mode != CPI_SEND_SYNC && bytes <= most &&
           pair->eager_sent - pair->eager_acked + cpi_eager_cost(bytes) <= cpi_state.credit_bytes;
}

/* One frame of an eager message from `request->offset` on; false when the ring is full. */
static bool
eager_push(struct cpi_pair *pair, struct cpi_request *request)
{
    size_t left = request->payload.bytes - request->offset;
    size_t part = left < cpi_state.payload_max ? left : cpi_state.payload_max;
    bool first = request->stage == CPI_STAGE_NEW;
    struct cpi_frame *frame = cpi_frame_begin(pair, first ? CPI_FRAME_EAGER : CPI_FRAME_MORE, part);

    if (frame == NULL)
        return false;
    frame->context = request->context;
    frame->tag = request->tag;
    frame->length = first ? request->payload.bytes : request->offset;
    frame->handle = 0;
    cpi_payload_read(&request->payload, request->offset, frame + 1, part);
    cpi_frame_push(pair, frame, part);
    request->offset += part;
    request->stage = CPI_STAGE_EAGER;
    return true;
}

static bool
rts_push(struct cpi_pair *pair, struct cpi_request *request)
{
    bool direct = !pair->remote && request->payload.packer == NULL;
    size_t part = direct ? sizeof(struct cpi_memory_offer) : 0;
    struct cpi_frame *frame = cpi_frame_begin(pair, CPI_FRAME_RTS, part);

    if (frame == NULL)
        return false;
    frame->context = request->context;
    frame->tag = request->tag;
    frame->length = request->payload.bytes;
    frame->handle = cpi_request_handle(request);
    if (direct) {
        struct cpi_memory_offer payload = cpi_copy_offer(request->payload.base);
        memcpy(frame + 1, &payload, sizeof(payload));
    }
    cpi_frame_push(pair, frame, part);
    request->stage = CPI_STAGE_RTS;
    if (direct)
        cpi_state.lent_bytes += request->payload.bytes;
    return true;
}

/* The next step of a send, first of the queue or `waited` for it: true when it may leave it. */
static bool
send_try(struct cpi_pair *pair, struct cpi_request *request, bool waited)
{
    if (request->stage == CPI_STAGE_NEW) {
        if (!eager_allowed(pair, request, waited))
            return rts_push(pair, request);
        if (!eager_push(pair, request))
            return false;
        pair->eager_sent += cpi_eager_cost(request->payload.bytes);
    }
    while (request->offset < request->payload.bytes)
        if (!eager_push(pair, request))
            return false;
    cpi_request_finish(request, CPMP_OK);
    return true;
}

void
cpi_send_begin(struct cpi_request *request)
{
    struct cpi_pair *pair = &cpi_state.pairs[request->peer];

    request->stage = CPI_STAGE_NEW;
    request->offset = 0;
    if (cpi_list_empty(&pair->queue) && send_try(pair, request, false))
        return;
    cpi_list_append(&pair->queue, &request->link);
    cpi_pair_mark_busy(pair);
}

/* Sends DATA of one long message as far as room and window go. True when anything moved. */
static bool
stream_push(struct cpi_pair *pair, struct cpi_request *request)
{
    bool moved = false;

    while (request->offset < request->payload.bytes && request->offset < request->limit) {
        size_t part = request->payload.bytes - request->offset;
        if (part > cpi_state.payload_max)
            part = cpi_state.payload_max;
        struct cpi_frame *frame = cpi_frame_begin(pair, CPI_FRAME_DATA, part);
        if (frame == NULL)
            return moved;
        frame->context = request->context;
        frame->tag = request->tag;
        frame->length = request->offset;
        frame->handle = request->other;
        cpi_payload_read(&request->payload, request->offset, frame + 1, part);
        cpi_frame_push(pair, frame, part);
        request->offset += part;
        moved = true;
    }
    if (request->offset == request->payload.bytes) {
        cpi_list_remove(&request->link);
        cpi_request_finish(request, CPMP_OK);
        moved = true;
    }
    return moved;
}

static bool
held_push(struct cpi_pair *pair)
{
    bool moved = false;

    while (!cpi_list_empty(&pair->held)) {
        struct cpi_held *held = CPI_CONTAINER(pair->held.next, struct cpi_held, link);
        size_t part = cpi_frame_payload_bytes(&held->frame);
        struct cpi_frame *frame = cpi_frame_begin(pair, held->frame.kind, part);
        if (frame == NULL)
            return moved;
        frame->context = held->frame.context;
        frame->tag = held->frame.tag;
        frame->length = held->frame.length;
        frame->handle = held->frame.handle;
        memcpy(frame + 1, held->payload, part);
        cpi_frame_push(pair, frame, part);
        cpi_list_remove(&held->link);
        free(held);
        moved = true;
    }
    return moved;
}

bool
cpi_send_flush(struct cpi_pair *pair)
{
    bool moved = held_push(pair);

    moved |= cpi_copy_step(pair);
    if (!cpi_list_empty(&pair->held))
        return moved;
    while (!cpi_list_empty(&pair->queue)) {
        struct cpi_request *request = CPI_CONTAINER(pair->queue.next, struct cpi_request, link);
        uint64_t before = request->offset;
        unsigned stage = request->stage;
        cpi_list_remove(&request->link);
        if (!send_try(pair, request, true)) {
            request->link.next = pair->queue.next;  /* back to the front */
            request->link.prev = &pair->queue;
            pair->queue.next->prev = &request->link;
            pair->queue.next = &request->link;
            return moved || request->offset != before || request->stage != stage;
        }
        moved = true;
    }
    CPI_LIST_FOR_SAFE(link, &pair->streams)
        moved |= stream_push(pair, CPI_CONTAINER(link, struct cpi_request, link));
    return moved;
}

/* The send that a handle in a frame from `pair` means; else it is a fault of the other side. */
static struct cpi_request *
send_of(struct cpi_pair *pair, const struct cpi_frame *frame, unsigned stage)
{
    struct cpi_request *request = cpi_request_find(frame->handle);

    if (request == NULL || request->kind != CPI_REQUEST_SEND || request->stage != stage ||
        (uint32_t)request->peer != pair->world_rank)
        cpi_engine_fail("a frame names a send that is not under way");
    return request;
}

/* Its data is no longer copied from here by a rank of this host. */
static void
send_take_back(const struct cpi_pair *pair, const struct cpi_request *request)
{
    if (!pair->remote && request->payload.packer == NULL)
        cpi_state.lent_bytes -= request->payload.bytes;
}

static void
on_clear_to_send(struct cpi_pair *pair, const struct cpi_frame *frame)
{
    struct cpi_request *request = send_of(pair, frame, CPI_STAGE_RTS);
    struct cpi_frame_cts cts;
    struct cpi_memory_offer offer;

    memcpy(&cts, frame + 1, sizeof(cts));
    request->other = cts.receiver;
    if (pair->remote && cts.window == 0)
        cpi_engine_fail("another peer asks for a message without a window");
    if (cpi_frame_payload_bytes(frame) == sizeof(cts) + sizeof(offer)) {
        /* Only a rank of this host may name memory, and no more of it than the message is long. */
        if (pair->remote || cts.window > request->payload.bytes)
            cpi_engine_fail("an offer of memory is out of bounds");
        memcpy(&offer, (const char *)(frame + 1) + sizeof(cts), sizeof(offer));
        request->limit = cts.window;
        request->share = (uint32_t)frame->length;
        cpi_copy_join(pair, request, &offer);
        return;
    }
    if (frame->length == 1 && cpi_direct_haul(pair, request))
        return;
    send_take_back(pair, request);
    request->stage = CPI_STAGE_DATA;
    request->acked = cts.window;
    request->limit = cts.window == 0 ? UINT64_MAX : cts.window;
    cpi_list_append(&pair->streams, &request->link);
    stream_push(pair, request);
    if (!request->done)
        cpi_pair_mark_busy(pair);
}

static void
on_ack(struct cpi_pair *pair, const struct cpi_frame *frame)
{
    struct cpi_request *request = cpi_request_find(frame->handle);

    /* The last acknowledgements of a message cross its end, so an ended send is no fault. */
    if (request == NULL || request->kind != CPI_REQUEST_SEND || request->stage != CPI_STAGE_DATA ||
        (uint32_t)request->peer != pair->world_rank || request->limit == UINT64_MAX)
        return;
    request->limit = frame->length + request->acked;
    cpi_pair_mark_busy(pair);
}

/* The message has been taken whole: a receiver tells its sender, or a sender that copied the last
 * chunk its receiver. */
static void
on_fin(struct cpi_pair *pair, const struct cpi_frame *frame)
{
    struct cpi_request *request = cpi_request_find(frame->handle);

    if (pair->remote)
        cpi_engine_fail("another peer says that it has copied a message itself");
    if (request != NULL && request == pair->share_in)
        cpi_copy_finish(pair, request);
    else if (request != NULL && request->kind == CPI_REQUEST_SEND &&
             request->stage == CPI_STAGE_SHARED && (uint32_t)request->peer == pair->world_rank)
        cpi_copy_finish(pair, request);
    else {
        request = send_of(pair, frame, CPI_STAGE_RTS);
        send_take_back(pair, request);
        cpi_request_finish(request, CPMP_OK);
    }
}

void
cpi_send_on_frame(struct cpi_pair *pair, const struct cpi_frame *frame)
{
    switch (frame->kind) {
    case CPI_FRAME_CTS:
        on_clear_to_send(pair, frame);
        break;
    case CPI_FRAME_ACK:
        on_ack(pair, frame);
        break;
    case CPI_FRAME_FIN:
        on_fin(pair, frame);
        break;
    case CPI_FRAME_CREDIT:
        pair->eager_acked = frame->length;
        break;
    default:
        assert(!"not a frame of sends");
    }
}
