/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_MPI_HANDLES_H
#define CPI_MPI_HANDLES_H

/*
 * Handles of mpi.h and the objects behind them.
 *
 * A handle is the object's address. Predefined objects are exported and have the sizes that Open
 * MPI's binary interface fixes, whatever they hold here: an executable may have a copy of one
 * (copy relocation), and then that copy is the object. So they are always reached through their
 * exported name, and what they hold before MPI_Init may not point into themselves.
 */

#include <cpmp.h>
#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>

#include "coll/op.h"
#include "comm/comm.h"
#include "p2p/request.h"
#include "type/type.h"

#define CPI_TAG_UB CPMP_TAG_MAX

enum cpi_errhandler_kind {
    CPI_ERRHANDLER_INVALID, /* MPI_ERRHANDLER_NULL, and freed ones */
    CPI_ERRHANDLER_FATAL,
    CPI_ERRHANDLER_RETURN,
    CPI_ERRHANDLER_USER
};

struct cpi_errhandler {
    int references; /* of a user's: handle and communicators */
    enum cpi_errhandler_kind kind;
    MPI_Comm_errhandler_function *function;
};

struct cpi_info; /* info.h */

/* A matched message and where it came from. MPI_MESSAGE_NO_PROC has no object behind it. */
struct cpi_matched {
    struct cpi_message *message;
    struct cpi_comm *comm; /* one reference */
};

#define CPI_PREDEFINED(name, member, bytes)                                                        \
    struct ompi_predefined_##name##_t {                                                            \
        union {                                                                                    \
            member;                                                                                \
            char abi[bytes];                                                                       \
            max_align_t align;                                                                     \
        };                                                                                         \
    };                                                                                             \
    _Static_assert(sizeof(struct ompi_predefined_##name##_t) == (bytes), "fixed by the interface")

CPI_PREDEFINED(communicator, struct cpi_comm comm, 512);
CPI_PREDEFINED(datatype, struct cpi_type type, 512);
CPI_PREDEFINED(win, char win, 512);
CPI_PREDEFINED(group, struct cpi_group group, 256);
CPI_PREDEFINED(info, char info, 256);
CPI_PREDEFINED(message, char message, 256);
CPI_PREDEFINED(request, char request, 256);
CPI_PREDEFINED(errhandler, struct cpi_errhandler errhandler, 1024);
CPI_PREDEFINED(file, char file, 1536);
CPI_PREDEFINED(op, struct cpi_op op, 2048);

#undef CPI_PREDEFINED

/* Fills datatypes and operations; before it they are invalid. */
void cpi_predefined_init(void);

/* --- from handle to object and back; only for handles that were found valid --- */

static inline struct cpi_comm *
cpi_comm_of(MPI_Comm handle)
{
    return (struct cpi_comm *)handle;
}

static inline struct cpi_type *
cpi_type_of(MPI_Datatype handle)
{
    return (struct cpi_type *)handle;
}

static inline struct cpi_group *
cpi_group_of(MPI_Group handle)
{
    return (struct cpi_group *)handle;
}

static inline struct cpi_op *
cpi_op_of(MPI_Op handle)
{
    return (struct cpi_op *)handle;
}

static inline struct cpi_info *
cpi_info_of(MPI_Info handle)
{
    return (struct cpi_info *)handle;
}

static inline struct cpi_request *
cpi_request_of(MPI_Request handle)
{
    return (struct cpi_request *)handle;
}

static inline struct cpi_matched *
cpi_matched_of(MPI_Message handle)
{
    return (struct cpi_matched *)handle;
}

static inline struct cpi_errhandler *
cpi_errhandler_of(MPI_Errhandler handle)
{
    return (struct cpi_errhandler *)handle;
}

/* --- is it a handle of a live object? Catches null handles and most stale ones --- */

static inline bool
cpi_comm_valid(MPI_Comm handle)
{
    return handle != NULL && cpi_comm_of(handle)->references > 0;
}

static inline bool
cpi_type_valid(MPI_Datatype handle)
{
    return handle != NULL && cpi_type_of(handle)->references > 0;
}

static inline bool
cpi_type_usable(MPI_Datatype handle)
{
    return cpi_type_valid(handle) && cpi_type_of(handle)->flags & CPI_TYPE_COMMITTED;
}

static inline bool
cpi_group_valid(MPI_Group handle)
{
    return handle != NULL && cpi_group_of(handle)->references != 0;
}

static inline bool
cpi_op_valid(MPI_Op handle)
{
    return handle != NULL && cpi_op_of(handle)->references > 0;
}

static inline bool
cpi_errhandler_valid(MPI_Errhandler handle)
{
    return handle != NULL && cpi_errhandler_of(handle)->kind != CPI_ERRHANDLER_INVALID;
}

/* Requests lie in a table that is never freed, so looking at a stale one is safe. */
static inline bool
cpi_request_valid(MPI_Request handle)
{
    return handle != NULL && handle != MPI_REQUEST_NULL &&
           cpi_request_of(handle)->kind != CPI_REQUEST_NONE;
}

#endif
