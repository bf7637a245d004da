/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_LOCAL_CLIENT_H
#define CPI_LOCAL_CLIENT_H

/*
 * A program's connection to the daemon of its machine: requests by number, each answered once. Many
 * may be open at a time. What comes without a number of ours goes to `on_message`.
 *
 * When the daemon goes, every open request is answered with NULL, then on_closed is called.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "control/stream.h"
#include "text/text.h"

#define LOCAL_VERSION 1u       /* in LocalHello and LocalWelcome; both must have the same */

/* LocalFailure.code */
enum local_failure {
    LOCAL_FAILURE_REFUSED = 1, /* this asker may not, or the daemon won't */
    LOCAL_FAILURE_UNKNOWN = 2, /* no such thing */
    LOCAL_FAILURE_WRONG = 3,   /* the request makes no sense */
    LOCAL_FAILURE_BROKEN = 4   /* it was tried and failed */
};

struct local_client;

/* `reply` is valid in the call; NULL: the daemon is gone. */
typedef void local_reply_fn(void *arg, const Cpmp__Local *reply);

struct local_client_hooks {
    /* What the daemon says by itself. May be NULL. */
    void (*on_message)(void *arg, const Cpmp__Local *message);
    /* The end; the memory may be freed. `why` is for people. */
    void (*on_closed)(void *arg, const char *why);
};

struct local_request {
    uint64_t number;
    local_reply_fn *reply;
    void *arg;
};

struct local_client {
    struct control_stream stream;
    const struct local_client_hooks *hooks;
    void *arg;
    struct local_request *open;   /* [open_count] */
    size_t open_count;
    uint64_t last_number;
    bool closed;
};

/* Connects to the daemon of the state directory and greets it as `program`. 0, or -1 with `error`;
 * then nothing is kept. The answer to the greeting goes to `welcome`. */
int local_client_init(struct local_client *client, uv_loop_t *loop, const char *directory,
                      const char *program, const struct local_client_hooks *hooks, void *arg,
                      local_reply_fn *welcome, struct text *error);

/* Sends `request` (its number is set here). The reply comes from the loop. */
void local_client_ask(struct local_client *client, Cpmp__Local *request, local_reply_fn *reply,
                      void *arg);

/* Sends what has no answer. */
void local_client_tell(struct local_client *client, Cpmp__Local *message);

/* Closes; on_closed follows. */
void local_client_close(struct local_client *client);

#endif
