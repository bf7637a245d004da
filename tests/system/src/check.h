/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CHECK_H
#define CHECK_H

/* For MPI programs that are tests: the first check that fails is named and ends the job. */

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int rank, size;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("rank %d: %s:%d: %s\n", rank, __FILE__, __LINE__, #condition);                  \
            fflush(stdout);                                                                        \
            MPI_Abort(MPI_COMM_WORLD, 3);                                                          \
        }                                                                                          \
    } while (0)

/* `call` returns an error of `class`. */
#define FAILS(class, call)                                                                         \
    do {                                                                                           \
        int fails_code = (call), fails_class = MPI_SUCCESS;                                        \
        MPI_Error_class(fails_code, &fails_class);                                                 \
        if (fails_class != (class)) {                                                              \
            printf("rank %d: %s:%d: %s gives %d, not %s\n", rank, __FILE__, __LINE__, #call,       \
                   fails_class, #class);                                                           \
            fflush(stdout);                                                                        \
            MPI_Abort(MPI_COMM_WORLD, 3);                                                          \
        }                                                                                          \
    } while (0)

static inline void
begin(int *argc, char ***argv)
{
    MPI_Init(argc, argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
}

static int
end(void)
{
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0)
        printf("all well\n");
    MPI_Finalize();
    return 0;
}

#endif
