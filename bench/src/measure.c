/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/src/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCHES_MIN = 2, BATCHES_AIM = 10, BATCHES_MAX = 256, GROWTH_MAX = 8 };

double bench_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void *bench_alloc(size_t bytes)
{
    void *memory = NULL;

    if (posix_memalign(&memory, 4096, bytes) != 0) {
        fprintf(stderr, "mpibench: no memory for a buffer of %zu bytes\n", bytes);
        MPI_Abort(MPI_COMM_WORLD, 1);
        exit(1);
    }
    memset(memory, 0, bytes);
    return memory;
}

long bench_count_wrong(const char *name, long wrong)
{
    long all = 0;
    int rank;

    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Allreduce(&wrong, &all, 1, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
    if (all != 0 && rank == 0)
        fprintf(stderr, "mpibench: %s: %ld words arrived wrong or not at all\n", name, all);
    return all;
}

/* Runs one batch and returns the seconds of the slowest rank, the same on all ranks. */
static double batch_run(const struct bench_kernel *kernel, struct bench_run *run, long count)
{
    double start = bench_now();
    double mine;
    double slowest = 0;

    kernel->iterate(run, count);
    mine = bench_now() - start;
    MPI_Allreduce(&mine, &slowest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    return slowest;
}

/* The number of iterations that should take batch_s, going by the last batch. */
static long count_next(long count, double elapsed_s, double batch_s)
{
    double wanted;

    if (elapsed_s * GROWTH_MAX <= batch_s)
        return count * GROWTH_MAX;
    wanted = (double)count * batch_s / elapsed_s;
    return wanted < 1 ? 1 : (long)wanted;
}

/* Grows the batch until it is long enough to be timed; the first one proves that data moves. */
static long warm_up(const struct bench_kernel *kernel, struct bench_run *run, double seconds)
{
    double batch_s = seconds / BATCHES_AIM;
    double spent = 0;
    double elapsed;
    long count = 1;

    kernel->poison(run);
    MPI_Barrier(MPI_COMM_WORLD);
    elapsed = batch_run(kernel, run, count);
    kernel->check(run);
    for (spent = elapsed; elapsed < batch_s / 2 && spent < seconds; spent += elapsed) {
        count = count_next(count, elapsed, batch_s);
        elapsed = batch_run(kernel, run, count);
    }
    return count_next(count, elapsed, batch_s);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print_line(const struct bench_kernel *kernel, const struct bench_run *run,
                       double *batch_us, int batches, long iterations, long wrong)
{
    long pairs = kernel->by_pairs ? run->size / 2 : 1;
    double us;

    qsort(batch_us, (size_t)batches, sizeof *batch_us, compare_doubles);
    us = (batch_us[(batches - 1) / 2] + batch_us[batches / 2]) / 2;
    printf("%s ranks=%d bytes=%zu window=%d batches=%d iterations=%ld us=%.4f us_min=%.4f "
           "us_max=%.4f per_s=%.1f mb_per_s=%.3f wrong=%ld\n",
           kernel->name, run->size, run->bytes, run->window, batches, iterations, us, batch_us[0],
           batch_us[batches - 1], 1e6 / us * (double)pairs,
           (double)run->bytes / us * (double)pairs, wrong);
    fflush(stdout);
}

/* Measures one size and prints its line; returns the wrong words of all ranks. */
static long time_batches(const struct bench_kernel *kernel, struct bench_run *run, double seconds)
{
    double batch_us[BATCHES_MAX];
    double total = 0;
    long count = warm_up(kernel, run, seconds);
    long iterations = 0;
    int batches = 0;
    long wrong;

    while ((total < seconds || batches < BATCHES_MIN) && batches < BATCHES_MAX) {
        double elapsed = batch_run(kernel, run, count);

        batch_us[batches++] = 1e6 * elapsed / ((double)count * (double)kernel->operations(run));
        total += elapsed;
        iterations += count;
        count = count_next(count, elapsed, seconds / BATCHES_AIM);
    }
    kernel->check(run);
    wrong = bench_count_wrong(kernel->name, run->wrong);
    if (run->rank == 0)
        print_line(kernel, run, batch_us, batches, iterations, wrong);
    return wrong;
}

static long measure_size(const struct bench_kernel *kernel, const struct bench_options *options,
                         size_t bytes)
{
    struct bench_run run = {.bytes = bytes, .window = options->window};
    long wrong;

    MPI_Comm_rank(MPI_COMM_WORLD, &run.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &run.size);
    kernel->setup(&run);
    wrong = time_batches(kernel, &run, options->seconds);
    free(run.send);
    free(run.recv);
    free(run.requests);
    return wrong;
}

long bench_measure(const struct bench_kernel *kernel, const struct bench_options *options)
{
    long wrong = 0;

    for (int i = 0; i < options->sizes; i++)
        wrong += measure_size(kernel, options, options->bytes[i]);
    return wrong;
}
