/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char pipe_text[] = "it is a pipe, not a file";

int
exec_file_make(const char *path, const char **why_p)
{
    struct stat status;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NONBLOCK | O_CLOEXEC, 0666);

    if (fd < 0) {
        *why_p = errno == ENXIO ? pipe_text : strerror(errno);
        return -1;
    }
    if (fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode)) {
        close(fd);
        *why_p = pipe_text;
        return -1;
    }
    fcntl(fd, F_SETFL, O_APPEND);
    return fd;
}
