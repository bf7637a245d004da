/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_CONTENT_ELF_CACHE_H
#define CPI_CONTENT_ELF_CACHE_H

/* The index of libraries that ldconfig makes, /etc/ld.so.cache (glibc's dl-cache.h). What isn't of
 * the format used since glibc 2.2 is as good as empty. */

#include <stddef.h>

/* The `index`th path that the cache has for a library; NULL: no more. Points into `cache`. */
const char *elf_cache_find(const void *cache, size_t cache_bytes, const char *name, size_t index);

#endif
