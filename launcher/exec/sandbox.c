/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/sandbox.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exec/programs.h"
#include "text/memory.h"

/* --- the option --- */

/* "512M". False for what is no size, or 0. */
static bool
size_read(const char *text, uint64_t *bytes_p)
{
    static const char units[] = "KMGT";
    const char *unit;
    char *end;
    double number;

    errno = 0;
    number = strtod(text, &end);
    if (*text < '0' || *text > '9' || errno != 0 || !isfinite(number))
        return false;
    unit = *end != '\0' ? strchr(units, *end) : NULL;
    if (*end != '\0' && (unit == NULL || end[1] != '\0'))
        return false;
    for (; unit != NULL && unit >= units; unit--)
        number *= 1024;
    if (number < 1 || number > 1e18)
        return false;
    *bytes_p = (uint64_t)number;
    return true;
}

static bool
count_read(const char *text, double unit, uint32_t *count_p)
{
    char *end;
    double number;

    errno = 0;
    number = strtod(text, &end) * unit;
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || number < 1 ||
        number > UINT32_MAX || (unit <= 1 && number != floor(number)))
        return false;
    *count_p = (uint32_t)number;
    return true;
}

bool
exec_sandbox_add_path(struct exec_sandbox *sandbox, const char *path)
{
    char *resolved = *path == '/' ? memory_copy_text(path) : realpath(path, NULL);

    if (resolved == NULL || access(resolved, F_OK) != 0) {
        free(resolved);
        return false;
    }
    sandbox->paths = memory_grow(sandbox->paths, sandbox->paths_count + 1,
                                 sizeof(*sandbox->paths));
    sandbox->paths[sandbox->paths_count++] = resolved;
    return true;
}

static bool
word_set(struct exec_sandbox *sandbox, const char *key, const char *value)
{
    if (strcmp(key, "idle") == 0)
        return sandbox->idle = *value == '\0';
    if (strcmp(key, "memory") == 0)
        return size_read(value, &sandbox->memory_bytes);
    if (strcmp(key, "scratch") == 0)
        return size_read(value, &sandbox->scratch_bytes);
    if (strcmp(key, "processes") == 0)
        return count_read(value, 1, &sandbox->processes);
    if (strcmp(key, "files") == 0)
        return count_read(value, 1, &sandbox->files);
    if (strcmp(key, "cpu") == 0)
        return count_read(value, 1000, &sandbox->cpu_millicores);
    if (strcmp(key, "time") == 0)
        return count_read(value, 1, &sandbox->run_time_s);
    if (strcmp(key, "see") == 0)
        return exec_sandbox_add_path(sandbox, value);
    if (strcmp(key, "accept") != 0 || *value == '\0')
        return false;
    text_print(&sandbox->accepted, "%s%s", sandbox->accepted.used > 0 ? "," : "", value);
    return true;
}

int
exec_sandbox_parse(struct exec_sandbox *sandbox, const char *list, struct text *error)
{
    char *words = memory_copy_text(list);
    char *rest = words, *word;
    int result = 0;

    sandbox->wanted = true;
    while (result == 0 && *list != '\0' && (word = strsep(&rest, ",")) != NULL) {
        char *equals = strchr(word, '=');
        const char *value = equals != NULL ? equals + 1 : "";
        if (equals != NULL)
            *equals = '\0';
        if (word_set(sandbox, word, value))
            continue;
        text_print(error,
                   "--sandbox %s%s%s: with commas between may be given memory=SIZE (512M), "
                   "scratch=SIZE, processes=N, files=N, cpu=CORES, time=SECONDS, idle, see=PATH, "
                   "accept=WEAKNESS", word, equals != NULL ? "=" : "", value);
        result = -1;
    }
    free(words);
    return result;
}

void
exec_sandbox_release(struct exec_sandbox *sandbox)
{
    for (size_t i = 0; i < sandbox->paths_count; i++)
        free(sandbox->paths[i]);
    free(sandbox->paths);
    text_release(&sandbox->accepted);
    memset(sandbox, 0, sizeof(*sandbox));
}

/* --- what is to be seen --- */

/* Inside are no links by which names could mean otherwise. */
char *
exec_sandbox_path(const char *path)
{
    char *clean = memory_new(strlen(path) + 2, 1);
    size_t used = 0;

    while (*path != '\0') {
        size_t bytes = strcspn(path, "/");
        if (bytes == 2 && path[0] == '.' && path[1] == '.') {
            while (used > 0 && clean[--used] != '/')
                continue;
        } else if (bytes > 0 && !(bytes == 1 && path[0] == '.')) {
            clean[used++] = '/';
            memcpy(clean + used, path, bytes);
            used += bytes;
        }
        path += bytes + (path[bytes] == '/');
    }
    clean[used] = '\0';
    return clean;
}

/* Under the name that a rank will ask for. */
static void
bind_add(Cpmp__Sandbox *message, const char *path, bool executable)
{
    char *inside = exec_sandbox_path(path);

    for (size_t i = 0; i < message->n_binds; i++) {
        if (strcmp(message->binds[i]->inside, inside) == 0) {
            free(inside);
            return;
        }
    }
    Cpmp__SandboxBind *bind = memory_new(1, sizeof(*bind));
    cpmp__sandbox_bind__init(bind);
    bind->host = strstr(path, "..") != NULL ? realpath(path, NULL) : NULL;
    if (bind->host == NULL)
        bind->host = memory_copy_text(inside);
    bind->inside = inside;
    bind->executable = executable;
    message->binds = memory_grow(message->binds, message->n_binds + 1, sizeof(Cpmp__SandboxBind *));
    message->binds[message->n_binds++] = bind;
}

/* "berlin52.tsp", "--input=berlin52.tsp": what is a file here is to be one there. */
static void
argument_add(Cpmp__Sandbox *message, const char *directory, const char *argument)
{
    const char *equals = strchr(argument, '=');
    struct text path = {0};
    struct stat status;

    if (*argument == '-' && equals != NULL)
        argument = equals + 1;
    if (*argument != '/')
        text_print(&path, "%s/", directory);
    text_add_string(&path, argument);
    if (*argument != '\0' && stat(path.bytes, &status) == 0 && S_ISREG(status.st_mode))
        bind_add(message, path.bytes, (status.st_mode & 0111) != 0);
    text_release(&path);
}

Cpmp__Sandbox *
exec_sandbox_message(const struct exec_sandbox *sandbox, const struct exec_image *images,
                     const struct exec_program *programs, size_t count)
{
    Cpmp__Sandbox *message;

    if (!sandbox->wanted)
        return NULL;
    message = memory_new(1, sizeof(*message));
    cpmp__sandbox__init(message);
    message->memory_bytes = sandbox->memory_bytes;
    message->scratch_bytes = sandbox->scratch_bytes;
    message->processes = sandbox->processes;
    message->files = sandbox->files;
    message->cpu_millicores = sandbox->cpu_millicores;
    message->run_time_s = sandbox->run_time_s;
    message->idle = sandbox->idle;
    message->accepted = memory_copy_text(text_string(&sandbox->accepted));
    message->directory = exec_sandbox_path(images[0].directory);
    for (size_t i = 0; i < count; i++) {
        bind_add(message, images[i].path, true);
        for (char **word = programs[i].argv + 1; programs[i].argv[0] && *word != NULL; word++)
            argument_add(message, images[i].directory, *word);
    }
    for (size_t i = 0; i < sandbox->paths_count; i++)
        bind_add(message, sandbox->paths[i], true);
    return message;
}

void
exec_sandbox_message_free(Cpmp__Sandbox *message)
{
    if (message != NULL)
        cpmp__sandbox__free_unpacked(message, NULL);
}

int
exec_sandbox_check(const struct exec_sandbox *sandbox, const struct exec_image *images,
                   size_t count, struct text *error)
{
    for (size_t i = 1; sandbox->wanted && i < count; i++) {
        if (strcmp(images[0].directory, images[i].directory) == 0)
            continue;
        text_print(error,
                   "--sandbox: all programs run in one directory there, and these are two: %s, %s",
                   images[0].directory, images[i].directory);
        return -1;
    }
    return 0;
}
