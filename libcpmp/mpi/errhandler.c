/* SPDX-License-Identifier: BSD-3-Clause */
#include "mpi/errhandler.h"

#include <stdio.h>
#include <stdlib.h>

#include "mpi/error.h"
#include "p2p/engine.h"
#include "plat/plat.h"

void
cpi_errhandler_put(struct cpi_errhandler *errhandler)
{
    if (errhandler->kind != CPI_ERRHANDLER_USER || --errhandler->references > 0)
        return;
    errhandler->kind = CPI_ERRHANDLER_INVALID;
    free(errhandler);
}

void
cpi_errhandler_set(struct cpi_comm *comm, struct cpi_errhandler *errhandler)
{
    struct cpi_errhandler *before = comm->errhandler;

    errhandler->references++;
    comm->errhandler = errhandler;
    if (before != NULL)
        cpi_errhandler_put(before);
}

/* --- what happens on an error --- */

static const char *
host_name(void)
{
    const struct cpi_segment *segment = &cpi_engine.segment;

    return segment->header == NULL ? "localhost" : segment->peer_names[segment->header->peer];
}

/* Every line bears the process, as Open MPI's do: scripts look for these texts. */
static _Noreturn void
die_of(const struct cpi_comm *comm, int code, const char *function)
{
    const char *error = cpi_error_text(code);
    char who[96], text[1200];

    snprintf(who, sizeof(who), "[%s:%d] ***", host_name(), cpi_process_id());
    snprintf(text, sizeof(text),
             "%s An error occurred in %.40s\n"
             "%s reported by rank %d\n"
             "%s on communicator %s\n"
             "%s %.150s\n"
             "%s MPI_ERRORS_ARE_FATAL (processes in this communicator will now abort,\n"
             "%s    and potentially your MPI job)\n",
             who, function, who, comm->rank, who,
             comm->name[0] != '\0' ? comm->name : "without a name", who,
             error != NULL && error[0] != '\0' ? error : "an error without a text", who, who);
    fflush(NULL);
    cpi_engine_abort(code, text);
}

int
cpi_error_raise(MPI_Comm handle, int code, const char *function)
{
    if (!cpi_comm_valid(handle))
        handle = MPI_COMM_WORLD;
    struct cpi_comm *comm = cpi_comm_of(handle);
    struct cpi_errhandler *errhandler = comm->errhandler;

    if (errhandler == NULL || errhandler->kind == CPI_ERRHANDLER_FATAL)
        die_of(comm, code, function);
    if (errhandler->kind == CPI_ERRHANDLER_USER)
        errhandler->function(&handle, &code, function, NULL);
    return code;
}

void
cpi_error_outside(const char *function)
{
    int initialized = 0;
    char text[400];

    PMPI_Initialized(&initialized);
    snprintf(text, sizeof(text),
             "*** The %s() function was called %s.\n"
             "*** This is disallowed by the MPI standard.\n"
             "*** Your MPI job will now abort.\n",
             function, initialized ? "after MPI_FINALIZE was invoked"
                                   : "before MPI_INIT was invoked");
    fflush(NULL);
    cpi_text_print(text);
    cpi_process_end(1);
}

/* --- handlers --- */

CPI_ALIAS(Comm_create_errhandler)
int
PMPI_Comm_create_errhandler(MPI_Comm_errhandler_function *function, MPI_Errhandler *handle)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, function != NULL && handle != NULL, MPI_ERR_ARG);
    struct cpi_errhandler *errhandler = calloc(1, sizeof(*errhandler));
    CPI_REQUIRE(MPI_COMM_NULL, errhandler != NULL, MPI_ERR_NO_MEM);
    errhandler->references = 1;
    errhandler->kind = CPI_ERRHANDLER_USER;
    errhandler->function = function;
    *handle = (MPI_Errhandler)errhandler;
    return MPI_SUCCESS;
}

CPI_ALIAS(Errhandler_free)
int
PMPI_Errhandler_free(MPI_Errhandler *handle)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, handle != NULL && cpi_errhandler_valid(*handle), MPI_ERR_ARG);
    cpi_errhandler_put(cpi_errhandler_of(*handle));
    *handle = MPI_ERRHANDLER_NULL;
    return MPI_SUCCESS;
}

CPI_ALIAS(Comm_set_errhandler)
int
PMPI_Comm_set_errhandler(MPI_Comm comm, MPI_Errhandler handle)
{
    CPI_ENTER();
    CPI_REQUIRE(comm, cpi_comm_valid(comm), MPI_ERR_COMM);
    CPI_REQUIRE(comm, cpi_errhandler_valid(handle), MPI_ERR_ARG);
    cpi_errhandler_set(cpi_comm_of(comm), cpi_errhandler_of(handle));
    return MPI_SUCCESS;
}

CPI_ALIAS(Comm_get_errhandler)
int
PMPI_Comm_get_errhandler(MPI_Comm comm, MPI_Errhandler *handle)
{
    CPI_ENTER();
    CPI_REQUIRE(comm, cpi_comm_valid(comm), MPI_ERR_COMM);
    CPI_REQUIRE(comm, handle != NULL, MPI_ERR_ARG);
    struct cpi_errhandler *errhandler = cpi_comm_of(comm)->errhandler;
    errhandler->references++;
    *handle = (MPI_Errhandler)errhandler;
    return MPI_SUCCESS;
}

CPI_ALIAS(Comm_call_errhandler)
int
PMPI_Comm_call_errhandler(MPI_Comm comm, int code)
{
    CPI_ENTER();
    CPI_REQUIRE(comm, cpi_comm_valid(comm), MPI_ERR_COMM);
    cpi_error_raise(comm, code, CPI_FUNCTION);
    return MPI_SUCCESS;
}

/* --- MPI-1's names --- */

CPI_ALIAS(Errhandler_create)
int
PMPI_Errhandler_create(MPI_Handler_function *function, MPI_Errhandler *errhandler)
{
    return PMPI_Comm_create_errhandler(function, errhandler);
}

CPI_ALIAS(Errhandler_set)
int
PMPI_Errhandler_set(MPI_Comm comm, MPI_Errhandler errhandler)
{
    return PMPI_Comm_set_errhandler(comm, errhandler);
}

CPI_ALIAS(Errhandler_get)
int
PMPI_Errhandler_get(MPI_Comm comm, MPI_Errhandler *errhandler)
{
    return PMPI_Comm_get_errhandler(comm, errhandler);
}
