/* SPDX-License-Identifier: BSD-3-Clause */
#include <limits.h>

#include "mpi/error.h"
#include "mpi/handles.h"
#include "type/pack.h"

/* Packed elements are the bytes as they travel: no header, so any cut of them can be sent as
 * MPI_PACKED and received with the datatype. */

/* Where `bytes` more may begin in a buffer of `room`. */
static bool
position_valid(const int *position, int room, size_t bytes)
{
    return *position >= 0 && *position <= room && bytes <= (size_t)(room - *position);
}

static int
pack_check(const void *buf, int room, const int *position, int count, MPI_Datatype type,
           MPI_Comm comm)
{
    if (!cpi_comm_valid(comm))
        return MPI_ERR_COMM;
    if (!cpi_type_usable(type))
        return MPI_ERR_TYPE;
    if (count < 0)
        return MPI_ERR_COUNT;
    if (position == NULL || room < 0)
        return MPI_ERR_ARG;
    size_t bytes = (size_t)count * cpi_type_of(type)->size;
    if (buf == NULL && bytes > 0)
        return MPI_ERR_BUFFER;
    return position_valid(position, room, bytes) ? MPI_SUCCESS : MPI_ERR_TRUNCATE;
}

CPI_ALIAS(Pack)
int
PMPI_Pack(const void *in, int count, MPI_Datatype type, void *out, int out_bytes, int *position,
          MPI_Comm comm)
{
    CPI_ENTER();
    int class = pack_check(out, out_bytes, position, count, type, comm);
    CPI_REQUIRE(comm, class == MPI_SUCCESS, class);
    size_t bytes = (size_t)count * cpi_type_of(type)->size;
    cpi_type_pack(cpi_type_of(type), in, (size_t)count, 0, (char *)out + *position, bytes);
    *position += (int)bytes;
    return MPI_SUCCESS;
}

CPI_ALIAS(Unpack)
int
PMPI_Unpack(const void *in, int in_bytes, int *position, void *out, int count, MPI_Datatype type,
            MPI_Comm comm)
{
    CPI_ENTER();
    int class = pack_check(in, in_bytes, position, count, type, comm);
    CPI_REQUIRE(comm, class == MPI_SUCCESS, class);
    size_t bytes = (size_t)count * cpi_type_of(type)->size;
    cpi_type_unpack(cpi_type_of(type), out, (size_t)count, 0, (const char *)in + *position, bytes);
    *position += (int)bytes;
    return MPI_SUCCESS;
}

CPI_ALIAS(Pack_size)
int
PMPI_Pack_size(int count, MPI_Datatype type, MPI_Comm comm, int *size)
{
    CPI_ENTER();
    CPI_REQUIRE(comm, cpi_comm_valid(comm), MPI_ERR_COMM);
    CPI_REQUIRE(comm, cpi_type_usable(type), MPI_ERR_TYPE);
    CPI_REQUIRE(comm, count >= 0, MPI_ERR_COUNT);
    CPI_REQUIRE(comm, size != NULL, MPI_ERR_ARG);
    size_t bytes = (size_t)count * cpi_type_of(type)->size;
    *size = bytes <= INT_MAX ? (int)bytes : MPI_UNDEFINED;
    return MPI_SUCCESS;
}
