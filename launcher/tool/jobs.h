/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TOOL_JOBS_H
#define CPI_TOOL_JOBS_H

/* cpmp jobs, cpmp job ID: what runs in the pool, and where. */

#include "tool/session.h"

int tool_jobs_run(struct tool *tool);
int tool_job_run(struct tool *tool);

/* The same of a reply. tool->operands[0] of the second is the beginning of an id. */
int tool_jobs_show(struct tool *tool, const Cpmp__Local *reply);
int tool_job_show(struct tool *tool, const Cpmp__Local *reply);

/* Adds the table of jobs, latest first; nothing of the kind when there is none. */
void tool_jobs_table(struct text *text, const Cpmp__JobsReply *reply, uint64_t now_s,
                     size_t columns);

/* A member of an object: "jobs": [...]. */
void tool_jobs_json(struct text *text, const Cpmp__JobsReply *reply);

/* "0-3,8" of ranks in any order. */
void tool_jobs_ranks(struct text *text, const uint32_t *ranks, size_t count);

#endif
