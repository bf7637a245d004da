/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PROTO_DETECTOR_DETECTOR_H
#define CPI_PROTO_DETECTOR_DETECTOR_H

/*
 * Failure detector after SWIM (Das, Gupta, Motivala: "SWIM: Scalable Weakly-consistent
 * Infection-style Process Group Membership Protocol", 2002) over the contacts that its owner
 * watches: the neighbours on the ring, the peers of running jobs. A pure state machine.
 *
 * A contact that was silent for `ping_us` is pinged; silent for `suspect_us` it becomes SUSPECT and
 * three others are asked to ping it (PROBE); silent for `dead_us` it is DEAD. Whatever was heard
 * from it counts as life. Its round trips widen its deadlines. When this detector was called late
 * (the machine slept, or had no time for us) the time lost counts for nobody's silence.
 *
 * An incarnation orders what is said of one peer. Only the peer itself raises its own: when it
 * hears that it is suspected or dead it takes the next higher and says so (refutation). A peer that
 * was DEAD is back only with a higher one. What a contact itself says weighs more than rumors: a
 * rumor that a contact is suspect or dead makes us ping it now, and no more; a rumor that it is
 * alive in a higher incarnation, or suspended, ends a suspicion.
 *
 * SUSPENDED is not dead: a peer that announced that it will be silent for a time is left in peace
 * for that long (at most `suspended_most_us`), then the usual rules start.
 *
 * A contact is the owner's number for a peer (as chord's); messages name third parties by id only.
 * A PROBE may make this detector send to an id that it has no contact for (DETECTOR_NO_CONTACT):
 * the owner looks the id up, and drops the message if it has no way there.
 */

#include <stdbool.h>
#include <stdint.h>

#include "proto/chord/id.h"

#define DETECTOR_NO_CONTACT  UINT32_MAX
#define DETECTOR_ACTIONS_MAX 16u
#define DETECTOR_RUMORS_MAX  6u                /* in a message */
#define DETECTOR_INCARNATION_MAX (1ull << 62)  /* what is above isn't believed */

enum detector_state {
    DETECTOR_ALIVE,
    DETECTOR_SUSPECT,
    DETECTOR_DEAD,
    DETECTOR_SUSPENDED,  /* said that it will be silent for a while */
    DETECTOR_LEFT        /* said that it goes for good; for its watchers as good as dead */
};

/* One distance. near: 0.5 s, 1.5 s, 3 s, 0.2 s; far: 2 s, 6 s, 15 s, 1 s (fault-tolerance.md). */
struct detector_pace {
    uint64_t ping_us;     /* silent for so long: ping it */
    uint64_t suspect_us;  /* silent for so long: SUSPECT */
    uint64_t dead_us;     /* silent for so long: DEAD */
    uint64_t refused_us;  /* SUSPECT because a connection was refused: DEAD after so long */
};

struct detector_settings {
    struct detector_pace near, far;  /* machines of one site; others */
    uint64_t suspended_most_us;      /* no suspension is believed for longer */
    uint32_t probes;                 /* others asked about a SUSPECT; at most 8 */
};

/* What is said of a third party, or of the receiver itself. */
struct detector_rumor {
    struct chord_id id;
    uint64_t incarnation;
    uint64_t silent_us;   /* SUSPENDED: for how much longer at most; else 0 */
    enum detector_state state;
};

enum detector_kind {
    DETECTOR_PING,   /* answer me: ACK with the same number */
    DETECTOR_ACK,
    DETECTOR_PROBE,  /* ping `target` for me; if it answers: PROBED with the same number */
    DETECTOR_PROBED, /* `target` is as `about` says */
    DETECTOR_NEWS    /* only what every message holds: state and rumors; no answer */
};

/* Flat: no pointers. Every message tells the sender's own state. */
struct detector_message {
    enum detector_kind kind;
    enum detector_state state;      /* ALIVE, SUSPENDED or LEFT */
    uint64_t incarnation;
    uint64_t silent_us;             /* SUSPENDED: for how much longer at most */
    uint64_t number;
    struct chord_id target;         /* PROBE: whom to ping */
    struct detector_rumor about;    /* PROBED */
    uint32_t rumor_count;
    struct detector_rumor rumors[DETECTOR_RUMORS_MAX];
};

/* Whether the message is one that can be; what it claims may still be false. */
bool detector_message_valid(const struct detector_message *message);

/* Who watches a contact, so that each may stop without the others. Bits. */
#define DETECTOR_FOR_RING 1u
#define DETECTOR_FOR_JOBS 2u

enum detector_event_type {
    DETECTOR_EVENT_TIMEOUT,  /* detector_deadline_us has come */
    DETECTOR_EVENT_MESSAGE,  /* `message` from `contact`, `id` */
    DETECTOR_EVENT_HEARD,    /* something else came from `contact`: as good as an ACK */
    DETECTOR_EVENT_WATCH,    /* watch `contact`, `id` for `purpose` (added to what it had) */
    DETECTOR_EVENT_UNWATCH,  /* no longer for `purpose`; with none left the contact is forgotten */
    DETECTOR_EVENT_BROKEN,   /* the link to `contact` broke; `refused`: and no new one is let in */
    DETECTOR_EVENT_SUSPEND,  /* this peer will be silent for up to `silent_us`: tell the others */
    DETECTOR_EVENT_RESUME,   /* it is back */
    DETECTOR_EVENT_LEAVE     /* it goes for good: tell the others */
};

struct detector_event {
    enum detector_event_type type;
    uint64_t now_us;             /* monotonic, counting while the machine sleeps (BOOTTIME) */
    uint32_t contact;
    struct chord_id id;          /* MESSAGE, WATCH */
    uint64_t incarnation;        /* WATCH: of the contact as far as it is known, else 0 */
    uint32_t purpose;            /* WATCH, UNWATCH: DETECTOR_FOR_... */
    bool far;                    /* WATCH: beyond this site */
    bool refused;                /* BROKEN */
    uint64_t silent_us;          /* SUSPEND */
    const struct detector_message *message;  /* MESSAGE; valid during the step */
};

enum detector_action_type {
    DETECTOR_ACTION_SEND,     /* `message` to `contact`, `id` */
    DETECTOR_ACTION_CHANGED,  /* the contact's state or incarnation is another now */
    DETECTOR_ACTION_SELF      /* this peer's own incarnation is another now: keep it */
};

struct detector_action {
    enum detector_action_type type;
    uint32_t contact;
    struct chord_id id;
    uint64_t incarnation;          /* CHANGED: the contact's; SELF: this peer's */
    enum detector_state state;     /* CHANGED */
    bool indirect;                 /* CHANGED to ALIVE: others reach it, we don't */
    struct detector_message message;
};

/* What the owner has to do, in this order. Written by detector_step. */
struct detector_actions {
    uint32_t count;
    struct detector_action list[DETECTOR_ACTIONS_MAX];
};

/* What is known of a watched contact; for people and for the choice of near ones. */
struct detector_view {
    uint32_t contact;
    struct chord_id id;
    uint64_t incarnation;    /* 0: not known yet */
    enum detector_state state;
    uint32_t purpose;
    bool indirect;
    uint64_t silent_us;      /* since it was heard last */
    uint64_t round_trip_us;  /* smoothed; 0: not known yet */
};

struct detector;

struct detector_settings detector_settings_default(void);

/* A detector for the peer `self`. `incarnation` must be above all that this peer ever had (1 at
 * least): what was kept plus one, or made of the wall clock. NULL: no memory. */
struct detector *detector_new(const struct detector_settings *settings, const struct chord_id *self,
                              uint64_t incarnation, uint64_t seed, uint64_t now_us);
void detector_free(struct detector *detector);

/* Takes one event and says what to do. CPMP_OK; CPMP_ENOMEM from WATCH: nothing has changed;
 * CPMP_EINVAL: a message, contact or number that can't be, ignored; CPMP_ENOENT: the contact isn't
 * watched. `actions` is always set. Call it again at detector_deadline_us: what doesn't fit into
 * `actions` follows at once. */
int detector_step(struct detector *detector, const struct detector_event *event,
                  struct detector_actions *actions);

/* When to step with TIMEOUT at the latest; UINT64_MAX: not needed. May be past. */
uint64_t detector_deadline_us(const struct detector *detector);

uint64_t detector_incarnation(const struct detector *detector);

/* One contact; false: not watched. */
bool detector_find(const struct detector *detector, uint32_t contact, struct detector_view *view_p);

/* The watched contacts one by one, by ascending contact: `index` from 0 until it is false. */
bool detector_at(const struct detector *detector, uint32_t index, struct detector_view *view_p);

/* Asserts what must hold. */
void detector_check(const struct detector *detector);

#endif
