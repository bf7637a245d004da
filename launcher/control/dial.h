/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_CONTROL_DIAL_H
#define CPI_CONTROL_DIAL_H

/*
 * Connects to one agent that has several addresses, IPv4 and IPv6, in turn (link/dial.h). Who
 * accepts is not yet the agent: while a TLS handshake is under way the next address is tried after
 * DIAL_STAGGER_MS all the same, so that one which swallows everything costs little; the first whose
 * handshake succeeds is taken.
 */

#include <uv.h>

#include "control/handshake.h"
#include "link/address.h"
#include "link/dial.h"
#include "text/text.h"

#define CONTROL_DIAL_PATIENCE_MS 5000u

struct control_dial;

struct control_dial_hooks {
    /* Connected, at `address`: `fd` and `tls` are for control_stream_init_tls. */
    void (*on_connected)(void *arg, int fd, struct tls *tls, const char *address);
    /* None answered; `why` tells of each address, for people. */
    void (*on_failed)(void *arg, const char *why);
};

/* An address that was connected to. */
struct control_dial_attempt {
    struct control_handshake *handshake;  /* NULL: it has failed */
    char address[ADDRESS_TEXT_MAX];
};

struct control_dial {
    uv_loop_t *loop;
    uv_timer_t stagger, patience;
    struct tls_context *context;
    struct dial *dial;
    struct control_dial_attempt attempts[DIAL_ADDRESSES_MAX];
    uint32_t count, open;  /* attempts; their handshakes under way */
    bool exhausted;        /* `dial` has no more addresses */
    bool over;
    struct text why;
    const struct control_dial_hooks *hooks;
    void *arg;
};

/* Starts. `addresses` are numeric, with port (address_parse_socket); what comes after the first
 * DIAL_ADDRESSES_MAX isn't tried. One of the hooks follows, from the loop. The struct must stay
 * until the loop has closed its handles; its context until the session is freed. */
void control_dial_start(struct control_dial *dial, uv_loop_t *loop, char *const *addresses,
                        size_t count, const unsigned char key[TLS_KEY_BYTES],
                        const struct control_dial_hooks *hooks, void *arg);

/* Gives up without a word. */
void control_dial_stop(struct control_dial *dial);

/* When the loop has closed its handles and the session is freed. */
void control_dial_release(struct control_dial *dial);

#endif
