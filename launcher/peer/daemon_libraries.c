/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Before a job's ranks are started here: has this machine what its programs need?
 */
#include "peer/daemon.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <cpmp.h>

#include "content/elf_needs.h"
#include "process/libdir.h"
#include "text/memory.h"

static const char *
base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

/* A library that travels with the job lies where the launcher's machine had it. */
static bool
travels(const struct enlist_one *one, const char *name)
{
    for (size_t i = 0; i < one->request->n_files; i++)
        if (strcmp(base_name(one->request->files[i]->path), name) == 0)
            return true;
    return false;
}

static void
travelling_strike(const struct enlist_one *one, struct elf_needs *needs)
{
    for (uint32_t i = 0; i < needs->count; i++) {
        struct elf_needs_library *library = &needs->libraries[i];
        if (library->path != NULL || !travels(one, library->name))
            continue;
        library->path = memory_copy_text(library->name);
        needs->missing--;
    }
}

static bool
file_inspect(const struct enlist_one *one, const Cpmp__JobFile *file, const char *path,
             struct text *why)
{
    char own[PATH_MAX];
    struct elf_needs_question question = {.path = path, .as_path = file->path,
                                          .provided = libdir_find(own) ? own : NULL,
                                          .search_path = "/usr/local/bin:/usr/bin:/bin"};
    struct text clause = {0};
    struct elf_needs needs;
    int error = elf_needs_find(&question, &needs);
    bool met;

    if (error != CPMP_OK) {
        text_print(why, "%s can't be looked at: %s", base_name(file->path),
                   error == CPMP_ESYS ? strerror(errno) : cpmp_strerror(error));
        return false;
    }
    travelling_strike(one, &needs);
    met = needs.kind == ELF_NEEDS_UNKNOWN || elf_needs_met(&needs, &clause);
    if (!met)
        text_print(why, "%s can't run there: %s", base_name(file->path), text_string(&clause));
    elf_needs_release(&needs);
    text_release(&clause);
    return met;
}

bool
daemon_libraries_inspect(void *arg, const struct enlist_one *one, struct text *why)
{
    struct daemon *daemon = arg;
    bool good = true;

    for (size_t i = 0; i < one->request->n_files && good; i++) {
        const Cpmp__JobFile *file = one->request->files[i];
        struct content_name name;
        struct text path = {0};

        if (!file->content->executable)
            continue;
        memcpy(name.bytes, file->content->name.data, CONTENT_NAME_BYTES);
        content_path(daemon->store, &name, &path);
        good = file_inspect(one, file, text_string(&path), why);
        text_release(&path);
    }
    return good;
}
