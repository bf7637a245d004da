/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_LINK_DOOR_H
#define CPI_LINK_DOOR_H

/*
 * The door: where a daemon listens. Whoever comes has to become a link within a time, within a few
 * kilobytes, and with few others from the same place at once; until then the owner hears nothing of
 * him. So strangers, garbage, port scans and half-open handshakes cost a bounded amount, and they
 * are counted by what they did.
 *
 * Places are IPv4 addresses and IPv6 networks of 64 bits.
 */

#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "link/link.h"
#include "text/text.h"

#define DOOR_LISTENERS_MAX 8u
#define DOOR_PLACES        256u  /* with a rate of their own; two may share one */

struct door_limits {
    unsigned half_open_max;        /* connections that are no link yet */
    unsigned half_open_place_max;  /* of them from one place */
    double accepts_per_s, accepts_burst;              /* in all */
    double accepts_place_per_s, accepts_place_burst;  /* from one place */
    struct link_limits link;       /* of links that come in */
};

extern const struct door_limits door_limits_default;

/* Since the door was made. */
struct door_counters {
    uint64_t accepted;             /* connections */
    uint64_t up;                   /* that became links */
    uint64_t turned_away_full;     /* closed at once: too many half-open */
    uint64_t turned_away_place;    /* the same for one place */
    uint64_t turned_away_rate;     /* they came too fast */
    uint64_t failed[LINK_ENDS];    /* that never became a link, by their end */
};

struct door;

struct door_hooks {
    /* Is up; of a member, or of a joiner (link_purpose). Take it with link_hand_over before this
     * returns; what isn't taken is closed. */
    void (*on_link)(void *arg, struct link *link);
    /* The door is closed and its memory gone; NULL: nobody asks. */
    void (*on_closed)(void *arg);
};

/* `context`, `limits` and `hooks` must outlive the door. */
struct door *door_new(uv_loop_t *loop, struct tls_context *context,
                      const struct door_limits *limits, const struct door_hooks *hooks, void *arg);

/* Listens at one more address; all of the machine's ([::]) are IPv4's, too. CPMP_OK, CPMP_ELIMIT,
 * or CPMP_ESYS with what to do in `why`. */
int door_listen(struct door *door, const struct address *address, struct text *why);
/* Where it listens, with the port that the system chose for port 0. */
size_t door_listener_count(const struct door *door);
const struct address *door_listener(const struct door *door, size_t at);

const struct door_counters *door_counters(const struct door *door);
unsigned door_half_open(const struct door *door);

/* Listens no more, and drops what isn't up. */
void door_close(struct door *door);

#endif
