/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_AGENT_PROGRESS_H
#define CPI_AGENT_PROGRESS_H

/*
 * cpmp_progress, on its way from the rank blocks of the job segment to the launcher.
 *
 * A rank writes its numbers to its block and rings the agent's doorbell, once until the agent has
 * looked. Whenever the agent's loop has run for whatever reason, the blocks are due for a look, but
 * not more often than every PROGRESS_INTERVAL_MS. While nothing happens nothing is looked at and no
 * timer runs; and since each change after a look rings, the last one is never missed.
 */

#include <stdint.h>

#include <uv.h>

#include "control/stream.h"
#include "ring/segment.h"

#define PROGRESS_INTERVAL_MS 200u

struct progress_told {
    uint64_t done, total;
};

struct progress {
    struct control_stream *stream;
    const struct cpi_segment *segment;
    struct progress_told *told;  /* [local] */
    uv_check_t check;
    uv_timer_t timer;
    uint64_t due_ms;             /* the earliest next look */
};

/* CPMP_OK or CPMP_ENOMEM. `segment` lives until progress_release. */
int progress_init(struct progress *progress, uv_loop_t *loop, struct control_stream *stream,
                  const struct cpi_segment *segment);

/* Only after the loop has closed the handles. */
void progress_release(struct progress *progress);

/* Tell now what is new of local rank `index`: it has exited. */
void progress_tell(struct progress *progress, uint32_t index);

#endif
