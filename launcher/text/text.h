/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TEXT_TEXT_H
#define CPI_TEXT_TEXT_H

/* Growing byte buffers. Like the rest of text/ they are for programs that may end when memory does
 * (text/memory.h), so the functions here return no error. */

#include <stddef.h>
#include <stdint.h>

/* `used` bytes, and a 0 byte after them whenever bytes isn't NULL. Zeroed memory is an empty text.
 */
struct text {
    char *bytes;
    size_t used, capacity;
};

void text_release(struct text *text);
void text_clear(struct text *text);
void text_add(struct text *text, const void *bytes, size_t count);
void text_add_string(struct text *text, const char *string);

__attribute__((format(printf, 2, 3)))
void text_print(struct text *text, const char *format, ...);

/* Removes the first `count` bytes. */
void text_drop(struct text *text, size_t count);

/* The text as a C string; "" when it is empty. Valid until it changes. */
const char *text_string(const struct text *text);

/* Why a descriptor can't be written. */
const char *text_write_error(int number);

#endif
