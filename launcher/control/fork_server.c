/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/fork_server.h"

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
    char *words[] = {(char *)path, (char *)"--fork-server", number, NULL};
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
control_fork_server_start(const char *path, pid_t *pid_p)
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
control_fork_server_send(int fd, const Cpmp__ForkServer *server)
{
    size_t bytes = cpmp__fork_server__get_packed_size(server);
    uint8_t *packed;
    ssize_t sent;
    int error;

    if (bytes == 0 || bytes > FORK_SERVER_BYTES_MAX)
        return CPMP_ELIMIT;
    packed = memory_new(bytes, 1);
    cpmp__fork_server__pack(server, packed);
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
control_fork_server_receive(int fd, control_fork_server_fn *on_fork_server, void *arg)
{
    uint8_t *bytes = memory_new(FORK_SERVER_BYTES_MAX, 1);
    ssize_t count = recv(fd, bytes, FORK_SERVER_BYTES_MAX, MSG_DONTWAIT);
    int error = count < 0 ? errno : 0, result = CPMP_OK;
    Cpmp__ForkServer *server = count > 0 ? cpmp__fork_server__unpack(NULL, (size_t)count, bytes)
                                           : NULL;

    explicit_bzero(bytes, count > 0 ? (size_t)count : 0);
    free(bytes);
    if (server != NULL && server->body_case != CPMP__FORK_SERVER__BODY__NOT_SET)
        on_fork_server(arg, server);
    else if (count > 0)
        result = CPMP_EPROTO;
    else if (count == 0 || error == ECONNRESET)
        result = CPMP_EPEER;
    else
        result = error == EAGAIN || error == EINTR ? CPMP_EAGAIN : CPMP_ESYS;
    if (server != NULL)
        cpmp__fork_server__free_unpacked(server, NULL);
    errno = error;
    return result;
}
