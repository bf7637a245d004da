/* SPDX-License-Identifier: BSD-3-Clause */
#include "text/width.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "text/json.h"

struct range {
    uint32_t first, last;
};

/* What combines with the character before: the blocks of Unicode 15 that hold nothing else. */
static const struct range combining[] = {
    {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},     {0x610, 0x61a},     {0x64b, 0x65f},
    {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200f},   {0x20d0, 0x20ff},   {0xfe00, 0xfe0f},
    {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0xe0100, 0xe01ef},
};

/* Two columns: East Asian Width W and F (UAX #11), and pictures. */
static const struct range wide[] = {
    {0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},   {0xac00, 0xd7a3},
    {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},
    {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
};

static bool
is_in(uint32_t point, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (point >= ranges[i].first && point <= ranges[i].last)
            return true;
    return false;
}

static uint32_t
point_of(const unsigned char *at, size_t length)
{
    uint32_t point = length < 2 ? at[0] : at[0] & (0x7fu >> length);

    for (size_t i = 1; i < length; i++)
        point = point << 6 | (at[i] & 0x3f);
    return point;
}

/* Columns of the character at the beginning, and its bytes. */
static size_t
character_width(const unsigned char *at, size_t count, size_t *length_p)
{
    size_t length = text_utf8_length(at, count);
    uint32_t point = point_of(at, length);

    *length_p = length > 0 ? length : 1;
    if (length == 0)
        return 1;
    if (is_in(point, combining, sizeof(combining) / sizeof(combining[0])))
        return 0;
    return is_in(point, wide, sizeof(wide) / sizeof(wide[0])) ? 2 : 1;
}

size_t
text_width(const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    size_t width = 0;

    for (size_t i = 0, length; i < count; i += length)
        width += character_width(at + i, count - i, &length);
    return width;
}

size_t
text_width_fit(const void *bytes, size_t count, size_t columns)
{
    const unsigned char *at = bytes;
    size_t width = 0, i = 0, length;

    while (i < count) {
        width += character_width(at + i, count - i, &length);
        if (width > columns)
            break;
        i += length;
    }
    return i;
}

void
text_width_clip(struct text *text, const char *string, size_t columns)
{
    size_t count = strlen(string);

    if (text_width(string, count) <= columns) {
        text_add(text, string, count);
    } else if (columns > 0) {
        text_add(text, string, text_width_fit(string, count, columns - 1));
        text_add_string(text, "…");
    }
}
