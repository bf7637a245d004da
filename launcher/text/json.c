/* SPDX-License-Identifier: BSD-3-Clause */
#include "text/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Overlong forms, surrogates and values above U+10FFFF are none. Ranges: Unicode 15, table 3-7. */
size_t
text_utf8_length(const void *start, size_t count)
{
    const unsigned char *bytes = start;
    unsigned char low = 0x80, high = 0xbf;
    size_t length;

    if (bytes[0] < 0x80)
        return 1;
    if (bytes[0] < 0xc2 || bytes[0] > 0xf4)
        return 0;
    length = bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
    if (bytes[0] == 0xe0)
        low = 0xa0;
    else if (bytes[0] == 0xed)
        high = 0x9f;
    else if (bytes[0] == 0xf0)
        low = 0x90;
    else if (bytes[0] == 0xf4)
        high = 0x8f;
    if (count < length || bytes[1] < low || bytes[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (bytes[i] < 0x80 || bytes[i] > 0xbf)
            return 0;
    return length;
}

bool
text_utf8_is_valid(const void *bytes, size_t count)
{
    const unsigned char *at = bytes;

    for (size_t i = 0, length; i < count; i += length) {
        length = text_utf8_length(at + i, count - i);
        if (length == 0)
            return false;
    }
    return true;
}

static void
name_add(struct text *text, const char *name)
{
    if (text->used > 0 && strchr("{[\n", text->bytes[text->used - 1]) == NULL)
        text_add_string(text, ",");
    if (name != NULL)
        text_print(text, "\"%s\":", name);
}

void
json_open(struct text *text, const char *name, char bracket)
{
    name_add(text, name);
    text_add(text, &bracket, 1);
}

void
json_close(struct text *text, char bracket)
{
    text_add(text, &bracket, 1);
}

void
json_number(struct text *text, const char *name, uint64_t value)
{
    name_add(text, name);
    text_print(text, "%" PRIu64, value);
}

void
json_decimal(struct text *text, const char *name, double value, int digits)
{
    name_add(text, name);
    if (isfinite(value))
        text_print(text, "%.*f", digits, value);
    else
        text_add_string(text, "null");
}

void
json_bool(struct text *text, const char *name, bool value)
{
    name_add(text, name);
    text_add_string(text, value ? "true" : "false");
}

void
json_null(struct text *text, const char *name)
{
    name_add(text, name);
    text_add_string(text, "null");
}

static void
character_add(struct text *text, const unsigned char *at, size_t length)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *special = length == 1 && at[0] != 0 ? strchr(from, at[0]) : NULL;

    if (length == 0)
        text_add_string(text, "\xef\xbf\xbd");
    else if (special != NULL)
        text_print(text, "\\%c", to[special - from]);
    else if (at[0] < 0x20 || at[0] == 0x7f)
        text_print(text, "\\u%04x", at[0]);
    else
        text_add(text, at, length);
}

static void
quoted_add(struct text *text, const unsigned char *at, size_t count)
{
    text_add_string(text, "\"");
    for (size_t i = 0, length; i < count; i += length ? length : 1) {
        length = text_utf8_length(at + i, count - i);
        character_add(text, at + i, length);
    }
    text_add_string(text, "\"");
}

void
json_string(struct text *text, const char *name, const char *string)
{
    name_add(text, name);
    quoted_add(text, (const unsigned char *)string, strlen(string));
}

/* RFC 4648, section 4. */
static void
base64_add(struct text *text, const unsigned char *at, size_t count)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < count; i += 3) {
        uint32_t group = (uint32_t)at[i] << 16;
        char four[4];

        group |= i + 1 < count ? (uint32_t)at[i + 1] << 8 : 0;
        group |= i + 2 < count ? at[i + 2] : 0;
        four[0] = digits[group >> 18];
        four[1] = digits[group >> 12 & 63];
        four[2] = i + 1 < count ? digits[group >> 6 & 63] : '=';
        four[3] = i + 2 < count ? digits[group & 63] : '=';
        text_add(text, four, sizeof(four));
    }
}

void
json_bytes(struct text *text, const void *bytes, size_t count, bool is_text)
{
    if (is_text && text_utf8_is_valid(bytes, count)) {
        name_add(text, "text");
        quoted_add(text, bytes, count);
        return;
    }
    name_add(text, "base64");
    text_add_string(text, "\"");
    base64_add(text, bytes, count);
    text_add_string(text, "\"");
}
