/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_SHIP_H
#define CPI_EXEC_SHIP_H

/*
 * What travels with a job: its executables, the files that arguments name, and those of
 * --preload-files. Each goes by the SHA-256 of its bytes, and lies on every peer at the very path
 * that it has here.
 */

#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include "exec/options.h"
#include "exec/programs.h"
#include "text/text.h"
#include "wire/local.pb-c.h"

#define EXEC_SHIP_FILES_MAX      256u
#define EXEC_SHIP_PIECES_MAX     20000u       /* of all files: an Enlist is at most 1 MiB */
#define EXEC_SHIP_ARGUMENT_BYTES (64u << 20)  /* of a file that goes because an argument names it */

/* A file as it was when it was hashed. */
struct exec_ship_mark {
    dev_t device;
    ino_t inode;
    off_t size_bytes;
    struct timespec changed;
};

struct exec_ship {
    struct exec_ship_mark *marks;  /* [count]; owned */
    Cpmp__JobFile **files;    /* [count]; owned */
    char **paths;             /* [count] of this machine; owned */
    size_t count;
};

/* Finds and hashes them. 0, or -1 with `error`; release either way. Files that arguments name, but
 * that don't travel, are told in `notes`, a line each. */
int exec_ship_init(struct exec_ship *ship, const struct exec_options *options,
                   const struct exec_image *images, struct text *notes, struct text *error);
void exec_ship_release(struct exec_ship *ship);

/* Reads piece `piece` of file `index` into `bytes`, which has room for one. How many bytes; -1 with
 * `error` when the file has changed since. */
long exec_ship_read(const struct exec_ship *ship, size_t index, uint32_t piece, void *bytes,
                    struct text *error);

#endif
