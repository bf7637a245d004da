/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TSP_GA_TSPLIB_H
#define CPI_TSP_GA_TSPLIB_H

/*
 * Reader of TSPLIB95 files: TYPE TSP with EDGE_WEIGHT_TYPE EUC_2D, CEIL_2D, ATT, GEO, or EXPLICIT
 * as full or triangular matrix. (G. Reinelt, "TSPLIB 95", Heidelberg 1995, sections 1 and 2.)
 *
 * A file comes from anywhere, so nothing in it is believed: sizes are bounded by instance.h and by
 * what is left of the file before memory is asked for, and whatever is wrong is told with the line,
 * "berlin52.tsp:7: …".
 */

#include "instance.h"

#include <stddef.h>

#define TSPLIB_BYTES_MAX (256u << 20) /* the longest file */
#define TSPLIB_ERROR_BYTES 512        /* room that an error text wants */

/* Parse `bytes` bytes at `text`, which came from `file` (named in errors), into *instance_p, ready
 * for use; the caller ends it with instance_release. Returns 0, or -1 with a text in `error`. */
int tsplib_parse(const char *text, size_t bytes, const char *file, struct instance *instance_p,
                 char error[TSPLIB_ERROR_BYTES]);

/* Read all of `path` ("-": standard input) into *text_p, which the caller frees. Returns as
 * above. */
int tsplib_slurp(const char *path, char **text_p, size_t *bytes_p, char error[TSPLIB_ERROR_BYTES]);

#endif
