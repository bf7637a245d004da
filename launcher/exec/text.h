/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_TEXT_H
#define CPI_EXEC_TEXT_H

/*
 * Growing byte buffers, and memory that is there or ends the launcher.
 *
 * A launcher out of memory has nothing better to do than to say so and exit: its agents see the
 * control stream close and end the ranks, and the next cpexec removes what is left of its cgroups.
 * So the functions here return no error.
 */

#include <stddef.h>
#include <stdint.h>

/* `count` zeroed members of `bytes` bytes. */
void *exec_memory_new(size_t count, size_t bytes);

/* `old` (may be NULL) with room for `count` members of `bytes` bytes; what is new isn't zeroed. */
void *exec_memory_grow(void *old, size_t count, size_t bytes);

char *exec_memory_copy_text(const char *text);

/* `used` bytes, and a 0 byte after them whenever bytes isn't NULL. Zeroed memory is an empty text.
 */
struct exec_text {
    char *bytes;
    size_t used, capacity;
};

void exec_text_release(struct exec_text *text);
void exec_text_clear(struct exec_text *text);
void exec_text_add(struct exec_text *text, const void *bytes, size_t count);
void exec_text_add_string(struct exec_text *text, const char *string);

__attribute__((format(printf, 2, 3)))
void exec_text_print(struct exec_text *text, const char *format, ...);

/* Removes the first `count` bytes. */
void exec_text_drop(struct exec_text *text, size_t count);

/* The text as a C string; "" when it is empty. Valid until it changes. */
const char *exec_text_string(const struct exec_text *text);

/* Why a descriptor can't be written. */
const char *exec_text_write_error(int number);

#endif
