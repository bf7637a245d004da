/* SPDX-License-Identifier: BSD-3-Clause */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Does one thing that ends a job: which one is the argument. */

int
main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    int rank, size, value[2] = {1, 2};
    MPI_Comm comm;
    MPI_Request request;

    if (strcmp(what, "early") == 0)
        MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Comm_dup(MPI_COMM_WORLD, &comm);
    MPI_Comm_set_name(comm, "the copy");
    if (strcmp(what, "abort") == 0 && (rank == 1 || size == 1))
        MPI_Abort(comm, argc > 2 ? (int)strtol(argv[2], NULL, 10) : 7);
    if (strcmp(what, "truncate") == 0) {
        if (rank == 0)
            MPI_Send(value, 2, MPI_INT, 1, 0, comm);
        if (rank == 1) {
            MPI_Irecv(value, 1, MPI_INT, 0, 0, comm, &request);
            MPI_Waitall(1, &request, MPI_STATUSES_IGNORE);
        }
    }
    if (strcmp(what, "rank") == 0 && rank == 1)
        MPI_Send(value, 2, MPI_INT, 4711, 0, comm);
    if (strcmp(what, "twice") == 0)
        MPI_Init(&argc, &argv);
    if (strcmp(what, "late") == 0) {
        MPI_Finalize();
        MPI_Barrier(MPI_COMM_WORLD);
    }
    /* The others wait until the job is ended for them. */
    MPI_Recv(value, 1, MPI_INT, MPI_ANY_SOURCE, 1, comm, MPI_STATUS_IGNORE);
    return 0;
}
