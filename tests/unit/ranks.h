/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TESTS_UNIT_RANKS_H
#define TESTS_UNIT_RANKS_H

/*
 * Runs a function as N ranks: real processes around a real job segment, without an agent. A rank
 * fails by ending with other than 0 (a failed cmocka-free check: RANK_CHECK), by a signal, or by
 * not ending within RANKS_SECONDS_MAX.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cpmp.h>

#include "p2p/engine.h"
#include "plat/plat.h"
#include "ring/segment.h"

#define RANKS_SECONDS_MAX 60

#define RANK_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "# rank %d: %s:%d: %s does not hold\n", cpi_engine.rank, __FILE__,     \
                    __LINE__, #condition);                                                         \
            _exit(9);                                                                              \
        }                                                                                          \
    } while (0)

typedef void rank_fn(void *arg);

static inline void
ranks_child(const struct cpi_segment *segment, struct cpi_host_page *host, uint32_t rank, int bell,
            rank_fn *fn, void *arg)
{
    alarm(RANKS_SECONDS_MAX);
    if (cpi_engine_init_with(segment, host, rank, bell) != CPMP_OK)
        _exit(8);
    fn(arg);
    cpi_engine_end();
    exit(0);  /* sanitizers report leaks at exit */
}

/* Runs `fn(arg)` as `count` ranks; how many of them failed. `cores`: what the host page claims (0:
 * as many as there are ranks, so that waiting spins first; 1: oversubscribed). */
static inline int
ranks_run(uint32_t count, int cores, rank_fn *fn, void *arg)
{
    struct cpi_segment_config config = {
        .job = 1, .world = count, .local = count, .peers = 1, .cores = 2,
        .capacity_millicores = 2000};
    struct cpi_segment segment;
    int fd, failed = 0, bell = eventfd(0, EFD_CLOEXEC);
    int host_fd = cpi_memfd_make("host", 4096);
    struct cpi_host_page *host = cpi_memfd_map(host_fd, 4096);

    if (bell < 0 || host == NULL || cpi_segment_make(&segment, &config, &fd) != CPMP_OK)
        return -1;
    host->cores = cores == 0 ? (int)count : cores;
    for (uint32_t i = 0; i < count; i++) {
        segment.ranks[i].world_rank = i;
        segment.places[i] = (struct cpi_place){.peer = 0, .local = i};
    }
    fflush(NULL);
    for (uint32_t i = 0; i < count; i++) {
        pid_t child = fork();
        if (child == 0)
            ranks_child(&segment, host, i, bell, fn, arg);
    }
    for (uint32_t i = 0; i < count; i++) {
        int status = 0;
        if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
            failed++;
    }
    cpi_segment_check(&segment);
    cpi_segment_unmap(&segment);
    cpi_memory_unmap(host, 4096);
    close(fd);
    close(host_fd);
    close(bell);
    return failed;
}

#endif
