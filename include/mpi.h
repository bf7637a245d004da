/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPMP_MPI_H
#define CPMP_MPI_H

/*
 * mpi.h: MPI-3.1 with the names, numbers and layouts of Open MPI 4.1, so that sources written for
 * it compile and programs linked with its libmpi.so.40 run unmodified under cpexec.
 *
 * What a call does stands in the MPI standard (mpi-forum.org). Every function is there twice,
 * MPI_x weak and PMPI_x strong, so that a profiling library may define MPI_x and call PMPI_x.
 * Functions of parts that cpmp does not carry are not declared; constants and types are complete.
 *
 * Nothing in here may change its value: tests/system/30-mpi-abi.t compares all of it.
 */

#include <stddef.h>

/* The Open MPI that programs are to take this for. */
#define OPEN_MPI             1
#define OMPI_MAJOR_VERSION   4
#define OMPI_MINOR_VERSION   1
#define OMPI_RELEASE_VERSION 4
#define MPI_VERSION          3
#define MPI_SUBVERSION       1

#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* --- types ----------------------------------------------------------------------------------- */

typedef ptrdiff_t MPI_Aint;
typedef long long MPI_Offset;
typedef long long MPI_Count;
typedef int MPI_Fint;

typedef struct ompi_communicator_t *MPI_Comm;
typedef struct ompi_datatype_t *MPI_Datatype;
typedef struct ompi_errhandler_t *MPI_Errhandler;
typedef struct ompi_file_t *MPI_File;
typedef struct ompi_group_t *MPI_Group;
typedef struct ompi_info_t *MPI_Info;
typedef struct ompi_message_t *MPI_Message;
typedef struct ompi_op_t *MPI_Op;
typedef struct ompi_request_t *MPI_Request;
typedef struct ompi_win_t *MPI_Win;
typedef struct mca_base_var_enum_t *MPI_T_enum;
typedef struct ompi_mpit_cvar_handle_t *MPI_T_cvar_handle;
typedef struct mca_base_pvar_handle_t *MPI_T_pvar_handle;
typedef struct mca_base_pvar_session_t *MPI_T_pvar_session;

struct ompi_status_public_t {
    int MPI_SOURCE;
    int MPI_TAG;
    int MPI_ERROR;
    int _cancelled;  /* for MPI_Test_cancelled and */
    size_t _ucount;  /* MPI_Get_count only: bytes received */
};
typedef struct ompi_status_public_t MPI_Status;
typedef struct ompi_status_public_t ompi_status_public_t;

typedef void (MPI_User_function)(void *, void *, int *, MPI_Datatype *);
typedef void (MPI_Comm_errhandler_function)(MPI_Comm *, int *, ...);
typedef void (MPI_Win_errhandler_function)(MPI_Win *, int *, ...);
typedef void (MPI_File_errhandler_function)(MPI_File *, int *, ...);
typedef int (MPI_Comm_copy_attr_function)(MPI_Comm, int, void *, void *, void *, int *);
typedef int (MPI_Comm_delete_attr_function)(MPI_Comm, int, void *, void *);
typedef int (MPI_Type_copy_attr_function)(MPI_Datatype, int, void *, void *, void *, int *);
typedef int (MPI_Type_delete_attr_function)(MPI_Datatype, int, void *, void *);
typedef int (MPI_Win_copy_attr_function)(MPI_Win, int, void *, void *, void *, int *);
typedef int (MPI_Win_delete_attr_function)(MPI_Win, int, void *, void *);
typedef int (MPI_Grequest_query_function)(void *, MPI_Status *);
typedef int (MPI_Grequest_free_function)(void *);
typedef int (MPI_Grequest_cancel_function)(void *, int);
typedef int (MPI_Datarep_extent_function)(MPI_Datatype, MPI_Aint *, void *);
typedef int (MPI_Datarep_conversion_function)(void *, MPI_Datatype, int, void *, MPI_Offset,
                                              void *);
/* Names of MPI-1 and MPI-2.0 for the same. */
typedef MPI_Comm_errhandler_function MPI_Comm_errhandler_fn, MPI_Handler_function;
typedef MPI_Win_errhandler_function MPI_Win_errhandler_fn;
typedef MPI_File_errhandler_function MPI_File_errhandler_fn, ompi_file_errhandler_fn;
typedef MPI_Comm_copy_attr_function MPI_Copy_function;
typedef MPI_Comm_delete_attr_function MPI_Delete_function;

/* --- constants ------------------------------------------------------------------------------- */

#define MPI_ANY_SOURCE     (-1)
#define MPI_ANY_TAG        (-1)
#define MPI_PROC_NULL      (-2)
#define MPI_ROOT           (-4)
#define MPI_UNDEFINED      (-32766)
#define MPI_KEYVAL_INVALID (-1)
#define MPI_BSEND_OVERHEAD 128

#define MPI_MAX_PROCESSOR_NAME         256
#define MPI_MAX_ERROR_STRING           256
#define MPI_MAX_OBJECT_NAME            64
#define MPI_MAX_LIBRARY_VERSION_STRING 256
#define MPI_MAX_INFO_KEY               36
#define MPI_MAX_INFO_VAL               256
#define MPI_MAX_PORT_NAME              1024
#define MPI_MAX_DATAREP_STRING         128

#define MPI_BOTTOM          ((void *)0)
#define MPI_IN_PLACE        ((void *)1)
#define MPI_UNWEIGHTED      ((int *)2)
#define MPI_WEIGHTS_EMPTY   ((int *)3)
#define MPI_ARGV_NULL       ((char **)0)
#define MPI_ARGVS_NULL      ((char ***)0)
#define MPI_ERRCODES_IGNORE ((int *)0)
#define MPI_STATUS_IGNORE   ((MPI_Status *)0)
#define MPI_STATUSES_IGNORE ((MPI_Status *)0)

enum { MPI_IDENT, MPI_CONGRUENT, MPI_SIMILAR, MPI_UNEQUAL };
enum { MPI_THREAD_SINGLE, MPI_THREAD_FUNNELED, MPI_THREAD_SERIALIZED, MPI_THREAD_MULTIPLE };

/* Keys of predefined attributes. */
enum {
    MPI_TAG_UB, MPI_HOST, MPI_IO, MPI_WTIME_IS_GLOBAL, MPI_APPNUM, MPI_LASTUSEDCODE,
    MPI_UNIVERSE_SIZE, MPI_WIN_BASE, MPI_WIN_SIZE, MPI_WIN_DISP_UNIT, MPI_WIN_CREATE_FLAVOR,
    MPI_WIN_MODEL, IMPI_CLIENT_SIZE, IMPI_CLIENT_COLOR, IMPI_HOST_SIZE, IMPI_HOST_COLOR
};

/* How a datatype was made; those with INTEGER are MPI-1's Fortran constructors. */
enum {
    MPI_COMBINER_NAMED, MPI_COMBINER_DUP, MPI_COMBINER_CONTIGUOUS, MPI_COMBINER_VECTOR,
    MPI_COMBINER_HVECTOR_INTEGER, MPI_COMBINER_HVECTOR, MPI_COMBINER_INDEXED,
    MPI_COMBINER_HINDEXED_INTEGER, MPI_COMBINER_HINDEXED, MPI_COMBINER_INDEXED_BLOCK,
    MPI_COMBINER_STRUCT_INTEGER, MPI_COMBINER_STRUCT, MPI_COMBINER_SUBARRAY, MPI_COMBINER_DARRAY,
    MPI_COMBINER_F90_REAL, MPI_COMBINER_F90_COMPLEX, MPI_COMBINER_F90_INTEGER,
    MPI_COMBINER_RESIZED, MPI_COMBINER_HINDEXED_BLOCK
};

enum {
    MPI_COMM_TYPE_SHARED, OMPI_COMM_TYPE_HWTHREAD, OMPI_COMM_TYPE_CORE, OMPI_COMM_TYPE_L1CACHE,
    OMPI_COMM_TYPE_L2CACHE, OMPI_COMM_TYPE_L3CACHE, OMPI_COMM_TYPE_SOCKET, OMPI_COMM_TYPE_NUMA,
    OMPI_COMM_TYPE_BOARD, OMPI_COMM_TYPE_HOST, OMPI_COMM_TYPE_CU, OMPI_COMM_TYPE_CLUSTER
};
#define OMPI_COMM_TYPE_NODE MPI_COMM_TYPE_SHARED

#define MPI_CART                 1
#define MPI_GRAPH                2
#define MPI_DIST_GRAPH           3
#define MPI_ORDER_C              0
#define MPI_ORDER_FORTRAN        1
#define MPI_DISTRIBUTE_BLOCK     0
#define MPI_DISTRIBUTE_CYCLIC    1
#define MPI_DISTRIBUTE_NONE      2
#define MPI_DISTRIBUTE_DFLT_DARG (-1)
#define MPI_TYPECLASS_INTEGER    1
#define MPI_TYPECLASS_REAL       2
#define MPI_TYPECLASS_COMPLEX    3

/* Files. */
#define MPI_MODE_CREATE          1
#define MPI_MODE_RDONLY          2
#define MPI_MODE_WRONLY          4
#define MPI_MODE_RDWR            8
#define MPI_MODE_DELETE_ON_CLOSE 16
#define MPI_MODE_UNIQUE_OPEN     32
#define MPI_MODE_EXCL            64
#define MPI_MODE_APPEND          128
#define MPI_MODE_SEQUENTIAL      256
#define MPI_SEEK_SET             600
#define MPI_SEEK_CUR             602
#define MPI_SEEK_END             604
#define MPI_DISPLACEMENT_CURRENT (-54278278)
#define MPI_CONVERSION_FN_NULL   ((MPI_Datarep_conversion_function *)0)

/* Windows. */
#define MPI_MODE_NOCHECK        1
#define MPI_MODE_NOPRECEDE      2
#define MPI_MODE_NOPUT          4
#define MPI_MODE_NOSTORE        8
#define MPI_MODE_NOSUCCEED      16
#define MPI_LOCK_EXCLUSIVE      1
#define MPI_LOCK_SHARED         2
#define MPI_WIN_FLAVOR_CREATE   1
#define MPI_WIN_FLAVOR_ALLOCATE 2
#define MPI_WIN_FLAVOR_DYNAMIC  3
#define MPI_WIN_FLAVOR_SHARED   4
#define MPI_WIN_UNIFIED         0
#define MPI_WIN_SEPARATE        1

/* The tools interface. */
enum {
    MPI_T_VERBOSITY_USER_BASIC, MPI_T_VERBOSITY_USER_DETAIL, MPI_T_VERBOSITY_USER_ALL,
    MPI_T_VERBOSITY_TUNER_BASIC, MPI_T_VERBOSITY_TUNER_DETAIL, MPI_T_VERBOSITY_TUNER_ALL,
    MPI_T_VERBOSITY_MPIDEV_BASIC, MPI_T_VERBOSITY_MPIDEV_DETAIL, MPI_T_VERBOSITY_MPIDEV_ALL
};
enum {
    MPI_T_SCOPE_CONSTANT, MPI_T_SCOPE_READONLY, MPI_T_SCOPE_LOCAL, MPI_T_SCOPE_GROUP,
    MPI_T_SCOPE_GROUP_EQ, MPI_T_SCOPE_ALL, MPI_T_SCOPE_ALL_EQ
};
enum {
    MPI_T_BIND_NO_OBJECT, MPI_T_BIND_MPI_COMM, MPI_T_BIND_MPI_DATATYPE, MPI_T_BIND_MPI_ERRHANDLER,
    MPI_T_BIND_MPI_FILE, MPI_T_BIND_MPI_GROUP, MPI_T_BIND_MPI_OP, MPI_T_BIND_MPI_REQUEST,
    MPI_T_BIND_MPI_WIN, MPI_T_BIND_MPI_MESSAGE, MPI_T_BIND_MPI_INFO
};
enum {
    MPI_T_PVAR_CLASS_STATE, MPI_T_PVAR_CLASS_LEVEL, MPI_T_PVAR_CLASS_SIZE,
    MPI_T_PVAR_CLASS_PERCENTAGE, MPI_T_PVAR_CLASS_HIGHWATERMARK, MPI_T_PVAR_CLASS_LOWWATERMARK,
    MPI_T_PVAR_CLASS_COUNTER, MPI_T_PVAR_CLASS_AGGREGATE, MPI_T_PVAR_CLASS_TIMER,
    MPI_T_PVAR_CLASS_GENERIC
};
#define MPI_T_ENUM_NULL         ((MPI_T_enum)0)
#define MPI_T_CVAR_HANDLE_NULL  ((MPI_T_cvar_handle)0)
#define MPI_T_PVAR_HANDLE_NULL  ((MPI_T_pvar_handle)0)
#define MPI_T_PVAR_ALL_HANDLES  ((MPI_T_pvar_handle)-1)
#define MPI_T_PVAR_SESSION_NULL ((MPI_T_pvar_session)0)

/* --- error classes --------------------------------------------------------------------------- */

#define MPI_SUCCESS                   0
#define MPI_ERR_BUFFER                1
#define MPI_ERR_COUNT                 2
#define MPI_ERR_TYPE                  3
#define MPI_ERR_TAG                   4
#define MPI_ERR_COMM                  5
#define MPI_ERR_RANK                  6
#define MPI_ERR_REQUEST               7
#define MPI_ERR_ROOT                  8
#define MPI_ERR_GROUP                 9
#define MPI_ERR_OP                    10
#define MPI_ERR_TOPOLOGY              11
#define MPI_ERR_DIMS                  12
#define MPI_ERR_ARG                   13
#define MPI_ERR_UNKNOWN               14
#define MPI_ERR_TRUNCATE              15
#define MPI_ERR_OTHER                 16
#define MPI_ERR_INTERN                17
#define MPI_ERR_IN_STATUS             18
#define MPI_ERR_PENDING               19
#define MPI_ERR_ACCESS                20
#define MPI_ERR_AMODE                 21
#define MPI_ERR_ASSERT                22
#define MPI_ERR_BAD_FILE              23
#define MPI_ERR_BASE                  24
#define MPI_ERR_CONVERSION            25
#define MPI_ERR_DISP                  26
#define MPI_ERR_DUP_DATAREP           27
#define MPI_ERR_FILE_EXISTS           28
#define MPI_ERR_FILE_IN_USE           29
#define MPI_ERR_FILE                  30
#define MPI_ERR_INFO_KEY              31
#define MPI_ERR_INFO_NOKEY            32
#define MPI_ERR_INFO_VALUE            33
#define MPI_ERR_INFO                  34
#define MPI_ERR_IO                    35
#define MPI_ERR_KEYVAL                36
#define MPI_ERR_LOCKTYPE              37
#define MPI_ERR_NAME                  38
#define MPI_ERR_NO_MEM                39
#define MPI_ERR_NOT_SAME              40
#define MPI_ERR_NO_SPACE              41
#define MPI_ERR_NO_SUCH_FILE          42
#define MPI_ERR_PORT                  43
#define MPI_ERR_QUOTA                 44
#define MPI_ERR_READ_ONLY             45
#define MPI_ERR_RMA_CONFLICT          46
#define MPI_ERR_RMA_SYNC              47
#define MPI_ERR_SERVICE               48
#define MPI_ERR_SIZE                  49
#define MPI_ERR_SPAWN                 50
#define MPI_ERR_UNSUPPORTED_DATAREP   51
#define MPI_ERR_UNSUPPORTED_OPERATION 52
#define MPI_ERR_WIN                   53
#define MPI_T_ERR_MEMORY              54
#define MPI_T_ERR_NOT_INITIALIZED     55
#define MPI_T_ERR_CANNOT_INIT         56
#define MPI_T_ERR_INVALID_INDEX       57
#define MPI_T_ERR_INVALID_ITEM        58
#define MPI_T_ERR_INVALID_HANDLE      59
#define MPI_T_ERR_OUT_OF_HANDLES      60
#define MPI_T_ERR_OUT_OF_SESSIONS     61
#define MPI_T_ERR_INVALID_SESSION     62
#define MPI_T_ERR_CVAR_SET_NOT_NOW    63
#define MPI_T_ERR_CVAR_SET_NEVER      64
#define MPI_T_ERR_PVAR_NO_STARTSTOP   65
#define MPI_T_ERR_PVAR_NO_WRITE       66
#define MPI_T_ERR_PVAR_NO_ATOMIC      67
#define MPI_ERR_RMA_RANGE             68
#define MPI_ERR_RMA_ATTACH            69
#define MPI_ERR_RMA_FLAVOR            70
#define MPI_ERR_RMA_SHARED            71
#define MPI_T_ERR_INVALID             72
#define MPI_T_ERR_INVALID_NAME        73
#define MPI_ERR_LASTCODE              92

/* --- predefined objects --------------------------------------------------------------------------
 * Programs may hold copies of them (copy relocations), so their sizes never change either. */

extern struct ompi_predefined_communicator_t ompi_mpi_comm_world, ompi_mpi_comm_self,
    ompi_mpi_comm_null;
extern struct ompi_predefined_group_t ompi_mpi_group_empty, ompi_mpi_group_null;
extern struct ompi_predefined_request_t ompi_request_null;
extern struct ompi_predefined_message_t ompi_message_null, ompi_message_no_proc;
extern struct ompi_predefined_errhandler_t ompi_mpi_errhandler_null, ompi_mpi_errors_are_fatal,
    ompi_mpi_errors_return;
extern struct ompi_predefined_info_t ompi_mpi_info_null, ompi_mpi_info_env;
extern struct ompi_predefined_win_t ompi_mpi_win_null;
extern struct ompi_predefined_file_t ompi_mpi_file_null;
extern struct ompi_predefined_op_t ompi_mpi_op_null, ompi_mpi_op_max, ompi_mpi_op_min,
    ompi_mpi_op_sum, ompi_mpi_op_prod, ompi_mpi_op_land, ompi_mpi_op_band, ompi_mpi_op_lor,
    ompi_mpi_op_bor, ompi_mpi_op_lxor, ompi_mpi_op_bxor, ompi_mpi_op_maxloc, ompi_mpi_op_minloc,
    ompi_mpi_op_replace, ompi_mpi_op_no_op;
extern struct ompi_predefined_datatype_t ompi_mpi_datatype_null, ompi_mpi_byte, ompi_mpi_packed,
    ompi_mpi_char, ompi_mpi_signed_char, ompi_mpi_unsigned_char, ompi_mpi_short,
    ompi_mpi_unsigned_short, ompi_mpi_int, ompi_mpi_unsigned, ompi_mpi_long,
    ompi_mpi_unsigned_long, ompi_mpi_long_long_int, ompi_mpi_unsigned_long_long, ompi_mpi_float,
    ompi_mpi_double, ompi_mpi_long_double, ompi_mpi_wchar, ompi_mpi_int8_t, ompi_mpi_uint8_t,
    ompi_mpi_int16_t, ompi_mpi_uint16_t, ompi_mpi_int32_t, ompi_mpi_uint32_t, ompi_mpi_int64_t,
    ompi_mpi_uint64_t, ompi_mpi_aint, ompi_mpi_offset, ompi_mpi_count, ompi_mpi_c_bool,
    ompi_mpi_c_float_complex, ompi_mpi_c_double_complex, ompi_mpi_c_long_double_complex,
    ompi_mpi_cxx_bool, ompi_mpi_cxx_cplex, ompi_mpi_cxx_dblcplex, ompi_mpi_cxx_ldblcplex;
extern struct ompi_predefined_datatype_t ompi_mpi_float_int, ompi_mpi_double_int,
    ompi_mpi_longdbl_int, ompi_mpi_long_int, ompi_mpi_short_int, ompi_mpi_2int, ompi_mpi_2integer,
    ompi_mpi_2real, ompi_mpi_2dblprec, ompi_mpi_2cplex, ompi_mpi_2dblcplex, ompi_mpi_lb,
    ompi_mpi_ub;
extern struct ompi_predefined_datatype_t ompi_mpi_character, ompi_mpi_logical, ompi_mpi_logical1,
    ompi_mpi_logical2, ompi_mpi_logical4, ompi_mpi_logical8, ompi_mpi_integer, ompi_mpi_integer1,
    ompi_mpi_integer2, ompi_mpi_integer4, ompi_mpi_integer8, ompi_mpi_integer16, ompi_mpi_real,
    ompi_mpi_real2, ompi_mpi_real4, ompi_mpi_real8, ompi_mpi_real16, ompi_mpi_dblprec,
    ompi_mpi_cplex, ompi_mpi_complex8, ompi_mpi_complex16, ompi_mpi_complex32, ompi_mpi_dblcplex,
    ompi_mpi_ldblcplex;
extern MPI_Fint *MPI_F_STATUS_IGNORE, *MPI_F_STATUSES_IGNORE;

#ifdef __cplusplus
#define OMPI_PREDEFINED_GLOBAL(type, global) (static_cast<type>(static_cast<void *>(&(global))))
#else
#define OMPI_PREDEFINED_GLOBAL(type, global) ((type)((void *)&(global)))
#endif
#define OMPI_DATATYPE(name) OMPI_PREDEFINED_GLOBAL(MPI_Datatype, ompi_mpi_##name)
#define OMPI_OP(name)       OMPI_PREDEFINED_GLOBAL(MPI_Op, ompi_mpi_op_##name)

#define MPI_COMM_WORLD       OMPI_PREDEFINED_GLOBAL(MPI_Comm, ompi_mpi_comm_world)
#define MPI_COMM_SELF        OMPI_PREDEFINED_GLOBAL(MPI_Comm, ompi_mpi_comm_self)
#define MPI_COMM_NULL        OMPI_PREDEFINED_GLOBAL(MPI_Comm, ompi_mpi_comm_null)
#define MPI_GROUP_EMPTY      OMPI_PREDEFINED_GLOBAL(MPI_Group, ompi_mpi_group_empty)
#define MPI_GROUP_NULL       OMPI_PREDEFINED_GLOBAL(MPI_Group, ompi_mpi_group_null)
#define MPI_REQUEST_NULL     OMPI_PREDEFINED_GLOBAL(MPI_Request, ompi_request_null)
#define MPI_MESSAGE_NULL     OMPI_PREDEFINED_GLOBAL(MPI_Message, ompi_message_null)
#define MPI_MESSAGE_NO_PROC  OMPI_PREDEFINED_GLOBAL(MPI_Message, ompi_message_no_proc)
#define MPI_ERRHANDLER_NULL  OMPI_PREDEFINED_GLOBAL(MPI_Errhandler, ompi_mpi_errhandler_null)
#define MPI_ERRORS_ARE_FATAL OMPI_PREDEFINED_GLOBAL(MPI_Errhandler, ompi_mpi_errors_are_fatal)
#define MPI_ERRORS_RETURN    OMPI_PREDEFINED_GLOBAL(MPI_Errhandler, ompi_mpi_errors_return)
#define MPI_INFO_NULL        OMPI_PREDEFINED_GLOBAL(MPI_Info, ompi_mpi_info_null)
#define MPI_INFO_ENV         OMPI_PREDEFINED_GLOBAL(MPI_Info, ompi_mpi_info_env)
#define MPI_WIN_NULL         OMPI_PREDEFINED_GLOBAL(MPI_Win, ompi_mpi_win_null)
#define MPI_FILE_NULL        OMPI_PREDEFINED_GLOBAL(MPI_File, ompi_mpi_file_null)

#define MPI_OP_NULL OMPI_OP(null)
#define MPI_MAX     OMPI_OP(max)
#define MPI_MIN     OMPI_OP(min)
#define MPI_SUM     OMPI_OP(sum)
#define MPI_PROD    OMPI_OP(prod)
#define MPI_LAND    OMPI_OP(land)
#define MPI_BAND    OMPI_OP(band)
#define MPI_LOR     OMPI_OP(lor)
#define MPI_BOR     OMPI_OP(bor)
#define MPI_LXOR    OMPI_OP(lxor)
#define MPI_BXOR    OMPI_OP(bxor)
#define MPI_MAXLOC  OMPI_OP(maxloc)
#define MPI_MINLOC  OMPI_OP(minloc)
#define MPI_REPLACE OMPI_OP(replace)
#define MPI_NO_OP   OMPI_OP(no_op)

#define MPI_DATATYPE_NULL           OMPI_DATATYPE(datatype_null)
#define MPI_BYTE                    OMPI_DATATYPE(byte)
#define MPI_PACKED                  OMPI_DATATYPE(packed)
#define MPI_CHAR                    OMPI_DATATYPE(char)
#define MPI_SIGNED_CHAR             OMPI_DATATYPE(signed_char)
#define MPI_UNSIGNED_CHAR           OMPI_DATATYPE(unsigned_char)
#define MPI_SHORT                   OMPI_DATATYPE(short)
#define MPI_UNSIGNED_SHORT          OMPI_DATATYPE(unsigned_short)
#define MPI_INT                     OMPI_DATATYPE(int)
#define MPI_UNSIGNED                OMPI_DATATYPE(unsigned)
#define MPI_LONG                    OMPI_DATATYPE(long)
#define MPI_UNSIGNED_LONG           OMPI_DATATYPE(unsigned_long)
#define MPI_LONG_LONG_INT           OMPI_DATATYPE(long_long_int)
#define MPI_LONG_LONG               OMPI_DATATYPE(long_long_int)
#define MPI_UNSIGNED_LONG_LONG      OMPI_DATATYPE(unsigned_long_long)
#define MPI_FLOAT                   OMPI_DATATYPE(float)
#define MPI_DOUBLE                  OMPI_DATATYPE(double)
#define MPI_LONG_DOUBLE             OMPI_DATATYPE(long_double)
#define MPI_WCHAR                   OMPI_DATATYPE(wchar)
#define MPI_INT8_T                  OMPI_DATATYPE(int8_t)
#define MPI_UINT8_T                 OMPI_DATATYPE(uint8_t)
#define MPI_INT16_T                 OMPI_DATATYPE(int16_t)
#define MPI_UINT16_T                OMPI_DATATYPE(uint16_t)
#define MPI_INT32_T                 OMPI_DATATYPE(int32_t)
#define MPI_UINT32_T                OMPI_DATATYPE(uint32_t)
#define MPI_INT64_T                 OMPI_DATATYPE(int64_t)
#define MPI_UINT64_T                OMPI_DATATYPE(uint64_t)
#define MPI_AINT                    OMPI_DATATYPE(aint)
#define MPI_OFFSET                  OMPI_DATATYPE(offset)
#define MPI_COUNT                   OMPI_DATATYPE(count)
#define MPI_C_BOOL                  OMPI_DATATYPE(c_bool)
#define MPI_C_COMPLEX               OMPI_DATATYPE(c_float_complex)
#define MPI_C_FLOAT_COMPLEX         OMPI_DATATYPE(c_float_complex)
#define MPI_C_DOUBLE_COMPLEX        OMPI_DATATYPE(c_double_complex)
#define MPI_C_LONG_DOUBLE_COMPLEX   OMPI_DATATYPE(c_long_double_complex)
#define MPI_CXX_BOOL                OMPI_DATATYPE(cxx_bool)
#define MPI_CXX_COMPLEX             OMPI_DATATYPE(cxx_cplex)
#define MPI_CXX_FLOAT_COMPLEX       OMPI_DATATYPE(cxx_cplex)
#define MPI_CXX_DOUBLE_COMPLEX      OMPI_DATATYPE(cxx_dblcplex)
#define MPI_CXX_LONG_DOUBLE_COMPLEX OMPI_DATATYPE(cxx_ldblcplex)
#define MPI_FLOAT_INT               OMPI_DATATYPE(float_int)
#define MPI_DOUBLE_INT              OMPI_DATATYPE(double_int)
#define MPI_LONG_DOUBLE_INT         OMPI_DATATYPE(longdbl_int)
#define MPI_LONG_INT                OMPI_DATATYPE(long_int)
#define MPI_SHORT_INT               OMPI_DATATYPE(short_int)
#define MPI_2INT                    OMPI_DATATYPE(2int)
#define MPI_LB                      OMPI_DATATYPE(lb)
#define MPI_UB                      OMPI_DATATYPE(ub)
#define MPI_CHARACTER               OMPI_DATATYPE(character)
#define MPI_LOGICAL                 OMPI_DATATYPE(logical)
#define MPI_LOGICAL1                OMPI_DATATYPE(logical1)
#define MPI_LOGICAL2                OMPI_DATATYPE(logical2)
#define MPI_LOGICAL4                OMPI_DATATYPE(logical4)
#define MPI_LOGICAL8                OMPI_DATATYPE(logical8)
#define MPI_INTEGER                 OMPI_DATATYPE(integer)
#define MPI_INTEGER1                OMPI_DATATYPE(integer1)
#define MPI_INTEGER2                OMPI_DATATYPE(integer2)
#define MPI_INTEGER4                OMPI_DATATYPE(integer4)
#define MPI_INTEGER8                OMPI_DATATYPE(integer8)
#define MPI_REAL                    OMPI_DATATYPE(real)
#define MPI_REAL4                   OMPI_DATATYPE(real4)
#define MPI_REAL8                   OMPI_DATATYPE(real8)
#define MPI_REAL16                  OMPI_DATATYPE(real16)
#define MPI_DOUBLE_PRECISION        OMPI_DATATYPE(dblprec)
#define MPI_COMPLEX                 OMPI_DATATYPE(cplex)
#define MPI_COMPLEX8                OMPI_DATATYPE(complex8)
#define MPI_COMPLEX16               OMPI_DATATYPE(complex16)
#define MPI_COMPLEX32               OMPI_DATATYPE(complex32)
#define MPI_DOUBLE_COMPLEX          OMPI_DATATYPE(dblcplex)
#define MPI_2REAL                   OMPI_DATATYPE(2real)
#define MPI_2DOUBLE_PRECISION       OMPI_DATATYPE(2dblprec)
#define MPI_2INTEGER                OMPI_DATATYPE(2integer)
#define MPI_2COMPLEX                OMPI_DATATYPE(2cplex)
#define MPI_2DOUBLE_COMPLEX         OMPI_DATATYPE(2dblcplex)

/* Predefined attribute functions: under other names, since Fortran has these. */
#define MPI_COMM_NULL_COPY_FN   OMPI_C_MPI_COMM_NULL_COPY_FN
#define MPI_COMM_NULL_DELETE_FN OMPI_C_MPI_COMM_NULL_DELETE_FN
#define MPI_COMM_DUP_FN         OMPI_C_MPI_COMM_DUP_FN
#define MPI_TYPE_NULL_COPY_FN   OMPI_C_MPI_TYPE_NULL_COPY_FN
#define MPI_TYPE_NULL_DELETE_FN OMPI_C_MPI_TYPE_NULL_DELETE_FN
#define MPI_TYPE_DUP_FN         OMPI_C_MPI_TYPE_DUP_FN
#define MPI_WIN_NULL_COPY_FN    OMPI_C_MPI_WIN_NULL_COPY_FN
#define MPI_WIN_NULL_DELETE_FN  OMPI_C_MPI_WIN_NULL_DELETE_FN
#define MPI_WIN_DUP_FN          OMPI_C_MPI_WIN_DUP_FN
#define MPI_NULL_COPY_FN        OMPI_C_MPI_NULL_COPY_FN
#define MPI_NULL_DELETE_FN      OMPI_C_MPI_NULL_DELETE_FN
#define MPI_DUP_FN              OMPI_C_MPI_DUP_FN

MPI_Comm_copy_attr_function OMPI_C_MPI_COMM_NULL_COPY_FN, OMPI_C_MPI_COMM_DUP_FN,
    OMPI_C_MPI_NULL_COPY_FN, OMPI_C_MPI_DUP_FN;
MPI_Comm_delete_attr_function OMPI_C_MPI_COMM_NULL_DELETE_FN, OMPI_C_MPI_NULL_DELETE_FN;
MPI_Type_copy_attr_function OMPI_C_MPI_TYPE_NULL_COPY_FN, OMPI_C_MPI_TYPE_DUP_FN;
MPI_Type_delete_attr_function OMPI_C_MPI_TYPE_NULL_DELETE_FN;
MPI_Win_copy_attr_function OMPI_C_MPI_WIN_NULL_COPY_FN, OMPI_C_MPI_WIN_DUP_FN;
MPI_Win_delete_attr_function OMPI_C_MPI_WIN_NULL_DELETE_FN;

/* --- functions ------------------------------------------------------------------------------- */

#define MPIO_Request MPI_Request
#define MPIO_Test    MPI_Test
#define MPIO_Wait    MPI_Wait

#define MPI_Aint_add(base, disp)    ((MPI_Aint)((char *)(base) + (disp)))
#define MPI_Aint_diff(a, b)         ((MPI_Aint)((char *)(a) - (char *)(b)))
#define PMPI_Aint_add(base, disp)   MPI_Aint_add(base, disp)
#define PMPI_Aint_diff(a, b)        MPI_Aint_diff(a, b)

/* Declares MPI_name and PMPI_name. */
#define OMPI_FUNCTION(type, name, args) type MPI_##name args; type PMPI_##name args

/* What most functions share, written once. */
#define OMPI_SEND  const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm
#define OMPI_RECV  void *buf, int count, MPI_Datatype type, int source, int tag, MPI_Comm comm
#define OMPI_FROM  const void *sendbuf, int sendcount, MPI_Datatype sendtype
#define OMPI_TO    void *recvbuf, int recvcount, MPI_Datatype recvtype
#define OMPI_FROMV const void *sendbuf, const int sendcounts[], const int sdispls[], \
                   MPI_Datatype sendtype
#define OMPI_TOV   void *recvbuf, const int recvcounts[], const int rdispls[], MPI_Datatype recvtype
#define OMPI_W     const void *sendbuf, const int sendcounts[], const int sdispls[], \
                   const MPI_Datatype sendtypes[], void *recvbuf, const int recvcounts[], \
                   const int rdispls[], const MPI_Datatype recvtypes[]
#define OMPI_FOLD  const void *sendbuf, void *recvbuf, int count, MPI_Datatype type, MPI_Op op

/* Start and end, the environment. */
OMPI_FUNCTION(int, Init, (int *argc, char ***argv));
OMPI_FUNCTION(int, Init_thread, (int *argc, char ***argv, int required, int *provided));
OMPI_FUNCTION(int, Initialized, (int *flag));
OMPI_FUNCTION(int, Finalize, (void));
OMPI_FUNCTION(int, Finalized, (int *flag));
OMPI_FUNCTION(int, Query_thread, (int *provided));
OMPI_FUNCTION(int, Is_thread_main, (int *flag));
OMPI_FUNCTION(int, Abort, (MPI_Comm comm, int errorcode));
OMPI_FUNCTION(double, Wtime, (void));
OMPI_FUNCTION(double, Wtick, (void));
OMPI_FUNCTION(int, Get_version, (int *version, int *subversion));
OMPI_FUNCTION(int, Get_library_version, (char *version, int *resultlen));
OMPI_FUNCTION(int, Get_processor_name, (char *name, int *resultlen));
OMPI_FUNCTION(int, Get_address, (const void *location, MPI_Aint *address));
OMPI_FUNCTION(int, Alloc_mem, (MPI_Aint size, MPI_Info info, void *baseptr));
OMPI_FUNCTION(int, Free_mem, (void *base));
OMPI_FUNCTION(int, Pcontrol, (const int level, ...));

/* Errors. */
OMPI_FUNCTION(int, Error_class, (int errorcode, int *errorclass));
OMPI_FUNCTION(int, Error_string, (int errorcode, char *string, int *resultlen));
OMPI_FUNCTION(int, Add_error_class, (int *errorclass));
OMPI_FUNCTION(int, Add_error_code, (int errorclass, int *errorcode));
OMPI_FUNCTION(int, Add_error_string, (int errorcode, const char *string));
OMPI_FUNCTION(int, Errhandler_free, (MPI_Errhandler *errhandler));
OMPI_FUNCTION(int, Comm_create_errhandler, (MPI_Comm_errhandler_function *function,
                                            MPI_Errhandler *errhandler));
OMPI_FUNCTION(int, Comm_set_errhandler, (MPI_Comm comm, MPI_Errhandler errhandler));
OMPI_FUNCTION(int, Comm_get_errhandler, (MPI_Comm comm, MPI_Errhandler *errhandler));
OMPI_FUNCTION(int, Comm_call_errhandler, (MPI_Comm comm, int errorcode));

/* Messages between two ranks. */
OMPI_FUNCTION(int, Send, (OMPI_SEND));
OMPI_FUNCTION(int, Bsend, (OMPI_SEND));
OMPI_FUNCTION(int, Ssend, (OMPI_SEND));
OMPI_FUNCTION(int, Rsend, (OMPI_SEND));
OMPI_FUNCTION(int, Isend, (OMPI_SEND, MPI_Request *request));
OMPI_FUNCTION(int, Ibsend, (OMPI_SEND, MPI_Request *request));
OMPI_FUNCTION(int, Issend, (OMPI_SEND, MPI_Request *request));
OMPI_FUNCTION(int, Irsend, (OMPI_SEND, MPI_Request *request));
OMPI_FUNCTION(int, Send_init, (OMPI_SEND, MPI_Request *request));
OMPI_FUNCTION(int, Bsend_init, (OMPI_SEND, MPI_Request *request));
OMPI_FUNCTION(int, Ssend_init, (OMPI_SEND, MPI_Request *request));
OMPI_FUNCTION(int, Rsend_init, (OMPI_SEND, MPI_Request *request));
OMPI_FUNCTION(int, Recv, (OMPI_RECV, MPI_Status *status));
OMPI_FUNCTION(int, Irecv, (OMPI_RECV, MPI_Request *request));
OMPI_FUNCTION(int, Recv_init, (OMPI_RECV, MPI_Request *request));
OMPI_FUNCTION(int, Start, (MPI_Request *request));
OMPI_FUNCTION(int, Startall, (int count, MPI_Request requests[]));
OMPI_FUNCTION(int, Sendrecv, (OMPI_FROM, int dest, int sendtag, OMPI_TO, int source, int recvtag,
                              MPI_Comm comm, MPI_Status *status));
OMPI_FUNCTION(int, Sendrecv_replace, (void *buf, int count, MPI_Datatype type, int dest,
                                      int sendtag, int source, int recvtag, MPI_Comm comm,
                                      MPI_Status *status));
OMPI_FUNCTION(int, Buffer_attach, (void *buffer, int size));
OMPI_FUNCTION(int, Buffer_detach, (void *buffer_p, int *size));
OMPI_FUNCTION(int, Probe, (int source, int tag, MPI_Comm comm, MPI_Status *status));
OMPI_FUNCTION(int, Iprobe, (int source, int tag, MPI_Comm comm, int *flag, MPI_Status *status));
OMPI_FUNCTION(int, Mprobe, (int source, int tag, MPI_Comm comm, MPI_Message *message,
                            MPI_Status *status));
OMPI_FUNCTION(int, Improbe, (int source, int tag, MPI_Comm comm, int *flag, MPI_Message *message,
                             MPI_Status *status));
OMPI_FUNCTION(int, Mrecv, (void *buf, int count, MPI_Datatype type, MPI_Message *message,
                           MPI_Status *status));
OMPI_FUNCTION(int, Imrecv, (void *buf, int count, MPI_Datatype type, MPI_Message *message,
                            MPI_Request *request));

/* Completion. */
OMPI_FUNCTION(int, Wait, (MPI_Request *request, MPI_Status *status));
OMPI_FUNCTION(int, Test, (MPI_Request *request, int *flag, MPI_Status *status));
OMPI_FUNCTION(int, Waitany, (int count, MPI_Request requests[], int *index, MPI_Status *status));
OMPI_FUNCTION(int, Testany, (int count, MPI_Request requests[], int *index, int *flag,
                             MPI_Status *status));
OMPI_FUNCTION(int, Waitall, (int count, MPI_Request requests[], MPI_Status statuses[]));
OMPI_FUNCTION(int, Testall, (int count, MPI_Request requests[], int *flag, MPI_Status statuses[]));
OMPI_FUNCTION(int, Waitsome, (int incount, MPI_Request requests[], int *outcount, int indices[],
                              MPI_Status statuses[]));
OMPI_FUNCTION(int, Testsome, (int incount, MPI_Request requests[], int *outcount, int indices[],
                              MPI_Status statuses[]));
OMPI_FUNCTION(int, Request_free, (MPI_Request *request));
OMPI_FUNCTION(int, Request_get_status, (MPI_Request request, int *flag, MPI_Status *status));
OMPI_FUNCTION(int, Cancel, (MPI_Request *request));
OMPI_FUNCTION(int, Test_cancelled, (const MPI_Status *status, int *flag));
OMPI_FUNCTION(int, Get_count, (const MPI_Status *status, MPI_Datatype type, int *count));
OMPI_FUNCTION(int, Get_elements, (const MPI_Status *status, MPI_Datatype type, int *count));
OMPI_FUNCTION(int, Get_elements_x, (const MPI_Status *status, MPI_Datatype type,
                                    MPI_Count *count));
OMPI_FUNCTION(int, Status_set_cancelled, (MPI_Status *status, int flag));
OMPI_FUNCTION(int, Status_set_elements, (MPI_Status *status, MPI_Datatype type, int count));
OMPI_FUNCTION(int, Status_set_elements_x, (MPI_Status *status, MPI_Datatype type,
                                           MPI_Count count));

/* Groups. */
OMPI_FUNCTION(int, Group_size, (MPI_Group group, int *size));
OMPI_FUNCTION(int, Group_rank, (MPI_Group group, int *rank));
OMPI_FUNCTION(int, Group_translate_ranks, (MPI_Group from, int n, const int ranks[], MPI_Group to,
                                           int translated[]));
OMPI_FUNCTION(int, Group_compare, (MPI_Group a, MPI_Group b, int *result));
OMPI_FUNCTION(int, Group_union, (MPI_Group a, MPI_Group b, MPI_Group *newgroup));
OMPI_FUNCTION(int, Group_intersection, (MPI_Group a, MPI_Group b, MPI_Group *newgroup));
OMPI_FUNCTION(int, Group_difference, (MPI_Group a, MPI_Group b, MPI_Group *newgroup));
OMPI_FUNCTION(int, Group_incl, (MPI_Group group, int n, const int ranks[], MPI_Group *newgroup));
OMPI_FUNCTION(int, Group_excl, (MPI_Group group, int n, const int ranks[], MPI_Group *newgroup));
OMPI_FUNCTION(int, Group_range_incl, (MPI_Group group, int n, int ranges[][3],
                                      MPI_Group *newgroup));
OMPI_FUNCTION(int, Group_range_excl, (MPI_Group group, int n, int ranges[][3],
                                      MPI_Group *newgroup));
OMPI_FUNCTION(int, Group_free, (MPI_Group *group));

/* Communicators. */
OMPI_FUNCTION(int, Comm_size, (MPI_Comm comm, int *size));
OMPI_FUNCTION(int, Comm_rank, (MPI_Comm comm, int *rank));
OMPI_FUNCTION(int, Comm_compare, (MPI_Comm a, MPI_Comm b, int *result));
OMPI_FUNCTION(int, Comm_group, (MPI_Comm comm, MPI_Group *group));
OMPI_FUNCTION(int, Comm_test_inter, (MPI_Comm comm, int *flag));
OMPI_FUNCTION(int, Comm_remote_size, (MPI_Comm comm, int *size));
OMPI_FUNCTION(int, Comm_remote_group, (MPI_Comm comm, MPI_Group *group));
OMPI_FUNCTION(int, Comm_get_parent, (MPI_Comm *parent));
OMPI_FUNCTION(int, Comm_dup, (MPI_Comm comm, MPI_Comm *newcomm));
OMPI_FUNCTION(int, Comm_dup_with_info, (MPI_Comm comm, MPI_Info info, MPI_Comm *newcomm));
OMPI_FUNCTION(int, Comm_create, (MPI_Comm comm, MPI_Group group, MPI_Comm *newcomm));
OMPI_FUNCTION(int, Comm_create_group, (MPI_Comm comm, MPI_Group group, int tag,
                                       MPI_Comm *newcomm));
OMPI_FUNCTION(int, Comm_split, (MPI_Comm comm, int color, int key, MPI_Comm *newcomm));
OMPI_FUNCTION(int, Comm_split_type, (MPI_Comm comm, int split_type, int key, MPI_Info info,
                                     MPI_Comm *newcomm));
OMPI_FUNCTION(int, Comm_free, (MPI_Comm *comm));
OMPI_FUNCTION(int, Comm_disconnect, (MPI_Comm *comm));
OMPI_FUNCTION(int, Comm_set_name, (MPI_Comm comm, const char *name));
OMPI_FUNCTION(int, Comm_get_name, (MPI_Comm comm, char *name, int *resultlen));
OMPI_FUNCTION(int, Comm_set_info, (MPI_Comm comm, MPI_Info info));
OMPI_FUNCTION(int, Comm_get_info, (MPI_Comm comm, MPI_Info *info));

/* Attributes. */
OMPI_FUNCTION(int, Comm_create_keyval, (MPI_Comm_copy_attr_function *copy,
                                        MPI_Comm_delete_attr_function *erase, int *keyval,
                                        void *extra_state));
OMPI_FUNCTION(int, Comm_free_keyval, (int *keyval));
OMPI_FUNCTION(int, Comm_set_attr, (MPI_Comm comm, int keyval, void *value));
OMPI_FUNCTION(int, Comm_get_attr, (MPI_Comm comm, int keyval, void *value_p, int *flag));
OMPI_FUNCTION(int, Comm_delete_attr, (MPI_Comm comm, int keyval));
OMPI_FUNCTION(int, Type_create_keyval, (MPI_Type_copy_attr_function *copy,
                                        MPI_Type_delete_attr_function *erase, int *keyval,
                                        void *extra_state));
OMPI_FUNCTION(int, Type_free_keyval, (int *keyval));
OMPI_FUNCTION(int, Type_set_attr, (MPI_Datatype type, int keyval, void *value));
OMPI_FUNCTION(int, Type_get_attr, (MPI_Datatype type, int keyval, void *value_p, int *flag));
OMPI_FUNCTION(int, Type_delete_attr, (MPI_Datatype type, int keyval));

/* Info objects. */
OMPI_FUNCTION(int, Info_create, (MPI_Info *info));
OMPI_FUNCTION(int, Info_set, (MPI_Info info, const char *key, const char *value));
OMPI_FUNCTION(int, Info_delete, (MPI_Info info, const char *key));
OMPI_FUNCTION(int, Info_get, (MPI_Info info, const char *key, int valuelen, char *value,
                              int *flag));
OMPI_FUNCTION(int, Info_get_valuelen, (MPI_Info info, const char *key, int *valuelen, int *flag));
OMPI_FUNCTION(int, Info_get_nkeys, (MPI_Info info, int *nkeys));
OMPI_FUNCTION(int, Info_get_nthkey, (MPI_Info info, int n, char *key));
OMPI_FUNCTION(int, Info_dup, (MPI_Info info, MPI_Info *newinfo));
OMPI_FUNCTION(int, Info_free, (MPI_Info *info));

/* Datatypes. */
OMPI_FUNCTION(int, Type_contiguous, (int count, MPI_Datatype oldtype, MPI_Datatype *newtype));
OMPI_FUNCTION(int, Type_vector, (int count, int blocklength, int stride, MPI_Datatype oldtype,
                                 MPI_Datatype *newtype));
OMPI_FUNCTION(int, Type_create_hvector, (int count, int blocklength, MPI_Aint stride,
                                         MPI_Datatype oldtype, MPI_Datatype *newtype));
OMPI_FUNCTION(int, Type_indexed, (int count, const int blocklengths[], const int displacements[],
                                  MPI_Datatype oldtype, MPI_Datatype *newtype));
OMPI_FUNCTION(int, Type_create_hindexed, (int count, const int blocklengths[],
                                          const MPI_Aint displacements[], MPI_Datatype oldtype,
                                          MPI_Datatype *newtype));
OMPI_FUNCTION(int, Type_create_indexed_block, (int count, int blocklength,
                                               const int displacements[], MPI_Datatype oldtype,
                                               MPI_Datatype *newtype));
OMPI_FUNCTION(int, Type_create_hindexed_block, (int count, int blocklength,
                                                const MPI_Aint displacements[],
                                                MPI_Datatype oldtype, MPI_Datatype *newtype));
OMPI_FUNCTION(int, Type_create_struct, (int count, const int blocklengths[],
                                        const MPI_Aint displacements[],
                                        const MPI_Datatype types[], MPI_Datatype *newtype));
OMPI_FUNCTION(int, Type_create_subarray, (int ndims, const int sizes[], const int subsizes[],
                                          const int starts[], int order, MPI_Datatype oldtype,
                                          MPI_Datatype *newtype));
OMPI_FUNCTION(int, Type_create_resized, (MPI_Datatype oldtype, MPI_Aint lb, MPI_Aint extent,
                                         MPI_Datatype *newtype));
OMPI_FUNCTION(int, Type_dup, (MPI_Datatype oldtype, MPI_Datatype *newtype));
OMPI_FUNCTION(int, Type_commit, (MPI_Datatype *type));
OMPI_FUNCTION(int, Type_free, (MPI_Datatype *type));
OMPI_FUNCTION(int, Type_size, (MPI_Datatype type, int *size));
OMPI_FUNCTION(int, Type_size_x, (MPI_Datatype type, MPI_Count *size));
OMPI_FUNCTION(int, Type_get_extent, (MPI_Datatype type, MPI_Aint *lb, MPI_Aint *extent));
OMPI_FUNCTION(int, Type_get_extent_x, (MPI_Datatype type, MPI_Count *lb, MPI_Count *extent));
OMPI_FUNCTION(int, Type_get_true_extent, (MPI_Datatype type, MPI_Aint *lb, MPI_Aint *extent));
OMPI_FUNCTION(int, Type_get_true_extent_x, (MPI_Datatype type, MPI_Count *lb,
                                            MPI_Count *extent));
OMPI_FUNCTION(int, Type_set_name, (MPI_Datatype type, const char *name));
OMPI_FUNCTION(int, Type_get_name, (MPI_Datatype type, char *name, int *resultlen));
OMPI_FUNCTION(int, Type_get_envelope, (MPI_Datatype type, int *integers, int *addresses,
                                       int *datatypes, int *combiner));
OMPI_FUNCTION(int, Type_get_contents, (MPI_Datatype type, int max_integers, int max_addresses,
                                       int max_datatypes, int integers[], MPI_Aint addresses[],
                                       MPI_Datatype datatypes[]));
OMPI_FUNCTION(int, Type_match_size, (int typeclass, int size, MPI_Datatype *type));
OMPI_FUNCTION(int, Pack, (const void *inbuf, int incount, MPI_Datatype type, void *outbuf,
                          int outsize, int *position, MPI_Comm comm));
OMPI_FUNCTION(int, Unpack, (const void *inbuf, int insize, int *position, void *outbuf,
                            int outcount, MPI_Datatype type, MPI_Comm comm));
OMPI_FUNCTION(int, Pack_size, (int incount, MPI_Datatype type, MPI_Comm comm, int *size));

/* Operations. */
OMPI_FUNCTION(int, Op_create, (MPI_User_function *function, int commute, MPI_Op *op));
OMPI_FUNCTION(int, Op_free, (MPI_Op *op));
OMPI_FUNCTION(int, Op_commutative, (MPI_Op op, int *commute));
OMPI_FUNCTION(int, Reduce_local, (const void *inbuf, void *inoutbuf, int count, MPI_Datatype type,
                                  MPI_Op op));

/* Collectives, and the same begun without waiting. */
OMPI_FUNCTION(int, Barrier, (MPI_Comm comm));
OMPI_FUNCTION(int, Bcast, (void *buffer, int count, MPI_Datatype type, int root, MPI_Comm comm));
OMPI_FUNCTION(int, Gather, (OMPI_FROM, OMPI_TO, int root, MPI_Comm comm));
OMPI_FUNCTION(int, Gatherv, (OMPI_FROM, OMPI_TOV, int root, MPI_Comm comm));
OMPI_FUNCTION(int, Scatter, (OMPI_FROM, OMPI_TO, int root, MPI_Comm comm));
OMPI_FUNCTION(int, Scatterv, (OMPI_FROMV, OMPI_TO, int root, MPI_Comm comm));
OMPI_FUNCTION(int, Allgather, (OMPI_FROM, OMPI_TO, MPI_Comm comm));
OMPI_FUNCTION(int, Allgatherv, (OMPI_FROM, OMPI_TOV, MPI_Comm comm));
OMPI_FUNCTION(int, Alltoall, (OMPI_FROM, OMPI_TO, MPI_Comm comm));
OMPI_FUNCTION(int, Alltoallv, (OMPI_FROMV, OMPI_TOV, MPI_Comm comm));
OMPI_FUNCTION(int, Alltoallw, (OMPI_W, MPI_Comm comm));
OMPI_FUNCTION(int, Reduce, (OMPI_FOLD, int root, MPI_Comm comm));
OMPI_FUNCTION(int, Allreduce, (OMPI_FOLD, MPI_Comm comm));
OMPI_FUNCTION(int, Scan, (OMPI_FOLD, MPI_Comm comm));
OMPI_FUNCTION(int, Exscan, (OMPI_FOLD, MPI_Comm comm));
OMPI_FUNCTION(int, Reduce_scatter, (const void *sendbuf, void *recvbuf, const int recvcounts[],
                                    MPI_Datatype type, MPI_Op op, MPI_Comm comm));
OMPI_FUNCTION(int, Reduce_scatter_block, (OMPI_FOLD, MPI_Comm comm));

OMPI_FUNCTION(int, Ibarrier, (MPI_Comm comm, MPI_Request *request));
OMPI_FUNCTION(int, Ibcast, (void *buffer, int count, MPI_Datatype type, int root, MPI_Comm comm,
                            MPI_Request *request));
OMPI_FUNCTION(int, Igather, (OMPI_FROM, OMPI_TO, int root, MPI_Comm comm, MPI_Request *request));
OMPI_FUNCTION(int, Igatherv, (OMPI_FROM, OMPI_TOV, int root, MPI_Comm comm, MPI_Request *request));
OMPI_FUNCTION(int, Iscatter, (OMPI_FROM, OMPI_TO, int root, MPI_Comm comm, MPI_Request *request));
OMPI_FUNCTION(int, Iscatterv, (OMPI_FROMV, OMPI_TO, int root, MPI_Comm comm,
                               MPI_Request *request));
OMPI_FUNCTION(int, Iallgather, (OMPI_FROM, OMPI_TO, MPI_Comm comm, MPI_Request *request));
OMPI_FUNCTION(int, Iallgatherv, (OMPI_FROM, OMPI_TOV, MPI_Comm comm, MPI_Request *request));
OMPI_FUNCTION(int, Ialltoall, (OMPI_FROM, OMPI_TO, MPI_Comm comm, MPI_Request *request));
OMPI_FUNCTION(int, Ialltoallv, (OMPI_FROMV, OMPI_TOV, MPI_Comm comm, MPI_Request *request));
OMPI_FUNCTION(int, Ialltoallw, (OMPI_W, MPI_Comm comm, MPI_Request *request));
OMPI_FUNCTION(int, Ireduce, (OMPI_FOLD, int root, MPI_Comm comm, MPI_Request *request));
OMPI_FUNCTION(int, Iallreduce, (OMPI_FOLD, MPI_Comm comm, MPI_Request *request));
OMPI_FUNCTION(int, Iscan, (OMPI_FOLD, MPI_Comm comm, MPI_Request *request));
OMPI_FUNCTION(int, Iexscan, (OMPI_FOLD, MPI_Comm comm, MPI_Request *request));
OMPI_FUNCTION(int, Ireduce_scatter, (const void *sendbuf, void *recvbuf, const int recvcounts[],
                                     MPI_Datatype type, MPI_Op op, MPI_Comm comm,
                                     MPI_Request *request));
OMPI_FUNCTION(int, Ireduce_scatter_block, (OMPI_FOLD, MPI_Comm comm, MPI_Request *request));

/* Names of MPI-1 that MPI-2 replaced and MPI-3 removed; old programs have them. */
OMPI_FUNCTION(int, Address, (void *location, MPI_Aint *address));
OMPI_FUNCTION(int, Type_extent, (MPI_Datatype type, MPI_Aint *extent));
OMPI_FUNCTION(int, Type_lb, (MPI_Datatype type, MPI_Aint *lb));
OMPI_FUNCTION(int, Type_ub, (MPI_Datatype type, MPI_Aint *ub));
OMPI_FUNCTION(int, Type_hvector, (int count, int blocklength, MPI_Aint stride,
                                  MPI_Datatype oldtype, MPI_Datatype *newtype));
OMPI_FUNCTION(int, Type_hindexed, (int count, int blocklengths[], MPI_Aint displacements[],
                                   MPI_Datatype oldtype, MPI_Datatype *newtype));
OMPI_FUNCTION(int, Type_struct, (int count, int blocklengths[], MPI_Aint displacements[],
                                 MPI_Datatype types[], MPI_Datatype *newtype));
OMPI_FUNCTION(int, Errhandler_create, (MPI_Handler_function *function,
                                       MPI_Errhandler *errhandler));
OMPI_FUNCTION(int, Errhandler_set, (MPI_Comm comm, MPI_Errhandler errhandler));
OMPI_FUNCTION(int, Errhandler_get, (MPI_Comm comm, MPI_Errhandler *errhandler));
OMPI_FUNCTION(int, Keyval_create, (MPI_Copy_function *copy, MPI_Delete_function *erase,
                                   int *keyval, void *extra_state));
OMPI_FUNCTION(int, Keyval_free, (int *keyval));
OMPI_FUNCTION(int, Attr_put, (MPI_Comm comm, int keyval, void *value));
OMPI_FUNCTION(int, Attr_get, (MPI_Comm comm, int keyval, void *value_p, int *flag));
OMPI_FUNCTION(int, Attr_delete, (MPI_Comm comm, int keyval));

#undef OMPI_SEND
#undef OMPI_RECV
#undef OMPI_FROM
#undef OMPI_TO
#undef OMPI_FROMV
#undef OMPI_TOV
#undef OMPI_W
#undef OMPI_FOLD
#undef OMPI_FUNCTION

#ifdef __cplusplus
}
#endif
#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#endif
