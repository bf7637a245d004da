/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mpi_pi: pi by numerical integration of 4 / (1 + x²) from 0 to 1, the classic first MPI program.
 * Rank 0 knows how many strips to cut the area into and broadcasts it; each rank adds up every
 * size-th strip; a reduction makes the whole of the parts. pi.c shows what cpmp.h has beyond this.
 *
 *     cpcc -o mpi_pi mpi_pi.c -lm
 *     cpexec -np 4 ./mpi_pi 1000000
 */
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char *argv[])
{
    int rank, size;
    long strips = 0;
    double part = 0, pi = 0;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (rank == 0) {
        strips = argc > 1 ? strtol(argv[1], NULL, 10) : 1000000;
        strips = strips > 0 ? strips : 1;
    }
    MPI_Bcast(&strips, 1, MPI_LONG, 0, MPI_COMM_WORLD);
    for (long i = rank; i < strips; i += size) {
        double x = ((double)i + 0.5) / (double)strips;
        part += 4.0 / (1.0 + x * x) / (double)strips;
    }
    MPI_Reduce(&part, &pi, 1, MPI_DOUBLE, MPI_SUM, 0, MPI_COMM_WORLD);
    if (rank == 0) {
        printf("pi is about %.12f (off by %.1e)\n", pi, fabs(pi - acos(-1.0)));
    }
    MPI_Finalize();
    return 0;
}
