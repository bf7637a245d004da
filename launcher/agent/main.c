/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * cpmp-agent CONTROL_FD [HOST_PAGE_FD]: a job's process on one peer. Started by the launcher with a
 * control stream, never by hand; what the descriptors are stands in control/stream.h.
 * cpmp-agent --fork-server FD: makes agents for the daemon that started it (agent/fork_server.h).
 */

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <linux/close_range.h>

#include <cpmp.h>

#include "agent/agent.h"
#include "agent/fork_server.h"

/* Signals that a terminal sends to whoever is in its foreground; what they mean to the job the
 * launcher decides. SIGPIPE, SIGXFSZ: calls tell by their result. */
static const int ignored_signals[] = {SIGPIPE, SIGXFSZ, SIGINT,  SIGQUIT,
                                      SIGHUP,  SIGTSTP, SIGTTIN, SIGTTOU};

static int
fd_parse(const char *text)
{
    char *end;
    long number = strtol(text, &end, 10);

    if (end == text || *end != 0 || number < 3 || number > INT_MAX)
        return -1;
    return fcntl((int)number, F_GETFD) < 0 ? -1 : (int)number;
}

/* Pipes of the ranks must never get the numbers 0 to 2, and ranks get no descriptor by accident. */
static int
descriptors_prepare(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= 2);
    if (fd < 0)
        return -1;
    close(fd);
    for (fd = 0; fd <= 2; fd++)
        fcntl(fd, F_SETFD, 0);
    close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC);
    return 0;
}

static void
signals_prepare(void)
{
    struct sigaction action = {.sa_handler = SIG_IGN};

    for (size_t i = 0; i < sizeof(ignored_signals) / sizeof(ignored_signals[0]); i++)
        sigaction(ignored_signals[i], &action, NULL);
}

static void
parent_bind(void)
{
    /* SIGTERM, not SIGKILL: orphans below us would outlive us. */
    prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
}

static int
usage(void)
{
    fputs("cpmp-agent: usage: cpmp-agent CONTROL_FD [HOST_PAGE_FD], cpmp-agent --fork-server FD\n"
          "cpexec and cpmpd start it, with open descriptors; use cpexec.\n", stderr);
    return 2;
}

static int
prepare(void)
{
    if (descriptors_prepare() < 0) {
        perror("cpmp-agent: cannot open /dev/null");
        return -1;
    }
    signals_prepare();
    return 0;
}

static int
fork_server_main(int argc, char **argv)
{
    int fd = argc == 3 ? fd_parse(argv[2]) : -1;

    if (fd < 0)
        return usage();
    if (fd > 3)
        close_range(3, (unsigned)fd - 1, 0);  /* agents are forked: close-on-exec is no help */
    close_range((unsigned)fd + 1, UINT_MAX, 0);
    return prepare() < 0 ? 1 : fork_server_run(fd);
}

int
main(int argc, char **argv)
{
    static struct agent agent;
    int control_fd = argc > 1 ? fd_parse(argv[1]) : -1;
    int host_fd = argc > 2 ? fd_parse(argv[2]) : -1;
    int status;

    if (argc > 1 && strcmp(argv[1], "--fork-server") == 0)
        return fork_server_main(argc, argv);
    if (argc < 2 || argc > 3 || control_fd < 0 || (argc == 3 && host_fd < 0))
        return usage();
    if (prepare() < 0)
        return 1;
    parent_bind();
    if (agent_init(&agent, control_fd, host_fd) != CPMP_OK)
        return 1;
    status = agent_run(&agent);
    agent_release(&agent);
    return status;
}
