/* SPDX-License-Identifier: BSD-3-Clause */
#include <limits.h>

#include "mpi/error.h"
#include "mpi/handles.h"

/* What a status says: how many bytes came, and whether the operation was cancelled. */

#define REQUIRE_COUNT(status, type, count)                                                         \
    do {                                                                                           \
        CPI_ENTER();                                                                               \
        CPI_REQUIRE(MPI_COMM_NULL, cpi_type_usable(type), MPI_ERR_TYPE);                           \
        CPI_REQUIRE(MPI_COMM_NULL, (status) != NULL && (count) != NULL, MPI_ERR_ARG);              \
    } while (0)

CPI_ALIAS(Get_count)
int
PMPI_Get_count(const MPI_Status *status, MPI_Datatype type, int *count)
{
    REQUIRE_COUNT(status, type, count);
    size_t size = cpi_type_of(type)->size, bytes = status->_ucount;
    if (size == 0)
        *count = bytes == 0 ? 0 : MPI_UNDEFINED;
    else
        *count = bytes % size == 0 && bytes / size <= INT_MAX ? (int)(bytes / size)
                                                              : MPI_UNDEFINED;
    return MPI_SUCCESS;
}

CPI_ALIAS(Get_elements_x)
int
PMPI_Get_elements_x(const MPI_Status *status, MPI_Datatype type, MPI_Count *count)
{
    REQUIRE_COUNT(status, type, count);
    size_t elements = cpi_type_elements(cpi_type_of(type), status->_ucount);
    *count = elements == CPI_TYPE_UNDEFINED ? MPI_UNDEFINED : (MPI_Count)elements;
    return MPI_SUCCESS;
}

CPI_ALIAS(Get_elements)
int
PMPI_Get_elements(const MPI_Status *status, MPI_Datatype type, int *count)
{
    MPI_Count elements;

    REQUIRE_COUNT(status, type, count);
    PMPI_Get_elements_x(status, type, &elements);
    *count = elements <= INT_MAX ? (int)elements : MPI_UNDEFINED;
    return MPI_SUCCESS;
}

/* --- for who makes statuses of his own --- */

/* The bytes of the first `elements` primitive elements of a run of `type`: the opposite of
 * cpi_type_elements. */
static size_t
bytes_of_elements(const struct cpi_type *type, size_t elements)
{
    size_t bytes = 0;

    while (elements > 0 && type->elements > 0) {
        bytes += elements / type->elements * type->size;
        elements %= type->elements;
        if (elements == 0)
            break;
        if (type->combiner == CPI_COMBINER_NAMED) /* half a pair */
            return bytes + cpi_prim_info(type->prim)->first;
        const struct cpi_type *part = type->types[0];
        for (uint32_t i = 0; type->combiner == CPI_COMBINER_STRUCT && i < type->type_count; i++) {
            size_t inside = (size_t)type->integers[1 + i] * type->types[i]->elements;
            part = type->types[i];
            if (elements <= inside)
                break;
            elements -= inside;
            bytes += (size_t)type->integers[1 + i] * part->size;
        }
        type = part;
    }
    return bytes;
}

CPI_ALIAS(Status_set_elements_x)
int
PMPI_Status_set_elements_x(MPI_Status *status, MPI_Datatype type, MPI_Count count)
{
    REQUIRE_COUNT(status, type, status);
    CPI_REQUIRE(MPI_COMM_NULL, count >= 0, MPI_ERR_COUNT);
    status->_ucount = bytes_of_elements(cpi_type_of(type), (size_t)count);
    return MPI_SUCCESS;
}

CPI_ALIAS(Status_set_elements)
int
PMPI_Status_set_elements(MPI_Status *status, MPI_Datatype type, int count)
{
    return PMPI_Status_set_elements_x(status, type, count);
}

CPI_ALIAS(Status_set_cancelled)
int
PMPI_Status_set_cancelled(MPI_Status *status, int flag)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, status != NULL, MPI_ERR_ARG);
    status->_cancelled = flag != 0;
    return MPI_SUCCESS;
}

CPI_ALIAS(Test_cancelled)
int
PMPI_Test_cancelled(const MPI_Status *status, int *flag)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, status != NULL && flag != NULL, MPI_ERR_ARG);
    *flag = status->_cancelled;
    return MPI_SUCCESS;
}
