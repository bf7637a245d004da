/* SPDX-License-Identifier: BSD-3-Clause */
#include "type/prim.h"

#include <assert.h>

#define SINGLE(kind, c_type, cls)                                                                  \
    [CPI_PRIM_##kind] = { #kind, CPI_CLASS_##cls, _Alignof(c_type), sizeof(c_type),                \
                          sizeof(c_type), 0, 0 },
#define PAIR(kind, c_type, cls)                                                                    \
    [CPI_PRIM_##kind] = { #kind, CPI_CLASS_##cls, _Alignof(c_type), sizeof(c_type),                \
                          sizeof(((c_type *)0)->value), sizeof(((c_type *)0)->place),              \
                          offsetof(c_type, place) },

static const struct cpi_prim_info prim_infos[CPI_PRIM_END] = {
    [CPI_PRIM_NONE] = { "derived", CPI_CLASS_OPAQUE, 1, 0, 0, 0, 0 },
    CPI_PRIM_INTEGER_MAP(SINGLE)
    CPI_PRIM_FLOATING_MAP(SINGLE)
    CPI_PRIM_COMPLEX_MAP(SINGLE)
    CPI_PRIM_LOGICAL_MAP(SINGLE)
    CPI_PRIM_OPAQUE_MAP(SINGLE)
    CPI_PRIM_PAIR_MAP(PAIR)
    CPI_PRIM_TWIN_MAP(PAIR)
    [CPI_PRIM_LB] = { "LB", CPI_CLASS_OPAQUE, 1, 0, 0, 0, 0 },
    [CPI_PRIM_UB] = { "UB", CPI_CLASS_OPAQUE, 1, 0, 0, 0, 0 },
};

const struct cpi_prim_info *
cpi_prim_info(enum cpi_prim prim)
{
    assert(prim < CPI_PRIM_END);
    return &prim_infos[prim];
}
