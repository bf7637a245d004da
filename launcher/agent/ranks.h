/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_AGENT_RANKS_H
#define CPI_AGENT_RANKS_H

/* From the job's description to running processes: pipes, environment, program, for one rank after
 * the other. */

#include <sys/resource.h>

#include "agent/caging.h"
#include "agent/input.h"
#include "agent/job.h"
#include "agent/output.h"
#include "agent/supervisor.h"
#include "control/stream.h"

struct ranks_parts {
    const struct job *job;
    struct supervisor *supervisor;
    struct output *output;
    struct input *input;
    struct control_stream *stream;
    const struct rlimit *files;  /* of the ranks */
    const struct caging *caging; /* NULL: ranks aren't caged */
};

/* Starts every local rank and reports each as Started; after the first that can't be started, which
 * is reported as StartFailed, no more. */
void ranks_start(const struct ranks_parts *parts);

/* How many local ranks will have a standard input. */
size_t ranks_stdin_count(const struct job *job);

#endif
