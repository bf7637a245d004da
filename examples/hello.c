/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hello: the least a job can be. Begin here.
 *
 *     cpcc -o hello hello.c
 *     cpexec -np 4 ./hello
 *
 * cpexec starts the program four times. Each copy is a rank: a process like any other, that learns
 * from cpmp_init which of the four it is. What ranks print is relayed by the launcher as it comes,
 * so the order of the lines is nobody's promise; for an order, see ring.c.
 */
#include <cpmp.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    int error = cpmp_init();

    if (error != CPMP_OK) {
        fprintf(stderr, "hello: cannot join the job: %s\n", cpmp_strerror(error));
        return EXIT_FAILURE;
    }
    printf("hello from rank %d of %d on peer %d of %d\n", cpmp_rank(), cpmp_size(), cpmp_peer(),
           cpmp_peers());

    /* A rank that leaves without this counts as lost, and the job with it. */
    return cpmp_end() == CPMP_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
