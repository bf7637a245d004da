/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TEXT_JSON_H
#define CPI_TEXT_JSON_H

/*
 * Writing JSON (RFC 8259), one object a line. Only writing, and of shapes known beforehand: a
 * library with trees of values would be more code to use than these few functions are.
 *
 * Commas are put by looking at what stands before, so calls just follow each other:
 *     json_open(text, NULL, '{');
 *     json_number(text, "rank", 3);
 *     json_open(text, "peers", '[');
 *     json_close(text, ']');
 *     json_close(text, '}');
 * `name` is NULL within an array and at the top. Names are literals of ours and not escaped.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/text.h"

void json_open(struct text *text, const char *name, char bracket);
void json_close(struct text *text, char bracket);
void json_number(struct text *text, const char *name, uint64_t value);
void json_decimal(struct text *text, const char *name, double value, int digits);
void json_bool(struct text *text, const char *name, bool value);
void json_null(struct text *text, const char *name);

/* Bytes that aren't UTF-8 become U+FFFD. */
void json_string(struct text *text, const char *name, const char *string);

/* As "text" when they are meant as text and are UTF-8, else as "base64": nothing is lost. */
void json_bytes(struct text *text, const void *bytes, size_t count, bool is_text);

/* Bytes of the UTF-8 character at the beginning; 0 when there is none. `count` is 1 or more. */
size_t text_utf8_length(const void *bytes, size_t count);

bool text_utf8_is_valid(const void *bytes, size_t count);

#endif
