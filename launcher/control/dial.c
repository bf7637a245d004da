/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/dial.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

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
    for (uint32_t i = 0; i < dial->count; i++) {
        control_handshake_free(dial->attempts[i].handshake);
        dial->attempts[i].handshake = NULL;
    }
    dial_free(dial->dial);
    dial->dial = NULL;
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
address_failed(struct control_dial *dial, const char *address, const char *why)
{
    text_print(&dial->why, "%s%s: %s", dial->why.used > 0 ? "; " : "", address, why);
}

static void
dial_fail(struct control_dial *dial)
{
    const char *why = dial_why(dial->dial);

    text_print(&dial->why, "%s%s", dial->why.used > 0 && *why != '\0' ? "; " : "", why);
    control_dial_stop(dial);
    dial->hooks->on_failed(dial->arg, text_string(&dial->why));
}

/* A handshake came to nothing. */
static void
attempt_failed(struct control_dial *dial, const char *address, const char *why)
{
    address_failed(dial, address, why);
    if (!dial->exhausted)
        dial_more(dial->dial, NULL);
    else if (dial->open == 0)
        dial_fail(dial);
}

static void
on_end(struct control_handshake *handshake, const char *why)
{
    struct control_dial *dial = handshake->owner;
    struct control_dial_attempt *attempt = dial->attempts;
    struct tls *tls;
    int fd;

    while (attempt->handshake != handshake)
        attempt++;
    attempt->handshake = NULL;
    dial->open--;
    if (why != NULL) {
        attempt_failed(dial, attempt->address, why);
        control_handshake_free(handshake);
        return;
    }
    control_handshake_take(handshake, &fd, &tls);
    control_dial_stop(dial);
    dial->hooks->on_connected(dial->arg, fd, tls, attempt->address);
}

static void
on_stagger(uv_timer_t *timer)
{
    struct control_dial *dial = timer->data;

    dial_more(dial->dial, NULL);
}

/* A control stream is made of a descriptor; closing libuv's handle closes its own. */
static int
descriptor_take(uv_tcp_t *tcp)
{
    uv_os_fd_t fd;
    int status = uv_fileno((uv_handle_t *)tcp, &fd);
    int taken = status < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (status < 0)
        errno = -status;
    int error = errno;
    dial_drop(tcp);
    errno = error;
    return taken;
}

static void
on_dialed(void *arg, uv_tcp_t *tcp, const struct address *address)
{
    struct control_dial *dial = arg;
    struct control_dial_attempt *attempt = &dial->attempts[dial->count];
    int fd;

    if (tcp == NULL) {
        dial->exhausted = true;
        if (dial->open == 0)
            dial_fail(dial);
        return;
    }
    assert(dial->count < DIAL_ADDRESSES_MAX);
    dial->count++;
    address_print(address, attempt->address);
    fd = descriptor_take(tcp);
    if (fd >= 0)
        attempt->handshake = control_handshake_new(dial->loop, fd, dial->context, false, on_end,
                                                   dial);
    if (attempt->handshake == NULL) {
        attempt_failed(dial, attempt->address, strerror(errno));
        return;
    }
    dial->open++;
    uv_timer_start(&dial->stagger, on_stagger, DIAL_STAGGER_MS, 0);
}

static void
on_patience(uv_timer_t *timer)
{
    struct control_dial *dial = timer->data;

    for (uint32_t i = 0; i < dial->count; i++)
        if (dial->attempts[i].handshake != NULL)
            address_failed(dial, dial->attempts[i].address, "no answer");
    dial_stop(dial->dial, "no answer");
    dial_fail(dial);
}

static size_t
addresses_read(struct control_dial *dial, char *const *texts, size_t count,
               struct address addresses[DIAL_ADDRESSES_MAX])
{
    struct sockaddr_storage socket;
    size_t used = 0;

    for (size_t i = 0; i < count && used < DIAL_ADDRESSES_MAX; i++) {
        if (address_parse_socket(texts[i], &socket) &&
            address_from_sockaddr((struct sockaddr *)&socket, &addresses[used]))
            used++;
        else
            address_failed(dial, texts[i], "not a numeric address with a port");
    }
    return used;
}

void
control_dial_start(struct control_dial *dial, uv_loop_t *loop, char *const *addresses, size_t count,
                   const unsigned char key[TLS_KEY_BYTES], const struct control_dial_hooks *hooks,
                   void *arg)
{
    struct address numeric[DIAL_ADDRESSES_MAX];

    memset(dial, 0, sizeof(*dial));
    dial->loop = loop;
    dial->hooks = hooks;
    dial->arg = arg;
    dial->context = tls_context_new_key(key);
    uv_timer_init(loop, &dial->stagger);
    uv_timer_init(loop, &dial->patience);
    dial->stagger.data = dial->patience.data = dial;
    uv_update_time(loop);
    dial->dial = dial_new(loop, numeric, addresses_read(dial, addresses, count, numeric), on_dialed,
                          dial);
    uv_timer_start(&dial->patience, on_patience, CONTROL_DIAL_PATIENCE_MS, 0);
}
