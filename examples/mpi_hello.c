/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mpi_hello: hello.c for those who have MPI programs. They need no change:
 *
 *     cpcc -o mpi_hello mpi_hello.c
 *     cpexec -np 4 ./mpi_hello
 */
#include <mpi.h>
#include <stdio.h>

int main(int argc, char *argv[])
{
    int rank, size, length;
    char name[MPI_MAX_PROCESSOR_NAME];

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Get_processor_name(name, &length);
    printf("hello from rank %d of %d on %s\n", rank, size, name);
    MPI_Finalize();
    return 0;
}
