/* SPDX-License-Identifier: BSD-3-Clause */
#include "local/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "text/environment.h"
#include "text/memory.h"

#define LISTEN_BACKLOG 64

/* One that is set, and not to nothing. */
static const char *
variable(char **environment, const char *name)
{
    const char *value = environment_get(environment, name);

    return value != NULL && *value != '\0' ? value : NULL;
}

/* A directory that somebody named: --state or $CPMP_STATE. */
static const char *
named(const char *option, char **environment)
{
    return option != NULL ? option : variable(environment, "CPMP_STATE");
}

/* The user's own; false without a home. */
static bool
users(struct text *path, char **environment)
{
    const char *state = variable(environment, "XDG_STATE_HOME");
    const char *home = variable(environment, "HOME");

    if (state != NULL)
        text_print(path, "%s/cpmp", state);
    else if (home != NULL)
        text_print(path, "%s/.local/state/cpmp", home);
    return path->used > 0;
}

int
state_directory(struct text *path, const char *option, char **environment, struct text *error)
{
    const char *name = named(option, environment);

    if (name != NULL) {
        if (*name == '\0') {
            text_add_string(error, "--state: the name of a directory is missing");
            return -1;
        }
        text_add_string(path, name);
    } else if (geteuid() == 0) {
        text_add_string(path, STATE_SYSTEM);
    } else if (!users(path, environment)) {
        text_add_string(error, "there is no HOME to keep the state in; name a directory by --state "
                               "or CPMP_STATE");
        return -1;
    }
    return 0;
}

static bool
daemon_answers(const char *directory)
{
    int fd = state_connect(directory);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

int
state_find(struct text *path, const char *option, char **environment, struct text *error)
{
    const char *name = named(option, environment);
    struct text own = {0};

    if (name != NULL) {
        text_add_string(path, name);
        if (daemon_answers(name))
            return 0;
        text_print(error, "no cpmpd answers in %s (%s)", name, strerror(errno));
        return -1;
    }
    if (users(&own, environment) && daemon_answers(text_string(&own))) {
        text_add(path, own.bytes, own.used);
        text_release(&own);
        return 0;
    }
    if (daemon_answers(STATE_SYSTEM)) {
        text_add_string(path, STATE_SYSTEM);
        text_release(&own);
        return 0;
    }
    text_print(error, "no cpmpd runs here (looked in %s%s%s)", text_string(&own),
               own.used > 0 ? " and " : "", STATE_SYSTEM);
    text_release(&own);
    return -1;
}

int
state_make(const char *directory, struct text *error)
{
    char *path = memory_copy_text(directory);
    int failed = 0;

    for (char *slash = path + 1; failed == 0; slash++) {
        slash += strcspn(slash, "/");
        char was = *slash;
        *slash = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST)
            failed = errno;
        *slash = was;
        if (was == '\0')
            break;
    }
    if (failed == 0 && access(directory, R_OK | W_OK | X_OK) != 0)
        failed = errno;
    free(path);
    if (failed == 0)
        return 0;
    text_print(error, "the state directory %s can't be used: %s; name another by --state",
               directory, strerror(failed));
    return -1;
}

static int
directory_open(const char *directory)
{
    return open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int
state_lock(const char *directory, struct text *error)
{
    int at = directory_open(directory);
    int fd = at < 0 ? -1 : openat(at, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (at >= 0)
        close(at);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    if (fd >= 0 && errno == EWOULDBLOCK)
        text_print(error, "another cpmpd runs in %s; a second peer on this machine needs a state "
                          "directory of its own, by --state", directory);
    else
        text_print(error, "the state directory %s can't be locked: %s", directory, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* --- the socket --- */

/* A path through an open directory is short enough for an address, wherever it lies. */
static int
address_set(struct sockaddr_un *address, int at)
{
    address->sun_family = AF_UNIX;
    snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/socket", at);
    return at;
}

static int
socket_use(const char *directory, int (*use)(int, const struct sockaddr *, socklen_t))
{
    struct sockaddr_un address = {0};
    int at = address_set(&address, directory_open(directory));
    int fd = at < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int error;

    if (fd >= 0 && use(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        error = errno;
        close(fd);
        fd = -1;
        errno = error;
    }
    error = errno;
    if (at >= 0)
        close(at);
    errno = error;
    return fd;
}

int
state_connect(const char *directory)
{
    return socket_use(directory, connect);
}

/* Between bind and chmod the socket is the owner's alone: nobody is let in who shouldn't be. */
static int
bind_and_listen(int fd, const struct sockaddr *address, socklen_t bytes)
{
    const char *path = ((const struct sockaddr_un *)address)->sun_path;

    if (unlink(path) != 0 && errno != ENOENT)
        return -1;
    if (bind(fd, address, bytes) != 0 || chmod(path, 0666) != 0)
        return -1;
    return listen(fd, LISTEN_BACKLOG);
}

int
state_listen(const char *directory)
{
    return socket_use(directory, bind_and_listen);
}

void
state_unlisten(const char *directory)
{
    int at = directory_open(directory);

    if (at < 0)
        return;
    unlinkat(at, "socket", 0);
    close(at);
}
