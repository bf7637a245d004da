/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TEXT_ENVIRONMENT_H
#define CPI_TEXT_ENVIRONMENT_H

/* Value of `name` in an environment (NAME=value, NULL at its end); NULL when it isn't there. */
const char *environment_get(char **environment, const char *name);

#endif
