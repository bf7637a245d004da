/* SPDX-License-Identifier: BSD-3-Clause */
#include "link/dial.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "text/memory.h"
#include "text/text.h"

enum attempt_state { ATTEMPT_UNTRIED, ATTEMPT_OPEN, ATTEMPT_WON, ATTEMPT_FAILED };

struct attempt {
    struct dial *dial;
    struct address address;
    enum attempt_state state;
    uv_tcp_t *tcp;           /* while it is open */
};

/* A connect under way. It outlives its attempt, and the dial, until libuv calls back. */
struct connecting {
    uv_connect_t request;
    struct attempt *attempt;  /* NULL: dropped */
    uv_tcp_t *tcp;
};

struct dial {
    uv_timer_t timer;
    struct attempt attempts[DIAL_ADDRESSES_MAX];
    struct connecting *under_way[DIAL_ADDRESSES_MAX];
    size_t count;
    dial_fn *fn;
    void *arg;
    struct text why;
};

static void dial_step(struct dial *dial);

static void
on_tcp_closed(uv_handle_t *handle)
{
    free(handle);
}

void
dial_drop(uv_tcp_t *tcp)
{
    uv_close((uv_handle_t *)tcp, on_tcp_closed);
}

static size_t
attempt_index(const struct attempt *attempt)
{
    return (size_t)(attempt - attempt->dial->attempts);
}

static void
attempt_fail(struct attempt *attempt, const char *why)
{
    struct dial *dial = attempt->dial;
    char address[ADDRESS_TEXT_MAX];

    address_print(&attempt->address, address);
    text_print(&dial->why, "%s%s: %s", dial->why.used ? "; " : "", address, why);
    attempt->state = ATTEMPT_FAILED;
}

/* Lets go of a connect under way; its callback only frees. */
static void
attempt_drop(struct attempt *attempt, enum attempt_state state)
{
    size_t index = attempt_index(attempt);

    attempt->dial->under_way[index]->attempt = NULL;
    attempt->dial->under_way[index] = NULL;
    attempt->state = state;
    dial_drop(attempt->tcp);
    attempt->tcp = NULL;
}

static void
dial_win(struct dial *dial, struct attempt *winner)
{
    uv_tcp_t *tcp = winner->tcp;

    uv_timer_stop(&dial->timer);
    winner->state = ATTEMPT_WON;
    winner->tcp = NULL;
    for (size_t i = 0; i < dial->count; i++) {
        if (dial->attempts[i].state == ATTEMPT_OPEN)
            attempt_drop(&dial->attempts[i], ATTEMPT_UNTRIED);
    }
    uv_tcp_nodelay(tcp, 1);
    dial->fn(dial->arg, tcp, &winner->address);
}

static void
on_connected(uv_connect_t *request, int status)
{
    struct connecting *connecting = (struct connecting *)request;
    struct attempt *attempt = connecting->attempt;

    free(connecting);
    if (attempt == NULL)
        return;
    attempt->dial->under_way[attempt_index(attempt)] = NULL;
    if (status == 0) {
        dial_win(attempt->dial, attempt);
        return;
    }
    dial_drop(attempt->tcp);
    attempt->tcp = NULL;
    attempt_fail(attempt, uv_strerror(status));
    dial_step(attempt->dial);
}

static void
attempt_start(struct attempt *attempt)
{
    struct dial *dial = attempt->dial;
    struct connecting *connecting = memory_new(1, sizeof(*connecting));
    struct sockaddr_storage to;
    int status;

    attempt->tcp = memory_new(1, sizeof(*attempt->tcp));
    status = uv_tcp_init(dial->timer.loop, attempt->tcp);
    if (status < 0) {
        free(attempt->tcp);
        attempt->tcp = NULL;
        free(connecting);
        attempt_fail(attempt, uv_strerror(status));
        return;
    }
    address_to_sockaddr(&attempt->address, &to);
    connecting->attempt = attempt;
    status = uv_tcp_connect(&connecting->request, attempt->tcp, (struct sockaddr *)&to,
                            on_connected);
    if (status < 0) {
        free(connecting);
        dial_drop(attempt->tcp);
        attempt->tcp = NULL;
        attempt_fail(attempt, uv_strerror(status));
        return;
    }
    attempt->state = ATTEMPT_OPEN;
    dial->under_way[attempt_index(attempt)] = connecting;
}

static void
on_timer(uv_timer_t *timer)
{
    dial_step(timer->data);
}

static struct attempt *
dial_untried(struct dial *dial)
{
    for (size_t i = 0; i < dial->count; i++) {
        if (dial->attempts[i].state == ATTEMPT_UNTRIED)
            return &dial->attempts[i];
    }
    return NULL;
}

static int
dial_has_open(const struct dial *dial)
{
    for (size_t i = 0; i < dial->count; i++) {
        if (dial->attempts[i].state == ATTEMPT_OPEN)
            return 1;
    }
    return 0;
}

/* Begins the next attempt; with none left and none open the end is told. */
static void
dial_step(struct dial *dial)
{
    struct attempt *next = dial_untried(dial);

    if (next != NULL) {
        attempt_start(next);
        /* A failure at once must not wait: the next one follows in the next turn of the loop. */
        uv_timer_start(&dial->timer, on_timer,
                       next->state == ATTEMPT_OPEN ? DIAL_STAGGER_MS : 0, 0);
        return;
    }
    uv_timer_stop(&dial->timer);
    if (!dial_has_open(dial))
        dial->fn(dial->arg, NULL, NULL);
}

struct dial *
dial_new(uv_loop_t *loop, const struct address *addresses, size_t count, dial_fn *fn, void *arg)
{
    struct dial *dial = memory_new(1, sizeof(*dial));

    dial->fn = fn;
    dial->arg = arg;
    for (size_t i = 0; i < count && dial->count < DIAL_ADDRESSES_MAX; i++) {
        struct attempt *attempt = &dial->attempts[dial->count];

        if (!address_is_usable(&addresses[i]))
            continue;
        attempt->dial = dial;
        attempt->address = addresses[i];
        dial->count++;
    }
    if (dial->count == 0)
        text_add_string(&dial->why, "no usable address is known");
    uv_timer_init(loop, &dial->timer);
    dial->timer.data = dial;
    uv_timer_start(&dial->timer, on_timer, 0, 0);
    return dial;
}

void
dial_more(struct dial *dial, const char *why)
{
    for (size_t i = 0; i < dial->count; i++) {
        if (dial->attempts[i].state == ATTEMPT_WON && why != NULL)
            attempt_fail(&dial->attempts[i], why);
        else if (dial->attempts[i].state == ATTEMPT_WON)
            dial->attempts[i].state = ATTEMPT_FAILED;
    }
    uv_timer_start(&dial->timer, on_timer, 0, 0);
}

void
dial_stop(struct dial *dial, const char *why)
{
    uv_timer_stop(&dial->timer);
    for (size_t i = 0; i < dial->count; i++) {
        if (dial->attempts[i].state != ATTEMPT_OPEN)
            continue;
        attempt_drop(&dial->attempts[i], ATTEMPT_FAILED);
        attempt_fail(&dial->attempts[i], why);
    }
}

const char *
dial_why(const struct dial *dial)
{
    return text_string(&dial->why);
}

static void
on_timer_closed(uv_handle_t *handle)
{
    struct dial *dial = handle->data;

    text_release(&dial->why);
    free(dial);
}

void
dial_free(struct dial *dial)
{
    if (dial == NULL)
        return;
    for (size_t i = 0; i < dial->count; i++) {
        if (dial->attempts[i].state == ATTEMPT_OPEN)
            attempt_drop(&dial->attempts[i], ATTEMPT_FAILED);
    }
    uv_close((uv_handle_t *)&dial->timer, on_timer_closed);
}
