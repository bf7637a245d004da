/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_CONTROL_STREAM_H
#define CPI_CONTROL_STREAM_H

/*
 * A control stream: Cpmp__Control messages both ways over a stream socket in a libuv loop; plain
 * between processes of one machine, in TLS between machines.
 *
 * Sending never blocks and never drops. What the socket doesn't take at once is queued. Messages
 * that come in any number (output, stdin, events) have credits or must be held back by their sender
 * while control_stream_has_room() says 0; on_room tells when to go on. Messages that are few
 * (states, exits) are always taken. A queue beyond CONTROL_QUEUE_BYTES_MAX means that the other
 * side no longer reads or that a sender keeps no credit: the stream breaks with CPMP_ELIMIT rather
 * than eat the machine.
 *
 * A stream ends once, with on_closed: the other side closed it or died (CPMP_OK when between two
 * messages, CPMP_EPROTO within one), sent what is no message (CPMP_EPROTO), or a system call failed
 * (CPMP_ESYS). on_closed is also called when the owner closes it (CPMP_ECANCELED). It always comes
 * from the loop, never from within control_stream_send or _close, and after it the memory of the
 * struct may be freed. Hooks may call any function here, close included. The process must ignore
 * SIGPIPE.
 *
 * A stream in TLS beats: each side sends a Heartbeat when it has sent nothing else for
 * CONTROL_BEAT_MS, and when the other side is silent for the lease (CONTROL_LEASE_MS) the stream
 * breaks with CPMP_EPEER. Hooks see no Heartbeat. The clock counts while the machine sleeps
 * (CLOCK_BOOTTIME). Own lateness, of a process that was stopped or a laptop that slept, is dealt
 * with by side: a strict one (the agent) has lost its lease when it wakes up after it, whatever
 * lies in its socket, for the other side has given it up; the other one (the launcher) doesn't hold
 * its own sleep against its agents. It may announce that it will sleep (control_stream_absent).
 *
 * The agent is started as `cpmp-agent CONTROL_FD [HOST_PAGE_FD]`, with one end of a
 * socketpair(AF_UNIX, SOCK_STREAM) as CONTROL_FD and a memfd with a struct cpi_host_page
 * (ring/segment.h) as HOST_PAGE_FD; both inherited, without close-on-exec. Without the second the
 * agent makes a page of its own. The launcher keeps no copy of the agent's end.
 *
 * How to send:
 *     Cpmp__Control message = CPMP__CONTROL__INIT;
 *     Cpmp__Signal signal = CPMP__SIGNAL__INIT;
 *     signal.number = SIGTERM;
 *     message.body_case = CPMP__CONTROL__BODY_SIGNAL;
 *     message.signal = &signal;
 *     control_stream_send(stream, &message);
 */

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

#include "control/codec.h"
#include "link/tls.h"

#define CONTROL_ROOM_BYTES       (1u << 20)   /* queued above this: has_room is 0 */
#define CONTROL_QUEUE_BYTES_MAX  (16u << 20)  /* queued above this: the stream breaks */
#define CONTROL_READ_BYTES       (64u << 10)
#define CONTROL_BEAT_MS          500u
#define CONTROL_LEASE_MS         3000u

struct control_stream;

struct control_stream_hooks {
    /* `message` is valid during the call only. */
    void (*on_message)(void *arg, Cpmp__Control *message);
    /* The end; `why` is text for people (valid during the call), for example "end of file". */
    void (*on_closed)(void *arg, int error, const char *why);
    /* has_room turned from 0 to 1. May be NULL. */
    void (*on_room)(void *arg);
};

/* Bytes to be sent. `used` of `capacity` hold messages. */
struct control_buffer {
    char *bytes;
    size_t capacity;
    size_t used;
};

/* What makes a stream one between machines; all 0 in a plain one. */
struct control_beat {
    uv_timer_t timer;
    uint64_t lease_us;
    uint64_t heard_us, beat_us;  /* CLOCK_BOOTTIME: of the last bytes that came, the last beat */
    uint64_t count;              /* of heartbeats sent */
    bool strict;
    bool spoken;                 /* something was sent since the last beat */
    bool deaf;                   /* reading is paused: what isn't heard doesn't count */
    bool absent;                 /* the other side said that it will be silent until it speaks */
};

struct control_stream {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_pipe_t pipe;
        uv_tcp_t tcp;
    } socket;
    unsigned open_handles;           /* that have yet to close before on_closed */
    struct tls *tls;                 /* NULL: plain */
    struct control_beat beat;
    struct control_buffer plain;     /* a message before it is encrypted */
    uv_write_t write;
    struct control_decoder decoder;
    const struct control_stream_hooks *hooks;
    void *arg;
    struct control_buffer waiting;   /* not yet given to libuv */
    struct control_buffer flying;    /* libuv writes it; empty when no write is under way */
    int lacks_room;                  /* a sender was told "no room" */
    int deaf;                        /* the other side is gone: what is sent is dropped */
    int finishing;
    int closing;
    int error;                       /* why it closes */
    const char *why;
    char silence[32];                /* why, when it is the other side's silence */
    char read_bytes[CONTROL_READ_BYTES];
};

/* Takes over `fd` (a connected stream socket; made close-on-exec and nonblocking) and starts to
 * read. `hooks` must live as long as the stream. CPMP_ESYS with errno when `fd` is no stream
 * socket: then nothing is kept, `fd` is still the caller's and on_closed does not come. Whatever
 * fails later comes through on_closed. */
int control_stream_init(struct control_stream *stream, uv_loop_t *loop, int fd,
                        const struct control_stream_hooks *hooks, void *arg);

/* The same for a connection whose TLS handshake is done (control/handshake.h). Takes over `fd` and
 * `tls`; the session's context must outlive the stream. `strict`: see above. `lease_ms` of silence
 * end it. CPMP_ESYS with errno: then both are closed, and on_closed does not come. */
int control_stream_init_tls(struct control_stream *stream, uv_loop_t *loop, int fd, struct tls *tls,
                            bool strict, uint64_t lease_ms,
                            const struct control_stream_hooks *hooks, void *arg);

/* This side is about to be stopped (Ctrl-Z) and owes no heartbeats until it speaks again; what
 * breaks the connection meanwhile is TCP. Nothing on a plain stream. */
void control_stream_absent(struct control_stream *stream);

/* Sends a copy of `message`. CPMP_OK; CPMP_ELIMIT when it is longer than CONTROL_BYTES_MAX (the
 * stream goes on) or the queue is full (the stream breaks); CPMP_ENOMEM (the stream breaks);
 * CPMP_ESTATE when the stream is closing. */
int control_stream_send(struct control_stream *stream, const Cpmp__Control *message);

/* Whether a sender that can wait should send now; 0 promises on_room. */
int control_stream_has_room(struct control_stream *stream);

size_t control_stream_queued_bytes(const struct control_stream *stream);

/* Stops (1) and resumes (0) reading, for an owner that can't keep up with what comes. The other
 * side then feels a slow reader; its end isn't noticed meanwhile. */
void control_stream_pause(struct control_stream *stream, int pause);

/* Closes now; what is queued is dropped. Harmless when it is closing already. */
void control_stream_close(struct control_stream *stream);

/* Closes once everything queued has been written (or can't be); for last words. on_closed then
 * brings CPMP_ECANCELED. Nothing more can be sent. Messages still come in meanwhile. */
void control_stream_finish(struct control_stream *stream);

#endif
