/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_MPI_INFO_H
#define CPI_MPI_INFO_H

/*
 * Info objects: keys with values, in the order set. No function of this library asks for a hint in
 * one, so they are what users keep in them, and MPI_INFO_ENV: how the program was started.
 */

#include <stdbool.h>

/* Fills MPI_INFO_ENV from the environment; false without memory. */
bool cpi_info_init(const char *thread_level);

/* Frees MPI_INFO_ENV and what users left. */
void cpi_info_release(void);

#endif
