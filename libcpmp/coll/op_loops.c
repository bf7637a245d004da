/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/op.h"

/*
 * One loop per operation and primitive. They are the one place where the optimiser's level matters:
 * the file asks for vector code whatever the build's flags say. Element i of the result depends on
 * elements i of the operands only, so `out` may be one of them (ivdep).
 */
#pragma GCC optimize("O3")

#define LOOP(op, kind, c_type, expression)                                                         \
    static void op##_##kind(void *out_v, const void *left_v, const void *right_v, size_t count)    \
    {                                                                                              \
        c_type *out = out_v;                                                                       \
        const c_type *left = left_v, *right = right_v;                                             \
        _Pragma("GCC ivdep")                                                                       \
        for (size_t i = 0; i < count; i++) {                                                       \
            const c_type a = left[i], b = right[i];                                                \
            out[i] = (c_type)(expression);                                                         \
        }                                                                                          \
    }

/* Integers wrap around, as every machine does, so sums and products are taken without sign. */
#define MODULAR_INT8   uint32_t
#define MODULAR_INT16  uint32_t
#define MODULAR_INT32  uint32_t
#define MODULAR_INT64  uint64_t
#define MODULAR_INT128 unsigned __int128
#define MODULAR_UINT8  uint32_t
#define MODULAR_UINT16 uint32_t
#define MODULAR_UINT32 uint32_t
#define MODULAR_UINT64 uint64_t
#define ADD_LOOP(kind, c_type, class)                                                              \
    LOOP(sum, kind, c_type, (MODULAR_##kind)a + (MODULAR_##kind)b)
#define MUL_LOOP(kind, c_type, class)                                                              \
    LOOP(prod, kind, c_type, (MODULAR_##kind)a * (MODULAR_##kind)b)

#define MAX_LOOP(kind, c_type, class)  LOOP(max, kind, c_type, a < b ? b : a)
#define MIN_LOOP(kind, c_type, class)  LOOP(min, kind, c_type, b < a ? b : a)
#define SUM_LOOP(kind, c_type, class)  LOOP(sum, kind, c_type, a + b)
#define PROD_LOOP(kind, c_type, class) LOOP(prod, kind, c_type, a * b)
#define LAND_LOOP(kind, c_type, class) LOOP(land, kind, c_type, a && b)
#define LOR_LOOP(kind, c_type, class)  LOOP(lor, kind, c_type, a || b)
#define LXOR_LOOP(kind, c_type, class) LOOP(lxor, kind, c_type, !a != !b)
#define BAND_LOOP(kind, c_type, class) LOOP(band, kind, c_type, a & b)
#define BOR_LOOP(kind, c_type, class)  LOOP(bor, kind, c_type, a | b)
#define BXOR_LOOP(kind, c_type, class) LOOP(bxor, kind, c_type, a ^ b)

/* Ties go to the lower place (MPI-3.1, 5.9.4). */
#define MAXLOC_LOOP(kind, c_type, class)                                                           \
    LOOP(maxloc, kind, c_type,                                                                     \
         a.value > b.value || (a.value == b.value && a.place <= b.place) ? a : b)
#define MINLOC_LOOP(kind, c_type, class)                                                           \
    LOOP(minloc, kind, c_type,                                                                     \
         a.value < b.value || (a.value == b.value && a.place <= b.place) ? a : b)

/* MPI-3.1, 5.9.2: which operation goes with which class. */
CPI_PRIM_INTEGER_MAP(MAX_LOOP)
CPI_PRIM_FLOATING_MAP(MAX_LOOP)
CPI_PRIM_INTEGER_MAP(MIN_LOOP)
CPI_PRIM_FLOATING_MAP(MIN_LOOP)
CPI_PRIM_INTEGER_MAP(ADD_LOOP)
CPI_PRIM_FLOATING_MAP(SUM_LOOP)
CPI_PRIM_COMPLEX_MAP(SUM_LOOP)
CPI_PRIM_INTEGER_MAP(MUL_LOOP)
CPI_PRIM_FLOATING_MAP(PROD_LOOP)
CPI_PRIM_COMPLEX_MAP(PROD_LOOP)
CPI_PRIM_INTEGER_MAP(LAND_LOOP)
CPI_PRIM_LOGICAL_MAP(LAND_LOOP)
CPI_PRIM_INTEGER_MAP(LOR_LOOP)
CPI_PRIM_LOGICAL_MAP(LOR_LOOP)
CPI_PRIM_INTEGER_MAP(LXOR_LOOP)
CPI_PRIM_LOGICAL_MAP(LXOR_LOOP)
CPI_PRIM_INTEGER_MAP(BAND_LOOP)
BAND_LOOP(BYTE, uint8_t, BYTE)
CPI_PRIM_INTEGER_MAP(BOR_LOOP)
BOR_LOOP(BYTE, uint8_t, BYTE)
CPI_PRIM_INTEGER_MAP(BXOR_LOOP)
BXOR_LOOP(BYTE, uint8_t, BYTE)
CPI_PRIM_PAIR_MAP(MAXLOC_LOOP)
CPI_PRIM_PAIR_MAP(MINLOC_LOOP)

#define MAX_ROW(kind, c_type, class)    [CPI_OP_MAX][CPI_PRIM_##kind] = max_##kind,
#define MIN_ROW(kind, c_type, class)    [CPI_OP_MIN][CPI_PRIM_##kind] = min_##kind,
#define SUM_ROW(kind, c_type, class)    [CPI_OP_SUM][CPI_PRIM_##kind] = sum_##kind,
#define PROD_ROW(kind, c_type, class)   [CPI_OP_PROD][CPI_PRIM_##kind] = prod_##kind,
#define LAND_ROW(kind, c_type, class)   [CPI_OP_LAND][CPI_PRIM_##kind] = land_##kind,
#define LOR_ROW(kind, c_type, class)    [CPI_OP_LOR][CPI_PRIM_##kind] = lor_##kind,
#define LXOR_ROW(kind, c_type, class)   [CPI_OP_LXOR][CPI_PRIM_##kind] = lxor_##kind,
#define BAND_ROW(kind, c_type, class)   [CPI_OP_BAND][CPI_PRIM_##kind] = band_##kind,
#define BOR_ROW(kind, c_type, class)    [CPI_OP_BOR][CPI_PRIM_##kind] = bor_##kind,
#define BXOR_ROW(kind, c_type, class)   [CPI_OP_BXOR][CPI_PRIM_##kind] = bxor_##kind,
#define MAXLOC_ROW(kind, c_type, class) [CPI_OP_MAXLOC][CPI_PRIM_##kind] = maxloc_##kind,
#define MINLOC_ROW(kind, c_type, class) [CPI_OP_MINLOC][CPI_PRIM_##kind] = minloc_##kind,

static cpi_op_loop_fn *const loops[CPI_OP_END][CPI_PRIM_END] = {
    CPI_PRIM_INTEGER_MAP(MAX_ROW) CPI_PRIM_FLOATING_MAP(MAX_ROW)
    CPI_PRIM_INTEGER_MAP(MIN_ROW) CPI_PRIM_FLOATING_MAP(MIN_ROW)
    CPI_PRIM_INTEGER_MAP(SUM_ROW) CPI_PRIM_FLOATING_MAP(SUM_ROW) CPI_PRIM_COMPLEX_MAP(SUM_ROW)
    CPI_PRIM_INTEGER_MAP(PROD_ROW) CPI_PRIM_FLOATING_MAP(PROD_ROW) CPI_PRIM_COMPLEX_MAP(PROD_ROW)
    CPI_PRIM_INTEGER_MAP(LAND_ROW) CPI_PRIM_LOGICAL_MAP(LAND_ROW)
    CPI_PRIM_INTEGER_MAP(LOR_ROW) CPI_PRIM_LOGICAL_MAP(LOR_ROW)
    CPI_PRIM_INTEGER_MAP(LXOR_ROW) CPI_PRIM_LOGICAL_MAP(LXOR_ROW)
    CPI_PRIM_INTEGER_MAP(BAND_ROW) BAND_ROW(BYTE, uint8_t, BYTE)
    CPI_PRIM_INTEGER_MAP(BOR_ROW) BOR_ROW(BYTE, uint8_t, BYTE)
    CPI_PRIM_INTEGER_MAP(BXOR_ROW) BXOR_ROW(BYTE, uint8_t, BYTE)
    CPI_PRIM_PAIR_MAP(MAXLOC_ROW)
    CPI_PRIM_PAIR_MAP(MINLOC_ROW)
};

cpi_op_loop_fn *
cpi_op_loop(enum cpi_op_kind kind, enum cpi_prim prim)
{
    return loops[kind][prim];
}
