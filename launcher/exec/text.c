/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/text.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
memory_or_end(void *memory)
{
    if (memory == NULL) {
        fputs("cpexec: out of memory; the job is ended\n", stderr);
        exit(1);
    }
    return memory;
}

void *
exec_memory_new(size_t count, size_t bytes)
{
    return memory_or_end(calloc(count ? count : 1, bytes));
}

void *
exec_memory_grow(void *old, size_t count, size_t bytes)
{
    return memory_or_end(reallocarray(old, count ? count : 1, bytes));
}

char *
exec_memory_copy_text(const char *text)
{
    return memory_or_end(strdup(text));
}

void
exec_text_release(struct exec_text *text)
{
    free(text->bytes);
    memset(text, 0, sizeof(*text));
}

void
exec_text_clear(struct exec_text *text)
{
    text->used = 0;
    if (text->bytes != NULL)
        text->bytes[0] = '\0';
}

static void
text_reserve(struct exec_text *text, size_t more)
{
    size_t capacity = text->capacity ? text->capacity : 256;

    if (text->capacity - text->used > more)
        return;
    while (capacity - text->used <= more)
        capacity *= 2;
    text->bytes = exec_memory_grow(text->bytes, capacity, 1);
    text->capacity = capacity;
}

void
exec_text_add(struct exec_text *text, const void *bytes, size_t count)
{
    if (count == 0)
        return;
    text_reserve(text, count);
    memcpy(text->bytes + text->used, bytes, count);
    text->used += count;
    text->bytes[text->used] = '\0';
}

void
exec_text_add_string(struct exec_text *text, const char *string)
{
    exec_text_add(text, string, strlen(string));
}

void
exec_text_print(struct exec_text *text, const char *format, ...)
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
exec_text_drop(struct exec_text *text, size_t count)
{
    assert(count <= text->used);
    text->used -= count;
    if (count > 0) {
        memmove(text->bytes, text->bytes + count, text->used);
        text->bytes[text->used] = '\0';
    }
}

const char *
exec_text_string(const struct exec_text *text)
{
    return text->bytes != NULL ? text->bytes : "";
}

const char *
exec_text_write_error(int number)
{
    return number == EBADF ? "it was closed" : strerror(number);
}
