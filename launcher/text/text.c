/* SPDX-License-Identifier: BSD-3-Clause */
#include "text/text.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/memory.h"

void
text_release(struct text *text)
{
    free(text->bytes);
    memset(text, 0, sizeof(*text));
}

void
text_clear(struct text *text)
{
    text->used = 0;
    if (text->bytes != NULL)
        text->bytes[0] = '\0';
}

static void
text_reserve(struct text *text, size_t more)
{
    size_t capacity = text->capacity ? text->capacity : 256;

    if (text->capacity - text->used > more)
        return;
    while (capacity - text->used <= more)
        capacity *= 2;
    text->bytes = memory_grow(text->bytes, capacity, 1);
    text->capacity = capacity;
}

void
text_add(struct text *text, const void *bytes, size_t count)
{
    if (count == 0)
        return;
    text_reserve(text, count);
    memcpy(text->bytes + text->used, bytes, count);
    text->used += count;
    text->bytes[text->used] = '\0';
}

void
text_add_string(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

void
text_print(struct text *text, const char *format, ...)
{
    va_list arguments;
    int count;

    va_start(arguments, format);
    count = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    assert(count >= 0);
    text_reserve(text, (size_t)count);
    va_start(arguments, format);
    vsnprintf(text->bytes + text->used, (size_t)count + 1, format, arguments);
    va_end(arguments);
    text->used += (size_t)count;
}

void
text_drop(struct text *text, size_t count)
{
    assert(count <= text->used);
    text->used -= count;
    if (count > 0) {
        memmove(text->bytes, text->bytes + count, text->used);
        text->bytes[text->used] = '\0';
    }
}

const char *
text_string(const struct text *text)
{
    return text->bytes != NULL ? text->bytes : "";
}

const char *
text_write_error(int number)
{
    return number == EBADF ? "it was closed" : strerror(number);
}
