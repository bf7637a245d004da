/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/nest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cpmp.h>

#include "text/memory.h"

/* The rest of a child's life: only async-signal-safe calls, ends with exec. */
static _Noreturn void
child_become(const char *path, int fd, char *number)
{
    char *words[] = {(char *)path, (char *)"--nest", number, NULL};
    int nothing = open("/dev/null", O_RDWR);

    setsid();
    if (nothing >= 0) {
        dup2(nothing, STDIN_FILENO);
        dup2(nothing, STDOUT_FILENO);
    }
    if (nothing > STDERR_FILENO)
        close(nothing);
    fcntl(fd, F_SETFD, 0);
    execv(path, words);
    _exit(127);
}

int
control_nest_start(const char *path, pid_t *pid_p)
{
    char number[16];
    int pair[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return -1;
    snprintf(number, sizeof(number), "%d", pair[1]);
    pid = fork();
    if (pid == 0)
        child_become(path, pair[1], number);
    int error = errno;
    close(pair[1]);
    if (pid < 0 || fcntl(pair[0], F_SETFL, O_RDWR | O_NONBLOCK) != 0) {
        close(pair[0]);
        errno = error;
        return -1;
    }
    *pid_p = pid;
    return pair[0];
}

int
control_nest_send(int fd, const Cpmp__Nest *nest)
{
    size_t bytes = cpmp__nest__get_packed_size(nest);
    uint8_t *packed;
    ssize_t sent;
    int error;

    if (bytes == 0 || bytes > NEST_BYTES_MAX)
        return CPMP_ELIMIT;
    packed = memory_new(bytes, 1);
    cpmp__nest__pack(nest, packed);
    do
        sent = send(fd, packed, bytes, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    error = errno;
    explicit_bzero(packed, bytes);  /* a key may be in it */
    free(packed);
    errno = error;
    if (sent < 0)
        return error == EAGAIN ? CPMP_EAGAIN : CPMP_ESYS;
    return CPMP_OK;
}

int
control_nest_receive(int fd, control_nest_fn *on_nest, void *arg)
{
    uint8_t *bytes = memory_new(NEST_BYTES_MAX, 1);
    ssize_t count = recv(fd, bytes, NEST_BYTES_MAX, MSG_DONTWAIT);
    int error = count < 0 ? errno : 0, result = CPMP_OK;
    Cpmp__Nest *nest = count > 0 ? cpmp__nest__unpack(NULL, (size_t)count, bytes) : NULL;

    explicit_bzero(bytes, count > 0 ? (size_t)count : 0);
    free(bytes);
    if (nest != NULL && nest->body_case != CPMP__NEST__BODY__NOT_SET)
        on_nest(arg, nest);
    else if (count > 0)
        result = CPMP_EPROTO;
    else if (count == 0 || error == ECONNRESET)
        result = CPMP_EPEER;
    else
        result = error == EAGAIN || error == EINTR ? CPMP_EAGAIN : CPMP_ESYS;
    if (nest != NULL)
        cpmp__nest__free_unpacked(nest, NULL);
    errno = error;
    return result;
}
