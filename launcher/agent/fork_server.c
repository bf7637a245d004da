/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent/fork_server.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cpmp.h>

#include "agent/agent.h"
#include "control/fork_server.h"
#include "link/address.h"

#define BACKLOG   64
#define WHY_BYTES 256u

struct fork_server {
    int fd, signal_fd;
    bool became_agent;
    int status;  /* of the agent that this process became */
};

/* A Spawn on its way. */
struct child {
    const Cpmp__Spawn *spawn;
    struct agent_pool pool;
    const struct passwd *user;  /* NULL: stay who we are */
    uint32_t port;
    char why[WHY_BYTES];
};

__attribute__((format(printf, 2, 3)))
static int
refuse(struct child *child, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(child->why, sizeof(child->why), format, arguments);
    va_end(arguments);
    return -1;
}

/* --- where it listens --- */

static void
sockets_close(struct agent_pool *pool)
{
    for (uint32_t i = 0; i < pool->fds_count; i++)
        close(pool->fds[i]);
    pool->fds_count = 0;
}

/* A listening socket; -1 with errno. A wildcard of IPv6 is one for both. */
static int
socket_listen(const struct sockaddr_storage *address, bool both)
{
    socklen_t bytes = address->ss_family == AF_INET ? sizeof(struct sockaddr_in)
                                                    : sizeof(struct sockaddr_in6);
    int on = 1, only = !both, error;
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address->ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
    if (bind(fd, (const struct sockaddr *)address, bytes) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

static bool
address_make(const char *host, uint32_t port, struct sockaddr_storage *address)
{
    char text[ADDRESS_TEXT_MAX];
    int length = snprintf(text, sizeof(text), strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);

    return length < (int)sizeof(text) && address_parse_socket(text, address);
}

/* All machines have IPv4; some no IPv6. */
static int
everywhere_listen(struct child *child, uint32_t port)
{
    struct sockaddr_storage address;
    int fd = -1;

    if (address_make("::", port, &address))
        fd = socket_listen(&address, true);
    if (fd < 0 && errno != EADDRINUSE && address_make("0.0.0.0", port, &address))
        fd = socket_listen(&address, false);
    if (fd < 0)
        return -1;
    child->pool.fds[child->pool.fds_count++] = fd;
    return 0;
}

static uint32_t
port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t bytes = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address, &bytes) != 0)
        return 0;
    return ntohs(address.ss_family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port
                                              : ((struct sockaddr_in6 *)&address)->sin6_port);
}

/* At all addresses the same port. 0, or -1 with errno and what was opened is closed. */
static int
port_try(struct child *child, uint32_t port)
{
    const Cpmp__Spawn *spawn = child->spawn;
    struct agent_pool *pool = &child->pool;
    int result = spawn->n_listen == 0 ? everywhere_listen(child, port) : 0;

    for (size_t i = 0; i < spawn->n_listen && result == 0; i++) {
        struct sockaddr_storage address;
        address_make(spawn->listen[i], pool->fds_count > 0 ? port_of(pool->fds[0]) : port,
                     &address);
        int fd = socket_listen(&address, false);
        result = fd < 0 ? -1 : 0;
        if (fd >= 0)
            pool->fds[pool->fds_count++] = fd;
    }
    if (result != 0) {
        int error = errno;
        sockets_close(pool);
        errno = error;
        return -1;
    }
    child->port = port_of(pool->fds[0]);
    return 0;
}

static int
port_find(struct child *child)
{
    const Cpmp__Spawn *spawn = child->spawn;
    uint32_t count = spawn->port_first > 0 ? spawn->port_last - spawn->port_first + 1 : 1;

    for (uint32_t i = 0; i < count; i++) {
        if (port_try(child, spawn->port_first + i) == 0)
            return 0;
        if (errno != EADDRINUSE)
            return refuse(child, "cannot listen at %s, port %u: %s",
                          spawn->n_listen > 0 ? spawn->listen[0] : "any address",
                          spawn->port_first + i, strerror(errno));
    }
    return refuse(child, "all ports from %u to %u are in use", spawn->port_first, spawn->port_last);
}

/* --- who it is --- */

static int
user_find(struct child *child)
{
    const Cpmp__Spawn *spawn = child->spawn;

    if (geteuid() != 0 || spawn->n_users == 0)
        return 0;
    for (size_t i = 0; i < spawn->n_users && child->user == NULL; i++)
        child->user = getpwnam(spawn->users[i]);
    return child->user != NULL ? 0 : refuse(child, "there is no user %s to run agents as",
                                            spawn->users[0]);
}

static int
spawn_check(struct child *child)
{
    const Cpmp__Spawn *spawn = child->spawn;
    struct sockaddr_storage address;

    if (spawn->key.len != TLS_KEY_BYTES)
        return refuse(child, "the key has %zu bytes, not %u", spawn->key.len, TLS_KEY_BYTES);
    if (spawn->port_first > spawn->port_last || spawn->port_last > 65535)
        return refuse(child, "%u to %u is no range of ports", spawn->port_first, spawn->port_last);
    if (spawn->n_listen > CONTROL_DOOR_SOCKETS_MAX)
        return refuse(child, "more than %u addresses", CONTROL_DOOR_SOCKETS_MAX);
    for (size_t i = 0; i < spawn->n_listen; i++)
        if (!address_make(spawn->listen[i], 0, &address))
            return refuse(child, "'%.100s' is no numeric address", spawn->listen[i]);
    return 0;
}

/* --- the agent --- */

static int
user_become(const struct passwd *user)
{
    if (user == NULL)
        return 0;
    return setgroups(0, NULL) == 0 && setgid(user->pw_gid) == 0 && setuid(user->pw_uid) == 0 ? 0
                                                                                             : -1;
}

/* In the child. What the fork server had is put away first. */
static int
agent_become(struct fork_server *server, struct child *child)
{
    static struct agent agent;
    sigset_t none;
    int status;

    close(server->fd);
    close(server->signal_fd);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    if (user_become(child->user) != 0) {
        perror("cpmp-agent: cannot become the user that agents run as");
        return 1;
    }
    if (agent_init_pool(&agent, &child->pool) != CPMP_OK)
        return 1;
    status = agent_run(&agent);
    agent_release(&agent);
    return status;
}

static void
spawned_send(const struct fork_server *server, struct child *child, pid_t pid)
{
    Cpmp__ForkServer message = CPMP__FORK_SERVER__INIT;
    Cpmp__Spawned spawned = CPMP__SPAWNED__INIT;

    spawned.number = child->spawn->number;
    spawned.pid = (uint32_t)pid;
    spawned.port = child->port;
    spawned.error = child->why;
    message.body_case = CPMP__FORK_SERVER__BODY_SPAWNED;
    message.spawned = &spawned;
    control_fork_server_send(server->fd, &message);
}

static void
on_fork_server(void *arg, const Cpmp__ForkServer *message)
{
    struct fork_server *server = arg;
    struct child child = {.spawn = message->spawn};
    pid_t pid = 0;

    if (message->body_case != CPMP__FORK_SERVER__BODY_SPAWN)
        return;
    child.pool.spawn = message->spawn;
    if (spawn_check(&child) == 0 && user_find(&child) == 0 && port_find(&child) == 0) {
        pid = fork();
        if (pid == 0) {
            server->became_agent = true;
            server->status = agent_become(server, &child);
            return;
        }
        if (pid < 0) {
            refuse(&child, "cannot start an agent: %s", strerror(errno));
            pid = 0;
        }
        sockets_close(&child.pool);
    }
    spawned_send(server, &child, pid);
}

/* --- the fork server --- */

static void
agents_reap(struct fork_server *server)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        Cpmp__ForkServer message = CPMP__FORK_SERVER__INIT;
        Cpmp__Gone gone = CPMP__GONE__INIT;

        gone.pid = (uint32_t)pid;
        gone.signaled = WIFSIGNALED(status);
        gone.code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
        message.body_case = CPMP__FORK_SERVER__BODY_GONE;
        message.gone = &gone;
        control_fork_server_send(server->fd, &message);
    }
}

/* One round: waits, reaps, spawns. False when the daemon is gone. */
static bool
fork_server_step(struct fork_server *server)
{
    struct pollfd fds[] = {{.fd = server->fd, .events = POLLIN},
                           {.fd = server->signal_fd, .events = POLLIN}};
    struct signalfd_siginfo info;

    if (poll(fds, 2, -1) < 0)
        return errno == EINTR;
    if (fds[1].revents != 0 && read(server->signal_fd, &info, sizeof(info)) > 0)
        agents_reap(server);
    if (fds[0].revents == 0)
        return true;
    int error = control_fork_server_receive(server->fd, on_fork_server, server);
    return error == CPMP_OK || error == CPMP_EAGAIN || error == CPMP_EPROTO;
}

int
fork_server_run(int fd)
{
    struct fork_server server = {.fd = fd};
    sigset_t child;

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    server.signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (server.signal_fd < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
        perror("cpmp-agent: cannot make a fork server");
        return 1;
    }
    fabric_warm();
    while (!server.became_agent && fork_server_step(&server))
        continue;
    return server.became_agent ? server.status : 0;
}
