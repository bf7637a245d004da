/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/spawner.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cpmp.h>

#include "text/memory.h"

static void on_again(uv_timer_t *timer);

/* --- answers --- */

static bool
open_take(struct spawner *spawner, uint64_t number)
{
    for (size_t i = 0; i < spawner->open_count; i++) {
        if (spawner->open[i] != number)
            continue;
        spawner->open[i] = spawner->open[--spawner->open_count];
        return true;
    }
    return false;
}

static void
on_fork_server(void *arg, const Cpmp__ForkServer *server)
{
    struct spawner *spawner = arg;

    spawner->again_ms = SPAWNER_AGAIN_MS;
    if (server->body_case == CPMP__FORK_SERVER__BODY_SPAWNED &&
        open_take(spawner, server->spawned->number))
        spawner->hooks->spawned(spawner->arg, server->spawned);
}

static void
open_fail(struct spawner *spawner)
{
    while (spawner->open_count > 0) {
        Cpmp__Spawned spawned = CPMP__SPAWNED__INIT;
        spawned.number = spawner->open[--spawner->open_count];
        spawned.error = (char *)"the process that starts agents has died";
        spawner->hooks->spawned(spawner->arg, &spawned);
    }
}

/* --- the fork server's life --- */

static void
start_later(struct spawner *spawner, const char *why)
{
    uint64_t again_ms = spawner->again_ms;

    uv_timer_start(&spawner->again, on_again, again_ms, 0);
    spawner->again_ms = 2 * again_ms < SPAWNER_AGAIN_MAX_MS ? 2 * again_ms : SPAWNER_AGAIN_MAX_MS;
    spawner->hooks->trouble(spawner->arg, why, again_ms);
}

static void
on_poll_closed(uv_handle_t *handle)
{
    struct spawner *spawner = handle->data;

    spawner->polled = false;
    if (!spawner->closing)
        start_later(spawner, "the process that starts agents has died");
}

static void
fork_server_gone(struct spawner *spawner)
{
    uv_poll_stop(&spawner->poll);
    close(spawner->fd);
    spawner->fd = -1;
    kill(spawner->pid, SIGKILL);
    while (waitpid(spawner->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    uv_close((uv_handle_t *)&spawner->poll, on_poll_closed);
    open_fail(spawner);
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
    struct spawner *spawner = poll->data;
    int error;
    (void)status;
    (void)events;

    do
        error = control_fork_server_receive(spawner->fd, on_fork_server, spawner);
    while (error == CPMP_OK && spawner->fd >= 0);
    if (error != CPMP_EAGAIN && spawner->fd >= 0)
        fork_server_gone(spawner);
}

static int
fork_server_start(struct spawner *spawner)
{
    spawner->fd = control_fork_server_start(spawner->program, &spawner->pid);
    if (spawner->fd < 0)
        return -1;
    uv_poll_init(spawner->loop, &spawner->poll, spawner->fd);
    spawner->poll.data = spawner;
    spawner->polled = true;
    uv_poll_start(&spawner->poll, UV_READABLE, on_readable);
    return 0;
}

static void
on_again(uv_timer_t *timer)
{
    struct spawner *spawner = timer->data;

    if (fork_server_start(spawner) != 0)
        start_later(spawner, strerror(errno));
}

int
spawner_init(struct spawner *spawner, uv_loop_t *loop, const char *program,
             const struct spawner_hooks *hooks, void *arg, struct text *error)
{
    memset(spawner, 0, sizeof(*spawner));
    spawner->loop = loop;
    spawner->again_ms = SPAWNER_AGAIN_MS;
    spawner->program = memory_copy_text(program);
    spawner->hooks = hooks;
    spawner->arg = arg;
    uv_timer_init(loop, &spawner->again);
    spawner->again.data = spawner;
    if (fork_server_start(spawner) == 0)
        return 0;
    text_print(error, "%s can't be started: %s", program, strerror(errno));
    return -1;
}

bool
spawner_spawn(struct spawner *spawner, const Cpmp__Spawn *spawn)
{
    Cpmp__ForkServer server = CPMP__FORK_SERVER__INIT;

    server.body_case = CPMP__FORK_SERVER__BODY_SPAWN;
    server.spawn = (Cpmp__Spawn *)spawn;
    if (spawner->fd < 0 || spawner->open_count == SPAWNER_OPEN_MAX ||
        control_fork_server_send(spawner->fd, &server) != CPMP_OK)
        return false;
    spawner->open[spawner->open_count++] = spawn->number;
    return true;
}

void
spawner_close(struct spawner *spawner)
{
    spawner->closing = true;
    uv_close((uv_handle_t *)&spawner->again, NULL);
    spawner->open_count = 0;
    if (spawner->fd >= 0)
        fork_server_gone(spawner);
}

void
spawner_release(struct spawner *spawner)
{
    free(spawner->program);
}
