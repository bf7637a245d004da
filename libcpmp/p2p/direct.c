/* SPDX-License-Identifier: BSD-3-Clause */
#include "p2p/direct.h"

#include <cpmp.h>

#include "plat/plat.h"

static uint64_t cookie;

static bool
is_reached(void)
{
    const struct cpi_rank_block *block = &cpi_engine.segment.ranks[cpi_engine.local];

    return atomic_load_explicit(&block->reached, memory_order_relaxed) != 0;
}

static struct cpi_frame_direct
described(const struct cpi_request *request, uint32_t rank)
{
    return (struct cpi_frame_direct){
        .address = (uintptr_t)request->payload.base, .other = request->other, .rank = rank};
}

/* The CTS may not overtake the landing, so this goes now or never: each pair holds its own frames.
 */
bool
cpi_direct_land(const struct cpi_pair *pair, struct cpi_request *request)
{
    struct cpi_frame_direct landing = described(request, pair->world_rank);

    request->direct = pair->remote && request->limit >= CPI_DIRECT_BYTES_MIN &&
                      request->limit <= request->payload.bytes && request->payload.packer == NULL &&
                      is_reached() &&
                      cpi_control_try(&cpi_state.agent, CPI_FRAME_LAND, request->limit,
                                      cpi_request_handle(request), &landing, sizeof(landing));
    return request->direct;
}

void
cpi_direct_unland(struct cpi_request *request)
{
    struct cpi_frame_direct landing = described(request, (uint32_t)request->status.source);

    if (request->direct)
        cpi_control_send(&cpi_state.agent, CPI_FRAME_LAND, 0, cpi_request_handle(request), &landing,
                         sizeof(landing));
    request->direct = false;
}

bool
cpi_direct_haul(const struct cpi_pair *pair, struct cpi_request *request)
{
    struct cpi_frame_direct haul = described(request, pair->world_rank);

    if (!pair->remote || request->payload.packer != NULL ||
        request->payload.bytes < CPI_DIRECT_BYTES_MIN || cpi_state.hauls == CPI_DIRECT_MAX ||
        !is_reached())
        return false;
    request->stage = CPI_STAGE_HAUL;
    cpi_state.hauls++;
    cpi_control_send(&cpi_state.agent, CPI_FRAME_HAUL, request->payload.bytes,
                     cpi_request_handle(request), &haul, sizeof(haul));
    return true;
}

static void
on_moved(const struct cpi_frame *frame, void *arg)
{
    struct cpi_request *request = cpi_request_find(frame->handle);

    (void)arg;
    if (frame->source != CPI_RANK_AGENT || request == NULL)
        cpi_engine_fail("an agent moved a message that is not under way");
    if (frame->tag != 0)
        cpi_engine_fail(request->kind == CPI_REQUEST_SEND
                            ? "the buffer of a send is not memory of this process"
                            : "the buffer of a receive is not memory of this process");
    if (request->kind == CPI_REQUEST_SEND && request->stage == CPI_STAGE_HAUL) {
        cpi_state.hauls--;
        cpi_request_finish(request, CPMP_OK);
    } else if (request->kind == CPI_REQUEST_RECV && request->stage == CPI_STAGE_DATA &&
               request->direct && request->offset == 0) {
        request->direct = false;
        request->offset = request->limit;
        cpi_receive_finish_long(request);
    } else {
        cpi_engine_fail("an agent moved a message that is not under way");
    }
}

void
cpi_direct_init(void)
{
    struct cpi_rank_block *block = &cpi_engine.segment.ranks[cpi_engine.local];

    if (cpi_engine.segment.header->peers == 1)
        return;
    cookie = cpi_clock_ns() * 2 + 1;
    block->cookie_address = (uintptr_t)&cookie;
    block->cookie = cookie;
    cpi_engine_on_frame(CPI_FRAME_MOVED, on_moved, NULL);
    cpi_control_send(&cpi_state.agent, CPI_FRAME_REACH, 0, 0, NULL, 0);
}
