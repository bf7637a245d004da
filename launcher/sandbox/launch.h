/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_SANDBOX_LAUNCH_H
#define CPI_SANDBOX_LAUNCH_H

/* From a configuration to a running bubblewrap with the cage in it. */

#include <sys/types.h>

#include "sandbox/sandbox.h"

/* What the cage gets in CONFIGURE, with a path behind it. Numbers of bytes, descriptors and so on;
 * UINT64_MAX: no limit. */
struct sandbox_rules {
    uint64_t data_bytes;       /* RLIMIT_DATA of each process */
    uint64_t file_bytes;       /* RLIMIT_FSIZE */
    uint64_t processes, files;
    uint32_t idle, landlock;
};

struct sandbox_launched {
    pid_t monitor;             /* bwrap */
    int fd;                    /* to the cage */
    int errors_fd;             /* what bwrap has to say when it can't */
};

/* $CPMP_CAGE, else beside this program, or where it is installed. The caller frees it; NULL when it
 * is missing. */
char *sandbox_cage_find(void);

/* $CPMP_BWRAP, or what configure found. */
const char *sandbox_bwrap_find(void);

/* Starts it and tells it the rules. CPMP_OK, or CPMP_ESYS with `why`. */
int sandbox_launch(const struct sandbox_config *config, const char *scratch,
                   const struct sandbox_groups *groups, const struct sandbox_rules *rules,
                   struct sandbox_launched *launched, struct text *why);

#endif
