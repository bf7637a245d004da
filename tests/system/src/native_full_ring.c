/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Long messages that arrive while the ring to the agent is full. Their receiver stops its agent,
 * fills the ring, receives, and only then lets the agent go on: what the receiver says to its agent
 * and what it says to the sender wait separately, and must not overtake each other.
 */
#include <signal.h>
#include <unistd.h>

#include "native_check.h"

enum { TAG_LONG = 1, TAG_READY = 2, TAG_FILL = 3, LONGS = 12, FILLS = 40000 };
enum { LONG_BYTES = 100000, FILL_BYTES = 8 };

static unsigned char longs[LONGS][LONG_BYTES], fill[FILL_BYTES];
static cpmp_request *requests[LONGS], *fills[FILLS];

static void
sends(void)
{
    for (int i = 0; i < LONGS; i++) {
        memset(longs[i], i + 1, LONG_BYTES);
        OK(cpmp_isend(longs[i], LONG_BYTES, 1, TAG_LONG, &requests[i]));
    }
    OK(cpmp_send(NULL, 0, 1, TAG_READY));
    for (int i = 0; i < FILLS; i++)
        OK(cpmp_recv(fill, FILL_BYTES, 1, TAG_FILL, NULL));
    OK(cpmp_wait_all(LONGS, requests, NULL));
}

static void
receives(void)
{
    OK(cpmp_recv(NULL, 0, 0, TAG_READY, NULL));  /* behind all that the long ones ask */
    CHECK(kill(getppid(), SIGSTOP) == 0);
    while (agent_state() != 'T')
        continue;
    for (int i = 0; i < FILLS; i++)
        OK(cpmp_isend(fill, FILL_BYTES, 0, TAG_FILL, &fills[i]));
    for (int i = 0; i < LONGS; i++)
        OK(cpmp_irecv(longs[i], LONG_BYTES, 0, TAG_LONG, &requests[i]));
    CHECK(kill(getppid(), SIGCONT) == 0);
    OK(cpmp_wait_all(LONGS, requests, NULL));
    OK(cpmp_wait_all(FILLS, fills, NULL));
    for (int i = 0; i < LONGS; i++)
        for (int k = 0; k < LONG_BYTES; k++)
            CHECK(longs[i][k] == i + 1);
}

int
main(void)
{
    begin();
    for (int round = 0; round < 4; round++)
        rank == 0 ? sends() : receives();
    return end();
}
