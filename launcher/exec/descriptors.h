/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_DESCRIPTORS_H
#define CPI_EXEC_DESCRIPTORS_H

/*
 * File descriptors. An agent holds three for each of its ranks (two pipes, and one to watch the
 * process by), a few for each other peer, and some at fixed numbers that ranks are handed
 * (agent/job.h). It raises its soft limit to the hard one, so only the hard one can be too low:
 * that is found before anything is started, since half-way it shows as all kinds of errors. The
 * launcher's own soft limit is raised when it has to be; agents, and through them ranks, get what
 * it was.
 */

#include <stdint.h>

#include "exec/map.h"
#include "exec/options.h"
#include "text/text.h"

/* What the agent of `peer` needs at most. */
uint64_t exec_descriptors_of_agent(const struct exec_map *map, const struct exec_options *options,
                                   uint32_t peer);

/* 0; or -1 with `error` when the job can't have the descriptors it needs. */
int exec_descriptors_prepare(const struct exec_map *map, const struct exec_options *options,
                             struct text *error);

/* In a child: the soft limit as it was. Async-signal-safe. */
void exec_descriptors_restore(void);

#endif
