/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "comm/comm.h"
#include "mpi/attr.h"
#include "mpi/errhandler.h"
#include "mpi/error.h"
#include "mpi/info.h"
#include "mpi/request.h"
#include "native/native.h"
#include "p2p/engine.h"
#include "plat/plat.h"

bool cpi_mpi_inside;

static bool was_inside; /* MPI_Init was called, whatever came then */
static int thread_level;
static pthread_t main_thread;

static int
environment_number(const char *name, int otherwise)
{
    const char *text = getenv(name);
    char *end;

    if (text == NULL || *text == '\0')
        return otherwise;
    long number = strtol(text, &end, 10);
    return *end == '\0' && number >= 0 && number <= INT32_MAX ? (int)number : otherwise;
}

static _Noreturn void
init_fail(const char *what, int error)
{
    const char *fault = cpi_engine_join_fault();
    char text[300];

    snprintf(text, sizeof(text), "MPI_Init: %s: %s.\n%s", what,
             fault != NULL ? fault : cpmp_strerror(error),
             fault != NULL
                 ? ""
                 : "Start the program with cpexec, or alone for a job of one rank.\n");
    fflush(NULL);
    cpi_text_print(text);
    cpi_process_end(1);
}

static int
comms_init(void)
{
    struct cpi_comm *world = cpi_comm_of(MPI_COMM_WORLD), *self = cpi_comm_of(MPI_COMM_SELF);
    struct cpi_errhandler *fatal = cpi_errhandler_of(MPI_ERRORS_ARE_FATAL);
    int error = cpi_comm_init_world(world);

    if (error != CPMP_OK)
        return error;
    error = cpi_comm_init_self(self);
    if (error != CPMP_OK) {
        cpi_comm_release(world);
        return error;
    }
    snprintf(world->name, sizeof(world->name), "MPI_COMM_WORLD");
    snprintf(self->name, sizeof(self->name), "MPI_COMM_SELF");
    cpi_errhandler_set(world, fatal);
    cpi_errhandler_set(self, fatal);
    return CPMP_OK;
}

static const char *
thread_level_name(int level)
{
    return level == MPI_THREAD_SINGLE     ? "MPI_THREAD_SINGLE"
           : level == MPI_THREAD_FUNNELED ? "MPI_THREAD_FUNNELED"
                                          : "MPI_THREAD_SERIALIZED";
}

/* The engine is not made for several threads at once, so MULTIPLE is not given. */
static int
init(int required, const char *function)
{
    if (was_inside)
        return cpi_mpi_inside ? cpi_error_raise(MPI_COMM_WORLD, MPI_ERR_OTHER, function)
                              : (cpi_error_outside(function), MPI_ERR_OTHER);
    int error = cpi_job_begin();
    if (error != CPMP_OK)
        init_fail("the job could not be joined", error);
    cpi_predefined_init();
    error = comms_init();
    if (error != CPMP_OK)
        init_fail("MPI_COMM_WORLD could not be made", error);
    thread_level = required < MPI_THREAD_SERIALIZED ? required : MPI_THREAD_SERIALIZED;
    if (!cpi_info_init(thread_level_name(thread_level)))
        init_fail("MPI_INFO_ENV could not be made", CPMP_ENOMEM);
    cpi_attr_init(environment_number("OMPI_UNIVERSE_SIZE", cpi_engine.size),
                  environment_number("CPMP_PROGRAM", 0));
    main_thread = pthread_self();
    was_inside = true;
    cpi_mpi_inside = true;
    return MPI_SUCCESS;
}

CPI_ALIAS(Init)
int
PMPI_Init(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return init(MPI_THREAD_SINGLE, CPI_FUNCTION);
}

CPI_ALIAS(Init_thread)
int
PMPI_Init_thread(int *argc, char ***argv, int required, int *provided)
{
    (void)argc;
    (void)argv;
    int class = init(required, CPI_FUNCTION);
    if (class == MPI_SUCCESS && provided != NULL)
        *provided = thread_level;
    return class;
}

/* What MPI asks of the end: attributes of MPI_COMM_SELF first (MPI-3.1, 8.7.1), when all of MPI
 * still works; then what this rank has sent goes out. */
CPI_ALIAS(Finalize)
int
PMPI_Finalize(void)
{
    struct cpi_comm *world = cpi_comm_of(MPI_COMM_WORLD), *self = cpi_comm_of(MPI_COMM_SELF);

    CPI_ENTER();
    int class = cpi_attr_delete_all(self, (struct cpi_attrs **)&self->attributes);
    CPI_REQUIRE(MPI_COMM_SELF, class == MPI_SUCCESS, class);
    class = cpi_attr_delete_all(world, (struct cpi_attrs **)&world->attributes);
    CPI_REQUIRE(MPI_COMM_WORLD, class == MPI_SUCCESS, class);
    cpi_bsend_drain();
    cpi_request_orphans_drain();
    cpi_mpi_inside = false;
    cpi_errhandler_put(self->errhandler);
    cpi_errhandler_put(world->errhandler);
    cpi_comm_release(self);
    cpi_comm_release(world);
    cpi_info_release();
    cpi_attr_release();
    cpi_error_release();
    cpi_job_end();
    return MPI_SUCCESS;
}

CPI_ALIAS(Initialized)
int
PMPI_Initialized(int *flag)
{
    *flag = was_inside;
    return MPI_SUCCESS;
}

CPI_ALIAS(Finalized)
int
PMPI_Finalized(int *flag)
{
    *flag = was_inside && !cpi_mpi_inside;
    return MPI_SUCCESS;
}

CPI_ALIAS(Query_thread)
int
PMPI_Query_thread(int *provided)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, provided != NULL, MPI_ERR_ARG);
    *provided = thread_level;
    return MPI_SUCCESS;
}

CPI_ALIAS(Is_thread_main)
int
PMPI_Is_thread_main(int *flag)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, flag != NULL, MPI_ERR_ARG);
    *flag = pthread_equal(main_thread, pthread_self()) != 0;
    return MPI_SUCCESS;
}

CPI_ALIAS(Abort)
int
PMPI_Abort(MPI_Comm handle, int code)
{
    char text[300];

    CPI_ENTER();
    CPI_REQUIRE(handle, cpi_comm_valid(handle), MPI_ERR_COMM);
    struct cpi_comm *comm = cpi_comm_of(handle);
    snprintf(text, sizeof(text),
             "MPI_ABORT was invoked on rank %d in communicator %s with errorcode %d.\n", comm->rank,
             comm->name[0] != '\0' ? comm->name : "without a name", code);
    fflush(NULL);
    cpi_engine_abort(code, text);
}
