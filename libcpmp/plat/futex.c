/* SPDX-License-Identifier: BSD-3-Clause */
#include "plat/plat.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linux 5.16; absent from older headers. */
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#define WAITV_32BIT 2u

struct waitv_entry {
    uint64_t value;
    uint64_t address;
    uint32_t flags;
    uint32_t reserved;
};

/* The words lie in memory shared between processes, so none of these is FUTEX_PRIVATE. */

void
cpi_futex_wait(const _Atomic uint32_t *word, uint32_t expected)
{
    syscall(SYS_futex, word, FUTEX_WAIT, expected, NULL, NULL, 0);
}

bool
cpi_futex_wait_two(const _Atomic uint32_t *first, uint32_t first_expected,
                   const _Atomic uint32_t *second, uint32_t second_expected)
{
    struct waitv_entry entries[2] = {
        {.value = first_expected, .address = (uintptr_t)first, .flags = WAITV_32BIT},
        {.value = second_expected, .address = (uintptr_t)second, .flags = WAITV_32BIT},
    };
    long result = syscall(SYS_futex_waitv, entries, 2u, 0u, NULL, 0);

    return result >= 0 || errno == EAGAIN || errno == EINTR;
}

void
cpi_futex_wake(const _Atomic uint32_t *word, int count)
{
    syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

static long
membarrier(int command)
{
    return syscall(SYS_membarrier, command, 0, 0);
}

bool
cpi_barrier_join(void)
{
    return membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) == 0;
}

void
cpi_barrier_all(void)
{
    membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED);
}

void
cpi_yield(void)
{
    sched_yield();
}
