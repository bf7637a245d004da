/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_AGENT_ENVIRONMENT_H
#define CPI_AGENT_ENVIRONMENT_H

/*
 * The environment of a rank: its program's, without any name that is ours to set, then ours; and
 * our library in front of LD_LIBRARY_PATH (process/libdir.h), unless the program's names it
 * already.
 * For a caged rank HOME and TMPDIR are the scratch, and the library's directory is the cage's.
 */

#include "agent/job.h"

/* For local rank `index`, caged when `scratch` isn't NULL; a NULL-terminated array in one piece
 * with its strings, or NULL when memory is short. The program's own strings are not copied. The
 * caller frees it. */
char **environment_new(const struct job *job, uint32_t index, const char *scratch);

#endif
