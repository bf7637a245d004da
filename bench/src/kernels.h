/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_BENCH_KERNELS_H
#define CPI_BENCH_KERNELS_H

/*
 * What mpibench can measure: kernels run by bench_measure, and programs that are timed as a whole.
 */

#include "bench/src/measure.h"

/* pairs.c: rank r and rank r + size / 2 */
extern const struct bench_kernel kernel_latency;
extern const struct bench_kernel kernel_rate;
extern const struct bench_kernel kernel_stream;

/* collectives.c */
extern const struct bench_kernel kernel_barrier;
extern const struct bench_kernel kernel_bcast;
extern const struct bench_kernel kernel_allreduce;
extern const struct bench_kernel kernel_alltoall;

/* waiting.c: each is collective and returns the number of wrong words. */

/* Rank 0 says `idle begin`, sleeps for options->seconds, says `idle end` and only then sends to the
 * others, which wait in a receive meanwhile. Who started the job measures its CPU in between. */
long waiting_idle(const struct bench_options *options);

/* Rank 0 computes, the others wait in a receive for what it has to say. */
long waiting_compute(const struct bench_options *options);

/* A barrier and nothing else: what a launch costs. */
long waiting_start(const struct bench_options *options);

#endif
