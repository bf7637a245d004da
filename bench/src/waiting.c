/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/src/kernels.h"
#include "bench/src/pattern.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

/* What ranks cost that have nothing to do, and what a whole job costs. */

/* Time for the waiting ranks to stop spinning, if they ever do, before the window opens. */
static const double SETTLE_S = 0.2;

static double cpu_seconds(void)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           1e-6 * (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

static void sleep_seconds(double seconds)
{
    struct timespec left;

    left.tv_sec = (time_t)seconds;
    left.tv_nsec = (long)(1e9 * (seconds - (double)left.tv_sec));
    while (nanosleep(&left, &left) != 0)
        ;
}

static void wake_others(int size, uint64_t stamp)
{
    for (int rank = 1; rank < size; rank++) {
        uint64_t word = pattern_word(rank, stamp, 0);

        MPI_Send(&word, 8, MPI_BYTE, rank, BENCH_TAG, MPI_COMM_WORLD);
    }
}

static long wait_for_word(int rank, uint64_t stamp)
{
    uint64_t word = 0;

    MPI_Recv(&word, 8, MPI_BYTE, 0, BENCH_TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return word != pattern_word(rank, stamp, 0);
}

static void keep_time(int size, double seconds)
{
    sleep_seconds(SETTLE_S);
    printf("idle begin\n");
    fflush(stdout);
    sleep_seconds(seconds);
    printf("idle end\n");
    fflush(stdout);
    wake_others(size, 1);
}

long waiting_idle(const struct bench_options *options)
{
    double start;
    double mine;
    double all = 0;
    long wrong = 0;
    int rank;
    int size;

    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Barrier(MPI_COMM_WORLD);
    start = cpu_seconds();
    if (rank == 0)
        keep_time(size, options->seconds);
    else
        wrong = wait_for_word(rank, 1);
    mine = cpu_seconds() - start;
    MPI_Reduce(&mine, &all, 1, MPI_DOUBLE, MPI_SUM, 0, MPI_COMM_WORLD);
    if (rank == 0)
        printf("idle ranks=%d waiting=%d wall_s=%.3f cpu_s=%.6f\n", size, size - 1,
               options->seconds + SETTLE_S, all);
    return bench_count_wrong("idle", wrong);
}

/* Work that fits in registers: only the time the core is given to it counts. */
static uint64_t compute(long million_steps)
{
    uint64_t state = 0x2545F4914F6CDD1Du;

    for (long i = 0; i < million_steps * 1000000; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    return state;
}

long waiting_compute(const struct bench_options *options)
{
    uint64_t result = 0;
    long wrong = 0;
    int rank;
    int size;

    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0) {
        double start = bench_now();
        double seconds;

        result = compute(options->steps);
        seconds = bench_now() - start;
        printf("compute ranks=%d steps=%ld seconds=%.6f result=%016llx\n", size, options->steps,
               seconds, (unsigned long long)result);
        fflush(stdout);
        wake_others(size, 2);
    } else {
        wrong = wait_for_word(rank, 2);
    }
    return bench_count_wrong("compute", wrong);
}

long waiting_start(const struct bench_options *options)
{
    int rank;
    int size;

    (void)options;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0)
        printf("start ranks=%d\n", size);
    return 0;
}
