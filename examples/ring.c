/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring: messages. A token goes from rank 0 to rank 1, 2, … and back to rank 0; each rank adds its
 * number to it. After every lap rank 0 says what the token carries.
 *
 *     cpcc -o ring ring.c
 *     cpexec -np 8 ./ring 3
 *
 * A message is bytes with a tag, from one rank to another. cpmp_send may return before anybody
 * receives, cpmp_recv returns when the message is there; a rank that waits sleeps and takes no time
 * from the others. Between two ranks messages arrive in the order sent.
 *
 * Who sends and who receives first matters: here rank 0 sends and then waits while all others wait
 * and then send, so the token always has somebody to go to.
 */
#include <cpmp.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define TAG_TOKEN 7

/* Nothing sensible can be done about an error here: end the whole job, not this rank alone, or the
 * others would wait for a token that never comes. */
static void must(int error)
{
    if (error != CPMP_OK) {
        cpmp_abort(1, cpmp_strerror(error));
    }
}

int main(int argc, char *argv[])
{
    long laps = argc > 1 ? strtol(argv[1], NULL, 10) : 1;

    must(cpmp_init());
    int rank = cpmp_rank(), size = cpmp_size();
    int right = (rank + 1) % size, left = (rank + size - 1) % size;

    for (long lap = 1; lap <= laps; lap++) {
        int64_t token = 0;

        if (size > 1 && rank != 0) {
            must(cpmp_recv(&token, sizeof token, left, TAG_TOKEN, NULL));
            token += rank;
            must(cpmp_send(&token, sizeof token, right, TAG_TOKEN));
        } else if (size > 1) {
            must(cpmp_send(&token, sizeof token, right, TAG_TOKEN));
            must(cpmp_recv(&token, sizeof token, left, TAG_TOKEN, NULL));
        }
        if (rank == 0) {
            printf("lap %ld: the token carries %" PRId64 "\n", lap, token);
        }
    }
    must(cpmp_end());
    return EXIT_SUCCESS;
}
