/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A rank that aborts while the ring to its agent is full. It stops its agent, fills the ring with
 * messages for another peer, and aborts; a helper lets the agent go on, as the argument says: when
 * the rank sleeps, so that it "waits" for room, or when it has died.
 */
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include "native_check.h"

enum { TAG_FILL = 1, TAG_NEVER = 2, FILLS = 40000, FILL_BYTES = 8 };

static unsigned char fill[FILL_BYTES];
static cpmp_request *fills[FILLS];

/* As /proc tells it; Z when there is no such process any more. */
static char
state_of(pid_t pid)
{
    char path[64], line[256] = "";

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 'Z';
    char *end = fgets(line, sizeof(line), file) != NULL ? strrchr(line, ')') : NULL;
    fclose(file);
    return end != NULL ? end[2] : 'Z';
}

static void
agent_continue(int about_to_abort, pid_t aborter, pid_t agent, bool dies)
{
    char byte;

    if (read(about_to_abort, &byte, 1) == 1)
        while (state_of(aborter) != 'Z' && (dies || state_of(aborter) != 'S'))
            continue;
    kill(agent, SIGCONT);
    _exit(0);
}

int
main(int argc, char **argv)
{
    bool dies = argc > 1 && strcmp(argv[1], "dies") == 0;
    pid_t agent = getppid(), self = getpid();
    int about_to_abort[2];

    begin();
    if (rank == 1) {
        OK(cpmp_recv(fill, FILL_BYTES, 0, TAG_NEVER, NULL));
        return end();
    }
    CHECK(pipe(about_to_abort) == 0);
    pid_t helper = fork();
    CHECK(helper >= 0);
    if (helper == 0)
        agent_continue(about_to_abort[0], self, agent, dies);
    CHECK(kill(agent, SIGSTOP) == 0);
    while (state_of(agent) != 'T')
        continue;
    for (int i = 0; i < FILLS; i++)
        OK(cpmp_isend(fill, FILL_BYTES, 1, TAG_FILL, &fills[i]));
    CHECK(write(about_to_abort[1], "x", 1) == 1);
    cpmp_abort(6, "these are the last words");
}
