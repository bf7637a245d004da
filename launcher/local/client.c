/* SPDX-License-Identifier: BSD-3-Clause */
#include "local/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cpmp.h>

#include "local/state.h"
#include "text/memory.h"

static struct local_request
request_take(struct local_client *client, size_t index)
{
    struct local_request request = client->open[index];

    client->open[index] = client->open[--client->open_count];
    return request;
}

static void
on_message(void *arg, Cpmp__Control *message)
{
    struct local_client *client = arg;
    const Cpmp__Local *local = message->local;

    if (message->body_case != CPMP__CONTROL__BODY_LOCAL) {
        control_stream_close(&client->stream);
        return;
    }
    for (size_t i = 0; local->number != 0 && i < client->open_count; i++) {
        if (client->open[i].number != local->number)
            continue;
        struct local_request request = request_take(client, i);
        request.reply(request.arg, local);
        return;
    }
    if (local->number == 0 && client->hooks->on_message != NULL)
        client->hooks->on_message(client->arg, local);
}

static void
on_closed(void *arg, int error, const char *why)
{
    struct local_client *client = arg;
    (void)error;

    client->closed = true;
    while (client->open_count > 0) {
        struct local_request request = request_take(client, client->open_count - 1);
        request.reply(request.arg, NULL);
    }
    free(client->open);
    client->open = NULL;
    client->hooks->on_closed(client->arg, why);
}

static const struct control_stream_hooks stream_hooks = {
    .on_message = on_message,
    .on_closed = on_closed,
};

int
local_client_init(struct local_client *client, uv_loop_t *loop, const char *directory,
                  const char *program, const struct local_client_hooks *hooks, void *arg,
                  local_reply_fn *welcome, struct text *error)
{
    Cpmp__Local request = CPMP__LOCAL__INIT;
    Cpmp__LocalHello hello = CPMP__LOCAL_HELLO__INIT;
    int fd = state_connect(directory);

    memset(client, 0, sizeof(*client));
    client->hooks = hooks;
    client->arg = arg;
    if (fd < 0 || control_stream_init(&client->stream, loop, fd, &stream_hooks, client) != 0) {
        text_print(error, "the cpmpd of %s can't be reached: %s", directory, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    hello.version = LOCAL_VERSION;
    hello.program = (char *)program;
    request.body_case = CPMP__LOCAL__BODY_HELLO;
    request.hello = &hello;
    local_client_ask(client, &request, welcome, arg);
    return 0;
}

void
local_client_tell(struct local_client *client, Cpmp__Local *message)
{
    Cpmp__Control control = CPMP__CONTROL__INIT;

    control.body_case = CPMP__CONTROL__BODY_LOCAL;
    control.local = message;
    control_stream_send(&client->stream, &control);
}

void
local_client_ask(struct local_client *client, Cpmp__Local *request, local_reply_fn *reply,
                 void *arg)
{
    if (client->closed) {
        reply(arg, NULL);
        return;
    }
    request->number = ++client->last_number;
    client->open = memory_grow(client->open, client->open_count + 1, sizeof(*client->open));
    client->open[client->open_count++] =
        (struct local_request){.number = request->number, .reply = reply, .arg = arg};
    local_client_tell(client, request);
}

void
local_client_close(struct local_client *client)
{
    control_stream_close(&client->stream);
}
