/* SPDX-License-Identifier: BSD-3-Clause */
#include "text/hex.h"

#include <ctype.h>
#include <string.h>

static const char digits[] = "0123456789abcdef";

void
hex_print(const void *bytes, size_t count, char *out)
{
    const unsigned char *byte = bytes;

    for (size_t i = 0; i < count; i++) {
        *out++ = digits[byte[i] >> 4];
        *out++ = digits[byte[i] & 15];
    }
    *out = '\0';
}

void
hex_add(struct text *text, const void *bytes, size_t count)
{
    const unsigned char *byte = bytes;

    for (size_t i = 0; i < count; i++)
        text_add(text, (char[]){digits[byte[i] >> 4], digits[byte[i] & 15]}, 2);
}

static unsigned
digit_value(char digit)
{
    return (unsigned)(strchr(digits, tolower((unsigned char)digit)) - digits);
}

bool
hex_read(const char *text, void *out, size_t count)
{
    unsigned char *byte = out;

    if (strlen(text) != 2 * count || strspn(text, "0123456789abcdefABCDEF") != 2 * count)
        return false;
    for (size_t i = 0; i < count; i++)
        byte[i] = (unsigned char)(digit_value(text[2 * i]) << 4 | digit_value(text[2 * i + 1]));
    return true;
}
