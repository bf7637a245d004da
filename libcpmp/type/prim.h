/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TYPE_PRIM_H
#define CPI_TYPE_PRIM_H

/*
 * The primitive kinds: what a predefined datatype is made of, seen from C.
 *
 * One kind may stand behind several names of MPI (INT32: MPI_INT, MPI_INT32_T, MPI_INTEGER4). The
 * class says which operations make sense on it (coll/op.h).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wchar.h>

/* Values with their position, for MINLOC and MAXLOC. */
struct cpi_float_int { float value; int place; };
struct cpi_double_int { double value; int place; };
struct cpi_long_double_int { long double value; int place; };
struct cpi_long_int { long value; int place; };
struct cpi_short_int { short value; int place; };
struct cpi_two_int { int value; int place; };
struct cpi_two_float { float value; float place; };
struct cpi_two_double { double value; double place; };
struct cpi_two_complex_float { float _Complex value; float _Complex place; };
struct cpi_two_complex_double { double _Complex value; double _Complex place; };

typedef __int128 cpi_int128;
typedef __float128 cpi_float128;
typedef float _Complex cpi_complex_float;
typedef double _Complex cpi_complex_double;
typedef long double _Complex cpi_complex_long_double;
typedef _Complex float __attribute__((mode(TC))) cpi_complex_float128;

enum cpi_prim_class {
    CPI_CLASS_OPAQUE,   /* no operation: PACKED, CHAR, markers */
    CPI_CLASS_INTEGER,
    CPI_CLASS_FLOATING,
    CPI_CLASS_COMPLEX,
    CPI_CLASS_LOGICAL,  /* C_BOOL and Fortran's LOGICAL */
    CPI_CLASS_BYTE,     /* bitwise operations only */
    CPI_CLASS_PAIR
};

/* X(kind, C type, class) */
#define CPI_PRIM_INTEGER_MAP(X)                                                                    \
    X(INT8, int8_t, INTEGER)                                                                       \
    X(INT16, int16_t, INTEGER)                                                                     \
    X(INT32, int32_t, INTEGER)                                                                     \
    X(INT64, int64_t, INTEGER)                                                                     \
    X(INT128, cpi_int128, INTEGER)                                                                 \
    X(UINT8, uint8_t, INTEGER)                                                                     \
    X(UINT16, uint16_t, INTEGER)                                                                   \
    X(UINT32, uint32_t, INTEGER)                                                                   \
    X(UINT64, uint64_t, INTEGER)

#define CPI_PRIM_FLOATING_MAP(X)                                                                   \
    X(FLOAT, float, FLOATING)                                                                      \
    X(DOUBLE, double, FLOATING)                                                                    \
    X(LONG_DOUBLE, long double, FLOATING)                                                          \
    X(FLOAT128, cpi_float128, FLOATING)

#define CPI_PRIM_COMPLEX_MAP(X)                                                                    \
    X(COMPLEX_FLOAT, cpi_complex_float, COMPLEX)                                                   \
    X(COMPLEX_DOUBLE, cpi_complex_double, COMPLEX)                                                 \
    X(COMPLEX_LONG_DOUBLE, cpi_complex_long_double, COMPLEX)                                       \
    X(COMPLEX_FLOAT128, cpi_complex_float128, COMPLEX)

#define CPI_PRIM_LOGICAL_MAP(X)                                                                    \
    X(C_BOOL, bool, LOGICAL)                                                                       \
    X(LOGICAL1, int8_t, LOGICAL)                                                                   \
    X(LOGICAL2, int16_t, LOGICAL)                                                                  \
    X(LOGICAL4, int32_t, LOGICAL)                                                                  \
    X(LOGICAL8, int64_t, LOGICAL)

#define CPI_PRIM_PAIR_MAP(X)                                                                       \
    X(FLOAT_INT, struct cpi_float_int, PAIR)                                                       \
    X(DOUBLE_INT, struct cpi_double_int, PAIR)                                                     \
    X(LONG_DOUBLE_INT, struct cpi_long_double_int, PAIR)                                           \
    X(LONG_INT, struct cpi_long_int, PAIR)                                                         \
    X(SHORT_INT, struct cpi_short_int, PAIR)                                                       \
    X(TWO_INT, struct cpi_two_int, PAIR)                                                           \
    X(TWO_FLOAT, struct cpi_two_float, PAIR)                                                       \
    X(TWO_DOUBLE, struct cpi_two_double, PAIR)

/* Pairs that no operation is defined for. */
#define CPI_PRIM_TWIN_MAP(X)                                                                       \
    X(TWO_COMPLEX_FLOAT, struct cpi_two_complex_float, OPAQUE)                                     \
    X(TWO_COMPLEX_DOUBLE, struct cpi_two_complex_double, OPAQUE)

#define CPI_PRIM_OPAQUE_MAP(X)                                                                     \
    X(BYTE, uint8_t, BYTE)                                                                         \
    X(PACKED, uint8_t, OPAQUE)                                                                     \
    X(CHAR, char, OPAQUE)                                                                          \
    X(WCHAR, wchar_t, OPAQUE)

#define CPI_PRIM_MAP(X)                                                                            \
    CPI_PRIM_INTEGER_MAP(X)                                                                        \
    CPI_PRIM_FLOATING_MAP(X)                                                                       \
    CPI_PRIM_COMPLEX_MAP(X)                                                                        \
    CPI_PRIM_LOGICAL_MAP(X)                                                                        \
    CPI_PRIM_PAIR_MAP(X)                                                                           \
    CPI_PRIM_TWIN_MAP(X)                                                                           \
    CPI_PRIM_OPAQUE_MAP(X)

enum cpi_prim {
    CPI_PRIM_NONE, /* a derived datatype */
#define CPI_PRIM_ENUM(kind, c_type, class) CPI_PRIM_##kind,
    CPI_PRIM_MAP(CPI_PRIM_ENUM)
#undef CPI_PRIM_ENUM
    CPI_PRIM_LB,   /* the markers of MPI-1: no bytes, an explicit bound */
    CPI_PRIM_UB,
    CPI_PRIM_END
};

struct cpi_prim_info {
    const char *name;
    uint8_t class;      /* enum cpi_prim_class */
    uint8_t alignment;
    uint8_t extent;     /* sizeof the C type */
    uint8_t first;      /* bytes of the primitive, or of a pair's value */
    uint8_t second;     /* of a pair's place; 0: not a pair */
    uint8_t second_at;  /* where the place lies */
};

/* Never NULL; `prim` is below CPI_PRIM_END. */
const struct cpi_prim_info *cpi_prim_info(enum cpi_prim prim);

#endif
