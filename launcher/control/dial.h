/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_CONTROL_DIAL_H
#define CPI_CONTROL_DIAL_H

/*
 * Connects to one agent that has several addresses, IPv4 and IPv6: the first at once, the next when
 * one has failed or after CONTROL_DIAL_STAGGER_MS, so that an address which swallows everything
 * costs little; the first whose TLS handshake succeeds is taken (RFC 8305 in spirit).
 */

#include <uv.h>

#include "control/address.h"
#include "control/handshake.h"
#include "text/text.h"

#define CONTROL_DIAL_ADDRESSES_MAX 8u
#define CONTROL_DIAL_STAGGER_MS    250u
#define CONTROL_DIAL_PATIENCE_MS   5000u

struct control_dial;

struct control_dial_hooks {
    /* Connected, at `address`: `fd` and `tls` are for control_stream_init_tls. */
    void (*on_connected)(void *arg, int fd, struct tls *tls, const char *address);
    /* None answered; `why` tells of each address, for people. */
    void (*on_failed)(void *arg, const char *why);
};

struct control_dial {
    uv_loop_t *loop;
    uv_timer_t stagger, patience;
    struct tls_context *context;
    char addresses[CONTROL_DIAL_ADDRESSES_MAX][CONTROL_ADDRESS_MAX];
    uint32_t count, next, open;  /* addresses; the next to be tried; handshakes under way */
    struct control_handshake *handshakes[CONTROL_DIAL_ADDRESSES_MAX];
    struct text why;
    bool over;
    const struct control_dial_hooks *hooks;
    void *arg;
};

/* Starts. `addresses` are numeric, with port (control/address.h); what comes after the first
 * CONTROL_DIAL_ADDRESSES_MAX isn't tried. One of the hooks follows, from the loop. The struct must
 * stay until the loop has closed its handles; its context until the session is freed. */
void control_dial_start(struct control_dial *dial, uv_loop_t *loop, char *const *addresses,
                        size_t count, const unsigned char key[TLS_KEY_BYTES],
                        const struct control_dial_hooks *hooks, void *arg);

/* Gives up without a word. */
void control_dial_stop(struct control_dial *dial);

/* When the loop has closed its handles and the session is freed. */
void control_dial_release(struct control_dial *dial);

#endif
