/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_WAITING_H
#define CPI_PEER_WAITING_H

/*
 * Requests of this machine's programs whose answers take their time: the ring is asked. One of them
 * knows whom to answer, and is there until it is ended, whether or not its session still is.
 */

#include <stddef.h>
#include <stdint.h>

#include "peer/sessions.h"

#define WAITING_MAX         512u  /* so that they can't keep the daemon itself from the ring, */
#define WAITING_SESSION_MAX 256u  /* nor one program all others */

struct waiting;

struct waiting_one {
    struct waiting_one *next;
    struct waiting *waiting;
    void *arg;                 /* waiting's */
    uint64_t session, number;
};

struct waiting {
    struct sessions *sessions;
    void *arg;
    struct waiting_one *first;
    size_t count;
};

void waiting_init(struct waiting *waiting, struct sessions *sessions, void *arg);

/* NULL, after the session was told so: too many wait. */
struct waiting_one *waiting_new(struct waiting *waiting, const struct session *session,
                                uint64_t number);

/* Answers and ends it. */
void waiting_answer(struct waiting_one *one, Cpmp__Local *answer);
void waiting_fail(struct waiting_one *one, enum local_failure code, const char *why);

/* Ends all that are left; nobody may hold one any more. */
void waiting_release(struct waiting *waiting);

#endif
