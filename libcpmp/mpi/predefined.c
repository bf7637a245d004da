/* SPDX-License-Identifier: BSD-3-Clause */
#include "mpi/handles.h"

/*
 * The predefined objects. Those that stand for "none" stay zero, which each validity check
 * refuses.
 */

struct ompi_predefined_communicator_t ompi_mpi_comm_world, ompi_mpi_comm_self, ompi_mpi_comm_null;
struct ompi_predefined_group_t ompi_mpi_group_null;
struct ompi_predefined_group_t ompi_mpi_group_empty = {
    .group = {.references = -1, .rank = MPI_UNDEFINED}};
struct ompi_predefined_request_t ompi_request_null;
struct ompi_predefined_message_t ompi_message_null, ompi_message_no_proc;
struct ompi_predefined_info_t ompi_mpi_info_null, ompi_mpi_info_env;
struct ompi_predefined_win_t ompi_mpi_win_null;
struct ompi_predefined_file_t ompi_mpi_file_null;

struct ompi_predefined_errhandler_t ompi_mpi_errhandler_null;
struct ompi_predefined_errhandler_t ompi_mpi_errors_are_fatal = {
    .errhandler = {.kind = CPI_ERRHANDLER_FATAL}};
struct ompi_predefined_errhandler_t ompi_mpi_errors_return = {
    .errhandler = {.kind = CPI_ERRHANDLER_RETURN}};

/* What C++ programs set; a library of C++ bindings looks at the code that comes back. */
extern struct ompi_predefined_errhandler_t ompi_mpi_errors_throw_exceptions
    __attribute__((visibility("default")));
struct ompi_predefined_errhandler_t ompi_mpi_errors_throw_exceptions = {
    .errhandler = {.kind = CPI_ERRHANDLER_RETURN}};

MPI_Fint *MPI_F_STATUS_IGNORE, *MPI_F_STATUSES_IGNORE;

/* X(object, kind of primitive, name) */
#define TYPE_MAP(X)                                                                                \
    X(byte, BYTE, "MPI_BYTE")                                                                      \
    X(packed, PACKED, "MPI_PACKED")                                                                \
    X(char, CHAR, "MPI_CHAR")                                                                      \
    X(signed_char, INT8, "MPI_SIGNED_CHAR")                                                        \
    X(unsigned_char, UINT8, "MPI_UNSIGNED_CHAR")                                                   \
    X(short, INT16, "MPI_SHORT")                                                                   \
    X(unsigned_short, UINT16, "MPI_UNSIGNED_SHORT")                                                \
    X(int, INT32, "MPI_INT")                                                                       \
    X(unsigned, UINT32, "MPI_UNSIGNED")                                                            \
    X(long, INT64, "MPI_LONG")                                                                     \
    X(unsigned_long, UINT64, "MPI_UNSIGNED_LONG")                                                  \
    X(long_long_int, INT64, "MPI_LONG_LONG_INT")                                                   \
    X(unsigned_long_long, UINT64, "MPI_UNSIGNED_LONG_LONG")                                        \
    X(float, FLOAT, "MPI_FLOAT")                                                                   \
    X(double, DOUBLE, "MPI_DOUBLE")                                                                \
    X(long_double, LONG_DOUBLE, "MPI_LONG_DOUBLE")                                                 \
    X(wchar, WCHAR, "MPI_WCHAR")                                                                   \
    X(int8_t, INT8, "MPI_INT8_T")                                                                  \
    X(uint8_t, UINT8, "MPI_UINT8_T")                                                               \
    X(int16_t, INT16, "MPI_INT16_T")                                                               \
    X(uint16_t, UINT16, "MPI_UINT16_T")                                                            \
    X(int32_t, INT32, "MPI_INT32_T")                                                               \
    X(uint32_t, UINT32, "MPI_UINT32_T")                                                            \
    X(int64_t, INT64, "MPI_INT64_T")                                                               \
    X(uint64_t, UINT64, "MPI_UINT64_T")                                                            \
    X(aint, INT64, "MPI_AINT")                                                                     \
    X(offset, INT64, "MPI_OFFSET")                                                                 \
    X(count, INT64, "MPI_COUNT")                                                                   \
    X(c_bool, C_BOOL, "MPI_C_BOOL")                                                                \
    X(c_float_complex, COMPLEX_FLOAT, "MPI_C_COMPLEX")                                             \
    X(c_double_complex, COMPLEX_DOUBLE, "MPI_C_DOUBLE_COMPLEX")                                    \
    X(c_long_double_complex, COMPLEX_LONG_DOUBLE, "MPI_C_LONG_DOUBLE_COMPLEX")                     \
    X(cxx_bool, C_BOOL, "MPI_CXX_BOOL")                                                            \
    X(cxx_cplex, COMPLEX_FLOAT, "MPI_CXX_FLOAT_COMPLEX")                                           \
    X(cxx_dblcplex, COMPLEX_DOUBLE, "MPI_CXX_DOUBLE_COMPLEX")                                      \
    X(cxx_ldblcplex, COMPLEX_LONG_DOUBLE, "MPI_CXX_LONG_DOUBLE_COMPLEX")                           \
    X(float_int, FLOAT_INT, "MPI_FLOAT_INT")                                                       \
    X(double_int, DOUBLE_INT, "MPI_DOUBLE_INT")                                                    \
    X(longdbl_int, LONG_DOUBLE_INT, "MPI_LONG_DOUBLE_INT")                                         \
    X(long_int, LONG_INT, "MPI_LONG_INT")                                                          \
    X(short_int, SHORT_INT, "MPI_SHORT_INT")                                                       \
    X(2int, TWO_INT, "MPI_2INT")                                                                   \
    X(2integer, TWO_INT, "MPI_2INTEGER")                                                           \
    X(2real, TWO_FLOAT, "MPI_2REAL")                                                               \
    X(2dblprec, TWO_DOUBLE, "MPI_2DOUBLE_PRECISION")                                               \
    X(2cplex, TWO_COMPLEX_FLOAT, "MPI_2COMPLEX")                                                   \
    X(2dblcplex, TWO_COMPLEX_DOUBLE, "MPI_2DOUBLE_COMPLEX")                                        \
    X(lb, LB, "MPI_LB")                                                                            \
    X(ub, UB, "MPI_UB")                                                                            \
    X(character, CHAR, "MPI_CHARACTER")                                                            \
    X(logical, LOGICAL4, "MPI_LOGICAL")                                                            \
    X(logical1, LOGICAL1, "MPI_LOGICAL1")                                                          \
    X(logical2, LOGICAL2, "MPI_LOGICAL2")                                                          \
    X(logical4, LOGICAL4, "MPI_LOGICAL4")                                                          \
    X(logical8, LOGICAL8, "MPI_LOGICAL8")                                                          \
    X(integer, INT32, "MPI_INTEGER")                                                               \
    X(integer1, INT8, "MPI_INTEGER1")                                                              \
    X(integer2, INT16, "MPI_INTEGER2")                                                             \
    X(integer4, INT32, "MPI_INTEGER4")                                                             \
    X(integer8, INT64, "MPI_INTEGER8")                                                             \
    X(integer16, INT128, "MPI_INTEGER16")                                                          \
    X(real, FLOAT, "MPI_REAL")                                                                     \
    X(real4, FLOAT, "MPI_REAL4")                                                                   \
    X(real8, DOUBLE, "MPI_REAL8")                                                                  \
    X(real16, FLOAT128, "MPI_REAL16")                                                              \
    X(dblprec, DOUBLE, "MPI_DOUBLE_PRECISION")                                                     \
    X(cplex, COMPLEX_FLOAT, "MPI_COMPLEX")                                                         \
    X(complex8, COMPLEX_FLOAT, "MPI_COMPLEX8")                                                     \
    X(complex16, COMPLEX_DOUBLE, "MPI_COMPLEX16")                                                  \
    X(complex32, COMPLEX_FLOAT128, "MPI_COMPLEX32")                                                \
    X(dblcplex, COMPLEX_DOUBLE, "MPI_DOUBLE_COMPLEX")                                              \
    X(ldblcplex, COMPLEX_LONG_DOUBLE, "MPI_LONG_DOUBLE_COMPLEX")

#define DEFINE_TYPE(object, prim, name) struct ompi_predefined_datatype_t ompi_mpi_##object;
TYPE_MAP(DEFINE_TYPE)
#undef DEFINE_TYPE

/* There is no half precision here, so MPI_REAL2 is no datatype. */
struct ompi_predefined_datatype_t ompi_mpi_datatype_null, ompi_mpi_real2;

#define OP_MAP(X)                                                                                  \
    X(max, MAX)                                                                                    \
    X(min, MIN)                                                                                    \
    X(sum, SUM)                                                                                    \
    X(prod, PROD)                                                                                  \
    X(land, LAND)                                                                                  \
    X(band, BAND)                                                                                  \
    X(lor, LOR)                                                                                    \
    X(bor, BOR)                                                                                    \
    X(lxor, LXOR)                                                                                  \
    X(bxor, BXOR)                                                                                  \
    X(maxloc, MAXLOC)                                                                              \
    X(minloc, MINLOC)                                                                              \
    X(replace, REPLACE)                                                                            \
    X(no_op, NO_OP)

#define DEFINE_OP(object, kind) struct ompi_predefined_op_t ompi_mpi_op_##object;
OP_MAP(DEFINE_OP)
#undef DEFINE_OP
struct ompi_predefined_op_t ompi_mpi_op_null;

void
cpi_predefined_init(void)
{
#define FILL_TYPE(object, prim, name)                                                              \
    cpi_type_predefine(&ompi_mpi_##object.type, CPI_PRIM_##prim, name);
    TYPE_MAP(FILL_TYPE)
#undef FILL_TYPE
#define FILL_OP(object, kind)                                                                      \
    cpi_op_predefine(&ompi_mpi_op_##object.op, CPI_OP_##kind, "MPI_" #kind);
    OP_MAP(FILL_OP)
#undef FILL_OP
}
