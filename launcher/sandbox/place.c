/* SPDX-License-Identifier: BSD-3-Clause */
#include "sandbox/place.h"

#include <stdbool.h>
#include <string.h>

#include "sandbox/sandbox.h"
#include "text/text.h"

/* Roots that the cage fills by itself. */
static const char *const taken[] = {
    "/bin", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run", "/sbin", "/sys",
    "/usr",
};

bool
sandbox_place_is_below(const char *path, const char *root)
{
    size_t bytes = strlen(root);

    return strncmp(path, root, bytes) == 0 && (path[bytes] == '\0' || path[bytes] == '/');
}

bool
sandbox_place_is_plain(const char *path)
{
    if (path[0] != '/')
        return false;
    for (const char *at = path; *at != '\0';) {
        size_t bytes = strcspn(++at, "/");
        if (bytes == 0 || (bytes == 1 && at[0] == '.') ||
            (bytes == 2 && at[0] == '.' && at[1] == '.'))
            return false;
        at += bytes;
    }
    return true;
}

static bool
is_free(const char *path)
{
    if (!sandbox_place_is_plain(path))
        return false;
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        if (sandbox_place_is_below(path, taken[i]))
            return false;
    return true;
}

char *
sandbox_place(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    struct text text = {0};

    if (is_free(path))
        text_add_string(&text, path);
    else
        text_print(&text, SANDBOX_HOME "/bin/%s", sandbox_place_is_plain(path) ? name : "program");
    return text.bytes;
}

char *
sandbox_scratch(const char *directory)
{
    struct text text = {0};

    text_add_string(&text, directory != NULL && is_free(directory) ? directory
                                                                   : SANDBOX_HOME "/scratch");
    return text.bytes;
}
