/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <string.h>

#include <cpmp.h>

#include "link/link_state.h"

#define READ_BYTES  (64u << 10)
/* "cpmp", version (2), purpose (1), 0; what follows is of later versions */
#define HELLO_BYTES 8u

static void on_pause_over(uv_timer_t *timer);

/* --- the frames --- */

static void
hello_send(struct link *link)
{
    unsigned char hello[HELLO_BYTES] = {'c', 'p', 'm', 'p', LINK_VERSION & 0xff, LINK_VERSION >> 8,
                                        (unsigned char)link->purpose, 0};

    link->said_hello = 1;
    link_frame(link, FRAMES_HELLO, hello, sizeof(hello));
}

/* Who is there is known; only joiners have no certificate, and they come for nothing else. */
static void
take_hello(struct link *link, const unsigned char *bytes, size_t count)
{
    unsigned version, purpose;

    if (link->state != LINK_HANDSHAKE || count < HELLO_BYTES || memcmp(bytes, "cpmp", 4) != 0) {
        link_fail(link, LINK_END_BROKEN, "its hello is malformed");
        return;
    }
    version = (unsigned)bytes[4] | (unsigned)bytes[5] << 8;
    purpose = bytes[6];
    if (version != LINK_VERSION) {
        link_fail(link, LINK_END_VERSION, "it speaks version %u of cpmp's links, this peer speaks "
                  "%u; run the same release on both", version, LINK_VERSION);
        return;
    }
    if (purpose >= LINK_PURPOSES || (!link->server && purpose != link->purpose)) {
        link_fail(link, LINK_END_BROKEN, "its hello is malformed");
        return;
    }
    if (link->server && (tls_peer(link->tls) == NULL) != (purpose == LINK_FOR_ADMISSION)) {
        link_fail(link, LINK_END_STRANGER, "it shows no certificate of this pool");
        return;
    }
    link->purpose = (enum link_purpose)purpose;
    if (link->server)
        hello_send(link);
    if (link->state == LINK_HANDSHAKE)
        link_rise(link);
}

static void
take_pong(struct link *link, const unsigned char *bytes, size_t count)
{
    uint64_t sent_us = 0, took_us;

    for (size_t i = 8; count == 8 && i > 0; i--)
        sent_us = sent_us << 8 | bytes[i - 1];
    if (link->ping_us == 0 || sent_us != link->ping_us)
        return;  /* not of ours, or too late to count */
    took_us = uv_hrtime() / 1000 - sent_us;
    link->ping_us = 0;
    if (took_us == 0)
        took_us = 1;
    link->round_trip_us = link->round_trip_us == 0 ? took_us
                                                   : (7 * link->round_trip_us + took_us) / 8;
}

/* Words of another machine, for this one's terminal. */
static void
take_bye(struct link *link, const char *bytes, size_t count)
{
    char words[FRAMES_SMALL_MAX + 1];

    for (size_t i = 0; i < count; i++)
        words[i] = isprint((unsigned char)bytes[i]) ? bytes[i] : '?';
    words[count] = '\0';
    link->got_bye = 1;
    link_fail(link, LINK_END_BYE, "%s", count > 0 ? words : "closed by the other side");
}

static int
is_flooded(struct link *link, size_t count)
{
    uint64_t now_us = uv_hrtime() / 1000, wait_us;

    if (!rate_take(link->messages, 1, now_us)) {
        link_fail(link, LINK_END_FLOOD, "more than %.0f messages a second came, after %.0f at once",
                  link->messages->per_s, link->messages->burst);
        return 1;
    }
    wait_us = rate_charge(link->bytes, (double)(count + FRAMES_PREFIX_BYTES), now_us);
    if (wait_us >= 1000 && !uv_is_active((uv_handle_t *)&link->pause)) {
        uv_read_stop((uv_stream_t *)link->tcp);
        uv_timer_start(&link->pause, on_pause_over, wait_us / 1000, 0);
    }
    return 0;
}

static void
take_frame(struct link *link, enum frames_kind kind, const char *bytes, size_t count)
{
    switch (kind) {
    case FRAMES_MESSAGE:
        link->used_ms = uv_now(link->loop);
        link->hooks->on_message(link->arg, link, bytes, count);
        break;
    case FRAMES_PING:
        if (link->state == LINK_UP)
            link_frame(link, FRAMES_PONG, bytes, count);
        break;
    case FRAMES_PONG:
        take_pong(link, (const unsigned char *)bytes, count);
        break;
    case FRAMES_BYE:
        if (link->state == LINK_UP)
            take_bye(link, bytes, count);
        break;
    default:
        link_fail(link, LINK_END_BROKEN, "it said hello twice");
    }
}

static int
on_frame(void *arg, enum frames_kind kind, const char *bytes, size_t count)
{
    struct link *link = arg;

    if (link->state == LINK_HANDSHAKE) {
        if (kind == FRAMES_HELLO)
            take_hello(link, (const unsigned char *)bytes, count);
        else if (kind == FRAMES_BYE)
            take_bye(link, bytes, count);
        else
            link_fail(link, LINK_END_BROKEN, "it did not say hello first");
    } else if (!is_flooded(link, count)) {
        take_frame(link, kind, bytes, count);
    }
    /* An attempt that failed has another decoder than the one that calls. */
    return link->state == LINK_DIALING || link->state == LINK_GONE ||
           (link->state == LINK_ENDING && !link->delivers);
}

/* --- the bytes --- */

/* TLS is done: whom is this? */
static int
check_peer(struct link *link)
{
    const struct tls_peer *peer = tls_peer(link->tls);

    if (link->has_expected &&
        (peer == NULL || memcmp(peer->id, link->expected, IDENTITY_ID_BYTES) != 0)) {
        link_fail(link, LINK_END_IDENTITY, "another peer is there: %s",
                  peer ? peer->name : "a stranger");
        return 0;
    }
    return 1;
}

static void
read_frames(struct link *link)
{
    char plain[16384];
    struct tls *tls = link->tls;

    while (link->tls == tls && link->state != LINK_GONE &&
           (link->state != LINK_ENDING || link->delivers)) {
        long count = tls_read(tls, plain, sizeof(plain));

        if (count == 0)
            break;
        if (count < 0) {
            link_fail_tls(link);
            break;
        }
        if (frames_feed(&link->frames, plain, (size_t)count, on_frame, link) == CPMP_EPROTO) {
            link_fail(link, LINK_END_BROKEN, "it sent a frame of no kind that is known, or one "
                      "that is too long");
            break;
        }
    }
}

static void
link_pump(struct link *link)
{
    struct tls *tls = link->tls;

    if (tls_is_ready(tls) && link->state == LINK_HANDSHAKE && !link->said_hello) {
        if (!check_peer(link))
            return;
        if (!link->server)
            hello_send(link);
    }
    if (link->tls == tls)
        read_frames(link);
    if (link->tls == tls && link->state != LINK_GONE)
        link_flush(link);
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    static char bytes[READ_BYTES];  /* of all links of the process: on_read empties it at once */

    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(bytes, sizeof(bytes));
}

/* The socket has ended. After a goodbye that's as it should be. */
static void
input_ended(struct link *link, int status)
{
    if (link->state == LINK_ENDING)
        link_destroy(link);
    else
        link_fail(link, LINK_END_CUT, "%s", status == UV_EOF ? "it closed the connection"
                                                             : uv_strerror(status));
}

static void
on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct link *link = stream->data;

    if (count == 0 || link->tcp != (uv_tcp_t *)stream)
        return;
    if (count < 0) {
        uv_read_stop(stream);
        input_ended(link, (int)count);
        return;
    }
    link->heard_ms = uv_now(link->loop);
    if (link->state == LINK_ENDING && !link->delivers)
        return;
    if (link->state == LINK_HANDSHAKE &&
        (link->stranger_bytes += (size_t)count) > LINK_STRANGER_BYTES) {
        link_fail(link, LINK_END_FLOOD, "it sent more than %u bytes before it said who it is",
                  LINK_STRANGER_BYTES);
        return;
    }
    if (tls_feed(link->tls, buffer->base, (size_t)count) != CPMP_OK)
        link_fail_tls(link);
    else
        link_pump(link);
}

static void
on_pause_over(uv_timer_t *timer)
{
    struct link *link = timer->data;

    link->heard_ms = uv_now(link->loop);  /* who wasn't listened to wasn't silent */
    if (link->tcp != NULL && link->state != LINK_GONE)
        uv_read_start((uv_stream_t *)link->tcp, on_alloc, on_read);
}

void
link_listen(struct link *link)
{
    int status = uv_read_start((uv_stream_t *)link->tcp, on_alloc, on_read);

    if (status < 0 && status != UV_EALREADY)
        link_fail(link, LINK_END_CUT, "%s", uv_strerror(status));
}
