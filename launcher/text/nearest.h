/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TEXT_NEAREST_H
#define CPI_TEXT_NEAREST_H

/* What somebody may have meant: the names nearest to the one that was typed. */

#include <stddef.h>

#include "text/text.h"

/* The `index`th of the names; NULL beyond the last. */
typedef const char *nearest_name_fn(const void *arg, size_t index);

/* Adds the nearest names as "peers" or "job or jobs": those at the least distance (Levenshtein's,
 * at most 2 and less than half of what was typed), and those that it is a part of. Nothing when no
 * name is near. */
void nearest_add(struct text *text, const char *typed, nearest_name_fn *name, const void *arg);

#endif
