/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PROCESS_LIBDIR_H
#define CPI_PROCESS_LIBDIR_H

/*
 * Where the libmpi.so.40 is that came with this agent. A program built for Open MPI names that file
 * without a directory, and the dynamic linker would take the first one that the system has: so
 * ranks get this directory in front of LD_LIBRARY_PATH. Only a program with a DT_RPATH of its own
 * goes past that.
 */

#include <limits.h>
#include <stdbool.h>

/* Below the agent in a build tree; else where the two were installed, or moved to together. False
 * when there is none, or its name can't stand in a list of paths. */
bool libdir_find(char directory[PATH_MAX]);

/* Whether LD_LIBRARY_PATH's value `list` names the directory: then its order is the user's wish. */
bool libdir_is_listed(const char *list, const char *directory);

#endif
