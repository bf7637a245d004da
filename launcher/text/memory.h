/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TEXT_MEMORY_H
#define CPI_TEXT_MEMORY_H

/*
 * Memory that is there or ends the program.
 *
 * A launcher out of memory has nothing better to do than to say so and exit: its agents see the
 * control stream close and end the ranks, and the next cpexec removes what is left of its cgroups.
 * The same goes for the daemon, which is started again and whose jobs go on without it. So the
 * functions here return no error.
 */

#include <stddef.h>

/* Ends the program for lack of memory. */
_Noreturn void memory_none(void);

/* `count` zeroed members of `bytes` bytes. */
void *memory_new(size_t count, size_t bytes);

/* `old` (may be NULL) with room for `count` members of `bytes` bytes; what is new isn't zeroed. */
void *memory_grow(void *old, size_t count, size_t bytes);

char *memory_copy_text(const char *text);

#endif
