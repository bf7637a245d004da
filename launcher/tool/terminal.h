/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TOOL_TERMINAL_H
#define CPI_TOOL_TERMINAL_H

/* The terminal under cpmp top: ncurses, from start to restored. One at a time. */

#include <stdbool.h>
#include <stddef.h>

#include "text/text.h"

/* Takes over the terminal on standard input and output. 0, or -1 with `error`; then it is as it
 * was. */
int terminal_init(struct text *error);

/* Puts it back as it was. Harmless when it is so already. */
void terminal_release(void);

/* Asks how large it is now, and uses that from here on. */
void terminal_resize(size_t *lines_p, size_t *columns_p);

/* Shows what tool_top_screen made. */
void terminal_show(const char *screen);

/* A key that was typed, as tool_top_key takes it; -1: none is there. */
int terminal_key(void);

#endif
