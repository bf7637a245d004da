/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_ENROLL_H
#define CPI_EXEC_ENROLL_H

/*
 * Forms the job's computer out of peers of the pool: speaks with this machine's daemon, hands it
 * the files that travel, and drives proto/computer until the quota of ranks is full.
 */

#include <stdbool.h>
#include <stdint.h>

#include "exec/map.h"
#include "exec/options.h"
#include "exec/programs.h"
#include "exec/remote.h"
#include "text/text.h"

/* Whether the job is to run on a pool; then the state directory of its daemon is in `directory`.
 * 1, 0 (on this machine alone; a `note` tells when that may surprise), or -1 with `error`: a pool
 * is asked for, and no daemon is here. */
int exec_enroll_wanted(const struct exec_options *options, char **environment,
                       struct text *directory, struct text *note, struct text *error);

#define EXEC_ENROLL_OVERSUBSCRIBE 16u  /* ranks for each core at most, with --oversubscribe */

struct computer_host;

/* All borrowed. */
struct exec_enroll_config {
    const struct exec_options *options;
    const struct exec_image *images;
    uint32_t ranks;
    const struct computer_host *hosts;  /* [host_count] */
    uint32_t host_count;
    const char *directory;              /* state directory of the daemon */
    struct text *notes;                 /* lines for people are added */
};

/* Forms the computer. 0: `remotes` are its peers, with ranks, and its job number is chosen; with
 * --do-not-launch they were given back. Else what cpexec is to exit with: 1 with `error`, or 128 +
 * a signal's number; then nothing is kept anywhere. */
int exec_enroll(struct exec_remotes *remotes, const struct exec_enroll_config *config,
                struct text *error);

/* The status line while `peers` peers fetch files; nothing for none. */
void exec_enroll_progress(struct text *text, uint64_t had_bytes, uint64_t bytes, uint32_t peers);

#endif
