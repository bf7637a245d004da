/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_AGENT_KEEPER_H
#define CPI_AGENT_KEEPER_H

/*
 * The agent's side of the owner's word: a connection to the daemon of its own machine, over which
 * it says who it is (AgentHello), reports each second what it uses, and hears what the owner wants.
 * A daemon that is away is tried again each second; the job goes on meanwhile.
 */

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "local/client.h"
#include "wire/fork_server.pb-c.h"

#define KEEPER_EVERY_MS 1000u

struct keeper_hooks {
    /* `reason` is for people, valid in the call. An order may come twice. */
    void (*on_order)(void *arg, Cpmp__AgentOrder__What what, const char *reason);
    /* Where the agent is now: "waiting", "running", ... */
    const char *(*state)(void *arg);
};

struct keeper {
    uv_loop_t *loop;
    uv_timer_t timer;
    struct local_client client;
    bool connected, greeted, closing;
    char *directory;            /* state directory of the daemon; owned, as is the next */
    ProtobufCBinaryData secret;
    uint64_t job, nonce;
    uint32_t ranks, millicores;
    const struct keeper_hooks *hooks;
    void *arg;
};

/* Begins; `spawn` says whom to speak to and what to say (copied). The struct must stay until the
 * loop has closed its handles. */
void keeper_init(struct keeper *keeper, uv_loop_t *loop, const Cpmp__Spawn *spawn,
                 const struct keeper_hooks *hooks, void *arg);

/* Says how it `ended` and closes. */
void keeper_close(struct keeper *keeper, const char *ending);

/* After the loop. */
void keeper_release(struct keeper *keeper);

#endif
