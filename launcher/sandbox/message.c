/* SPDX-License-Identifier: BSD-3-Clause */
#include "sandbox/message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(SANDBOX_FDS_MAX * sizeof(int))];
};

void
sandbox_fds_close(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}

int
sandbox_message_send(int fd, const struct sandbox_message *message, const int *fds, size_t count,
                     bool wait)
{
    struct iovec piece = {.iov_base = (void *)(uintptr_t)message, .iov_len = sizeof(*message)};
    struct msghdr header = {.msg_iov = &piece, .msg_iovlen = 1};
    union control control = {0};
    ssize_t sent;

    if (count > SANDBOX_FDS_MAX) {
        errno = EINVAL;
        return -1;
    }
    if (count > 0) {
        header.msg_control = control.bytes;
        header.msg_controllen = CMSG_SPACE(count * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
    }
    do
        sent = sendmsg(fd, &header, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -1 : 0;
}

static size_t
fds_take(struct msghdr *header, int *fds)
{
    size_t count = 0;

    for (struct cmsghdr *at = CMSG_FIRSTHDR(header); at != NULL; at = CMSG_NXTHDR(header, at)) {
        if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS)
            continue;
        size_t here = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < here; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(at) + i * sizeof(int), sizeof(fd));
            if (count < SANDBOX_FDS_MAX)
                fds[count++] = fd;
            else
                close(fd);
        }
    }
    return count;
}

int
sandbox_message_receive(int fd, struct sandbox_message *message, int *fds, size_t *count_p,
                        bool wait)
{
    struct iovec piece = {.iov_base = message, .iov_len = sizeof(*message)};
    union control control;
    struct msghdr header = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes,
                            .msg_controllen = sizeof(control.bytes)};
    ssize_t bytes;

    *count_p = 0;
    do
        bytes = recvmsg(fd, &header, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    while (bytes < 0 && errno == EINTR);
    if (bytes < 0)
        return -1;
    *count_p = fds_take(&header, fds);
    if (bytes == 0 && *count_p == 0)
        return 0;
    if (bytes == sizeof(*message) && (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
        return 1;
    sandbox_fds_close(fds, *count_p);
    *count_p = 0;
    errno = EPROTO;
    return -1;
}

bool
sandbox_message_is_answer(const struct sandbox_message *message, size_t bytes, size_t fds,
                          uint32_t ranks)
{
    if (bytes != sizeof(*message))
        return false;
    switch (message->type) {
    case SANDBOX_HELLO:
        return fds == SANDBOX_HELLO_FDS;
    case SANDBOX_STARTED:
        return fds == 1 && message->index < ranks;
    case SANDBOX_FAILED:
        return fds == 0 && message->index <= ranks && message->value > 0 && message->value < 4096 &&
               message->step <= SPAWN_RUN;
    case SANDBOX_EXITED:
        return fds == 0 && message->index < ranks &&
               message->max_rss_kib < UINT64_MAX / 1024 && message->user_us < INT64_MAX &&
               message->system_us < INT64_MAX;
    default:
        return false;
    }
}

/* --- what to run --- */

struct run_header {
    uint32_t arguments, variables;
    uint32_t umask, has_files;
    uint64_t files, files_most;
};

static size_t
list_bytes(char *const *list, uint32_t *count_p)
{
    size_t bytes = 0;

    *count_p = 0;
    for (; *list != NULL; list++, (*count_p)++)
        bytes += strlen(*list) + 1;
    return bytes;
}

static char *
list_copy(char *at, char *const *list)
{
    for (; *list != NULL; list++) {
        size_t bytes = strlen(*list) + 1;
        memcpy(at, *list, bytes);
        at += bytes;
    }
    return at;
}

char *
sandbox_run_pack(const struct spawn_request *request, size_t *bytes_p)
{
    const char *directory = request->directory != NULL ? request->directory : "";
    const char *file = request->file != NULL ? request->file : "";
    size_t directory_bytes = strlen(directory) + 1, file_bytes = strlen(file) + 1;
    struct run_header header = {.umask = request->umask, .has_files = request->files != NULL};
    size_t bytes = sizeof(header) + directory_bytes + file_bytes;

    bytes += list_bytes(request->argv, &header.arguments);
    bytes += list_bytes(request->env, &header.variables);
    if (request->files != NULL) {
        header.files = request->files->rlim_cur;
        header.files_most = request->files->rlim_max;
    }
    char *block = malloc(bytes);
    if (block == NULL)
        return NULL;
    memcpy(block, &header, sizeof(header));
    char *at = block + sizeof(header);
    memcpy(at, directory, directory_bytes);
    memcpy(at + directory_bytes, file, file_bytes);
    list_copy(list_copy(at + directory_bytes + file_bytes, request->argv), request->env);
    *bytes_p = bytes;
    return block;
}

/* Points `list` to `count` strings that follow each other from `at` on; NULL when they don't. */
static char *
list_point(char **list, uint32_t count, char *at, const char *end)
{
    for (uint32_t i = 0; i < count; i++) {
        char *zero = at < end ? memchr(at, 0, (size_t)(end - at)) : NULL;
        if (zero == NULL)
            return NULL;
        list[i] = at;
        at = zero + 1;
    }
    list[count] = NULL;
    return at;
}

int
sandbox_run_unpack(struct spawn_request *request, struct rlimit *files, char *bytes, size_t count,
                   char ***list_p)
{
    struct run_header header;
    char *paths[3], *at;
    const char *end = bytes + count;

    if (count < sizeof(header))
        return -1;
    memcpy(&header, bytes, sizeof(header));
    if (header.arguments == 0 || header.arguments > count || header.variables > count)
        return -1;
    char **list = calloc((size_t)header.arguments + header.variables + 2, sizeof(*list));
    if (list == NULL)
        return -1;
    at = list_point(paths, 2, bytes + sizeof(header), end);
    at = at != NULL ? list_point(list, header.arguments, at, end) : NULL;
    at = at != NULL ? list_point(list + header.arguments + 1, header.variables, at, end) : NULL;
    if (at != end) {
        free(list);
        return -1;
    }
    *files = (struct rlimit){.rlim_cur = header.files, .rlim_max = header.files_most};
    request->argv = list;
    request->env = list + header.arguments + 1;
    request->directory = paths[0];
    request->file = *paths[1] != '\0' ? paths[1] : NULL;
    request->umask = (mode_t)(header.umask & 0777);
    request->files = header.has_files ? files : NULL;
    *list_p = list;
    return 0;
}

/* --- long things --- */

int
sandbox_blob_make(const void *bytes, size_t count)
{
    int fd = memfd_create("cpmp-cage", MFD_CLOEXEC);
    size_t done = 0;

    while (fd >= 0 && done < count) {
        ssize_t written = pwrite(fd, (const char *)bytes + done, count - done, (off_t)done);
        if (written <= 0) {
            int error = errno;
            close(fd);
            errno = error;
            return -1;
        }
        done += (size_t)written;
    }
    return fd;
}

char *
sandbox_blob_read(int fd, size_t most, size_t *count_p)
{
    struct stat status;
    size_t done = 0;

    if (fstat(fd, &status) < 0)
        return NULL;
    if (status.st_size < 0 || (uint64_t)status.st_size > most) {
        errno = EFBIG;
        return NULL;
    }
    size_t count = (size_t)status.st_size;
    char *bytes = malloc(count + 1);
    while (bytes != NULL && done < count) {
        ssize_t got = pread(fd, bytes + done, count - done, (off_t)done);
        if (got <= 0) {
            free(bytes);
            errno = EIO;
            return NULL;
        }
        done += (size_t)got;
    }
    if (bytes != NULL)
        bytes[count] = 0;
    *count_p = count;
    return bytes;
}
