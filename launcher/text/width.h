/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TEXT_WIDTH_H
#define CPI_TEXT_WIDTH_H

/* How many columns of a terminal a text takes, whatever the locale is: wcwidth(3) knows nothing
 * beyond ASCII in the C locale, in which programs run under cron and systemd. */

#include <stddef.h>

#include "text/text.h"

/* Columns of `count` bytes; those of no UTF-8 character count as one each. */
size_t text_width(const void *bytes, size_t count);

/* How many of the `count` bytes fit into `columns`: whole characters, with what combines. */
size_t text_width_fit(const void *bytes, size_t count, size_t columns);

/* Adds `string` cut to `columns`; what is cut ends in "…". */
void text_width_clip(struct text *text, const char *string, size_t columns);

#endif
