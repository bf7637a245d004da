/* SPDX-License-Identifier: BSD-3-Clause */
#include <cpmp.h>
#include <mpi.h>
#include <stdio.h>

/* Both interfaces in one program, begun and ended in either order: their messages stay apart. */

int
main(int argc, char **argv)
{
    int rank, mpi = -1, native = -1;
    int native_first = argc > 1;

    if (native_first && cpmp_init() != CPMP_OK)
        return 1;
    MPI_Init(&argc, &argv);
    if (!native_first && cpmp_init() != CPMP_OK)
        return 1;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank != cpmp_rank())
        return 2;
    if (rank == 0) {
        MPI_Send(&(int){1}, 1, MPI_INT, 1, 5, MPI_COMM_WORLD);
        cpmp_send(&(int){2}, sizeof(int), 1, 5);
    }
    if (rank == 1) {
        cpmp_recv(&native, sizeof(native), CPMP_ANY_SOURCE, CPMP_ANY_TAG, NULL);
        MPI_Recv(&mpi, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        printf("%d %d\n", mpi, native);
    }
    if (native_first)
        MPI_Finalize();
    if (cpmp_barrier() != CPMP_OK || cpmp_end() != CPMP_OK)
        return 3;
    return native_first ? 0 : MPI_Finalize();
}
