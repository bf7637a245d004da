/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/notify.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int
notify_send(const char *where, const char *state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = where != NULL ? strlen(where) : 0;
    ssize_t sent;
    int fd;

    if (length < 2 || (where[0] != '/' && where[0] != '@'))
        return 0;
    if (length >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, where, length);
    if (where[0] == '@')
        address.sun_path[0] = '\0';  /* an abstract one, without a file */
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
    close(fd);
    return sent < 0 ? -1 : 0;
}
