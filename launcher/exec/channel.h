/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_CHANNEL_H
#define CPI_EXEC_CHANNEL_H

/*
 * The launcher's own stdin, stdout and stderr, without ever blocking on them and without changing
 * them.
 *
 * These descriptors are shared with the shell and with other programs of a pipeline, so O_NONBLOCK
 * must not be set on them: it belongs to the open file, and everyone's reads and writes would begin
 * to fail. Pipes and terminals are opened anew through /proc/self/fd, which gives an open file of
 * our own on the same pipe or terminal. Where that isn't allowed, poll is asked before each read or
 * write, and no more is written than a pipe that is ready takes whole. Sockets have a flag for each
 * call. Ordinary files never make anyone wait for another process, so they are used as they are.
 *
 * For waiting, the descriptor goes into an epoll set of its own which libuv watches, because libuv
 * would set O_NONBLOCK on what it watches. The watch on a terminal is edge-triggered: a job in the
 * background hears of what is typed there but must leave it alone, and would else be told again and
 * again.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <uv.h>

struct exec_channel {
    uv_poll_t poll;
    uv_idle_t idle;     /* stands for poll where the file is always ready */
    int fd;             /* what is read and written; -1: released */
    int epoll_fd;       /* -1: always ready */
    bool own;           /* fd is ours alone, nonblocking */
    bool is_socket;
    bool is_terminal;
    short events;       /* POLLIN or POLLOUT */
    void (*on_ready)(void *arg);
    void *arg;
};

/* `fd` stays the caller's. `writing` says which way. 0, or a negative libuv error. */
int exec_channel_init(struct exec_channel *channel, uv_loop_t *loop, int fd, bool writing,
                      void (*on_ready)(void *arg), void *arg);

/* As read and write; EAGAIN: call exec_channel_wait and try again when ready. */
ssize_t exec_channel_read(struct exec_channel *channel, void *bytes, size_t count);
ssize_t exec_channel_write(struct exec_channel *channel, const void *bytes, size_t count);

/* Have on_ready called once, when it is worth another try. */
void exec_channel_wait(struct exec_channel *channel);

/* No more calls of on_ready. The struct must live until the loop has closed its handles. */
void exec_channel_close(struct exec_channel *channel);

/* Whether this process may read from the terminal `fd`: its process group is in the foreground, or
 * `fd` is no terminal of its session. */
bool exec_terminal_is_ours(int fd);

#endif
