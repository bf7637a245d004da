/* SPDX-License-Identifier: BSD-3-Clause */
#include "process/installed.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "text/environment.h"

static bool
is_program(const char *path)
{
    return access(path, X_OK) == 0;
}

int
installed_agent(struct text *path, char **environment, struct text *error)
{
    const char *named = environment_get(environment, "CPMP_AGENT");
    char own[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
    char *slash;

    if (named != NULL && *named != '\0') {
        text_add_string(path, named);
        if (is_program(named))
            return 0;
        text_print(error, "CPMP_AGENT=%s: %s; it should name the program cpmp-agent", named,
                   strerror(errno));
        return -1;
    }
    own[length > 0 ? length : 0] = '\0';
    slash = strrchr(own, '/');
    if (slash != NULL)
        *slash = '\0';
    text_print(path, "%s/../libexec/cpmp/cpmp-agent", own);
    if (is_program(path->bytes))
        return 0;
    text_clear(path);
    text_add_string(path, CPMP_PKGLIBEXECDIR "/cpmp-agent");
    if (is_program(path->bytes))
        return 0;
    text_clear(path);
    text_print(path, "%s/%scpmp-agent", own, strstr(own, "/.libs") != NULL ? "../" : "");
    if (is_program(path->bytes))
        return 0;
    text_print(error,
               "the program cpmp-agent is missing: it is neither in %s nor beside this program; "
               "install cpmp again, or name it by CPMP_AGENT",
               CPMP_PKGLIBEXECDIR);
    return -1;
}
