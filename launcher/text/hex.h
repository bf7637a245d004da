/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TEXT_HEX_H
#define CPI_TEXT_HEX_H

/* Bytes in hexadecimal: ids, keys, digests. */

#include <stdbool.h>
#include <stddef.h>

#include "text/text.h"

/* What `count` bytes take, with the 0 byte. */
#define HEX_BYTES(count) (2 * (count) + 1)

/* In small letters. `out` has HEX_BYTES(count). */
void hex_print(const void *bytes, size_t count, char *out);
void hex_add(struct text *text, const void *bytes, size_t count);

/* Exactly `count` bytes, in small or capital letters; false, and nothing written, else. */
bool hex_read(const char *text, void *out, size_t count);

#endif
