/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TEXT_VISIBLE_H
#define CPI_TEXT_VISIBLE_H

/* What others have written, as it may be shown on a terminal: nothing in it moves the cursor, sends
 * an answer to the program that reads the keyboard, or turns the order of what stands beside it. */

#include <stddef.h>

#include "text/text.h"

/* Adds `count` bytes with control characters but tabs and ends of lines, and bytes of no UTF-8
 * character, as \x1b. */
void text_visible_add(struct text *text, const void *bytes, size_t count);

/* Adds a name, or another short text that stands within a line of ours: here tabs, ends of lines
 * and what changes the direction of writing (Unicode's bidirectional controls) are shown, too. */
void text_visible_word(struct text *text, const char *word);

#endif
