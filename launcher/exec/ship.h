/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_SHIP_H
#define CPI_EXEC_SHIP_H

/*
 * What travels with a job: its executables, the files that arguments name, and those of
 * --preload-files. Each goes by the SHA-256 of its bytes, and lies on every peer at the very path
 * that it has here.
 */

#include <stddef.h>

#include "exec/options.h"
#include "exec/programs.h"
#include "text/text.h"
#include "wire/local.pb-c.h"

#define EXEC_SHIP_FILES_MAX 256u

struct exec_ship {
    Cpmp__JobFile **files;    /* [count]; owned */
    char **paths;             /* [count] of this machine; owned */
    size_t count;
};

/* Finds and hashes them. 0, or -1 with `error`; release either way. */
int exec_ship_init(struct exec_ship *ship, const struct exec_options *options,
                   const struct exec_image *images, struct text *error);
void exec_ship_release(struct exec_ship *ship);

/* Reads piece `piece` of file `index` into `bytes`, which has room for one. How many bytes; -1 with
 * `error` when the file has changed since. */
long exec_ship_read(const struct exec_ship *ship, size_t index, uint32_t piece, void *bytes,
                    struct text *error);

#endif
