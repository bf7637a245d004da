/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_LINK_LINK_H
#define CPI_LINK_LINK_H

/*
 * A link: one TCP connection in a libuv loop, with TLS 1.3 (link/tls.h) and frames (link/frames.h)
 * on it. It carries messages of up to 1 MiB, whose content is bytes to it.
 *
 * Each side's first frame is a hello (version, purpose); a link is up when the other side's has
 * come, so a client knows then that the server took it. After that each side pings: a side from
 * which nothing comes for silence_ms is given up, unless this process itself was asleep.
 *
 * Sending never blocks and never drops. What the socket doesn't take is queued; a queue beyond
 * LINK_QUEUE_BYTES_MAX ends the link. Senders of much ask link_has_room. Receiving is limited by
 * rates: too many messages end the link; too many bytes make it read more slowly.
 *
 * A link ends once, with on_closed, always from the loop and never from within a call here; after
 * that the link is gone. link_close says goodbye: what was queued here and what the other side had
 * queued still arrives. link_abort hears nothing any more. Hooks may call any function here.
 * The process must ignore SIGPIPE.
 */

#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "link/address.h"
#include "link/frames.h"
#include "link/rate.h"
#include "link/tls.h"

#define LINK_VERSION         1u           /* of the frames and of what their messages are */
#define LINK_ROOM_BYTES      (1u << 20)   /* queued above this: has_room is 0 */
#define LINK_QUEUE_BYTES_MAX (16u << 20)  /* queued above this: the link ends */
#define LINK_STRANGER_BYTES  (16u << 10)  /* what may come before it is up; ours is 1.5 KiB */
#define LINK_JOINER_BYTES    (16u << 10)  /* a message of a joiner; ours is 300 bytes */
#define LINK_LINGER_MS       2000u        /* how long an end waits for the other side's; */
#define LINK_TURN_AWAY_MS    500u         /* the same for who never was up */

/* How a link ended: name, and what it is called in counters. The words for people come with
 * on_closed. */
#define LINK_END_MAP(X)                                                                            \
    X(CLOSED, "closed here")                                                                       \
    X(BYE, "closed by the other side")                                                             \
    X(CUT, "cut")                                                                                  \
    X(UNREACHABLE, "unreachable")                                                                  \
    X(SLOW, "slow handshake")                                                                      \
    X(SILENT, "silent")                                                                            \
    X(NOT_TLS, "not TLS")                                                                          \
    X(POOL, "of another pool")                                                                     \
    X(REVOKED, "revoked")                                                                          \
    X(EXPIRED, "expired")                                                                          \
    X(STRANGER, "stranger")                                                                        \
    X(REFUSED, "refused by the other side")                                                        \
    X(VERSION, "another version")                                                                  \
    X(IDENTITY, "another peer than expected")                                                      \
    X(BROKEN, "malformed")                                                                         \
    X(FLOOD, "flood")                                                                              \
    X(BACKLOG, "does not read")

enum link_end {
#define LINK_END_ENUM(name, text) LINK_END_##name,
    LINK_END_MAP(LINK_END_ENUM)
#undef LINK_END_ENUM
    LINK_ENDS
};

/* What the client wants; the server's side takes over what its hello says. */
enum link_purpose {
    LINK_FOR_PEER,       /* standing, between members */
    LINK_FOR_PROBE,      /* a member tries whether an address can be reached */
    LINK_FOR_ADMISSION,  /* a joiner asks for a certificate; the only one without one */
    LINK_PURPOSES
};

struct link_limits {
    unsigned connect_ms;      /* a client's time until it is up, over all addresses */
    unsigned handshake_ms;    /* the same for one connection; a server's time */
    unsigned silence_ms;
    size_t message_bytes;     /* longest message taken */
    double messages_per_s, messages_burst;
    double bytes_per_s, bytes_burst;
};

extern const struct link_limits link_limits_default;

struct link;

struct link_hooks {
    void (*on_up)(void *arg, struct link *link);
    /* `bytes` are valid during the call only. */
    void (*on_message)(void *arg, struct link *link, const void *bytes, size_t count);
    /* has_room turned from 0 to 1. May be NULL. */
    void (*on_room)(void *arg, struct link *link);
    /* The last of the link, whose session is gone; `why` is for people, valid during the call. */
    void (*on_closed)(void *arg, struct link *link, enum link_end end, const char *why);
};

/* Connects to a peer at one of its addresses. `expected`: its id, or NULL for whoever is there; a
 * connection to another one counts as a wrong address. Never NULL: what fails comes by on_closed.
 * `context`, `limits` and `hooks` must outlive the link. */
struct link *link_connect(uv_loop_t *loop, struct tls_context *context, enum link_purpose purpose,
                          const struct address *addresses, size_t count,
                          const unsigned char *expected, const struct link_limits *limits,
                          const struct link_hooks *hooks, void *arg);

/* The server's side of a connection, which becomes the link's (memory by memory_new). */
struct link *link_accept(uv_tcp_t *tcp, struct tls_context *context,
                         const struct link_limits *limits, const struct link_hooks *hooks,
                         void *arg);

/* Gives the link to another owner, who gets all that comes from now on; and who that is (`arg`). */
void link_hand_over(struct link *link, const struct link_hooks *hooks, void *arg);
void *link_owner(const struct link *link);

/* Sends a copy of the message; before the link is up it is kept until then. CPMP_OK; CPMP_ELIMIT
 * when it is longer than FRAMES_BYTES_MAX (the link goes on) or the queue is full (it ends);
 * CPMP_ESTATE when the link is ending. */
int link_send(struct link *link, const void *bytes, size_t count);

/* What waits in `from`, which is not up and won't be needed, goes out by `link`. */
void link_inherit(struct link *link, struct link *from);

/* Whether a sender that can wait should send now; 0 promises on_room while the link lives. */
int link_has_room(struct link *link);
size_t link_queued_bytes(const struct link *link);

/* `why`, in words for the people over there, goes along. Both are harmless when it is ending. */
void link_close(struct link *link, const char *why);
void link_abort(struct link *link, const char *why);

int link_is_up(const struct link *link);
/* Up, and nobody has said goodbye. */
int link_takes_messages(const struct link *link);
int link_is_server(const struct link *link);
enum link_purpose link_purpose(const struct link *link);
/* The verified peer, NULL before the link is up and for joiners. */
const struct tls_peer *link_peer(const struct link *link);
/* Where the other side is; for a server the port is whatever its system chose. */
const struct address *link_address(const struct link *link);
struct tls *link_tls(struct link *link);
/* Smoothed, of pings; 0: not known yet. */
uint64_t link_round_trip_us(const struct link *link);
/* When a message last went or came (uv_now of the loop). */
uint64_t link_used_ms(const struct link *link);
/* Since when it is up. */
uint64_t link_up_ms(const struct link *link);

/* Lets several links of one peer share their rates, so that reconnecting gains nothing. The two
 * must outlive the link; NULL gives it back its own. */
void link_share_rates(struct link *link, struct rate *messages, struct rate *bytes);

const char *link_end_name(enum link_end end);

#endif
