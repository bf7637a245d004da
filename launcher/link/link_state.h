/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_LINK_LINK_STATE_H
#define CPI_LINK_LINK_STATE_H

/* What link.c (life), link_output.c (bytes out) and link_input.c (bytes in) share. */

#include "link/dial.h"
#include "link/link.h"

/* The states in their order. A client may go back from HANDSHAKE to DIALING. */
enum link_state {
    LINK_DIALING,
    LINK_HANDSHAKE,   /* TLS, then the hellos */
    LINK_UP,
    LINK_ENDING,      /* last bytes go out, the other side's end is awaited */
    LINK_GONE,        /* libuv closes the handles */
};

struct link {
    uv_loop_t *loop;
    struct tls_context *context;
    const struct link_limits *limits;
    const struct link_hooks *hooks;
    void *arg;

    enum link_state state;
    enum link_purpose purpose;
    int server;
    int has_expected;
    unsigned char expected[IDENTITY_ID_BYTES];
    struct address address;

    struct dial *dial;        /* of a client until it is up */
    uv_tcp_t *tcp;            /* with its own memory, as it may outlive an attempt */
    uv_timer_t timer;         /* deadline before it is up and at its end, tick in between */
    uv_timer_t pause;         /* while it reads nothing, for its rate */
    unsigned handles;         /* open ones, counted while it goes */
    struct tls *tls;
    struct frames_decoder frames;

    struct text early;        /* frames sent before it is up */
    uv_write_t write;
    uv_shutdown_t shutdown;
    char *flying;             /* what libuv is writing; owned */
    int writing;
    int lacks_room;           /* a sender was told "no room" */
    int deaf;                 /* the other side is gone: what is sent is dropped */
    int shutting;             /* no byte will follow */

    int said_hello;
    int got_bye;
    int delivers;             /* while ending: messages still count */
    size_t stranger_bytes;
    struct rate own_messages, own_bytes;
    struct rate *messages, *bytes;

    uint64_t deadline_ms;     /* of the whole connect */
    uint64_t heard_ms, used_ms, up_ms, tick_ms;
    uint64_t ping_us;         /* when the ping under way left; 0: none */
    uint64_t round_trip_us;

    enum link_end end;
    struct text why;
};

/* link.c: ends the link for that reason; `format` makes the words for people. */
__attribute__((format(printf, 3, 4)))
void link_fail(struct link *link, enum link_end end, const char *format, ...);
/* The same for the fault of its TLS session. */
void link_fail_tls(struct link *link);
/* The hello of the other side has come and is right. */
void link_rise(struct link *link);
/* Nothing more is to be sent or received: closes the handles. */
void link_destroy(struct link *link);

/* link_output.c: queues a frame, and writes what is queued as far as the socket takes it. */
void link_frame(struct link *link, enum frames_kind kind, const void *bytes, size_t count);
void link_flush(struct link *link);
void link_ping(struct link *link);

/* link_input.c: begins to read. */
void link_listen(struct link *link);

#endif
