/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/handshake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cpmp.h>

#include "text/memory.h"

#define READ_BYTES 4096  /* a whole handshake by key is shorter */

static void
on_poll_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void
control_handshake_take(struct control_handshake *handshake, int *fd_p, struct tls **tls_p)
{
    *fd_p = handshake->fd;
    *tls_p = handshake->tls;
    handshake->fd = -1;
    handshake->tls = NULL;
    control_handshake_free(handshake);
}

void
control_handshake_free(struct control_handshake *handshake)
{
    if (handshake == NULL)
        return;
    uv_poll_stop(&handshake->poll);
    uv_close((uv_handle_t *)&handshake->poll, on_poll_closed);
    if (handshake->fd >= 0)
        close(handshake->fd);
    tls_free(handshake->tls);
}

/* Writes what the session has to say. False when the connection is broken. */
static bool
outgoing_write(struct control_handshake *handshake)
{
    const unsigned char *bytes;
    size_t count;

    while ((count = tls_outgoing(handshake->tls, &bytes)) > 0) {
        ssize_t written = send(handshake->fd, bytes, count, MSG_NOSIGNAL);
        if (written < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        if (written < 0)
            return false;
        tls_sent(handshake->tls, (size_t)written);
    }
    return true;
}

/* Reads until the session stands or there is no more. NULL, or what ended it. */
static const char *
incoming_read(struct control_handshake *handshake)
{
    unsigned char bytes[READ_BYTES];

    while (!tls_is_ready(handshake->tls)) {
        ssize_t count = recv(handshake->fd, bytes, sizeof(bytes), 0);
        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            return NULL;
        if (count < 0)
            return strerror(errno);
        if (count == 0)
            return "it closed the connection";
        if (tls_feed(handshake->tls, bytes, (size_t)count) != CPMP_OK) {
            outgoing_write(handshake);  /* the alert that says why */
            return tls_error_text(handshake->tls);
        }
    }
    return NULL;
}

static void on_ready(uv_poll_t *poll, int status, int events);

/* Waits for room to write only while there is something to be written. */
static void
poll_arm(struct control_handshake *handshake)
{
    const unsigned char *bytes;
    int write = tls_outgoing(handshake->tls, &bytes) > 0;

    uv_poll_start(&handshake->poll, UV_READABLE | (write ? UV_WRITABLE : 0), on_ready);
}

static void
on_ready(uv_poll_t *poll, int status, int events)
{
    struct control_handshake *handshake = poll->data;
    const char *why = incoming_read(handshake);  /* libuv calls every error EBADF */

    (void)events;
    if (why == NULL && status < 0)
        why = "the connection broke";
    if (why == NULL && !outgoing_write(handshake))
        why = strerror(errno);
    if (why != NULL || tls_is_ready(handshake->tls)) {
        uv_poll_stop(poll);
        handshake->on_end(handshake, why);
        return;
    }
    poll_arm(handshake);
}

struct control_handshake *
control_handshake_new(uv_loop_t *loop, int fd, struct tls_context *context, bool server,
                      control_handshake_fn *on_end, void *owner)
{
    struct control_handshake *handshake = memory_new(1, sizeof(*handshake));
    int status = uv_poll_init(loop, &handshake->poll, fd);

    if (status < 0) {
        close(fd);
        free(handshake);
        errno = -status;
        return NULL;
    }
    handshake->poll.data = handshake;
    handshake->fd = fd;
    handshake->tls = tls_new(context, server);
    handshake->on_end = on_end;
    handshake->owner = owner;
    poll_arm(handshake);
    return handshake;
}
