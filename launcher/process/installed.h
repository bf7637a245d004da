/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PROCESS_INSTALLED_H
#define CPI_PROCESS_INSTALLED_H

#include "text/text.h"

/* Finds the program cpmp-agent: $CPMP_AGENT, where it is installed beside this program, or where it
 * was built. 0, or -1 with `error`. */
int installed_agent(struct text *path, char **environment, struct text *error);

#endif
