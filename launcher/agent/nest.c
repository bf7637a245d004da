/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent/nest.h"

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
#include "control/nest.h"
#include "link/address.h"

#define BACKLOG   64
#define WHY_BYTES 256u

struct nest {
    int fd, signal_fd;
    bool became_agent;
    int status;  /* of the agent that this process became */
};

/* A Hatch on its way. */
struct brood {
    const Cpmp__Hatch *hatch;
    struct agent_pool pool;
    const struct passwd *user;  /* NULL: stay who we are */
    uint32_t port;
    char why[WHY_BYTES];
};

__attribute__((format(printf, 2, 3)))
static int
refuse(struct brood *brood, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(brood->why, sizeof(brood->why), format, arguments);
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
everywhere_listen(struct brood *brood, uint32_t port)
{
    struct sockaddr_storage address;
    int fd = -1;

    if (address_make("::", port, &address))
        fd = socket_listen(&address, true);
    if (fd < 0 && errno != EADDRINUSE && address_make("0.0.0.0", port, &address))
        fd = socket_listen(&address, false);
    if (fd < 0)
        return -1;
    brood->pool.fds[brood->pool.fds_count++] = fd;
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
port_try(struct brood *brood, uint32_t port)
{
    const Cpmp__Hatch *hatch = brood->hatch;
    struct agent_pool *pool = &brood->pool;
    int result = hatch->n_listen == 0 ? everywhere_listen(brood, port) : 0;

    for (size_t i = 0; i < hatch->n_listen && result == 0; i++) {
        struct sockaddr_storage address;
        address_make(hatch->listen[i], pool->fds_count > 0 ? port_of(pool->fds[0]) : port,
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
    brood->port = port_of(pool->fds[0]);
    return 0;
}

static int
port_find(struct brood *brood)
{
    const Cpmp__Hatch *hatch = brood->hatch;
    uint32_t count = hatch->port_first > 0 ? hatch->port_last - hatch->port_first + 1 : 1;

    for (uint32_t i = 0; i < count; i++) {
        if (port_try(brood, hatch->port_first + i) == 0)
            return 0;
        if (errno != EADDRINUSE)
            return refuse(brood, "cannot listen at %s, port %u: %s",
                          hatch->n_listen > 0 ? hatch->listen[0] : "any address",
                          hatch->port_first + i, strerror(errno));
    }
    return refuse(brood, "all ports from %u to %u are in use", hatch->port_first, hatch->port_last);
}

/* --- who it is --- */

static int
user_find(struct brood *brood)
{
    const Cpmp__Hatch *hatch = brood->hatch;

    if (geteuid() != 0 || hatch->n_users == 0)
        return 0;
    for (size_t i = 0; i < hatch->n_users && brood->user == NULL; i++)
        brood->user = getpwnam(hatch->users[i]);
    return brood->user != NULL ? 0 : refuse(brood, "there is no user %s to run agents as",
                                            hatch->users[0]);
}

static int
hatch_check(struct brood *brood)
{
    const Cpmp__Hatch *hatch = brood->hatch;
    struct sockaddr_storage address;

    if (hatch->key.len != TLS_KEY_BYTES)
        return refuse(brood, "the key has %zu bytes, not %u", hatch->key.len, TLS_KEY_BYTES);
    if (hatch->port_first > hatch->port_last || hatch->port_last > 65535)
        return refuse(brood, "%u to %u is no range of ports", hatch->port_first, hatch->port_last);
    if (hatch->n_listen > CONTROL_DOOR_SOCKETS_MAX)
        return refuse(brood, "more than %u addresses", CONTROL_DOOR_SOCKETS_MAX);
    for (size_t i = 0; i < hatch->n_listen; i++)
        if (!address_make(hatch->listen[i], 0, &address))
            return refuse(brood, "'%.100s' is no numeric address", hatch->listen[i]);
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

/* In the child. What the nest had is put away first. */
static int
agent_become(struct nest *nest, struct brood *brood)
{
    static struct agent agent;
    sigset_t none;
    int status;

    close(nest->fd);
    close(nest->signal_fd);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    if (user_become(brood->user) != 0) {
        perror("cpmp-agent: cannot become the user that agents run as");
        return 1;
    }
    if (agent_init_pool(&agent, &brood->pool) != CPMP_OK)
        return 1;
    status = agent_run(&agent);
    agent_release(&agent);
    return status;
}

static void
hatched_send(const struct nest *nest, struct brood *brood, pid_t pid)
{
    Cpmp__Nest message = CPMP__NEST__INIT;
    Cpmp__Hatched hatched = CPMP__HATCHED__INIT;

    hatched.number = brood->hatch->number;
    hatched.pid = (uint32_t)pid;
    hatched.port = brood->port;
    hatched.error = brood->why;
    message.body_case = CPMP__NEST__BODY_HATCHED;
    message.hatched = &hatched;
    control_nest_send(nest->fd, &message);
}

static void
on_nest(void *arg, const Cpmp__Nest *message)
{
    struct nest *nest = arg;
    struct brood brood = {.hatch = message->hatch};
    pid_t pid = 0;

    if (message->body_case != CPMP__NEST__BODY_HATCH)
        return;
    brood.pool.hatch = message->hatch;
    if (hatch_check(&brood) == 0 && user_find(&brood) == 0 && port_find(&brood) == 0) {
        pid = fork();
        if (pid == 0) {
            nest->became_agent = true;
            nest->status = agent_become(nest, &brood);
            return;
        }
        if (pid < 0) {
            refuse(&brood, "cannot start an agent: %s", strerror(errno));
            pid = 0;
        }
        sockets_close(&brood.pool);
    }
    hatched_send(nest, &brood, pid);
}

/* --- the nest --- */

static void
agents_reap(struct nest *nest)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        Cpmp__Nest message = CPMP__NEST__INIT;
        Cpmp__Gone gone = CPMP__GONE__INIT;

        gone.pid = (uint32_t)pid;
        gone.signaled = WIFSIGNALED(status);
        gone.code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
        message.body_case = CPMP__NEST__BODY_GONE;
        message.gone = &gone;
        control_nest_send(nest->fd, &message);
    }
}

/* One round: waits, reaps, hatches. False when the daemon is gone. */
static bool
nest_step(struct nest *nest)
{
    struct pollfd fds[] = {{.fd = nest->fd, .events = POLLIN},
                           {.fd = nest->signal_fd, .events = POLLIN}};
    struct signalfd_siginfo info;

    if (poll(fds, 2, -1) < 0)
        return errno == EINTR;
    if (fds[1].revents != 0 && read(nest->signal_fd, &info, sizeof(info)) > 0)
        agents_reap(nest);
    if (fds[0].revents == 0)
        return true;
    int error = control_nest_receive(nest->fd, on_nest, nest);
    return error == CPMP_OK || error == CPMP_EAGAIN || error == CPMP_EPROTO;
}

int
nest_run(int fd)
{
    struct nest nest = {.fd = fd};
    sigset_t child;

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    nest.signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (nest.signal_fd < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
        perror("cpmp-agent: cannot make a nest");
        return 1;
    }
    fabric_warm();
    while (!nest.became_agent && nest_step(&nest))
        continue;
    return nest.became_agent ? nest.status : 0;
}
