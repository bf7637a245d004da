/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/frame.h"

#include <cpmp.h>

/* Least payload of each kind; kinds that do not travel on a network have SIZE_MAX. */
static size_t
least_payload_bytes(unsigned kind)
{
    switch (kind) {
    case CPI_FRAME_EAGER:
    case CPI_FRAME_RTS:
    case CPI_FRAME_ACK:
    case CPI_FRAME_FIN:
    case CPI_FRAME_CREDIT:
    case CPI_FRAME_VAR_CALL:
    case CPI_FRAME_VAR_REPLY:
    case CPI_FRAME_EVENT:
    case CPI_FRAME_EVENT_ACK:
    case CPI_FRAME_SUBSCRIBE:
    case CPI_FRAME_ABORT:
    case CPI_FRAME_REACH:
    case CPI_FRAME_MOVED:
        return 0;
    case CPI_FRAME_MORE:
    case CPI_FRAME_DATA:
    case CPI_FRAME_CARGO:
        return 1;
    case CPI_FRAME_CTS:
        return sizeof(struct cpi_frame_cts);
    case CPI_FRAME_LAND:
    case CPI_FRAME_HAUL:
        return sizeof(struct cpi_frame_direct);
    default:
        return SIZE_MAX;
    }
}

static size_t
most_bytes(unsigned kind)
{
    return kind == CPI_FRAME_CARGO ? sizeof(struct cpi_frame) + CPI_CARGO_MAX : CPI_FRAME_MAX;
}

int
cpi_frame_check(const void *bytes, size_t available, uint32_t ranks)
{
    const struct cpi_frame *frame = bytes;

    if (available < sizeof(*frame) || frame->size < sizeof(*frame) || frame->size > available)
        return CPMP_EPROTO;
    if (frame->kind >= CPI_FRAME_KIND_END || frame->size > most_bytes(frame->kind))
        return CPMP_EPROTO;
    size_t least = least_payload_bytes(frame->kind);
    if (least == SIZE_MAX || cpi_frame_payload_bytes(frame) < least)
        return CPMP_EPROTO;
    if (frame->source >= ranks && frame->source != CPI_RANK_AGENT)
        return CPMP_EPROTO;
    if (frame->dest >= ranks && frame->dest != CPI_RANK_AGENT)
        return CPMP_EPROTO;
    return CPMP_OK;
}
