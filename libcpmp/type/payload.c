/* SPDX-License-Identifier: BSD-3-Clause */
#include "type/payload.h"

#include "type/pack.h"

static void
pack(const void *layout, const void *base, size_t count, size_t position, void *out, size_t bytes)
{
    cpi_type_pack(layout, base, count, position, out, bytes);
}

static void
unpack(const void *layout, void *base, size_t count, size_t position, const void *in, size_t bytes)
{
    cpi_type_unpack(layout, base, count, position, in, bytes);
}

static const struct cpi_packer packer = { .pack = pack, .unpack = unpack };

struct cpi_payload
cpi_type_payload(const void *buf, size_t count, const struct cpi_type *type)
{
    struct cpi_payload payload = { .base = (void *)(uintptr_t)buf, .bytes = count * type->size };
    bool one_block = type->flags & CPI_TYPE_DENSE ||
                     (count == 1 && type->flags & CPI_TYPE_CONTIGUOUS);

    if (payload.bytes == 0)
        return payload;
    if (one_block) {
        payload.base = (char *)payload.base + cpi_type_pieces(type)->offset;
        return payload;
    }
    payload.packer = &packer;
    payload.layout = type;
    payload.count = count;
    return payload;
}
