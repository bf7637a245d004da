/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent/keeper.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process/descendants.h"
#include "text/memory.h"

static void
hello_send(struct keeper *keeper)
{
    Cpmp__Local message = CPMP__LOCAL__INIT;
    Cpmp__AgentHello hello = CPMP__AGENT_HELLO__INIT;

    hello.job = keeper->job;
    hello.nonce = keeper->nonce;
    hello.pid = (uint32_t)getpid();
    hello.secret = keeper->secret;
    hello.ranks = keeper->ranks;
    hello.millicores = keeper->millicores;
    hello.state = (char *)(uintptr_t)keeper->hooks->state(keeper->arg);
    message.body_case = CPMP__LOCAL__BODY_AGENT_HELLO;
    message.agent_hello = &hello;
    local_client_tell(&keeper->client, &message);
}

static void
report_send(struct keeper *keeper, const char *ending)
{
    Cpmp__Local message = CPMP__LOCAL__INIT;
    Cpmp__AgentReport report = CPMP__AGENT_REPORT__INIT;
    struct descendants_usage usage;

    descendants_measure(&usage);
    report.running = (uint32_t)usage.count;
    report.cpu_us = usage.cpu_us;
    report.rss_bytes = usage.rss_bytes;
    report.state = (char *)(uintptr_t)keeper->hooks->state(keeper->arg);
    report.ending = (char *)(uintptr_t)ending;
    message.body_case = CPMP__LOCAL__BODY_AGENT_REPORT;
    message.agent_report = &report;
    local_client_tell(&keeper->client, &message);
}

static void
on_welcome(void *arg, const Cpmp__Local *reply)
{
    struct keeper *keeper = arg;

    if (keeper->closing || reply == NULL || reply->body_case != CPMP__LOCAL__BODY_WELCOME)
        return;
    keeper->greeted = true;
    hello_send(keeper);
    report_send(keeper, "");
}

static void
on_message(void *arg, const Cpmp__Local *message)
{
    struct keeper *keeper = arg;

    if (!keeper->closing && message->body_case == CPMP__LOCAL__BODY_AGENT_ORDER)
        keeper->hooks->on_order(keeper->arg, message->agent_order->what,
                                message->agent_order->reason);
}

static void
on_closed(void *arg, const char *why)
{
    struct keeper *keeper = arg;

    (void)why;
    keeper->connected = keeper->greeted = false;
}

static const struct local_client_hooks client_hooks = {
    .on_message = on_message, .on_closed = on_closed,
};

/* The reason why it can't be reached is nobody's here: it is tried again. */
static void
daemon_connect(struct keeper *keeper)
{
    struct text error = {0};

    keeper->connected = local_client_init(&keeper->client, keeper->loop, keeper->directory,
                                          "cpmp-agent", &client_hooks, keeper, on_welcome,
                                          &error) == 0;
    text_release(&error);
}

static void
on_second(uv_timer_t *timer)
{
    struct keeper *keeper = timer->data;

    if (keeper->greeted)
        report_send(keeper, "");
    else if (!keeper->connected)
        daemon_connect(keeper);
}

void
keeper_init(struct keeper *keeper, uv_loop_t *loop, const Cpmp__Spawn *spawn,
            const struct keeper_hooks *hooks, void *arg)
{
    memset(keeper, 0, sizeof(*keeper));
    keeper->loop = loop;
    keeper->directory = memory_copy_text(spawn->state);
    keeper->secret.data = memory_new(spawn->secret.len + 1, 1);
    keeper->secret.len = spawn->secret.len;
    if (spawn->secret.len > 0)
        memcpy(keeper->secret.data, spawn->secret.data, spawn->secret.len);
    keeper->job = spawn->job;
    keeper->nonce = spawn->nonce;
    keeper->ranks = spawn->ranks;
    keeper->millicores = spawn->millicores;
    keeper->hooks = hooks;
    keeper->arg = arg;
    uv_timer_init(loop, &keeper->timer);
    keeper->timer.data = keeper;
    if (*keeper->directory != '\0')
        uv_timer_start(&keeper->timer, on_second, 0, KEEPER_EVERY_MS);
}

void
keeper_close(struct keeper *keeper, const char *ending)
{
    if (keeper->closing)
        return;
    if (keeper->greeted)
        report_send(keeper, ending);
    keeper->closing = true;
    if (keeper->connected)
        local_client_close(&keeper->client);
    uv_close((uv_handle_t *)&keeper->timer, NULL);
}

void
keeper_release(struct keeper *keeper)
{
    free(keeper->directory);
    free(keeper->secret.data);
}
