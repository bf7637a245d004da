/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/descriptors.h"

#include <stdbool.h>
#include <sys/resource.h>

#include "control/rules.h"

#define BASE_FILES   40u   /* standard streams, event loop, shared memory: 21; what we inherited */
#define FABRIC_FILES 8u    /* the network library's own, where there are several peers */
#define FIXED_FILES  114u  /* above agent/job.h's JOB_FD_MIN and the three that follow it */

static struct rlimit before;
static bool raised;

uint64_t
exec_descriptors_of_agent(const struct exec_map *map, const struct exec_options *options,
                          uint32_t peer)
{
    uint64_t ranks = map->peer_ranks[peer];
    uint64_t need = BASE_FILES + 3 * ranks;

    if (options->stdin_rank == CONTROL_STDIN_ALL)
        need += ranks;
    if (map->peers > 1)
        need += FABRIC_FILES + 2 * (uint64_t)map->peers;
    return need > FIXED_FILES ? need : FIXED_FILES;
}

/* A stream and a control group for each peer. Files of ranks take up to half of the limit, and are
 * opened for each write beyond that. */
static uint64_t
launcher_files(const struct exec_map *map, const struct exec_options *options)
{
    uint64_t need = BASE_FILES + 2 * (uint64_t)map->peers;

    return options->output_directory != NULL ? 2 * need : need;
}

static int
limit_refuse(uint64_t need, const char *advice, const struct rlimit *limit,
             struct text *error)
{
    text_print(error,
                    "this job needs %llu file descriptors in one process, and the hard limit is "
                    "%llu; raise it (ulimit -Hn %llu, or nofile in limits.conf)%s",
                    (unsigned long long)need, (unsigned long long)limit->rlim_max,
                    (unsigned long long)need, advice);
    return -1;
}

int
exec_descriptors_prepare(const struct exec_map *map, const struct exec_options *options,
                         struct text *error)
{
    struct rlimit limit;
    uint64_t own = launcher_files(map, options);

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    for (uint32_t i = 0; i < map->peers; i++) {
        uint64_t need = exec_descriptors_of_agent(map, options, i);
        if (need > limit.rlim_max)
            return limit_refuse(need,
                                need > FIXED_FILES
                                    ? ", use fewer ranks, or spread them over more peers "
                                      "(--peers K): it is three for each rank of a peer"
                                    : "",
                                &limit, error);
    }
    if (own > limit.rlim_max)
        return limit_refuse(own, ", or use fewer peers", &limit, error);
    before = limit;
    raised = own > limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (raised)
        setrlimit(RLIMIT_NOFILE, &limit);
    return 0;
}

void
exec_descriptors_restore(void)
{
    if (raised)
        setrlimit(RLIMIT_NOFILE, &before);
}
