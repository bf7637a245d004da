/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_CONTROL_HANDSHAKE_H
#define CPI_CONTROL_HANDSHAKE_H

/*
 * A connection on its way to be a control stream: the TLS handshake by the key that both sides have
 * (link/tls.h). What its owners do about time and about many of
 * them: control/dial.h for the side that connects, control/door.h for the one that listens.
 */

#include <stdbool.h>

#include <uv.h>

#include "link/tls.h"

struct control_handshake;

/* The other side knows the key (`why` NULL), or it came to nothing, for the reason `why` (for
 * people, valid in the call). Comes from the loop, once; what is to be done then is
 * control_handshake_take or _free. */
typedef void control_handshake_fn(struct control_handshake *handshake, const char *why);

struct control_handshake {
    uv_poll_t poll;
    int fd;
    struct tls *tls;
    control_handshake_fn *on_end;
    void *owner;
};

/* Starts with `fd`, a socket that connected (client) or was accepted (server), and takes it over.
 * NULL with errno: it is closed then. `context` must outlive the session. */
struct control_handshake *control_handshake_new(uv_loop_t *loop, int fd,
                                                struct tls_context *context, bool server,
                                                control_handshake_fn *on_end, void *owner);

/* Hands over what control_stream_init_tls wants, and frees the rest. */
void control_handshake_take(struct control_handshake *handshake, int *fd_p, struct tls **tls_p);

/* Closes and frees it; on_end doesn't come. NULL is fine. */
void control_handshake_free(struct control_handshake *handshake);

#endif
