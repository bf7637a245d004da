/* SPDX-License-Identifier: BSD-3-Clause */
#include "link/link.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "link/link_state.h"
#include "text/memory.h"

#define TICKS 4u  /* in silence_ms */

/* An idle link costs a ping and a pong of 34 bytes in 2.5 s. The rates are far above what an
 * overlay of 100 000 peers needs, and above what a disk takes of files. */
const struct link_limits link_limits_default = {
    .connect_ms = 10000, .handshake_ms = 5000, .silence_ms = 10000,
    .message_bytes = FRAMES_BYTES_MAX,
    .messages_per_s = 5000, .messages_burst = 20000,
    .bytes_per_s = 512e6, .bytes_burst = 512e6,
};

static void on_deadline(uv_timer_t *timer);

/* --- the end --- */

static void
on_handle_closed(uv_handle_t *handle)
{
    struct link *link = handle->data;

    if (handle == (uv_handle_t *)link->tcp) {
        free(link->tcp);
        link->tcp = NULL;
    }
    assert(link->handles > 0);
    if (--link->handles > 0)
        return;
    tls_free(link->tls);
    link->tls = NULL;
    link->hooks->on_closed(link->arg, link, link->end, text_string(&link->why));
    frames_release(&link->frames);
    text_release(&link->early);
    text_release(&link->why);
    free(link->flying);
    free(link);
}

static void
handle_close(struct link *link, uv_handle_t *handle)
{
    link->handles++;
    uv_close(handle, on_handle_closed);
}

void
link_destroy(struct link *link)
{
    if (link->state == LINK_GONE)
        return;
    link->state = LINK_GONE;
    dial_free(link->dial);
    link->dial = NULL;
    handle_close(link, (uv_handle_t *)&link->timer);
    handle_close(link, (uv_handle_t *)&link->pause);
    if (link->tcp != NULL)
        handle_close(link, (uv_handle_t *)link->tcp);
}

/* Says the last words and waits for the other side's end. */
static void
link_end_slowly(struct link *link, int says_bye, int delivers)
{
    size_t count = link->why.used < FRAMES_SMALL_MAX ? link->why.used : FRAMES_SMALL_MAX;
    unsigned linger_ms = link->state == LINK_UP ? LINK_LINGER_MS : LINK_TURN_AWAY_MS;

    if (says_bye)
        link_frame(link, FRAMES_BYE, text_string(&link->why), count);
    if (link->state >= LINK_ENDING)
        return;  /* the last words could not be said */
    link->state = LINK_ENDING;
    link->delivers = delivers;
    uv_timer_stop(&link->pause);
    uv_timer_start(&link->timer, on_deadline, linger_ms, 0);
    link_listen(link);
    link_flush(link);
}

static void
end_note(struct link *link, enum link_end end, const char *format, va_list values)
{
    char words[512];

    vsnprintf(words, sizeof(words), format, values);
    link->end = end;
    text_clear(&link->why);
    text_add_string(&link->why, words);
}

/* Until a client gives up. */
static uint64_t
time_left_ms(const struct link *link)
{
    uint64_t now_ms = uv_now(link->loop);

    return link->deadline_ms > now_ms ? link->deadline_ms - now_ms : 0;
}

/* The connection that a client has got is no good: its other addresses may be. */
static void
attempt_give_up(struct link *link)
{
    link_flush(link);  /* the alert that tells the other side why */
    dial_drop(link->tcp);
    link->tcp = NULL;
    tls_free(link->tls);
    link->tls = NULL;
    link->state = LINK_DIALING;
    uv_timer_start(&link->timer, on_deadline, time_left_ms(link), 0);
    dial_more(link->dial, text_string(&link->why));
}

static int
is_dead(enum link_end end)
{
    return end == LINK_END_CUT || end == LINK_END_SILENT || end == LINK_END_BACKLOG;
}

void
link_fail(struct link *link, enum link_end end, const char *format, ...)
{
    va_list values;

    if (link->state >= LINK_ENDING) {
        if (end != LINK_END_BYE)
            link_destroy(link);
        return;
    }
    va_start(values, format);
    end_note(link, end, format, values);
    va_end(values);
    if (link->state == LINK_HANDSHAKE && link->dial != NULL && !link->writing)
        attempt_give_up(link);
    else if (link->state == LINK_DIALING || is_dead(end) ||
             (end == LINK_END_SLOW && !tls_is_ready(link->tls)))
        link_destroy(link);
    else
        link_end_slowly(link, end != LINK_END_BYE && tls_is_ready(link->tls), 0);
}

static enum link_end
end_of_fault(enum tls_fault fault)
{
    switch (fault) {
    case TLS_FAULT_NOT_TLS:
        return LINK_END_NOT_TLS;
    case TLS_FAULT_VERSION:
        return LINK_END_VERSION;
    case TLS_FAULT_POOL:
    case TLS_FAULT_CERTIFICATE:
        return LINK_END_POOL;
    case TLS_FAULT_REVOKED:
        return LINK_END_REVOKED;
    case TLS_FAULT_EXPIRED:
    case TLS_FAULT_EARLY:
        return LINK_END_EXPIRED;
    case TLS_FAULT_STRANGER:
        return LINK_END_STRANGER;
    case TLS_FAULT_REFUSED_KEY:
    case TLS_FAULT_REFUSED_POOL:
    case TLS_FAULT_REFUSED_REVOKED:
    case TLS_FAULT_REFUSED_EXPIRED:
    case TLS_FAULT_REFUSED_STRANGER:
    case TLS_FAULT_REFUSED:
        return LINK_END_REFUSED;
    case TLS_FAULT_OUTPUT:
        return LINK_END_BACKLOG;
    default:
        return LINK_END_BROKEN;
    }
}

void
link_fail_tls(struct link *link)
{
    /* The words are the session's, which the end of an attempt frees. */
    link_fail(link, end_of_fault(tls_fault(link->tls)), "%s", tls_error_text(link->tls));
}

void
link_close(struct link *link, const char *why)
{
    if (link->state == LINK_ENDING || link->state == LINK_GONE)
        return;
    text_clear(&link->why);
    text_add_string(&link->why, why);
    link->end = LINK_END_CLOSED;
    if (link->state == LINK_UP)
        link_end_slowly(link, 1, 1);
    else
        link_destroy(link);
}

void
link_abort(struct link *link, const char *why)
{
    if (link->state == LINK_ENDING && link->delivers)
        link->delivers = 0;
    link_close(link, why);
    link->delivers = 0;
}

/* --- time --- */

/* Who slept (a suspended machine, a stopped process) can't say that others were silent. */
static void
tick(struct link *link)
{
    uint64_t now_ms = uv_now(link->loop), period_ms = link->limits->silence_ms / TICKS;
    int slept = now_ms - link->tick_ms > 3 * period_ms;

    link->tick_ms = now_ms;
    if (slept || uv_is_active((uv_handle_t *)&link->pause))
        link->heard_ms = now_ms;
    if (now_ms - link->heard_ms >= link->limits->silence_ms)
        link_fail(link, LINK_END_SILENT, "nothing came for %u s",
                  (link->limits->silence_ms + 999) / 1000);
    else
        link_ping(link);
}

static void
on_deadline(uv_timer_t *timer)
{
    struct link *link = timer->data;
    uint64_t now_ms = uv_now(link->loop);

    switch (link->state) {
    case LINK_DIALING:
        link_fail(link, LINK_END_UNREACHABLE, "no answer within %u s%s%s",
                  (link->limits->connect_ms + 999) / 1000, dial_why(link->dial)[0] ? "; " : "",
                  dial_why(link->dial));
        break;
    case LINK_HANDSHAKE:
        if (now_ms >= link->deadline_ms) {
            dial_free(link->dial);
            link->dial = NULL;
        }
        link_fail(link, LINK_END_SLOW, "it did not end the handshake in time");
        break;
    case LINK_UP:
        tick(link);
        break;
    default:
        link_destroy(link);
    }
}

/* --- the beginning --- */

/* Who may be anybody gets no more than an admission takes. */
static void
joiner_limit(struct link *link)
{
    uint64_t now_us = uv_hrtime() / 1000;

    link->frames.limit = LINK_JOINER_BYTES;
    rate_init(&link->own_messages, 1, 10, now_us);
    rate_init(&link->own_bytes, LINK_JOINER_BYTES, 2 * LINK_JOINER_BYTES, now_us);
}

void
link_rise(struct link *link)
{
    unsigned period_ms = link->limits->silence_ms / TICKS;
    struct text early = link->early;

    dial_free(link->dial);
    link->dial = NULL;
    link->state = LINK_UP;
    if (link->server && link->purpose == LINK_FOR_ADMISSION)
        joiner_limit(link);
    link->heard_ms = link->used_ms = link->up_ms = link->tick_ms = uv_now(link->loop);
    uv_timer_start(&link->timer, on_deadline, period_ms, period_ms);
    memset(&link->early, 0, sizeof(link->early));
    if (early.used > 0 && tls_write(link->tls, early.bytes, early.used) != CPMP_OK)
        link_fail_tls(link);
    text_release(&early);
    if (link->state == LINK_UP && link->purpose == LINK_FOR_PEER)
        link_ping(link);
    if (link->state == LINK_UP)
        link->hooks->on_up(link->arg, link);
}

static struct link *
link_new(uv_loop_t *loop, struct tls_context *context, const struct link_limits *limits,
         const struct link_hooks *hooks, void *arg)
{
    struct link *link = memory_new(1, sizeof(*link));
    uint64_t now_us = uv_hrtime() / 1000;

    link->loop = loop;
    link->context = context;
    link->limits = limits;
    link->hooks = hooks;
    link->arg = arg;
    uv_timer_init(loop, &link->timer);
    uv_timer_init(loop, &link->pause);
    link->timer.data = link->pause.data = link;
    rate_init(&link->own_messages, limits->messages_per_s, limits->messages_burst, now_us);
    rate_init(&link->own_bytes, limits->bytes_per_s, limits->bytes_burst, now_us);
    link->messages = &link->own_messages;
    link->bytes = &link->own_bytes;
    return link;
}

static void
handshake_start(struct link *link, uv_tcp_t *tcp, uint64_t time_ms)
{
    link->tcp = tcp;
    tcp->data = link;
    link->tls = tls_new(link->context, link->server);
    frames_release(&link->frames);
    link->frames.limit = link->limits->message_bytes;
    link->said_hello = 0;
    link->stranger_bytes = 0;
    link->state = LINK_HANDSHAKE;
    uv_timer_start(&link->timer, on_deadline, time_ms, 0);
    link_listen(link);
    link_flush(link);
}

static void
on_dialed(void *arg, uv_tcp_t *tcp, const struct address *address)
{
    struct link *link = arg;
    uint64_t left_ms = time_left_ms(link);

    if (tcp == NULL) {
        /* What the last one that answered said is the better reason. */
        enum link_end end = link->why.used > 0 ? link->end : LINK_END_UNREACHABLE;
        link_fail(link, end, "%s", dial_why(link->dial));
        return;
    }
    link->address = *address;
    handshake_start(link, tcp, left_ms < link->limits->handshake_ms ? left_ms
                                                                    : link->limits->handshake_ms);
}

struct link *
link_connect(uv_loop_t *loop, struct tls_context *context, enum link_purpose purpose,
             const struct address *addresses, size_t count, const unsigned char *expected,
             const struct link_limits *limits, const struct link_hooks *hooks, void *arg)
{
    struct link *link = link_new(loop, context, limits, hooks, arg);

    link->purpose = purpose;
    link->has_expected = expected != NULL;
    if (expected != NULL)
        memcpy(link->expected, expected, IDENTITY_ID_BYTES);
    link->deadline_ms = uv_now(loop) + limits->connect_ms;
    uv_timer_start(&link->timer, on_deadline, limits->connect_ms, 0);
    link->dial = dial_new(loop, addresses, count, on_dialed, link);
    return link;
}

struct link *
link_accept(uv_tcp_t *tcp, struct tls_context *context, const struct link_limits *limits,
            const struct link_hooks *hooks, void *arg)
{
    struct link *link = link_new(tcp->loop, context, limits, hooks, arg);
    struct sockaddr_storage from;
    int bytes = sizeof(from);

    link->server = 1;
    if (uv_tcp_getpeername(tcp, (struct sockaddr *)&from, &bytes) == 0)
        address_from_sockaddr((struct sockaddr *)&from, &link->address);
    uv_tcp_nodelay(tcp, 1);
    handshake_start(link, tcp, limits->handshake_ms);
    return link;
}

void
link_hand_over(struct link *link, const struct link_hooks *hooks, void *arg)
{
    link->hooks = hooks;
    link->arg = arg;
}

void *
link_owner(const struct link *link)
{
    return link->arg;
}

/* --- questions --- */

int
link_is_up(const struct link *link)
{
    return link->state == LINK_UP;
}

int
link_takes_messages(const struct link *link)
{
    return link->state == LINK_UP && !link->got_bye;
}

int
link_is_server(const struct link *link)
{
    return link->server;
}

enum link_purpose
link_purpose(const struct link *link)
{
    return link->purpose;
}

const struct tls_peer *
link_peer(const struct link *link)
{
    return link->state >= LINK_UP && link->tls != NULL ? tls_peer(link->tls) : NULL;
}

const struct address *
link_address(const struct link *link)
{
    return &link->address;
}

struct tls *
link_tls(struct link *link)
{
    return link->tls;
}

uint64_t
link_round_trip_us(const struct link *link)
{
    return link->round_trip_us;
}

uint64_t
link_used_ms(const struct link *link)
{
    return link->used_ms;
}

uint64_t
link_up_ms(const struct link *link)
{
    return link->up_ms;
}

void
link_share_rates(struct link *link, struct rate *messages, struct rate *bytes)
{
    link->messages = messages != NULL ? messages : &link->own_messages;
    link->bytes = bytes != NULL ? bytes : &link->own_bytes;
}

const char *
link_end_name(enum link_end end)
{
    static const char *const names[] = {
#define LINK_END_NAME(name, text) text,
        LINK_END_MAP(LINK_END_NAME)
#undef LINK_END_NAME
    };

    return names[end];
}
