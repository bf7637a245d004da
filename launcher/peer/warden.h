/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_WARDEN_H
#define CPI_PEER_WARDEN_H

/*
 * The owner's word, moment by moment: may new ranks be taken and how many, and may those that run
 * go on? A pure state machine: a view of the machine and the policy go in about once a second, a
 * verdict with its reasons comes out.
 *
 * Ranks are suspended as soon as somebody uses the machine (when `idle` is set) or it runs on
 * battery (unless that is allowed), and when the load of others has been above `cpu-others` for
 * `suspend-after`: a compiler run of some seconds is no reason, since ranks give way to it anyway.
 * They go on once none of these has been there for `resume-after`. Suspended for `leave-after` they
 * are told to leave; so they are at once when `share` is no, and `hours-grace` after the hours'
 * end. What is suspended goes on to count as suspended when one reason takes the place of another.
 *
 * New ranks are taken only in a moment in which no reason at all is there.
 */

#include <stdbool.h>
#include <stdint.h>

#include "peer/policy.h"

#define WARDEN_WHY_BYTES 160u
#define WARDEN_NOBODY    UINT64_MAX  /* idle time when nobody is known to have been there */

/* The machine as peer/load.h sees it, and what was promised to jobs. */
struct warden_view {
    uint64_t now_us;              /* of a clock that never goes back */
    uint32_t week_minute;         /* local time: hours_week_minute */
    uint32_t cores;               /* 1 or more */
    uint32_t others_permille;     /* load of others, of all cores together, smoothed */
    uint64_t people_idle_us;      /* since somebody used the machine */
    bool on_battery;
    uint64_t memory_bytes;        /* the machine's */
    uint64_t available_bytes;     /* of that, could be had now */
    uint32_t jobs_ranks;          /* that run here for jobs of the pool, */
    uint32_t jobs_millicores;     /* promised to them, */
    uint64_t jobs_memory_bytes;   /* promised, */
    uint64_t jobs_resident_bytes; /* and of that used already */
};

enum warden_word {
    WARDEN_RUN = 0,
    WARDEN_SUSPEND,
    WARDEN_LEAVE,
};

/* The reasons say what is the matter, for people: "" when nothing is. */
struct warden_verdict {
    enum warden_word running;            /* for the ranks that run */
    char running_why[WARDEN_WHY_BYTES];
    bool takes_new;                      /* false: all that is free below is 0 */
    bool only_busy;                      /* it is false for lack of a free core alone; there is */
                                         /*   memory for who shares cores with others */
    char new_why[WARDEN_WHY_BYTES];
    uint32_t ranks_free;                 /* one for each free core */
    uint32_t millicores_free;
    uint64_t memory_free_bytes;
    uint32_t ranks_max, millicores_max;  /* the owner's ceilings for all jobs together */
    uint64_t memory_max_bytes;
};

/* Times are 0 while what they are the beginning of isn't there. */
struct warden {
    uint64_t now_us;
    bool closed;                 /* out of hours */
    uint64_t closed_since_us;
    bool above;                  /* others' load is above the ceiling */
    uint64_t above_since_us;
    bool suspended;
    uint64_t suspended_since_us;
    bool quiet;                  /* suspended, and all reasons are gone */
    uint64_t quiet_since_us;
    char reason[WARDEN_WHY_BYTES];  /* for the suspension */
};

void warden_init(struct warden *warden);

/* Takes the view of a moment; fills *verdict. Asserts warden_check's invariants. */
void warden_step(struct warden *warden, const struct policy *policy,
                 const struct warden_view *view, struct warden_verdict *verdict);

void warden_check(const struct warden *warden);

#endif
