/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Plays the daemon to a nest, for tests: hatchery CPMP-AGENT. Each line of its standard input
 * hatches an agent:
 *
 *     NAME CORES LISTEN FIRST-PORT LAST-PORT [STATE]
 *
 * and is answered by the agent's line for $CPMP_AGENTS (exec/remote.h), or "refused: WHY". When an
 * agent has exited it says "gone PID CODE". It closes the nest at the end of its input and exits.
 */

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cpmp.h>

#include "control/nest.h"

static unsigned char key[32];
static char name[64], listen_at[64];
static unsigned cores;

static void
on_nest(void *arg, const Cpmp__Nest *nest)
{
    (void)arg;
    if (nest->body_case == CPMP__NEST__BODY_GONE) {
        printf("gone %u %d\n", nest->gone->pid, nest->gone->code);
        return;
    }
    if (nest->body_case != CPMP__NEST__BODY_HATCHED)
        exit(1);
    if (nest->hatched->error[0] != '\0') {
        printf("refused: %s\n", nest->hatched->error);
        return;
    }
    printf("%s %u ", name, cores);
    for (size_t i = 0; i < sizeof(key); i++)
        printf("%02x", key[i]);
    printf(strchr(listen_at, ':') ? " [%s]:%u # %u\n" : " %s:%u # %u\n", listen_at,
           nest->hatched->port, nest->hatched->pid);
}

static int
hatch(int fd, const char *line)
{
    static const char *const users[] = {"nobody"};
    Cpmp__Nest nest = CPMP__NEST__INIT;
    Cpmp__Hatch hatch = CPMP__HATCH__INIT;
    char state[256] = "", *listen = listen_at;
    unsigned first, last;

    if (sscanf(line, "%63s %u %63s %u %u %255s", name, &cores, listen_at, &first, &last, state) < 5)
        return -1;
    if (getrandom(key, sizeof(key), 0) != sizeof(key))
        return -1;
    hatch.number = 1;
    hatch.job = 1;
    hatch.key.data = key;
    hatch.key.len = sizeof(key);
    hatch.listen = &listen;
    hatch.n_listen = 1;
    hatch.port_first = first;
    hatch.port_last = last;
    hatch.state = state;
    hatch.users = (char **)users;
    hatch.n_users = getenv("HATCHERY_NOBODY") != NULL;
    nest.body_case = CPMP__NEST__BODY_HATCH;
    nest.hatch = &hatch;
    return control_nest_send(fd, &nest) == CPMP_OK ? 0 : -1;
}

int
main(int argc, char **argv)
{
    char line[512];
    pid_t pid;
    int status, fd = argc == 2 ? control_nest_start(argv[1], &pid) : -1;
    struct pollfd fds[] = {{.fd = 0, .events = POLLIN}, {.fd = fd, .events = POLLIN}};

    if (fd < 0)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    setvbuf(stdin, NULL, _IONBF, 0);
    while (poll(fds, 2, -1) > 0) {
        if (fds[1].revents != 0 && control_nest_receive(fd, on_nest, NULL) == CPMP_EPEER)
            return 3;
        if (fds[0].revents == 0)
            continue;
        if (fgets(line, sizeof(line), stdin) == NULL)
            break;
        if (hatch(fd, line) != 0)
            return 1;
    }
    close(fd);
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
