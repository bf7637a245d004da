/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PROTO_DETECTOR_STATE_H
#define CPI_PROTO_DETECTOR_STATE_H

/*
 * The inside of the detector, shared by its sources.
 *
 * Times within are in its own time: the owner's clock less what was lost by being called late
 * (`lost_us`). Silence is measured in it, so nobody is blamed for our own absence. Deadlines given
 * out, and the end of this peer's own suspension, are the owner's clock.
 */

#include <stddef.h>

#include "proto/detector/detector.h"

#define DETECTOR_ASKERS_MAX 64u  /* contacts not watched that ping us, remembered to be told news */
#define DETECTOR_KEPT_MAX   24u  /* rumors kept to be spread */
#define DETECTOR_RELAYS_MAX 32u  /* PROBEs of others under way; the oldest makes room */
#define DETECTOR_PROBES_MAX 8u

struct detector_contact {
    struct chord_id id;
    uint32_t handle;
    uint32_t purpose;          /* 0: not watched, it only pings us */
    enum detector_state state;
    bool far;
    bool indirect;             /* others vouched for it since it was last heard here */
    bool stale;                /* its last message was of a lower incarnation: it must hear so */
    bool ping_now;
    bool owe_news;             /* our own state has changed and it doesn't know */
    uint64_t incarnation;      /* 0: unknown */
    uint64_t asked_us;         /* its last PING */
    uint64_t heard_us;
    uint64_t pinged_us;
    uint64_t jitter_us;        /* of the next ping */
    uint64_t suspected_us;     /* SUSPECT: since */
    uint64_t dead_wait_us;     /* SUSPECT: DEAD after so long */
    uint64_t silent_until_us;  /* SUSPENDED */
    uint64_t round_trip_us, round_trip_variation_us;  /* RFC 6298; 0: unknown */
};

struct detector_kept {
    struct detector_rumor rumor;
    uint64_t since_us;    /* silent_us of the rumor counts from here */
    uint32_t sends_left;  /* 0: free */
    bool own;             /* our own finding, not hearsay */
};

/* A ping on behalf of another. */
struct detector_relay {
    struct chord_id target, asker;
    uint32_t asker_handle;  /* DETECTOR_NO_CONTACT: free */
    uint64_t asker_number, number;
};

struct detector {
    struct detector_settings settings;
    struct chord_id self;
    uint64_t incarnation;
    enum detector_state state;    /* ALIVE, SUSPENDED or LEFT */
    uint64_t silent_until_us;     /* SUSPENDED; owner's clock */
    uint64_t random;
    uint64_t now_us, lost_us;     /* of the last step */
    uint64_t deadline_us;         /* owner's clock; as promised after the last step */
    uint64_t relay_number;
    uint32_t relay_next;
    size_t contact_count, contact_capacity;
    struct detector_contact *contacts;  /* by ascending handle; owned */
    struct detector_kept kept[DETECTOR_KEPT_MAX];
    struct detector_relay relays[DETECTOR_RELAYS_MAX];
};

/* This moment in the detector's own time. */
static inline uint64_t
detector_time(const struct detector *detector)
{
    return detector->now_us - detector->lost_us;
}

static inline const struct detector_pace *
detector_pace(const struct detector *detector, const struct detector_contact *contact)
{
    return contact->far ? &detector->settings.far : &detector->settings.near;
}

/* A number below `limit` (not 0). */
uint64_t detector_draw(struct detector *detector, uint64_t limit);

/* --- contacts.c --- */

struct detector_contact *detector_contact_find(struct detector *detector, uint32_t handle);

/* A watched one; NULL: none. */
struct detector_contact *detector_contact_named(struct detector *detector,
                                                const struct chord_id *id);

/* A new contact, not watched; NULL: no memory. Moves the others. */
struct detector_contact *detector_contact_add(struct detector *detector, uint32_t handle,
                                              const struct chord_id *id);
void detector_contact_remove(struct detector *detector, struct detector_contact *contact);

/* Whether *contact_p is watched under another id than `id`: a mistake of the owner. One that only
 * pinged us is forgotten (*contact_p: NULL): the owner holds no contact for it, and has given the
 * number to another peer. */
bool detector_contact_renamed(struct detector *detector, struct detector_contact **contact_p,
                              const struct chord_id *id);

/* The contact that pinged us, remembered; NULL: no memory for it. */
struct detector_contact *detector_asker(struct detector *detector, uint32_t handle,
                                        const struct chord_id *id);

/* How much longer than the pace says it may take to hear from the contact. */
uint64_t detector_margin_us(const struct detector *detector,
                            const struct detector_contact *contact);

/* An answer came after so long. */
void detector_measured(struct detector_contact *contact, uint64_t round_trip_us);

/* When the contact needs attention next, in own time; UINT64_MAX: never. */
uint64_t detector_contact_due(const struct detector *detector,
                              const struct detector_contact *contact);

/* --- rumors.c --- */

/* Spreads what we found (`own`) or heard; false: nothing new. */
bool detector_rumor_keep(struct detector *detector, const struct detector_rumor *rumor, bool own);

/* A peer was heard in this incarnation: what older rumors say of it is refuted. */
void detector_rumor_refute(struct detector *detector, const struct chord_id *id,
                           uint64_t incarnation);

/* Fills a message with rumors for `to`; `contact` is NULL when it isn't known. */
void detector_rumor_fill(struct detector *detector, const struct chord_id *to,
                         const struct detector_contact *contact, struct detector_message *message);

/* --- suspicion.c: what time and evidence do to a contact --- */

void detector_say_self(const struct detector *detector, struct detector_actions *actions);
void detector_say_changed(struct detector_actions *actions, const struct detector_contact *contact);

/* A message of `kind`, with our state and rumors, to be completed by the caller. */
struct detector_message *detector_send(struct detector *detector, struct detector_actions *actions,
                                       uint32_t handle, const struct chord_id *to,
                                       enum detector_kind kind);

/* The contact becomes ALIVE, SUSPENDED (for silent_us) or LEFT, as was heard at `heard_us` from
 * itself or (`indirect`) from others. */
void detector_believe(struct detector *detector, struct detector_contact *contact,
                      enum detector_state state, uint64_t incarnation, uint64_t silent_us,
                      uint64_t heard_us, bool indirect, struct detector_actions *actions);

void detector_suspect(struct detector *detector, struct detector_contact *contact,
                      uint64_t dead_wait_us, struct detector_actions *actions);

/* Whatever is due, as far as it fits into `actions`. */
void detector_run(struct detector *detector, struct detector_actions *actions);

/* --- hear.c: messages --- */

/* CPMP_EINVAL: no message that can be. */
int detector_hear(struct detector *detector, const struct detector_event *event,
                  struct detector_actions *actions);

/* This peer's own state changes: a higher incarnation, and everyone is told. */
void detector_announce(struct detector *detector, enum detector_state state);

#endif
