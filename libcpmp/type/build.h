/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TYPE_BUILD_H
#define CPI_TYPE_BUILD_H

/*
 * Building a datatype: allocate with its arguments, add parts in the order of the type map, finish.
 * Only the constructors use this.
 */

#include <stddef.h>

#include "type/type.h"

/* A new datatype without parts, with room for its arguments; NULL when memory is out. Free it with
 * cpi_type_put when building fails. */
struct cpi_type *cpi_type_new(enum cpi_combiner combiner, size_t integers, size_t addresses,
                              size_t types);

/* Adds `count` elements of `old`, the first at `offset`, the others `stride` bytes apart. The
 * caller sees to it that `old` outlives `type`. CPMP_ELIMIT, CPMP_ENOMEM. */
int cpi_type_add(struct cpi_type *type, ptrdiff_t offset, size_t count, ptrdiff_t stride,
                 const struct cpi_type *old);

/* Settles bounds and flags. The datatype is immutable from here on, but for cpi_type_set_bounds. */
int cpi_type_finish(struct cpi_type *type);

/* Makes both bounds explicit (resized). */
int cpi_type_set_bounds(struct cpi_type *type, ptrdiff_t lb, ptrdiff_t extent);

#endif
