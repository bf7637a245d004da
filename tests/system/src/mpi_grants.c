/* SPDX-License-Identifier: BSD-3-Clause */
#include "check.h"

/* As many long receives as are granted at a time, behind them messages without data that wait for
 * their receiver, and then a long one again: all must come to their end. */

enum { LONG = 9, EMPTY = 12, BYTES = 2 << 20 };

int
main(int argc, char **argv)
{
    MPI_Request requests[LONG + EMPTY];
    char *buf = calloc(LONG, BYTES);

    begin(&argc, &argv);
    CHECK(buf != NULL && size == 2);
    for (int i = 0; i < LONG + EMPTY; i++) {
        int empty = i >= LONG - 1 && i < LONG - 1 + EMPTY;
        char *at = buf + (size_t)(i < LONG - 1 ? i : LONG - 1) * BYTES;
        if (rank == 0)
            MPI_Issend(at, empty ? 0 : BYTES, MPI_CHAR, 1, i, MPI_COMM_WORLD, &requests[i]);
        else
            MPI_Irecv(at, empty ? 0 : BYTES, MPI_CHAR, 0, i, MPI_COMM_WORLD, &requests[i]);
    }
    MPI_Waitall(LONG + EMPTY, requests, MPI_STATUSES_IGNORE);
    free(buf);
    return end();
}
