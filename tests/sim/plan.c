/* SPDX-License-Identifier: BSD-3-Clause */
#include "plan.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void sim_plan_print_kept(const struct sim_plan *plan, uint32_t made)
{
    const char *separator = "";
    uint32_t kept = 0;

    for (uint32_t i = 0; i < made; i++)
        kept += plan->kept[i];
    if (kept == made)
        return;
    printf(" --faults %s", kept == 0 ? "none" : "");
    for (uint32_t i = 0; i < made; i++) {
        if (plan->kept[i]) {
            printf("%s%" PRIu32, separator, i);
            separator = ",";
        }
    }
}

bool sim_plan_read_number(const char *text, uint64_t *number_p)
{
    uint64_t number;
    char *end;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end != '\0' || errno != 0)
        return false;
    *number_p = number;
    return true;
}

bool sim_plan_read_list(const char *text, bool *bits, uint32_t limit)
{
    memset(bits, false, limit * sizeof *bits);
    if (strcmp(text, "none") == 0)
        return true;
    for (;;) {
        unsigned long number;
        char *end;

        number = strtoul(text, &end, 10);
        if (!isdigit((unsigned char)*text) || number >= limit)
            return false;
        bits[number] = true;
        if (*end == '\0')
            return true;
        if (*end != ',')
            return false;
        text = end + 1;
    }
}

/* Runs git with its output in `fd`; false: there is none, or no repository. */
static bool git_describe(int fd)
{
    const char *source = getenv("CPMP_SRCDIR");
    char *const words[] = { "git", "-C", (char *)(source != NULL ? source : "."), "describe",
                            "--always", "--dirty", NULL };
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status = -1;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fd, 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    if (posix_spawnp(&child, "git", &actions, NULL, words, environ) == 0)
        waitpid(child, &status, 0);
    posix_spawn_file_actions_destroy(&actions);
    return status == 0;
}

const char *sim_commit(void)
{
    static char commit[80];
    ssize_t got;
    int fds[2];

    if (commit[0] == '\0' && pipe(fds) == 0) {
        if (git_describe(fds[1])) {
            got = read(fds[0], commit, sizeof commit - 1);
            commit[got > 0 ? got : 0] = '\0';
            commit[strcspn(commit, "\n")] = '\0';
        }
        close(fds[0]);
        close(fds[1]);
    }
    return commit[0] != '\0' ? commit : "version " PACKAGE_VERSION;
}
