/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/nursery.h"

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
open_take(struct nursery *nursery, uint64_t number)
{
    for (size_t i = 0; i < nursery->open_count; i++) {
        if (nursery->open[i] != number)
            continue;
        nursery->open[i] = nursery->open[--nursery->open_count];
        return true;
    }
    return false;
}

static void
on_nest(void *arg, const Cpmp__Nest *nest)
{
    struct nursery *nursery = arg;

    nursery->again_ms = NURSERY_AGAIN_MS;
    if (nest->body_case == CPMP__NEST__BODY_HATCHED && open_take(nursery, nest->hatched->number))
        nursery->hooks->hatched(nursery->arg, nest->hatched);
}

static void
open_fail(struct nursery *nursery)
{
    while (nursery->open_count > 0) {
        Cpmp__Hatched hatched = CPMP__HATCHED__INIT;
        hatched.number = nursery->open[--nursery->open_count];
        hatched.error = (char *)"the process that starts agents has died";
        nursery->hooks->hatched(nursery->arg, &hatched);
    }
}

/* --- the nest's life --- */

static void
start_later(struct nursery *nursery, const char *why)
{
    uint64_t again_ms = nursery->again_ms;

    uv_timer_start(&nursery->again, on_again, again_ms, 0);
    nursery->again_ms = 2 * again_ms < NURSERY_AGAIN_MAX_MS ? 2 * again_ms : NURSERY_AGAIN_MAX_MS;
    nursery->hooks->trouble(nursery->arg, why, again_ms);
}

static void
on_poll_closed(uv_handle_t *handle)
{
    struct nursery *nursery = handle->data;

    nursery->polled = false;
    if (!nursery->closing)
        start_later(nursery, "the process that starts agents has died");
}

static void
nest_gone(struct nursery *nursery)
{
    uv_poll_stop(&nursery->poll);
    close(nursery->fd);
    nursery->fd = -1;
    kill(nursery->pid, SIGKILL);
    while (waitpid(nursery->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    uv_close((uv_handle_t *)&nursery->poll, on_poll_closed);
    open_fail(nursery);
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
    struct nursery *nursery = poll->data;
    int error;
    (void)status;
    (void)events;

    do
        error = control_nest_receive(nursery->fd, on_nest, nursery);
    while (error == CPMP_OK && nursery->fd >= 0);
    if (error != CPMP_EAGAIN && nursery->fd >= 0)
        nest_gone(nursery);
}

static int
nest_start(struct nursery *nursery)
{
    nursery->fd = control_nest_start(nursery->program, &nursery->pid);
    if (nursery->fd < 0)
        return -1;
    uv_poll_init(nursery->loop, &nursery->poll, nursery->fd);
    nursery->poll.data = nursery;
    nursery->polled = true;
    uv_poll_start(&nursery->poll, UV_READABLE, on_readable);
    return 0;
}

static void
on_again(uv_timer_t *timer)
{
    struct nursery *nursery = timer->data;

    if (nest_start(nursery) != 0)
        start_later(nursery, strerror(errno));
}

int
nursery_init(struct nursery *nursery, uv_loop_t *loop, const char *program,
             const struct nursery_hooks *hooks, void *arg, struct text *error)
{
    memset(nursery, 0, sizeof(*nursery));
    nursery->loop = loop;
    nursery->again_ms = NURSERY_AGAIN_MS;
    nursery->program = memory_copy_text(program);
    nursery->hooks = hooks;
    nursery->arg = arg;
    uv_timer_init(loop, &nursery->again);
    nursery->again.data = nursery;
    if (nest_start(nursery) == 0)
        return 0;
    text_print(error, "%s can't be started: %s", program, strerror(errno));
    return -1;
}

bool
nursery_hatch(struct nursery *nursery, const Cpmp__Hatch *hatch)
{
    Cpmp__Nest nest = CPMP__NEST__INIT;

    nest.body_case = CPMP__NEST__BODY_HATCH;
    nest.hatch = (Cpmp__Hatch *)hatch;
    if (nursery->fd < 0 || nursery->open_count == NURSERY_OPEN_MAX ||
        control_nest_send(nursery->fd, &nest) != CPMP_OK)
        return false;
    nursery->open[nursery->open_count++] = hatch->number;
    return true;
}

void
nursery_close(struct nursery *nursery)
{
    nursery->closing = true;
    uv_close((uv_handle_t *)&nursery->again, NULL);
    nursery->open_count = 0;
    if (nursery->fd >= 0)
        nest_gone(nursery);
}

void
nursery_release(struct nursery *nursery)
{
    free(nursery->program);
}
