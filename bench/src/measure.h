/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_BENCH_MEASURE_H
#define CPI_BENCH_MEASURE_H

/*
 * How mpibench times one operation. An operation comes as a kernel: how to set its buffers up, how
 * to run it a number of times, how to look whether the data arrived. bench_measure runs it in
 * batches: growing ones to warm up, then batches of about a tenth of the asked time until that time
 * is over. The figure is the median of the batches.
 *
 * Nobody has to be told when to stop: after each batch one allreduce gives all ranks the slowest
 * rank's time, and each computes the same next step from it.
 *
 * Every iteration carries a stamp that the receiver looks at, the whole buffer is compared once
 * after a poisoned first iteration and once at the end: a library that moves no bytes, or the wrong
 * ones, fails the run.
 */

#include <stddef.h>
#include <stdint.h>

#include <mpi.h>

enum { BENCH_SIZES_MAX = 16, BENCH_WINDOW_MAX = 1024, BENCH_TAG = 77 };

struct bench_options {
    size_t bytes[BENCH_SIZES_MAX];
    int sizes;
    double seconds; /* timed part of one measurement */
    int window;     /* messages in flight for rate and stream */
    long steps;     /* millions of steps that `compute` takes */
};

/* One measurement under way on this rank. The kernel owns send, recv and requests. */
struct bench_run {
    int rank;
    int size;
    size_t bytes;
    int window;
    uint64_t stamp; /* iterations so far, the same number on all ranks */
    long wrong;     /* words that held something else than they had to */
    uint64_t *send;
    uint64_t *recv;
    MPI_Request *requests;
};

struct bench_kernel {
    const char *name;
    int by_pairs; /* works on rank r and r + size / 2: size has to be even */
    void (*setup)(struct bench_run *run);
    /* Spoil what the next iteration has to deliver. */
    void (*poison)(struct bench_run *run);
    void (*iterate)(struct bench_run *run, long count);
    /* Compare all that the last iteration delivered; adds to run->wrong. */
    void (*check)(struct bench_run *run);
    /* Operations of one pair (or of the communicator) in one iteration. */
    long (*operations)(const struct bench_run *run);
};

/* Seconds on a clock that all processes of this machine share, also those in other namespaces. */
double bench_now(void);

/* Zeroed, page-aligned; ends the job with a message when there is no memory. */
void *bench_alloc(size_t bytes);

/* Measures the kernel at each size of options; rank 0 prints a line for each. Returns the number of
 * wrong words found by all ranks. Collective. */
long bench_measure(const struct bench_kernel *kernel, const struct bench_options *options);

/* The sum over all ranks of wrong; rank 0 reports it under name when it isn't 0. Collective. */
long bench_count_wrong(const char *name, long wrong);

#endif
