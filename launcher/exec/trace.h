/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_TRACE_H
#define CPI_EXEC_TRACE_H

/*
 * What --verbose tells: one line each for agents and ranks as they come and go, and how long it
 * took. Pure: text out of what is known. Lines begin with the time since `begun_us`.
 */

#include <stdint.h>
#include <sys/types.h>

#include "exec/display.h"
#include "text/text.h"

/* The computer of a job on a pool is there. */
void exec_trace_formed(struct text *text, const struct exec_view *view);

void exec_trace_agent(struct text *text, const struct exec_view *view, uint32_t peer,
                      pid_t pid, uint64_t since_us);

/* The rank has just been started, or has ended. */
void exec_trace_started(struct text *text, const struct exec_view *view, uint32_t rank,
                        uint64_t begun_us);
void exec_trace_exited(struct text *text, const struct exec_view *view, uint32_t rank,
                       uint64_t begun_us);

/* From `begun_us` to the last start of a rank, from there to the last end, and to `now_us`. */
void exec_trace_times(struct text *text, const struct exec_view *view, uint64_t begun_us,
                      uint64_t now_us);

#endif
