/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/src/kernels.h"
#include "bench/src/pattern.h"

/*
 * Collectives on MPI_COMM_WORLD, one after the other without anything between them. bytes is the
 * length of the vector for bcast and allreduce, of the block from one rank to one other for
 * alltoall.
 */

/* Owner of the body of a broadcast: the same for all roots, so that only the stamp changes. */
enum { ANY_OWNER = 4095, LATE_US = 50 };

static long one_operation(const struct bench_run *run)
{
    (void)run;
    return 1;
}

static void nothing(struct bench_run *run)
{
    (void)run;
}

static void barrier_setup(struct bench_run *run)
{
    run->bytes = 0;
    run->window = 0;
}

static void barrier_iterate(struct bench_run *run, long count)
{
    for (long i = 0; i < count; i++)
        MPI_Barrier(MPI_COMM_WORLD);
    run->stamp += (uint64_t)count;
}

/* True when the last rank came in before the first went out: all see one clock. */
static int barrier_holds(int rank, int late)
{
    double came = bench_now();
    double went[2];
    double latest[2];

    while (rank == late && bench_now() - came < 1e-6 * LATE_US)
        ;
    came = bench_now();
    MPI_Barrier(MPI_COMM_WORLD);
    went[0] = came;
    went[1] = -bench_now();
    MPI_Allreduce(went, latest, 2, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    return latest[0] <= -latest[1];
}

static void barrier_check(struct bench_run *run)
{
    run->wrong += !barrier_holds(run->rank, 0);
    run->wrong += !barrier_holds(run->rank, run->size - 1);
}

/*
 * The root moves on by one with each broadcast: a root that only sends would run ahead of the
 * others and be timed for filling queues, while the next root can't start before it has received.
 */
static int bcast_root(const struct bench_run *run, uint64_t stamp)
{
    return (int)(stamp % (uint64_t)run->size);
}

static void bcast_setup(struct bench_run *run)
{
    run->window = 0;
    run->send = bench_alloc(run->bytes);
    pattern_fill(run->send, run->bytes, ANY_OWNER);
}

static void bcast_poison(struct bench_run *run)
{
    if (run->rank != bcast_root(run, run->stamp + 1))
        pattern_poison(run->send, run->bytes);
}

static void bcast_iterate(struct bench_run *run, long count)
{
    for (long i = 0; i < count; i++) {
        int root = bcast_root(run, ++run->stamp);

        if (run->rank == root)
            pattern_stamp(run->send, run->bytes, ANY_OWNER, run->stamp);
        MPI_Bcast(run->send, (int)run->bytes, MPI_BYTE, root, MPI_COMM_WORLD);
        run->wrong += pattern_stale(run->send, run->bytes, ANY_OWNER, run->stamp);
    }
}

static void bcast_check(struct bench_run *run)
{
    run->wrong += pattern_wrong(run->send, run->bytes, ANY_OWNER, run->stamp);
}

/* Whole numbers small enough that a sum of doubles is exact in any order. */
static double addend(int rank, uint64_t stamp, size_t place)
{
    return (double)((uint64_t)rank * 3 + stamp % 1024 + place % 512);
}

static double total(const struct bench_run *run, uint64_t stamp, size_t place)
{
    uint64_t ranks = (uint64_t)run->size;

    return (double)(3 * ranks * (ranks - 1) / 2 + ranks * (stamp % 1024 + place % 512));
}

static void allreduce_setup(struct bench_run *run)
{
    double *send;

    run->window = 0;
    run->send = bench_alloc(run->bytes);
    run->recv = bench_alloc(run->bytes);
    send = (double *)run->send;
    for (size_t i = 0; i < run->bytes / 8; i++)
        send[i] = addend(run->rank, 0, i);
}

static void allreduce_poison(struct bench_run *run)
{
    pattern_poison(run->recv, run->bytes);
}

static void allreduce_iterate(struct bench_run *run, long count)
{
    double *send = (double *)run->send;
    const double *sum = (const double *)run->recv;
    size_t last = run->bytes / 8 - 1;

    for (long i = 0; i < count; i++) {
        run->stamp++;
        send[0] = addend(run->rank, run->stamp, 0);
        send[last] = addend(run->rank, run->stamp, last);
        MPI_Allreduce(send, run->recv, (int)(last + 1), MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
        run->wrong += sum[0] != total(run, run->stamp, 0);
        run->wrong += sum[last] != total(run, run->stamp, last);
    }
}

static void allreduce_check(struct bench_run *run)
{
    const double *sum = (const double *)run->recv;
    size_t last = run->bytes / 8 - 1;

    run->wrong += sum[0] != total(run, run->stamp, 0);
    run->wrong += sum[last] != total(run, run->stamp, last);
    for (size_t i = 1; i < last; i++)
        run->wrong += sum[i] != total(run, 0, i);
}

/* The block that `from` has for `to` is a message of its own owner number. */
static int block_owner(const struct bench_run *run, int from, int to)
{
    return from * run->size + to;
}

static void alltoall_setup(struct bench_run *run)
{
    size_t words = run->bytes / 8;

    run->window = 0;
    run->send = bench_alloc(run->bytes * (size_t)run->size);
    run->recv = bench_alloc(run->bytes * (size_t)run->size);
    for (int to = 0; to < run->size; to++)
        pattern_fill(run->send + (size_t)to * words, run->bytes,
                     block_owner(run, run->rank, to));
}

static void alltoall_poison(struct bench_run *run)
{
    pattern_poison(run->recv, run->bytes * (size_t)run->size);
}

static void alltoall_iterate(struct bench_run *run, long count)
{
    size_t words = run->bytes / 8;

    for (long i = 0; i < count; i++) {
        run->stamp++;
        for (int to = 0; to < run->size; to++)
            pattern_stamp(run->send + (size_t)to * words, run->bytes,
                          block_owner(run, run->rank, to), run->stamp);
        MPI_Alltoall(run->send, (int)run->bytes, MPI_BYTE, run->recv, (int)run->bytes, MPI_BYTE,
                     MPI_COMM_WORLD);
        for (int from = 0; from < run->size; from++)
            run->wrong += pattern_stale(run->recv + (size_t)from * words, run->bytes,
                                        block_owner(run, from, run->rank), run->stamp);
    }
}

static void alltoall_check(struct bench_run *run)
{
    size_t words = run->bytes / 8;

    for (int from = 0; from < run->size; from++)
        run->wrong += pattern_wrong(run->recv + (size_t)from * words, run->bytes,
                                    block_owner(run, from, run->rank), run->stamp);
}

const struct bench_kernel kernel_barrier = {
    .name = "barrier",
    .setup = barrier_setup,
    .poison = nothing,
    .iterate = barrier_iterate,
    .check = barrier_check,
    .operations = one_operation,
};

const struct bench_kernel kernel_bcast = {
    .name = "bcast",
    .setup = bcast_setup,
    .poison = bcast_poison,
    .iterate = bcast_iterate,
    .check = bcast_check,
    .operations = one_operation,
};

const struct bench_kernel kernel_allreduce = {
    .name = "allreduce",
    .setup = allreduce_setup,
    .poison = allreduce_poison,
    .iterate = allreduce_iterate,
    .check = allreduce_check,
    .operations = one_operation,
};

const struct bench_kernel kernel_alltoall = {
    .name = "alltoall",
    .setup = alltoall_setup,
    .poison = alltoall_poison,
    .iterate = alltoall_iterate,
    .check = alltoall_check,
    .operations = one_operation,
};
