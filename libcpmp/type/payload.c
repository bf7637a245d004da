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

const struct cpi_packer cpi_type_packer = {.pack = pack, .unpack = unpack};
