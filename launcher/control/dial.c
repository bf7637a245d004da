/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/dial.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void dial_go_on(struct control_dial *dial);

static void
timer_close(uv_timer_t *timer)
{
    if (!uv_is_closing((uv_handle_t *)timer))
        uv_close((uv_handle_t *)timer, NULL);
}

void
control_dial_stop(struct control_dial *dial)
{
    if (dial->over)
        return;
    dial->over = true;
    for (uint32_t i = 0; i < dial->next; i++) {
        control_handshake_free(dial->handshakes[i]);
        dial->handshakes[i] = NULL;
    }
    timer_close(&dial->stagger);
    timer_close(&dial->patience);
}

void
control_dial_release(struct control_dial *dial)
{
    tls_context_free(dial->context);
    dial->context = NULL;
    text_release(&dial->why);
}

static void
attempt_failed(struct control_dial *dial, uint32_t index, const char *why)
{
    text_print(&dial->why, "%s%s: %s", dial->why.used > 0 ? "; " : "", dial->addresses[index], why);
}

static void
dial_fail(struct control_dial *dial)
{
    if (dial->why.used == 0)
        text_add_string(&dial->why, "it has no address");
    control_dial_stop(dial);
    dial->hooks->on_failed(dial->arg, text_string(&dial->why));
}

static uint32_t
attempt_index(const struct control_dial *dial, const struct control_handshake *handshake)
{
    uint32_t index = 0;

    while (dial->handshakes[index] != handshake)
        index++;
    return index;
}

static void
on_end(struct control_handshake *handshake, const char *why)
{
    struct control_dial *dial = handshake->owner;
    uint32_t index = attempt_index(dial, handshake);
    struct tls *tls;
    int fd;

    dial->handshakes[index] = NULL;
    dial->open--;
    if (why != NULL) {
        attempt_failed(dial, index, why);
        control_handshake_free(handshake);
        dial_go_on(dial);
        return;
    }
    control_handshake_take(handshake, &fd, &tls);
    control_dial_stop(dial);
    dial->hooks->on_connected(dial->arg, fd, tls, dial->addresses[index]);
}

/* 0, or -1 when the address came to nothing at once. */
static int
attempt_start(struct control_dial *dial, uint32_t index)
{
    struct sockaddr_storage address;
    socklen_t bytes;
    int fd;

    if (!control_address_parse(dial->addresses[index], &address)) {
        attempt_failed(dial, index, "not a numeric address with a port");
        return -1;
    }
    bytes = address.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, bytes) != 0 && errno != EINPROGRESS) {
        int error = errno;
        close(fd);
        errno = error;
        fd = -1;
    }
    if (fd >= 0)
        dial->handshakes[index] = control_handshake_new(dial->loop, fd, dial->context, false,
                                                        on_end, dial);
    if (dial->handshakes[index] == NULL) {
        attempt_failed(dial, index, strerror(errno));
        return -1;
    }
    dial->open++;
    return 0;
}

static void
on_stagger(uv_timer_t *timer)
{
    dial_go_on(timer->data);
}

static void
dial_go_on(struct control_dial *dial)
{
    bool started = false;

    while (dial->next < dial->count && !started) {
        dial->next++;
        started = attempt_start(dial, dial->next - 1) == 0;
    }
    if (dial->open == 0)
        dial_fail(dial);
    else if (dial->next < dial->count)
        uv_timer_start(&dial->stagger, on_stagger, CONTROL_DIAL_STAGGER_MS, 0);
}

static void
on_patience(uv_timer_t *timer)
{
    struct control_dial *dial = timer->data;

    for (uint32_t i = 0; i < dial->next; i++)
        if (dial->handshakes[i] != NULL)
            attempt_failed(dial, i, "no answer");
    dial_fail(dial);
}

void
control_dial_start(struct control_dial *dial, uv_loop_t *loop, char *const *addresses, size_t count,
                   const unsigned char key[TLS_KEY_BYTES], const struct control_dial_hooks *hooks,
                   void *arg)
{
    memset(dial, 0, sizeof(*dial));
    dial->loop = loop;
    dial->hooks = hooks;
    dial->arg = arg;
    dial->context = tls_context_new_key(key);
    dial->count = (uint32_t)(count < CONTROL_DIAL_ADDRESSES_MAX ? count
                                                                : CONTROL_DIAL_ADDRESSES_MAX);
    for (uint32_t i = 0; i < dial->count; i++)
        snprintf(dial->addresses[i], sizeof(dial->addresses[i]), "%s", addresses[i]);
    uv_timer_init(loop, &dial->stagger);
    uv_timer_init(loop, &dial->patience);
    dial->stagger.data = dial->patience.data = dial;
    uv_update_time(loop);
    uv_timer_start(&dial->stagger, on_stagger, 0, 0);  /* hooks come from the loop */
    uv_timer_start(&dial->patience, on_patience, CONTROL_DIAL_PATIENCE_MS, 0);
}
