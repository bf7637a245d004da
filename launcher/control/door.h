/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_CONTROL_DOOR_H
#define CPI_CONTROL_DOOR_H

/*
 * Waits for the one launcher that knows the key, at listening sockets that anybody can connect to.
 *
 * Strangers (another key, no TLS, silence) are dropped and counted. At most
 * CONTROL_DOOR_WAITING_MAX connections that haven't proven themselves are open, each for
 * CONTROL_DOOR_HANDSHAKE_MS; a new one takes the place of the oldest. When the launcher is there
 * the sockets are closed: from then on there is no door.
 */

#include <uv.h>

#include "control/handshake.h"

#define CONTROL_DOOR_SOCKETS_MAX  8u
#define CONTROL_DOOR_WAITING_MAX  32u
#define CONTROL_DOOR_HANDSHAKE_MS 3000u

struct control_door;

struct control_door_hooks {
    /* The launcher is there: `fd` and `tls` are for control_stream_init_tls. */
    void (*on_launcher)(void *arg, int fd, struct tls *tls);
    /* Nobody came in time. */
    void (*on_nobody)(void *arg);
};

struct control_door_waiting {
    struct control_handshake *handshake;  /* NULL: free */
    uint64_t since_ms;
};

struct control_door {
    uv_loop_t *loop;
    uv_poll_t sockets[CONTROL_DOOR_SOCKETS_MAX];
    int fds[CONTROL_DOOR_SOCKETS_MAX];
    uint32_t sockets_count;
    uv_timer_t patience, sweep;
    struct control_door_waiting waiting[CONTROL_DOOR_WAITING_MAX];
    struct tls_context *context;
    uint64_t strangers;
    bool closed;
    const struct control_door_hooks *hooks;
    void *arg;
};

/* Opens it at `count` listening sockets (nonblocking), which it takes over. One of the hooks
 * follows within `patience_ms`, from the loop. The struct must stay until the loop has closed its
 * handles. CPMP_OK or CPMP_ESYS: then the sockets are closed, and no hook comes. */
int control_door_open(struct control_door *door, uv_loop_t *loop, const int *fds, uint32_t count,
                      const unsigned char key[TLS_KEY_BYTES], uint64_t patience_ms,
                      const struct control_door_hooks *hooks, void *arg);

/* Closes it, and whoever waits. Harmless when it is closed. */
void control_door_close(struct control_door *door);

/* When the loop has closed its handles and the session is freed. */
void control_door_release(struct control_door *door);

#endif
