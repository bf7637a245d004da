/* SPDX-License-Identifier: BSD-3-Clause */
#include "text/environment.h"

#include <stddef.h>
#include <string.h>

const char *
environment_get(char **environment, const char *name)
{
    size_t length = strlen(name);

    for (char **at = environment; *at != NULL; at++)
        if (strncmp(*at, name, length) == 0 && (*at)[length] == '=')
            return *at + length + 1;
    return NULL;
}
