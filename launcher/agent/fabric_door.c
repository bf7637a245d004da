/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent/fabric_door.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plat/plat.h"

typedef void descriptor_fn(int fd, void *arg);

/* Calls `fn` for each open descriptor but 0, 1, 2 and the one used for looking. */
static void
descriptors_visit(descriptor_fn *fn, void *arg)
{
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;

    if (directory == NULL) {  /* no /proc: the long way round */
        for (int fd = 3; fd < 4096; fd++)
            if (fcntl(fd, F_GETFD) >= 0)
                fn(fd, arg);
        return;
    }
    while ((entry = readdir(directory)) != NULL) {
        char *end;
        int fd = (int)strtol(entry->d_name, &end, 10);
        if (*end == 0 && fd > 2 && fd != dirfd(directory))
            fn(fd, arg);
    }
    closedir(directory);
}

static void
snapshot_add(int fd, void *arg)
{
    struct door_snapshot *snapshot = arg;

    if ((unsigned)fd < DOOR_FDS_MAX)
        snapshot->bits[fd / 64] |= 1ull << (fd % 64);
}

void
door_snapshot_take(struct door_snapshot *snapshot)
{
    memset(snapshot, 0, sizeof(*snapshot));
    descriptors_visit(snapshot_add, snapshot);
}

static bool
is_newer(const struct door_snapshot *snapshot, int fd)
{
    return (unsigned)fd < DOOR_FDS_MAX && (snapshot->bits[fd / 64] >> (fd % 64) & 1) == 0;
}

static void
descriptor_seal(int fd, void *arg)
{
    if (is_newer(arg, fd))
        cpi_fd_close_on_exec(fd);
}

void
door_snapshot_seal(const struct door_snapshot *snapshot)
{
    descriptors_visit(descriptor_seal, (void *)snapshot);
}

void
door_init(struct door *door, const struct sockaddr *address, socklen_t bytes, uint64_t patience_us)
{
    memset(door, 0, sizeof(*door));
    door->patience_us = patience_us;
    memcpy(&door->address, address, bytes);
}

static bool
addresses_equal(const struct sockaddr_storage *first, const struct sockaddr *second)
{
    if (first->ss_family != second->sa_family)
        return false;
    if (first->ss_family == AF_INET) {
        const struct sockaddr_in *a = (const struct sockaddr_in *)first;
        const struct sockaddr_in *b = (const struct sockaddr_in *)second;
        return a->sin_port == b->sin_port && a->sin_addr.s_addr == b->sin_addr.s_addr;
    }
    const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)first;
    const struct sockaddr_in6 *b = (const struct sockaddr_in6 *)second;
    return first->ss_family == AF_INET6 && a->sin6_port == b->sin6_port &&
           memcmp(&a->sin6_addr, &b->sin6_addr, sizeof(a->sin6_addr)) == 0;
}

/* The socket's number that is never used again; 0 when `fd` is no socket. */
static uint64_t
socket_cookie(int fd)
{
    uint64_t cookie = 0;
    socklen_t bytes = sizeof(cookie);

    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &bytes) == 0 ? cookie : 0;
}

static void
waiting_remove(struct door *door, uint32_t index)
{
    door->waiting_count--;
    memmove(&door->waiting[index], &door->waiting[index + 1],
            (door->waiting_count - index) * sizeof(door->waiting[0]));
}

/* The provider reads the end of the stream in its next round and closes the socket. */
static void
waiting_shut(struct door *door, struct door_waiting *waiting)
{
    waiting->shut = true;
    door->strangers++;
    shutdown(waiting->fd, SHUT_RDWR);
}

static void
waiting_add(struct door *door, int fd, uint64_t cookie)
{
    socklen_t bytes = sizeof(struct sockaddr_storage);

    if (door->waiting_count == DOOR_WAITING_MAX) {  /* the oldest, it stands first */
        if (!door->waiting[0].shut)
            waiting_shut(door, &door->waiting[0]);
        waiting_remove(door, 0);
    }
    struct door_waiting *waiting = &door->waiting[door->waiting_count++];
    memset(waiting, 0, sizeof(*waiting));
    waiting->fd = fd;
    waiting->cookie = cookie;
    waiting->since_us = cpi_clock_ns() / 1000;
    if (getpeername(fd, (struct sockaddr *)&waiting->from, &bytes) != 0)
        waiting->from.ss_family = AF_UNSPEC;
}

/* A socket that the provider has just accepted: of all of this process only those at our listening
 * address are not yet close-on-exec (libuv's and our own are made so, others are sealed after the
 * call). */
static void
descriptor_look(int fd, void *arg)
{
    struct door *door = arg;
    struct sockaddr_storage local;
    socklen_t bytes = sizeof(local);
    int flags = fcntl(fd, F_GETFD);

    if (flags < 0 || (flags & FD_CLOEXEC) != 0)
        return;
    if (getsockname(fd, (struct sockaddr *)&local, &bytes) != 0 ||
        !addresses_equal(&door->address, (struct sockaddr *)&local))
        return;
    cpi_fd_close_on_exec(fd);
    int status = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, status | O_NONBLOCK);
    waiting_add(door, fd, socket_cookie(fd));
}

void
door_watch(struct door *door)
{
    uint64_t now_us = door->waiting_count > 0 ? cpi_clock_ns() / 1000 : 0;

    for (uint32_t i = 0; i < door->waiting_count;) {
        struct door_waiting *waiting = &door->waiting[i];
        if (socket_cookie(waiting->fd) != waiting->cookie) {
            door->strangers += !waiting->shut;
            waiting_remove(door, i);
            continue;
        }
        if (!waiting->shut && now_us >= waiting->since_us + door->patience_us)
            waiting_shut(door, waiting);
        i++;
    }
    descriptors_visit(descriptor_look, door);
}

void
door_claim(struct door *door, const struct sockaddr *from)
{
    for (uint32_t i = 0; i < door->waiting_count; i++) {
        if (addresses_equal(&door->waiting[i].from, from)) {
            waiting_remove(door, i);
            return;
        }
    }
}

/* --- pacing --- */

#define SITE_US        2000u  /* round trips within one site take less */
#define CONGESTION_MAX 16u

static void
descriptor_unpace(int fd, void *arg)
{
    char name[CONGESTION_MAX] = "";
    socklen_t bytes = sizeof(name);

    if (!is_newer(arg, fd) || getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &bytes) != 0 ||
        strncmp(name, "bbr", 3) != 0)
        return;
    if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) != 0)
        setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
}

void
door_snapshot_unpace(const struct door_snapshot *snapshot)
{
    descriptors_visit(descriptor_unpace, (void *)snapshot);
}

/* A connection to another site gets what a fresh socket has. */
static void
pace_as_usual(int fd)
{
    struct tcp_info info = {0};
    socklen_t bytes = sizeof(info), name_bytes = CONGESTION_MAX;
    char name[CONGESTION_MAX] = "";

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) != 0 || info.tcpi_rtt < SITE_US)
        return;
    int fresh = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fresh >= 0 && getsockopt(fresh, IPPROTO_TCP, TCP_CONGESTION, name, &name_bytes) == 0)
        setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strnlen(name, CONGESTION_MAX));
    if (fresh >= 0)
        close(fresh);
}

/* --- silence --- */

#define PROBES 4  /* of an idle connection, within its limit */

struct silence {
    const struct sockaddr *local, *peer;
    uint64_t limit_us;
    int fd;  /* that was found */
};

static void
descriptor_limit_silence(int fd, void *arg)
{
    struct silence *silence = arg;
    struct sockaddr_storage local, peer;
    socklen_t local_bytes = sizeof(local), peer_bytes = sizeof(peer);
    int limit_ms = (int)(silence->limit_us / 1000), on = 1;
    int interval_s = limit_ms / 1000 / PROBES > 0 ? limit_ms / 1000 / PROBES : 1;

    if (getsockname(fd, (struct sockaddr *)&local, &local_bytes) != 0 ||
        getpeername(fd, (struct sockaddr *)&peer, &peer_bytes) != 0 ||
        !addresses_equal(&local, silence->local) || !addresses_equal(&peer, silence->peer))
        return;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &interval_s, sizeof(interval_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit_ms, sizeof(limit_ms));
    pace_as_usual(fd);
    silence->fd = fd;
}

int
door_limit_silence(const struct sockaddr *local, const struct sockaddr *peer, uint64_t limit_us)
{
    struct silence silence = {local, peer, limit_us, -1};

    descriptors_visit(descriptor_limit_silence, &silence);
    return silence.fd;
}

bool
door_was_silent(int fd, uint64_t limit_us)
{
    struct tcp_info info = {0};
    socklen_t bytes = sizeof(info);

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) == 0 &&
           info.tcpi_last_ack_recv >= limit_us / 1000 / 2;
}

uint64_t
door_deadline_us(const struct door *door)
{
    for (uint32_t i = 0; i < door->waiting_count; i++)
        if (!door->waiting[i].shut)
            return door->waiting[i].since_us + door->patience_us;
    return UINT64_MAX;
}
