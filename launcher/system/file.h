/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_SYSTEM_FILE_H
#define CPI_SYSTEM_FILE_H

/* read(2) and write(2) to the end: the kernel may take or give less than was asked for, and signals
 * interrupt. For files and blocking descriptors. All return -1 with errno on an error. */

#include <stddef.h>
#include <stdint.h>

#define FILE_AT_POSITION (-1)  /* an offset: where the descriptor stands */

/* 0 when all of it is written. */
int file_write_all(int fd, const void *bytes, size_t count, int64_t offset);

/* How many bytes were there, less than `count` at the end of the file only. */
int64_t file_read_all(int fd, void *bytes, size_t count, int64_t offset);

#endif
