/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_JSON_H
#define CPI_EXEC_JSON_H

/*
 * Writing JSON (RFC 8259), one object a line. Only writing, and of shapes known beforehand: a
 * library with trees of values would be more code to use than these few functions are.
 *
 * Commas are put by looking at what stands before, so calls just follow each other:
 *     exec_json_open(text, NULL, '{');
 *     exec_json_number(text, "rank", 3);
 *     exec_json_open(text, "peers", '[');
 *     exec_json_close(text, ']');
 *     exec_json_close(text, '}');
 * `name` is NULL within an array and at the top. Names are literals of ours and not escaped.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exec/text.h"

void exec_json_open(struct exec_text *text, const char *name, char bracket);
void exec_json_close(struct exec_text *text, char bracket);
void exec_json_number(struct exec_text *text, const char *name, uint64_t value);
void exec_json_decimal(struct exec_text *text, const char *name, double value, int digits);
void exec_json_bool(struct exec_text *text, const char *name, bool value);
void exec_json_null(struct exec_text *text, const char *name);

/* Bytes that aren't UTF-8 become U+FFFD. */
void exec_json_string(struct exec_text *text, const char *name, const char *string);

/* As "text" when they are meant as text and are UTF-8, else as "base64": nothing is lost. */
void exec_json_bytes(struct exec_text *text, const void *bytes, size_t count, bool is_text);

/* Bytes of the UTF-8 character at the beginning; 0 when there is none. `count` is 1 or more. */
size_t exec_utf8_length(const void *bytes, size_t count);

bool exec_utf8_is_valid(const void *bytes, size_t count);

#endif
