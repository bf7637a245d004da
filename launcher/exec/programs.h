/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_PROGRAMS_H
#define CPI_EXEC_PROGRAMS_H

/*
 * From the programs of the command line to what agents need to run them: the executable's file, the
 * directory, the whole environment. What is missing is said here, before anything is started.
 */

#include <stddef.h>

#include "exec/options.h"
#include "text/text.h"

/* A program ready to run. */
struct exec_image {
    char *path;       /* absolute; owned */
    char *directory;  /* absolute; owned */
    char **env;       /* NAME=value, NULL at the end; the array and its strings are owned */
    size_t env_count;
};

/* The exit codes of a shell. */
#define EXEC_EXIT_NOT_FOUND    127
#define EXEC_EXIT_NOT_RUNNABLE 126

/* Fills `image`. As mpirun does, a name without '/' is looked for in PATH (the program's own) and
 * then in its directory. 0, or what cpexec should exit with, with `error`; release either way.
 * Variables named by -x that aren't set are told in `notes`. */
int exec_image_init(struct exec_image *image, const struct exec_program *program,
                    char **environment, struct text *notes, struct text *error);
/* All of them go to agents in one message (control/codec.h). 0, or -1 with `error` when that would
 * be too long. */
int exec_images_check(const struct exec_image *images, const struct exec_program *programs,
                      size_t count, struct text *error);

/* For machines of other people: of the environment only what -x names, the locale and time zone,
 * and OMP_* and CPMP_* variables go along; all programs must run in one directory, which becomes a
 * scratch there. 0, or 1 with `error`. */
int exec_images_leave_home(struct exec_image *images, const struct exec_options *options,
                           struct text *error);

void exec_image_release(struct exec_image *image);

#endif
