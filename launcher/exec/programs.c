/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/programs.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/codec.h"
#include "text/environment.h"
#include "text/memory.h"

/* --- environment --- */

static void
env_set(struct exec_image *image, const char *setting)
{
    size_t name = strcspn(setting, "=");

    for (size_t i = 0; i < image->env_count; i++) {
        if (strncmp(image->env[i], setting, name) == 0 && image->env[i][name] == '=') {
            free(image->env[i]);
            image->env[i] = memory_copy_text(setting);
            return;
        }
    }
    image->env = memory_grow(image->env, image->env_count + 2, sizeof(*image->env));
    image->env[image->env_count++] = memory_copy_text(setting);
    image->env[image->env_count] = NULL;
}

/* The launcher's own environment, as with a local mpirun, and what -x adds. */
static void
env_make(struct exec_image *image, const struct exec_program *program, char **environment,
         struct text *notes)
{
    size_t count = 0;

    while (environment[count] != NULL)
        count++;
    image->env = memory_new(count + 1, sizeof(*image->env));
    for (size_t i = 0; i < count; i++)
        image->env[i] = memory_copy_text(environment[i]);
    image->env_count = count;
    for (size_t i = 0; i < program->exports_count; i++) {
        const char *name = program->exports[i];
        if (strchr(name, '=') != NULL)
            env_set(image, name);
        else if (environment_get(environment, name) == NULL)
            text_print(
                notes, "cpexec: -x %s: this variable is not set, so ranks don't get it\n", name);
    }
}

/* --- directory --- */

static int
directory_find(struct exec_image *image, const struct exec_program *program,
               struct text *error)
{
    char current[PATH_MAX];
    struct text path = {0};
    struct stat status;

    bool absolute = program->directory != NULL && program->directory[0] == '/';
    if (!absolute && getcwd(current, sizeof(current)) == NULL) {
        text_print(error, "the current directory can't be used: %s", strerror(errno));
        return 1;
    }
    if (program->directory == NULL)
        text_add_string(&path, current);
    else if (absolute)
        text_add_string(&path, program->directory);
    else
        text_print(&path, "%s/%s", current, program->directory);
    image->directory = path.bytes;
    if (program->directory == NULL)
        return 0;
    if (stat(image->directory, &status) == 0 && !S_ISDIR(status.st_mode))
        errno = ENOTDIR;
    else if (access(image->directory, X_OK) == 0)
        return 0;
    text_print(error, "-wdir %s: ranks can't run there: %s", program->directory,
                    strerror(errno));
    return 1;
}

/* --- executable --- */

/* 0, or an errno value. To a search, what lies in a directory that may not be entered isn't
 * there. */
static int
file_check(const char *path, bool search)
{
    struct stat status;

    if (stat(path, &status) != 0)
        return search && errno == EACCES ? ENOENT : errno;
    if (S_ISDIR(status.st_mode))
        return EISDIR;
    return access(path, X_OK) == 0 ? 0 : errno;
}

/* Tries PREFIX/NAME, `length` bytes of prefix; a relative one begins at `directory`. */
static int
place_try(struct exec_image *image, const char *prefix, size_t length, const char *name,
          bool search)
{
    struct text path = {0};
    int error;

    if (length == 0 || prefix[0] != '/')
        text_print(&path, "%s/", image->directory);
    text_print(&path, "%.*s%s%s", (int)length, prefix, length > 0 ? "/" : "", name);
    error = file_check(path.bytes, search);
    if (error == 0)
        image->path = path.bytes;
    else
        text_release(&path);
    return error;
}

/* The first that can be run; else the first that is there, for a better word than "not found". */
static int
path_search(struct exec_image *image, const char *path, const char *name)
{
    int found = ENOENT, error;

    for (const char *at = path;; at++) {
        size_t length = strcspn(at, ":");
        error = place_try(image, at, length, name, true);
        if (error == 0)
            return 0;
        if (error != ENOENT && error != ENOTDIR && found == ENOENT)
            found = error;
        at += length;
        if (*at == '\0')
            break;
    }
    error = place_try(image, "", 0, name, true);
    return error == 0 || (error != ENOENT && found == ENOENT) ? error : found;
}

static int
executable_find(struct exec_image *image, const struct exec_program *program,
                struct text *error)
{
    const char *name = program->argv[0];
    const char *path = environment_get(image->env, "PATH");
    bool in_path = strchr(name, '/') == NULL;
    int number;

    if (in_path && *name != '\0')
        number = path_search(image, path != NULL ? path : "/usr/local/bin:/usr/bin:/bin", name);
    else if (name[0] == '/')
        number = place_try(image, "/", 1, name + 1, false);
    else
        number = *name == '\0' ? ENOENT : place_try(image, "", 0, name, false);
    if (number == 0)
        return 0;
    if (*name == '\0') {
        text_add_string(error, "the program's name is empty (a variable that isn't set?); no "
                                    "rank was started");
    } else if (number == ENOENT && in_path) {
        text_print(error,
                        "program %s is neither in PATH nor in %s; no rank was started. Check its "
                        "name, or give its path (./%s)",
                        name, image->directory, name);
    } else {
        text_print(error, "program %s%s%s can't be run: %s; no rank was started", name,
                        name[0] != '/' && program->directory != NULL ? " in " : "",
                        name[0] != '/' && program->directory != NULL ? image->directory : "",
                        number == EISDIR ? "it is a directory" : strerror(number));
        if (number == EACCES)
            text_print(error, ". Is it executable (chmod +x)?");
    }
    return number == ENOENT || number == ENOTDIR ? EXEC_EXIT_NOT_FOUND : EXEC_EXIT_NOT_RUNNABLE;
}

int
exec_image_init(struct exec_image *image, const struct exec_program *program, char **environment,
                struct text *notes, struct text *error)
{
    int code;

    memset(image, 0, sizeof(*image));
    env_make(image, program, environment, notes);
    code = directory_find(image, program, error);
    return code != 0 ? code : executable_find(image, program, error);
}

/* A string in a message has a type and a length before it. */
static size_t
words_bytes(char *const *words, const char **largest_p)
{
    size_t sum = 0;

    for (; *words != NULL; words++) {
        sum += strlen(*words) + 4;
        if (largest_p != NULL && (*largest_p == NULL || strlen(*words) > strlen(*largest_p)))
            *largest_p = *words;
    }
    return sum;
}

int
exec_images_check(const struct exec_image *images, const struct exec_program *programs,
                  size_t count, struct text *error)
{
    size_t env = 0, argv = 0;
    const char *largest = NULL;

    for (size_t i = 0; i < count; i++) {
        env += words_bytes(images[i].env, &largest);
        argv += words_bytes(programs[i].argv, NULL);
    }
    if (env + argv <= CONTROL_BYTES_MAX)
        return 0;
    text_print(error,
                    "environment (%zu KiB) and arguments (%zu KiB) of the programs are more than "
                    "%u KiB together", env / 1024, argv / 1024, CONTROL_BYTES_MAX / 1024);
    if (largest != NULL) {
        int name = (int)strcspn(largest, "=");
        text_print(error,
                        "; the largest variable is %.*s with %zu KiB: leave out what ranks don't "
                        "need (env -u %.*s cpexec ...)",
                        name, largest, strlen(largest) / 1024, name, largest);
    }
    return -1;
}

static bool
name_begins(const char *variable, const char *name)
{
    size_t length = strcspn(variable, "=");

    if (strchr(name, '*') != NULL)
        return strncmp(variable, name, strlen(name) - 1) == 0;
    return strlen(name) == length && strncmp(variable, name, length) == 0;
}

static bool
variable_travels(const char *variable, const struct exec_program *program)
{
    static const char *const always[] = {"LANG", "LC_*", "TZ", "TERM", "OMP_*", "CPMP_*"};

    if (name_begins(variable, "CPMP_STATE") || name_begins(variable, "CPMP_POOL") ||
        name_begins(variable, "CPMP_AGENT*"))
        return false;
    for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
        if (name_begins(variable, always[i]))
            return true;
    for (size_t i = 0; i < program->exports_count; i++) {
        size_t length = strcspn(program->exports[i], "=");
        if (strncmp(variable, program->exports[i], length) == 0 && variable[length] == '=')
            return true;
    }
    return false;
}

/* "sub/../tool": there is no sub elsewhere. */
static void
path_straighten(char **path_p)
{
    char *straight = strstr(*path_p, "..") != NULL ? realpath(*path_p, NULL) : NULL;

    if (straight == NULL)
        return;
    free(*path_p);
    *path_p = straight;
}

int
exec_images_leave_home(struct exec_image *images, const struct exec_options *options,
                       struct text *error)
{
    for (size_t i = 0; i < options->programs_count; i++) {
        struct exec_image *image = &images[i];
        size_t kept = 0;

        path_straighten(&image->path);
        path_straighten(&image->directory);
        if (strcmp(image->directory, images[0].directory) != 0) {
            text_print(error, "programs of a job on a pool share one working directory; these have "
                              "%s and %s", images[0].directory, image->directory);
            return 1;
        }
        for (size_t j = 0; j < image->env_count; j++) {
            if (variable_travels(image->env[j], &options->programs[i]))
                image->env[kept++] = image->env[j];
            else
                free(image->env[j]);
        }
        image->env = memory_grow(image->env, kept + 2, sizeof(*image->env));
        image->env[kept++] = memory_copy_text("PATH=/usr/local/bin:/usr/bin:/bin");
        image->env[kept] = NULL;
        image->env_count = kept;
    }
    return 0;
}

void
exec_image_release(struct exec_image *image)
{
    for (size_t i = 0; i < image->env_count; i++)
        free(image->env[i]);
    free(image->env);
    free(image->path);
    free(image->directory);
    memset(image, 0, sizeof(*image));
}
