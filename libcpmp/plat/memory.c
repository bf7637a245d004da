/* SPDX-License-Identifier: BSD-3-Clause */
#include "plat/plat.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

int
cpi_memfd_make(const char *label, size_t bytes)
{
    int fd = memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    if (ftruncate(fd, (off_t)bytes) != 0 || fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

void *
cpi_memfd_map(int fd, size_t bytes)
{
    void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    return start == MAP_FAILED ? NULL : start;
}

void
cpi_memory_unmap(void *start, size_t bytes)
{
    munmap(start, bytes);
}

size_t
cpi_memfd_sealed_bytes(int fd)
{
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &status) != 0 || status.st_size < 0)
        return 0;
    return (size_t)status.st_size;
}
