/* SPDX-License-Identifier: BSD-3-Clause */
#include "plat/plat.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

uint64_t
cpi_clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void
cpi_nap_us(unsigned us)
{
    struct timespec nap = {.tv_sec = us / 1000000u, .tv_nsec = us % 1000000u * 1000};

    nanosleep(&nap, NULL);
}

/* What is no file, pipe, device or socket has no type: the eventfd is still there. */
int
cpi_bell_ring(int fd)
{
    uint64_t one = 1;
    struct stat status;

    if (fstat(fd, &status) != 0 || (status.st_mode & S_IFMT) != 0)
        return -1;
    while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
        continue;
    return 0;
}

int
cpi_core(void)
{
    return sched_getcpu();
}

int
cpi_cores_usable(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        return CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);  /* more cores than cpu_set_t has room for */
    return online > 0 ? (int)online : 1;
}

typedef ssize_t vm_copy_fn(pid_t pid, const struct iovec *local, unsigned long local_count,
                           const struct iovec *remote, unsigned long remote_count,
                           unsigned long flags);

/* Copies until all is copied; the kernel may stop short. */
static int
process_copy(vm_copy_fn *copy, int pid, uint64_t address, char *mine, size_t bytes)
{
    while (bytes > 0) {
        struct iovec local = {.iov_base = mine, .iov_len = bytes};
        struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = bytes};
        ssize_t copied = copy(pid, &local, 1, &remote, 1, 0);
        if (copied <= 0)
            return -1;
        mine += copied;
        address += (uint64_t)copied;
        bytes -= (size_t)copied;
    }
    return 0;
}

int
cpi_process_read(int pid, uint64_t address, void *out, size_t bytes)
{
    return process_copy(process_vm_readv, pid, address, out, bytes);
}

int
cpi_process_write(int pid, uint64_t address, const void *in, size_t bytes)
{
    return process_copy(process_vm_writev, pid, address, (char *)(uintptr_t)in, bytes);
}

void
cpi_process_allow_read(void)
{
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
}

int
cpi_process_id(void)
{
    return (int)getpid();
}

void
cpi_fd_close_on_exec(int fd)
{
    fcntl(fd, F_SETFD, FD_CLOEXEC);
}

void
cpi_fd_close(int fd)
{
    close(fd);
}

void
cpi_text_print(const char *text)
{
    struct iovec parts[2] = {
        {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)},
        {.iov_base = (char[]){'\n'}, .iov_len = 1},
    };

    while (writev(STDERR_FILENO, parts, 2) < 0 && errno == EINTR)
        continue;
}

void
cpi_process_end(int code)
{
    _exit(code);
}
