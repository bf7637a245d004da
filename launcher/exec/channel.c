/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

bool
exec_terminal_is_ours(int fd)
{
    pid_t group = tcgetpgrp(fd);

    return group < 0 || group == getpgrp();
}

/* An open file of our own on the same pipe or terminal. */
static int
reopen(int fd, bool writing)
{
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, (writing ? O_WRONLY : O_RDONLY) | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

/* An epoll set with only fd in it; -1 with EPERM when fd is always ready. */
static int
watch_make(const struct exec_channel *channel)
{
    struct epoll_event event = {.events = channel->events == POLLIN ? EPOLLIN : EPOLLOUT};
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

    if (epoll_fd < 0)
        return -1;
    if (channel->is_terminal)
        event.events |= EPOLLET;
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, channel->fd, &event) != 0) {
        int error = errno;
        close(epoll_fd);
        errno = error;
        return -1;
    }
    return epoll_fd;
}

static void
fd_choose(struct exec_channel *channel, int fd, bool writing)
{
    struct stat status;

    channel->fd = fd;
    if (fstat(fd, &status) != 0)
        return;
    channel->is_socket = S_ISSOCK(status.st_mode);
    channel->is_terminal = S_ISCHR(status.st_mode) && isatty(fd);
    if (S_ISFIFO(status.st_mode) || channel->is_terminal) {
        int own = reopen(fd, writing);
        channel->own = own >= 0;
        if (own >= 0)
            channel->fd = own;
    }
}

int
exec_channel_init(struct exec_channel *channel, uv_loop_t *loop, int fd, bool writing,
                  void (*on_ready)(void *arg), void *arg)
{
    int status = 0;

    memset(channel, 0, sizeof(*channel));
    channel->events = writing ? POLLOUT : POLLIN;
    channel->on_ready = on_ready;
    channel->arg = arg;
    fd_choose(channel, fd, writing);
    channel->epoll_fd = watch_make(channel);
    if (channel->epoll_fd < 0 && errno != EPERM)
        status = -errno;
    else if (channel->epoll_fd >= 0)
        status = uv_poll_init(loop, &channel->poll, channel->epoll_fd);
    else
        status = uv_idle_init(loop, &channel->idle);
    if (status == 0) {
        channel->poll.data = channel->idle.data = channel;
        return 0;
    }
    if (channel->own)
        close(channel->fd);
    if (channel->epoll_fd >= 0)
        close(channel->epoll_fd);
    channel->fd = -1;
    return status;
}

static bool
is_ready(const struct exec_channel *channel)
{
    struct pollfd ask = {.fd = channel->fd, .events = channel->events};

    return poll(&ask, 1, 0) > 0;
}

/* Neither ours nor a socket: a shared pipe or terminal, which may block, or an ordinary file. */
static bool
may_block(const struct exec_channel *channel)
{
    return !channel->own && !channel->is_socket && channel->epoll_fd >= 0;
}

ssize_t
exec_channel_read(struct exec_channel *channel, void *bytes, size_t count)
{
    ssize_t result;

    if (may_block(channel) && !is_ready(channel)) {
        errno = EAGAIN;
        return -1;
    }
    do
        result = channel->is_socket ? recv(channel->fd, bytes, count, MSG_DONTWAIT)
                                    : read(channel->fd, bytes, count);
    while (result < 0 && errno == EINTR);
    return result;
}

ssize_t
exec_channel_write(struct exec_channel *channel, const void *bytes, size_t count)
{
    ssize_t result;

    if (may_block(channel)) {
        if (!is_ready(channel)) {
            errno = EAGAIN;
            return -1;
        }
        count = count > PIPE_BUF ? PIPE_BUF : count;
    }
    do
        result = channel->is_socket ? send(channel->fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL)
                                    : write(channel->fd, bytes, count);
    while (result < 0 && errno == EINTR);
    return result;
}

static void
on_poll(uv_poll_t *poll, int status, int events)
{
    struct exec_channel *channel = poll->data;
    struct epoll_event seen;

    (void)status;  /* an error shows when it is read or written */
    (void)events;
    epoll_wait(channel->epoll_fd, &seen, 1, 0);  /* takes the edge off */
    uv_poll_stop(poll);
    channel->on_ready(channel->arg);
}

static void
on_idle(uv_idle_t *idle)
{
    struct exec_channel *channel = idle->data;

    uv_idle_stop(idle);
    channel->on_ready(channel->arg);
}

void
exec_channel_wait(struct exec_channel *channel)
{
    if (channel->fd < 0)
        return;
    if (channel->epoll_fd >= 0)
        uv_poll_start(&channel->poll, UV_READABLE, on_poll);
    else
        uv_idle_start(&channel->idle, on_idle);
}

static void
on_poll_closed(uv_handle_t *handle)
{
    struct exec_channel *channel = handle->data;

    close(channel->epoll_fd);
}

void
exec_channel_close(struct exec_channel *channel)
{
    if (channel->fd < 0)
        return;
    if (channel->epoll_fd >= 0)
        uv_close((uv_handle_t *)&channel->poll, on_poll_closed);
    else
        uv_close((uv_handle_t *)&channel->idle, NULL);
    if (channel->own)
        close(channel->fd);
    channel->fd = -1;
}
