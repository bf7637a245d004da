/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/door.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cpmp.h>

#define ACCEPTS_MAX 8    /* in one go, so that a flood leaves time for everything else */
#define SWEEP_MS    500

static void
handle_close(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void
control_door_close(struct control_door *door)
{
    if (door->closed)
        return;
    door->closed = true;
    for (uint32_t i = 0; i < door->sockets_count; i++) {
        handle_close((uv_handle_t *)&door->sockets[i]);
        close(door->fds[i]);
    }
    for (uint32_t i = 0; i < CONTROL_DOOR_WAITING_MAX; i++) {
        control_handshake_free(door->waiting[i].handshake);
        door->waiting[i].handshake = NULL;
    }
    handle_close((uv_handle_t *)&door->patience);
    handle_close((uv_handle_t *)&door->sweep);
}

void
control_door_release(struct control_door *door)
{
    tls_context_free(door->context);
    door->context = NULL;
}

static void
waiting_drop(struct control_door *door, struct control_door_waiting *waiting)
{
    door->strangers++;
    control_handshake_free(waiting->handshake);
    waiting->handshake = NULL;
}

static void
on_end(struct control_handshake *handshake, const char *why)
{
    struct control_door *door = handshake->owner;
    struct control_door_waiting *waiting = door->waiting;
    struct tls *tls;
    int fd;

    while (waiting->handshake != handshake)
        waiting++;
    assert(waiting < door->waiting + CONTROL_DOOR_WAITING_MAX);
    if (why != NULL) {
        waiting_drop(door, waiting);
        return;
    }
    waiting->handshake = NULL;
    control_handshake_take(handshake, &fd, &tls);
    control_door_close(door);
    door->hooks->on_launcher(door->arg, fd, tls);
}

/* A free place, or that of the oldest. */
static struct control_door_waiting *
waiting_place(struct control_door *door)
{
    struct control_door_waiting *oldest = &door->waiting[0];

    for (uint32_t i = 0; i < CONTROL_DOOR_WAITING_MAX; i++) {
        if (door->waiting[i].handshake == NULL)
            return &door->waiting[i];
        if (door->waiting[i].since_ms < oldest->since_ms)
            oldest = &door->waiting[i];
    }
    waiting_drop(door, oldest);
    return oldest;
}

static void
on_knock(uv_poll_t *poll, int status, int events)
{
    struct control_door *door = poll->data;
    int listener = door->fds[poll - door->sockets];

    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        struct control_door_waiting *waiting = waiting_place(door);
        waiting->since_ms = uv_now(door->loop);
        waiting->handshake = control_handshake_new(door->loop, fd, door->context, true, on_end,
                                                   door);
        if (waiting->handshake == NULL)
            door->strangers++;
    }
}

static void
on_sweep(uv_timer_t *timer)
{
    struct control_door *door = timer->data;

    for (uint32_t i = 0; i < CONTROL_DOOR_WAITING_MAX; i++)
        if (door->waiting[i].handshake != NULL &&
            uv_now(door->loop) - door->waiting[i].since_ms >= CONTROL_DOOR_HANDSHAKE_MS)
            waiting_drop(door, &door->waiting[i]);
}

static void
on_patience(uv_timer_t *timer)
{
    struct control_door *door = timer->data;

    control_door_close(door);
    door->hooks->on_nobody(door->arg);
}

static int
sockets_watch(struct control_door *door, const int *fds, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (uv_poll_init(door->loop, &door->sockets[i], fds[i]) < 0) {
            for (uint32_t rest = i; rest < count; rest++)
                close(fds[rest]);
            return CPMP_ESYS;
        }
        door->sockets[i].data = door;
        door->fds[i] = fds[i];
        door->sockets_count++;
        uv_poll_start(&door->sockets[i], UV_READABLE, on_knock);
    }
    return CPMP_OK;
}

int
control_door_open(struct control_door *door, uv_loop_t *loop, const int *fds, uint32_t count,
                  const unsigned char key[TLS_KEY_BYTES], uint64_t patience_ms,
                  const struct control_door_hooks *hooks, void *arg)
{
    assert(count <= CONTROL_DOOR_SOCKETS_MAX);
    memset(door, 0, sizeof(*door));
    door->loop = loop;
    door->hooks = hooks;
    door->arg = arg;
    door->context = tls_context_new_key(key);
    uv_timer_init(loop, &door->patience);
    uv_timer_init(loop, &door->sweep);
    door->patience.data = door->sweep.data = door;
    if (sockets_watch(door, fds, count) != CPMP_OK) {
        control_door_close(door);
        return CPMP_ESYS;
    }
    uv_update_time(loop);
    uv_timer_start(&door->patience, on_patience, patience_ms, 0);
    uv_timer_start(&door->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    return CPMP_OK;
}
