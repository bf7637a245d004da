/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TYPE_PAYLOAD_H
#define CPI_TYPE_PAYLOAD_H

/*
 * Elements of a datatype as the payload of a message: plain bytes where they lie in one block, else
 * with the pack engine as packer.
 */

#include <stddef.h>

#include "p2p/request.h"
#include "type/type.h"

extern const struct cpi_packer cpi_type_packer;

/* `type` must live until the message is done. */
static inline struct cpi_payload
cpi_type_payload(const void *buf, size_t count, const struct cpi_type *type)
{
    struct cpi_payload payload = {.base = (void *)(uintptr_t)buf, .bytes = count * type->size};
    bool one_block = type->flags & CPI_TYPE_DENSE ||
                     (count == 1 && type->flags & CPI_TYPE_CONTIGUOUS);

    if (payload.bytes == 0)
        return payload;
    if (one_block) {
        payload.base = (char *)payload.base + cpi_type_pieces(type)->offset;
        return payload;
    }
    payload.packer = &cpi_type_packer;
    payload.layout = type;
    payload.count = count;
    return payload;
}

#endif
