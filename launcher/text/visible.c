/* SPDX-License-Identifier: BSD-3-Clause */
#include "text/visible.h"

#include <stdbool.h>
#include <string.h>

#include "text/json.h"

/* C1, too: U+009B begins what ESC [ begins. */
static bool
is_control(const unsigned char *at, size_t length)
{
    if (length == 2)
        return at[0] == 0xc2 && at[1] < 0xa0;
    return length <= 1 && (length == 0 || at[0] < 0x20 || at[0] == 0x7f);
}

/* U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069. */
static bool
is_direction(const unsigned char *at, size_t length)
{
    if (length != 3 || at[0] != 0xe2)
        return false;
    if (at[1] == 0x80)
        return at[2] == 0x8e || at[2] == 0x8f || (at[2] >= 0xa8 && at[2] <= 0xae);
    return at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9;
}

static void
shown_add(struct text *text, const unsigned char *at, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text_print(text, "\\x%02x", at[i]);
}

void
text_visible_add(struct text *text, const void *bytes, size_t count)
{
    const unsigned char *at = bytes, *end = at + count;

    while (at < end) {
        size_t length = text_utf8_length(at, (size_t)(end - at)), taken = length > 0 ? length : 1;

        if (is_control(at, length) && *at != '\n' && *at != '\t')
            shown_add(text, at, taken);
        else
            text_add(text, at, taken);
        at += taken;
    }
}

void
text_visible_word(struct text *text, const char *word)
{
    const unsigned char *at = (const unsigned char *)word, *end = at + strlen(word);

    while (at < end) {
        size_t length = text_utf8_length(at, (size_t)(end - at)), taken = length > 0 ? length : 1;

        if (is_control(at, length) || is_direction(at, length))
            shown_add(text, at, taken);
        else
            text_add(text, at, taken);
        at += taken;
    }
}
