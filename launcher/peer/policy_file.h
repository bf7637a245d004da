/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_POLICY_FILE_H
#define CPI_PEER_POLICY_FILE_H

/* policy.conf in the state directory: read, and written so that a crash leaves the old or the new
 * one whole. */

#include "peer/policy.h"
#include "text/text.h"

#define POLICY_FILE_BYTES_MAX (256u << 10)

/* Reads `path`; where there is none yet, the default policy. CPMP_OK; CPMP_EINVAL (its contents),
 * CPMP_ESYS (it can't be read), each with `why` and *policy unchanged. */
int policy_file_load(const char *path, struct policy *policy, struct text *why);

/* Sets keys by "key=value" in *policy and in the file, which is made when it isn't there: all of
 * them, or none. Comments and order stay. As policy_set, or CPMP_ESYS when the file can't be
 * written. What others wrote into the file meanwhile counts from now on, too. */
int policy_file_set(const char *path, struct policy *policy, char *const *pairs, size_t count,
                    struct text *why);

#endif
