/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_AGENT_FABRIC_DOOR_H
#define CPI_AGENT_FABRIC_DOOR_H

/*
 * The door: keeps watch over sockets that libfabric accepts before anybody has said a valid hello.
 *
 * libfabric 1.17's tcp provider accepts whoever comes, reads the request with a blocking recv and
 * sets no time limit: 32 bytes of its header without the data they announce stop the whole process,
 * and silent connections pile up until there are no descriptors left. It closes bad ones without a
 * word, so they can't be counted either. And its sockets are not close-on-exec: a rank would
 * inherit them.
 *
 * Accepting and reading happen in different calls (of fi_eq_read, or fi_trywait on the event
 * queue), so between them the door finds the new socket by its local address and makes it
 * non-blocking and close-on-exec. It remembers it until a valid hello came from it; one that is too
 * slow, or one too many, is shut down, and the provider then closes it itself. Costs: a look at the
 * descriptors per event, DOOR_WAITING_MAX entries.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define DOOR_WAITING_MAX 64u         /* silent connections at once; the oldest goes first */
#define DOOR_FDS_MAX     65536u      /* descriptors above it are not watched */

/* The descriptors that were open at one moment. */
struct door_snapshot {
    uint64_t bits[DOOR_FDS_MAX / 64];
};

struct door_waiting {
    int fd;
    bool shut;        /* told to go; the provider closes it next */
    uint64_t cookie;  /* of the socket: descriptors get used again */
    uint64_t since_us;
    struct sockaddr_storage from;
};

struct door {
    struct sockaddr_storage address;  /* that the listener is bound to */
    uint64_t patience_us;             /* how long one may stay silent */
    uint32_t waiting_count;
    uint64_t strangers;               /* connections that never said a valid hello */
    struct door_waiting waiting[DOOR_WAITING_MAX];
};

void door_init(struct door *door, const struct sockaddr *address, socklen_t bytes,
               uint64_t patience_us);

/* Around a call that makes descriptors for itself: all that are new since the snapshot become
 * close-on-exec. */
void door_snapshot_take(struct door_snapshot *snapshot);
void door_snapshot_seal(const struct door_snapshot *snapshot);

/*
 * Before they connect or listen: sockets that are new since the snapshot don't pace what they send.
 * Where the system's congestion control is BBR it sends on a timer, 64 KiB at a time, at the speed
 * it has seen; with batches, that it hardly ever sees at full speed, 1 MiB takes twice as long
 * (470 µs against 200). Between hosts that are further apart than one site, door_limit_silence goes
 * back to the system's choice.
 */
void door_snapshot_unpace(const struct door_snapshot *snapshot);

/* After each call that lets the provider look at its sockets: take in newly accepted sockets, count
 * those that have gone, shut down the slow. */
void door_watch(struct door *door);

/* A hello has been read from the connection that came from `from`: it is nobody to watch any more.
 * */
void door_claim(struct door *door, const struct sockaddr *from);

/*
 * A host that vanishes says nothing, and TCP alone would wait for it for a quarter of an hour. From
 * now on the connection between these two addresses breaks when the other host's system has
 * acknowledged nothing for `limit_us`, be data under way or not. The systems see to that, so an
 * agent that idles sleeps on, and one that is merely slow isn't taken for dead.
 *
 * Returns the connection's descriptor, the provider's own, -1 when there is none; door_was_silent
 * tells of a connection that broke whether that was why.
 */
int door_limit_silence(const struct sockaddr *local, const struct sockaddr *peer,
                       uint64_t limit_us);
bool door_was_silent(int fd, uint64_t limit_us);

/* When door_watch wants to be called next; UINT64_MAX: nobody is waiting. */
uint64_t door_deadline_us(const struct door *door);

#endif
