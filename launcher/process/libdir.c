/* SPDX-License-Identifier: BSD-3-Clause */
#include "process/libdir.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SEPARATORS ":;"
#define BUILT "/.libs"

static bool
has_library(const char *directory)
{
    char path[PATH_MAX];
    int bytes = snprintf(path, sizeof(path), "%s/libmpi.so.40", directory);

    return bytes > 0 && (size_t)bytes < sizeof(path) && access(path, R_OK) == 0;
}

/* How far two absolute paths go through the same directories. */
static size_t
common_bytes(const char *one, const char *other)
{
    size_t common = 0, i = 0;

    for (;; i++) {
        bool one_ends = one[i] == '/' || one[i] == '\0';
        bool other_ends = other[i] == '/' || other[i] == '\0';

        if (one_ends && other_ends)
            common = i;
        if (one[i] != other[i] || one[i] == '\0')
            return common;
    }
}

/* Turns the agent's directory into the library's: they differ as the configured ones do, also when
 * both were moved. */
static bool
agent_to_library(char directory[PATH_MAX])
{
    size_t common = common_bytes(CPMP_PKGLIBEXECDIR, CPMP_LIBDIR);
    const char *agent_part = CPMP_PKGLIBEXECDIR + common, *library_part = CPMP_LIBDIR + common;
    size_t bytes = strlen(directory), agent_bytes = strlen(agent_part);

    if (bytes < agent_bytes || strcmp(directory + bytes - agent_bytes, agent_part) != 0)
        return false;
    bytes -= agent_bytes;
    if (bytes + strlen(library_part) >= PATH_MAX)
        return false;
    memcpy(directory + bytes, library_part, strlen(library_part) + 1);
    return true;
}

static bool
find_from_agent(char directory[PATH_MAX])
{
    ssize_t bytes = readlink("/proc/self/exe", directory, PATH_MAX - sizeof(BUILT));
    char *slash;

    if (bytes <= 0)
        return false;
    directory[bytes] = '\0';
    slash = strrchr(directory, '/');
    if (slash == NULL)
        return false;
    memcpy(slash, BUILT, sizeof(BUILT));
    if (has_library(directory))
        return true;
    *slash = '\0';
    return agent_to_library(directory) && has_library(directory);
}

bool
libdir_find(char directory[PATH_MAX])
{
    if (!find_from_agent(directory)) {
        snprintf(directory, PATH_MAX, "%s", CPMP_LIBDIR);
        if (!has_library(directory))
            return false;
    }
    return strpbrk(directory, SEPARATORS) == NULL;
}

bool
libdir_is_listed(const char *list, const char *directory)
{
    size_t bytes = strlen(directory);

    for (;;) {
        size_t part = strcspn(list, SEPARATORS);
        if (part == bytes && memcmp(list, directory, bytes) == 0)
            return true;
        if (list[part] == '\0')
            return false;
        list += part + 1;
    }
}
