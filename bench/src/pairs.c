/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/src/kernels.h"
#include "bench/src/pattern.h"

/*
 * Point to point. The lower half of the ranks talks with the upper half, so that with as many ranks
 * on each of two hosts every pair lies across them.
 *
 * latency: a message there and one back; an operation is one way, half a round trip.
 * rate: a window of messages, answered by one word when all have been received and looked at.
 * stream: the same window without the answer, but for one after a whole batch.
 */

enum { WINDOW_MEMORY_BYTES = 8 << 20, WINDOW_MIN = 4 };

static int partner(const struct bench_run *run)
{
    return run->rank < run->size / 2 ? run->rank + run->size / 2 : run->rank - run->size / 2;
}

static int is_sender(const struct bench_run *run)
{
    return run->rank < run->size / 2;
}

static void latency_setup(struct bench_run *run)
{
    run->window = 1;
    run->send = bench_alloc(run->bytes);
    run->recv = bench_alloc(run->bytes);
    pattern_fill(run->send, run->bytes, run->rank);
}

static void latency_poison(struct bench_run *run)
{
    pattern_poison(run->recv, run->bytes);
}

static void latency_give(struct bench_run *run)
{
    pattern_stamp(run->send, run->bytes, run->rank, run->stamp);
    MPI_Send(run->send, (int)run->bytes, MPI_BYTE, partner(run), BENCH_TAG, MPI_COMM_WORLD);
}

static void latency_take(struct bench_run *run)
{
    MPI_Recv(run->recv, (int)run->bytes, MPI_BYTE, partner(run), BENCH_TAG, MPI_COMM_WORLD,
             MPI_STATUS_IGNORE);
    run->wrong += pattern_stale(run->recv, run->bytes, partner(run), run->stamp);
}

static void latency_iterate(struct bench_run *run, long count)
{
    int first = is_sender(run);

    for (long i = 0; i < count; i++) {
        run->stamp++;
        if (first)
            latency_give(run);
        latency_take(run);
        if (!first)
            latency_give(run);
    }
}

static void latency_check(struct bench_run *run)
{
    run->wrong += pattern_wrong(run->recv, run->bytes, partner(run), run->stamp);
}

static long latency_operations(const struct bench_run *run)
{
    (void)run;
    return 2;
}

/* Long messages get a smaller window: the point is to keep the path full, not to fill memory. */
static void window_setup(struct bench_run *run)
{
    size_t fitting = WINDOW_MEMORY_BYTES / run->bytes;
    size_t all;

    if (fitting < WINDOW_MIN)
        fitting = WINDOW_MIN;
    if ((size_t)run->window > fitting)
        run->window = (int)fitting;
    all = run->bytes * (size_t)run->window;
    run->send = bench_alloc(all);
    run->recv = bench_alloc(all);
    run->requests = bench_alloc((size_t)run->window * sizeof *run->requests);
    for (int i = 0; i < run->window; i++)
        pattern_fill(run->send + (size_t)i * run->bytes / 8, run->bytes, run->rank);
}

static void window_poison(struct bench_run *run)
{
    pattern_poison(run->recv, run->bytes * (size_t)run->window);
}

/* Each message of a window has a stamp of its own, so that a wrong order shows too. */
static uint64_t window_stamp(const struct bench_run *run, int place)
{
    return run->stamp * BENCH_WINDOW_MAX + (uint64_t)place;
}

static void window_give(struct bench_run *run)
{
    size_t words = run->bytes / 8;

    for (int i = 0; i < run->window; i++) {
        uint64_t *slot = run->send + (size_t)i * words;

        pattern_stamp(slot, run->bytes, run->rank, window_stamp(run, i));
        MPI_Isend(slot, (int)run->bytes, MPI_BYTE, partner(run), BENCH_TAG, MPI_COMM_WORLD,
                  &run->requests[i]);
    }
    MPI_Waitall(run->window, run->requests, MPI_STATUSES_IGNORE);
}

static void window_take(struct bench_run *run)
{
    size_t words = run->bytes / 8;

    for (int i = 0; i < run->window; i++)
        MPI_Irecv(run->recv + (size_t)i * words, (int)run->bytes, MPI_BYTE, partner(run),
                  BENCH_TAG, MPI_COMM_WORLD, &run->requests[i]);
    MPI_Waitall(run->window, run->requests, MPI_STATUSES_IGNORE);
    for (int i = 0; i < run->window; i++)
        run->wrong += pattern_stale(run->recv + (size_t)i * words, run->bytes, partner(run),
                                    window_stamp(run, i));
}

/* The receiver's word that all of the window has come; it names the iteration. */
static void window_answer(struct bench_run *run)
{
    uint64_t word = run->stamp;

    if (is_sender(run)) {
        MPI_Recv(&word, 8, MPI_BYTE, partner(run), BENCH_TAG + 1, MPI_COMM_WORLD,
                 MPI_STATUS_IGNORE);
        run->wrong += word != run->stamp;
    } else {
        MPI_Send(&word, 8, MPI_BYTE, partner(run), BENCH_TAG + 1, MPI_COMM_WORLD);
    }
}

static void window_pass(struct bench_run *run)
{
    run->stamp++;
    if (is_sender(run))
        window_give(run);
    else
        window_take(run);
}

static void rate_iterate(struct bench_run *run, long count)
{
    for (long i = 0; i < count; i++) {
        window_pass(run);
        window_answer(run);
    }
}

static void stream_iterate(struct bench_run *run, long count)
{
    for (long i = 0; i < count; i++)
        window_pass(run);
    window_answer(run);
}

static void window_check(struct bench_run *run)
{
    if (is_sender(run))
        return;
    for (int i = 0; i < run->window; i++)
        run->wrong += pattern_wrong(run->recv + (size_t)i * run->bytes / 8, run->bytes,
                                    partner(run), window_stamp(run, i));
}

static long window_operations(const struct bench_run *run)
{
    return run->window;
}

const struct bench_kernel kernel_latency = {
    .name = "latency",
    .by_pairs = 1,
    .setup = latency_setup,
    .poison = latency_poison,
    .iterate = latency_iterate,
    .check = latency_check,
    .operations = latency_operations,
};

const struct bench_kernel kernel_rate = {
    .name = "rate",
    .by_pairs = 1,
    .setup = window_setup,
    .poison = window_poison,
    .iterate = rate_iterate,
    .check = window_check,
    .operations = window_operations,
};

const struct bench_kernel kernel_stream = {
    .name = "stream",
    .by_pairs = 1,
    .setup = window_setup,
    .poison = window_poison,
    .iterate = stream_iterate,
    .check = window_check,
    .operations = window_operations,
};
