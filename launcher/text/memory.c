/* SPDX-License-Identifier: BSD-3-Clause */
#include "text/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
memory_none(void)
{
    fputs("cpmp: out of memory; this program ends\n", stderr);
    exit(1);
}

static void *
memory_or_end(void *memory)
{
    if (memory == NULL)
        memory_none();
    return memory;
}

void *
memory_new(size_t count, size_t bytes)
{
    return memory_or_end(calloc(count ? count : 1, bytes));
}

void *
memory_grow(void *old, size_t count, size_t bytes)
{
    return memory_or_end(reallocarray(old, count ? count : 1, bytes));
}

char *
memory_copy_text(const char *text)
{
    return memory_or_end(strdup(text));
}
