/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A program that closes all descriptors it finds, as daemons do, and, with the argument "files",
 * opens files of its own in their place: what the library would write to the agent's doorbell must
 * not get there.
 */
#include <fcntl.h>
#include <unistd.h>

#include "native_check.h"

int
main(int argc, char **argv)
{
    char name[64];

    begin();
    OK(cpmp_barrier());
    for (int fd = 3; fd < 1024; fd++)
        close(fd);
    for (int i = 0; argc > 1 && strcmp(argv[1], "files") == 0 && i < 120; i++) {
        snprintf(name, sizeof(name), "file.%d.%d", rank, i);
        CHECK(open(name, O_WRONLY | O_CREAT | O_TRUNC, 0666) >= 0);
    }
    while (agent_state() != 'S')
        continue;
    if (rank == 0)
        OK(cpmp_send(NULL, 0, 1, 1));  /* wakes the agent */
    else
        OK(cpmp_recv(NULL, 0, 0, 1, NULL));
    return end();
}
