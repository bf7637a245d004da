/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/waiting.h"

#include <stdlib.h>

#include "text/memory.h"

void
waiting_init(struct waiting *waiting, struct sessions *sessions, void *arg)
{
    *waiting = (struct waiting){.sessions = sessions, .arg = arg};
}

struct waiting_one *
waiting_new(struct waiting *waiting, const struct session *session, uint64_t number)
{
    struct waiting_one *one;
    size_t of_session = 0;

    for (one = waiting->first; one != NULL; one = one->next)
        of_session += one->session == session->id;
    if (waiting->count >= WAITING_MAX || of_session >= WAITING_SESSION_MAX) {
        sessions_fail(waiting->sessions, session->id, number, LOCAL_FAILURE_REFUSED,
                      "too many requests wait for an answer already; try again in a moment");
        return NULL;
    }
    one = memory_new(1, sizeof(*one));
    *one = (struct waiting_one){.next = waiting->first, .waiting = waiting, .arg = waiting->arg,
                                .session = session->id, .number = number};
    waiting->first = one;
    waiting->count++;
    return one;
}

static void
one_end(struct waiting_one *one)
{
    struct waiting_one **at = &one->waiting->first;

    while (*at != one)
        at = &(*at)->next;
    *at = one->next;
    one->waiting->count--;
    free(one);
}

void
waiting_answer(struct waiting_one *one, Cpmp__Local *answer)
{
    sessions_answer(one->waiting->sessions, one->session, one->number, answer);
    one_end(one);
}

void
waiting_fail(struct waiting_one *one, enum local_failure code, const char *why)
{
    sessions_fail(one->waiting->sessions, one->session, one->number, code, "%s", why);
    one_end(one);
}

void
waiting_release(struct waiting *waiting)
{
    while (waiting->first != NULL)
        one_end(waiting->first);
}
