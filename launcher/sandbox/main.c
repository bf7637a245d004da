/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * cpmp-cage FD: the first process in the sandbox of an agent. Started by cpmp-agent through
 * bubblewrap, never by hand; what the descriptor is stands in sandbox/message.h.
 *
 * A program of its own and not a role of cpmp-agent, because it starts in a millisecond less and
 * needs libc only, which is inside wherever the agent's libraries lie.
 */

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "sandbox/cage.h"

int
main(int argc, char **argv)
{
    char *end = NULL;
    long fd = argc == 2 ? strtol(argv[1], &end, 10) : -1;

    if (fd < 3 || fd > INT_MAX || *end != '\0' || fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0) {
        fputs("cpmp-cage: usage: cpmp-cage FD\ncpmp-agent starts it; use cpexec --sandbox.\n",
              stderr);
        return 2;
    }
    return cage_run((int)fd);
}
