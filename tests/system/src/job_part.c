/* SPDX-License-Identifier: BSD-3-Clause */
#include <cpmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A rank that joins its job, says so, and does the one thing that its argument names. */

static void
emit(int count)
{
    for (int i = 1; i <= count; i++)
        if (cpmp_emit_text("step", "%d of %d by rank %d", i, count, cpmp_rank()) != CPMP_OK)
            cpmp_abort(9, "emit failed");
}

static void
wait_for_nothing(void)
{
    char byte;

    cpmp_recv(&byte, 1, CPMP_ANY_SOURCE, 4711, NULL);
}

/* An ordinary end for rank 0, with a code for the others. */
static int
end_with(int code)
{
    int rank = cpmp_rank();

    cpmp_end();
    return rank == 0 ? 0 : code;
}

int
main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    int number = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;

    if (strcmp(what, "abort-early") == 0)
        cpmp_abort(number, "no apples at all");
    if (cpmp_init() != CPMP_OK)
        return 9;
    printf("rank %d is %ld\n", cpmp_rank(), (long)getpid());
    fflush(stdout);
    if (strcmp(what, "leave") == 0)  /* one leaves without cpmp_end */
        return cpmp_rank() == 1 ? (wait_for_nothing(), 0) : number;
    if (strcmp(what, "crash") == 0 && cpmp_rank() == 1) {
        signal(SIGSEGV, SIG_DFL);  /* sanitizers make an exit of it */
        raise(SIGSEGV);
    }
    if (strcmp(what, "abort") == 0 && cpmp_rank() == 1)
        cpmp_abort(number, "no more apples");
    if (strcmp(what, "abort-all") == 0)
        cpmp_abort(number, "no more apples");
    if (strcmp(what, "colours") == 0 && cpmp_rank() == 1) {
        printf("\033[1mmy own\033[0m\n");
        cpmp_emit_text("red", "a\033[31mb\302\233c\377d");
        cpmp_abort(5, "still \033[31mred");
    }
    if (strcmp(what, "code") == 0)
        return end_with(number);
    if (strcmp(what, "emit") == 0) {
        emit(number);
        return cpmp_end() == CPMP_OK ? 0 : 9;
    }
    if (strncmp(what, "emit-and-", 9) == 0)
        emit(number);
    if (strcmp(what, "emit-and-fail") == 0)
        return 9;
    if (strcmp(what, "bytes") == 0) {
        cpmp_emit("raw", "\0\1\377", 3);
        return cpmp_end() == CPMP_OK ? 0 : 9;
    }
    if (strcmp(what, "progress-and-end") == 0) {
        for (int i = 0; i <= number + cpmp_rank(); i++)
            cpmp_progress((uint64_t)i, 100);
        return cpmp_end() == CPMP_OK ? 0 : 9;
    }
    if (strcmp(what, "progress") == 0)
        cpmp_progress((uint64_t)number, 100);
    if (strcmp(what, "progress-in-steps") == 0) {
        /* the last one soon after one that has been looked at, and then nothing for ever */
        double begun = cpmp_time();
        cpmp_progress(1, 100);
        while (cpmp_time() - begun < 0.3)
            continue;
        cpmp_progress(2, 100);
        while (cpmp_time() - begun < 0.32)
            continue;
        cpmp_progress((uint64_t)number, 100);
    }
    wait_for_nothing();
    return 9;
}
