/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What it takes to move bytes from one process to another with no protocol around it: a flag each
 * way, and the copies. By the kernel, once (process_vm_readv); or through shared memory, in and
 * out. No MPI can be faster with the same copies.
 *
 *     copies BYTES...  prints for each: bytes, microseconds one way by the kernel, through memory
 *
 * As in mpibench the buffers stay the same but for a stamp.
 */
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BYTES_MAX ((size_t)16 << 20)
#define BATCHES   15
#define BATCH_US  5000.0

struct side {
    _Alignas(64) _Atomic unsigned long turn;  /* messages sent from here */
    _Alignas(64) char data[BYTES_MAX];
};

static struct side *sides;  /* [2] */
static char *mine;          /* at the same address in both processes */
static char *taken;
static int me;
static pid_t other;

static double
now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

static void *
memory(size_t bytes, int flags)
{
    void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

    if (start == MAP_FAILED) {
        perror("copies: mmap");
        exit(1);
    }
    memset(start, 1, bytes);
    return start;
}

static void
send(size_t bytes, int by_kernel)
{
    struct side *side = &sides[me];
    unsigned long turn = atomic_load_explicit(&side->turn, memory_order_relaxed) + 1;

    memcpy(mine, &turn, sizeof(turn) < bytes ? sizeof(turn) : bytes);
    if (!by_kernel)
        memcpy(side->data, mine, bytes);
    atomic_store_explicit(&side->turn, turn, memory_order_release);
}

static void
receive(size_t bytes, int by_kernel, unsigned long turn)
{
    struct side *side = &sides[!me];
    struct iovec here = {taken, bytes}, there = {mine, bytes};

    while (atomic_load_explicit(&side->turn, memory_order_acquire) < turn)
        continue;
    if (!by_kernel) {
        memcpy(taken, side->data, bytes);
    } else if (process_vm_readv(other, &here, 1, &there, 1, 0) != (ssize_t)bytes) {
        perror("copies: process_vm_readv");
        exit(1);
    }
}

/* Microseconds one way of `count` round trips. */
static double
batch(size_t bytes, int by_kernel, unsigned long count)
{
    unsigned long turn = atomic_load(&sides[me].turn);
    double start_us = now_us();

    for (unsigned long i = 1; i <= count; i++) {
        if (me == 0)
            send(bytes, by_kernel);
        receive(bytes, by_kernel, turn + i);
        if (me == 1)
            send(bytes, by_kernel);
    }
    return (now_us() - start_us) / (double)count / 2;
}

static int
by_size(const void *a, const void *b)
{
    const double *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

static double
median_us(size_t bytes, int by_kernel, unsigned long count)
{
    double figures[BATCHES];

    for (int i = 0; i < BATCHES; i++)
        figures[i] = batch(bytes, by_kernel, count);
    qsort(figures, BATCHES, sizeof(figures[0]), by_size);
    return figures[BATCHES / 2];
}

static void
core_take(void)
{
    cpu_set_t all, one;
    int skip = me;

    CPU_ZERO(&one);
    sched_getaffinity(0, sizeof(all), &all);
    for (int core = 0; core < CPU_SETSIZE; core++)
        if (CPU_ISSET(core, &all) && skip-- == 0)
            CPU_SET(core, &one);
    sched_setaffinity(0, sizeof(one), &one);  /* with one core only both stay there */
}

int
main(int argc, char **argv)
{
    pid_t parent = getpid();

    sides = memory(2 * sizeof(*sides), MAP_SHARED);
    mine = memory(BYTES_MAX, MAP_PRIVATE);
    taken = memory(BYTES_MAX, MAP_PRIVATE);
    memset(sides, 0, 2 * sizeof(*sides));
    pid_t child = fork();
    me = child == 0;
    other = me ? parent : child;
    if (me)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    core_take();
    for (int i = 1; i < argc; i++) {
        size_t bytes = strtoul(argv[i], NULL, 10);
        unsigned long count = (unsigned long)(BATCH_US / (0.5 + (double)bytes / 10000)) + 10;
        if (bytes == 0 || bytes > BYTES_MAX)
            return 2;
        double kernel_us = median_us(bytes, 1, count), shared_us = median_us(bytes, 0, count);
        if (me == 0)
            printf("%zu %.2f %.2f\n", bytes, kernel_us, shared_us);
    }
    if (me == 0)
        waitpid(child, NULL, 0);
    return 0;
}
