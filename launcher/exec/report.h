/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_REPORT_H
#define CPI_EXEC_REPORT_H

/*
 * The map before and the report after a job, for programs: --json. One object a line.
 */

#include <stdint.h>

#include "exec/display.h"
#include "text/text.h"

/* What an agent counted (Done). */
struct exec_peer_report {
    uint64_t frames_out, frames_in, bytes_out, bytes_in, batches_out, strangers;
};

void exec_report_map(struct text *text, const struct exec_view *view);

/* `text_of_failure`: what people are told; "" when all went well. */
void exec_report_final(struct text *text, const struct exec_view *view,
                       const struct exec_peer_report *peers, uint64_t wall_us, int exit_code,
                       const char *text_of_failure);

#endif
