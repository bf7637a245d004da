/* SPDX-License-Identifier: BSD-3-Clause */
#include "system/file.h"

#include <errno.h>
#include <unistd.h>

int
file_write_all(int fd, const void *bytes, size_t count, int64_t offset)
{
    const char *from = bytes;

    while (count > 0) {
        ssize_t put = offset < 0 ? write(fd, from, count) : pwrite(fd, from, count, offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        from += put;
        count -= (size_t)put;
        if (offset >= 0)
            offset += put;
    }
    return 0;
}

int64_t
file_read_all(int fd, void *bytes, size_t count, int64_t offset)
{
    size_t have = 0;

    while (have < count) {
        char *to = (char *)bytes + have;
        ssize_t got = offset < 0 ? read(fd, to, count - have)
                                 : pread(fd, to, count - have, offset + (int64_t)have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        have += (size_t)got;
    }
    return (int64_t)have;
}
