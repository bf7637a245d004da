/* SPDX-License-Identifier: BSD-3-Clause */
#include "process/group.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TRIES 200  /* of a millisecond each */

static int
members_path(char path[PATH_MAX], const char *directory)
{
    if (snprintf(path, PATH_MAX, "%s/cgroup.procs", directory) < PATH_MAX)
        return 0;
    errno = ENAMETOOLONG;
    return -1;
}

int
group_enter(const char *directory)
{
    char path[PATH_MAX];

    if (members_path(path, directory) != 0)
        return -1;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t written = write(fd, "0", 1);  /* the writer */
    int error = errno;
    close(fd);
    errno = error;
    return written == 1 ? 0 : -1;
}

static void
members_kill(const char *directory)
{
    char path[PATH_MAX], line[32];
    FILE *file = members_path(path, directory) == 0 ? fopen(path, "re") : NULL;

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        long pid = strtol(line, NULL, 10);
        if (pid > 1 && pid != getpid())  /* 0: in another pid namespace */
            kill((pid_t)pid, SIGKILL);
    }
    if (file != NULL)
        fclose(file);
}

/* A process that was killed leaves the group a moment later, and nothing tells when. */
int
group_remove(const char *directory)
{
    for (int tries = 0; tries < TRIES; tries++) {
        if (rmdir(directory) == 0 || errno == ENOENT)
            return 0;
        if (errno != EBUSY)
            return -1;
        members_kill(directory);
        usleep(1000);
    }
    errno = EBUSY;
    return -1;
}
