/* SPDX-License-Identifier: BSD-3-Clause */
#include "shrink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Child of sim_try: its result goes to `fd`, its texts nowhere. */
static _Noreturn void try_in_child(const struct sim_plan *plan, int fd)
{
    struct sim_plan quiet = *plan;
    struct sim_outcome outcome;

    if (freopen("/dev/null", "w", stdout) == NULL || freopen("/dev/null", "w", stderr) == NULL)
        _exit(126);
    quiet.is_loud = quiet.is_reported = false;
    sim_run(&quiet, &outcome);
    _exit(write(fd, &outcome, sizeof outcome) == sizeof outcome ? 0 : 126);
}

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "sim: %s: %s\n", what, strerror(errno));
    exit(2);
}

void sim_try(const struct sim_plan *plan, struct sim_outcome *outcome_p)
{
    int fds[2], status = 0;
    ssize_t got;
    pid_t child;

    fflush(NULL);
    if (pipe(fds) != 0)
        give_up("no pipe for a run of the shrinker");
    child = fork();
    if (child < 0)
        give_up("no process for a run of the shrinker");
    if (child == 0)
        try_in_child(plan, fds[1]);
    close(fds[1]);
    got = read(fds[0], outcome_p, sizeof *outcome_p);
    close(fds[0]);
    if (waitpid(child, &status, 0) != child)
        give_up("a run of the shrinker is lost");
    if (got == (ssize_t)sizeof *outcome_p)
        return;
    *outcome_p = (struct sim_outcome){ .has_failed = true, .peer = UINT32_MAX,
                                       .other = UINT32_MAX, .faults = SIM_FAULTS_MAX };
    snprintf(outcome_p->what, sizeof outcome_p->what, "an assertion holds");
}

/* Whether the plan fails still, by the same invariant. */
static bool fails_alike(const struct sim_plan *plan, struct sim_outcome *outcome)
{
    struct sim_outcome found;

    sim_try(plan, &found);
    if (!found.has_failed || strcmp(found.what, outcome->what) != 0)
        return false;
    *outcome = found;
    return true;
}

/* Leaves out runs of `size` faults, from the last to the first: what comes late often doesn't
 * matter. */
static bool shrink_faults(struct sim_plan *plan, struct sim_outcome *outcome, uint32_t size)
{
    bool is_smaller = false;

    for (uint32_t end = SIM_FAULTS_MAX; end >= size; end -= size) {
        struct sim_plan smaller = *plan;
        bool has_any = false;

        for (uint32_t i = end - size; i < end; i++) {
            has_any |= smaller.kept[i];
            smaller.kept[i] = false;
        }
        if (has_any && fails_alike(&smaller, outcome)) {
            *plan = smaller;
            is_smaller = true;
        }
    }
    return is_smaller;
}

static bool shrink_peers(struct sim_plan *plan, struct sim_outcome *outcome)
{
    bool is_smaller = false;

    for (uint32_t i = plan->peers; i-- > 0;) {
        struct sim_plan smaller = *plan;

        smaller.without |= UINT64_C(1) << i;
        if (smaller.without != plan->without && fails_alike(&smaller, outcome)) {
            *plan = smaller;
            is_smaller = true;
        }
    }
    return is_smaller;
}

bool sim_shrink(struct sim_plan *plan, struct sim_outcome *outcome_p)
{
    bool is_smaller = true;

    sim_try(plan, outcome_p);
    if (!outcome_p->has_failed)
        return false;
    for (uint32_t i = 0; i < SIM_FAULTS_MAX; i++)
        plan->kept[i] = plan->kept[i] && i < outcome_p->faults;
    for (uint32_t size = SIM_FAULTS_MAX / 2; size > 1; size /= 2)
        shrink_faults(plan, outcome_p, size);
    while (is_smaller)
        is_smaller = shrink_faults(plan, outcome_p, 1) | shrink_peers(plan, outcome_p);
    return true;
}
