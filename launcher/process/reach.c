/* SPDX-License-Identifier: BSD-3-Clause */
#include "process/reach.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "process/descendants.h"

static bool
is_alive(const struct reach *reach)
{
    return syscall(SYS_pidfd_send_signal, reach->pidfd, 0, NULL, 0) == 0;
}

bool
reach_open(struct reach *reach, pid_t pid, uint64_t cookie_address, uint64_t cookie)
{
    uint64_t seen = 0;

    *reach = (struct reach){.pidfd = -1};
    int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    if (pidfd < 0)
        return false;
    *reach = (struct reach){.pid = pid, .pidfd = pidfd};
    if (descendants_have(pid) &&
        reach_read(reach, cookie_address, &seen, sizeof(seen)) == 0 && seen == cookie)
        return true;
    reach_close(reach);
    return false;
}

static int
result(ssize_t copied, size_t bytes)
{
    if (copied < 0)
        return errno;
    return (size_t)copied == bytes ? 0 : EFAULT;
}

int
reach_read(const struct reach *reach, uint64_t address, void *here, size_t bytes)
{
    struct iovec there = {(void *)(uintptr_t)address, bytes};
    struct iovec piece = {(void *)(uintptr_t)here, bytes};

    if (reach->pid == 0 || !is_alive(reach))
        return ESRCH;
    return result(process_vm_readv(reach->pid, &piece, 1, &there, 1, 0), bytes);
}

int
reach_write(const struct reach *reach, uint64_t address, const void *here, size_t bytes)
{
    struct iovec there = {(void *)(uintptr_t)address, bytes};
    struct iovec piece = {(void *)(uintptr_t)here, bytes};

    if (reach->pid == 0 || !is_alive(reach))
        return ESRCH;
    return result(process_vm_writev(reach->pid, &piece, 1, &there, 1, 0), bytes);
}

void
reach_close(struct reach *reach)
{
    if (reach->pid != 0)
        close(reach->pidfd);
    *reach = (struct reach){.pidfd = -1};
}
