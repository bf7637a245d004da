/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>

#include "mpi/error.h"
#include "p2p/engine.h"
#include "plat/plat.h"

/* These three work at any time. */

CPI_ALIAS(Wtime)
double
PMPI_Wtime(void)
{
    return (double)cpi_clock_ns() * 1e-9;
}

CPI_ALIAS(Wtick)
double
PMPI_Wtick(void)
{
    return 1e-9;
}

CPI_ALIAS(Get_version)
int
PMPI_Get_version(int *version, int *subversion)
{
    *version = MPI_VERSION;
    *subversion = MPI_SUBVERSION;
    return MPI_SUCCESS;
}

/* Programs look for "Open MPI v4" at the start to know what they may expect. */
CPI_ALIAS(Get_library_version)
int
PMPI_Get_library_version(char *version, int *length)
{
    *length = snprintf(version, MPI_MAX_LIBRARY_VERSION_STRING,
                       "Open MPI v%d.%d.%d (interface of; this is cpmp)", OMPI_MAJOR_VERSION,
                       OMPI_MINOR_VERSION, OMPI_RELEASE_VERSION);
    return MPI_SUCCESS;
}

CPI_ALIAS(Get_processor_name)
int
PMPI_Get_processor_name(char *name, int *length)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, name != NULL && length != NULL, MPI_ERR_ARG);
    *length = snprintf(name, MPI_MAX_PROCESSOR_NAME, "%s",
                       cpi_engine.segment.peer_names[cpi_engine.segment.header->peer]);
    return MPI_SUCCESS;
}

CPI_ALIAS(Get_address)
int
PMPI_Get_address(const void *location, MPI_Aint *address)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, address != NULL, MPI_ERR_ARG);
    *address = (MPI_Aint)location;
    return MPI_SUCCESS;
}

CPI_ALIAS(Address)
int
PMPI_Address(void *location, MPI_Aint *address)
{
    return PMPI_Get_address(location, address);
}

CPI_ALIAS(Alloc_mem)
int
PMPI_Alloc_mem(MPI_Aint size, MPI_Info info, void *base_p)
{
    void *base = NULL;

    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, size >= 0 && base_p != NULL, MPI_ERR_ARG);
    CPI_REQUIRE(MPI_COMM_NULL, info != NULL, MPI_ERR_INFO);
    if (size > 0 && posix_memalign(&base, 64, (size_t)size) != 0)
        return cpi_error_raise(MPI_COMM_NULL, MPI_ERR_NO_MEM, CPI_FUNCTION);
    *(void **)base_p = base;
    return MPI_SUCCESS;
}

CPI_ALIAS(Free_mem)
int
PMPI_Free_mem(void *base)
{
    CPI_ENTER();
    free(base);
    return MPI_SUCCESS;
}

/* For profiling libraries to define. */
CPI_ALIAS(Pcontrol)
int
PMPI_Pcontrol(const int level, ...)
{
    (void)level;
    return MPI_SUCCESS;
}
