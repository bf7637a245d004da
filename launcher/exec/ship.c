/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/ship.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cpmp.h>

#include "content/content.h"
#include "content/elf_needs.h"
#include "exec/sandbox.h"
#include "process/libdir.h"
#include "text/memory.h"

static ProtobufCBinaryData
name_copy(const struct content_name *name)
{
    ProtobufCBinaryData bytes = {.len = CONTENT_NAME_BYTES};

    bytes.data = memory_new(1, CONTENT_NAME_BYTES);
    memcpy(bytes.data, name->bytes, CONTENT_NAME_BYTES);
    return bytes;
}

static Cpmp__Content *
content_make(const struct content_manifest *manifest)
{
    Cpmp__Content *content = memory_new(1, sizeof(*content));

    cpmp__content__init(content);
    content->name = name_copy(&manifest->name);
    content->size = manifest->size_bytes;
    content->executable = manifest->executable;
    content->pieces = memory_new(manifest->piece_count, sizeof(*content->pieces));
    for (uint32_t i = 0; i < manifest->piece_count; i++)
        content->pieces[content->n_pieces++] = name_copy(&manifest->pieces[i]);
    return content;
}

static void
file_keep(struct exec_ship *ship, const char *path, const char *inside,
          const struct content_manifest *manifest)
{
    Cpmp__JobFile *file = memory_new(1, sizeof(*file));

    cpmp__job_file__init(file);
    file->path = memory_copy_text(inside);
    file->content = content_make(manifest);
    ship->files = memory_grow(ship->files, ship->count + 1, sizeof(Cpmp__JobFile *));
    ship->paths = memory_grow(ship->paths, ship->count + 1, sizeof(char *));
    ship->files[ship->count] = file;
    ship->paths[ship->count++] = memory_copy_text(path);
}

static int
file_add(struct exec_ship *ship, const Cpmp__SandboxBind *bind, struct text *error)
{
    struct content_manifest manifest;
    struct stat status;
    int fd = open(bind->host, O_RDONLY | O_CLOEXEC), result = -1;

    if (fd < 0 || fstat(fd, &status) != 0)
        text_print(error, "%s can't be sent along: %s", bind->host, strerror(errno));
    else if (!S_ISREG(status.st_mode))
        text_print(error, "%s can't be sent along: it is no file", bind->host);
    else if (ship->count == EXEC_SHIP_FILES_MAX)
        text_print(error, "more than %u files would have to be sent along", EXEC_SHIP_FILES_MAX);
    else if (content_describe(fd, bind->executable, &manifest) != CPMP_OK)
        text_print(error, "%s can't be read: %s", bind->host, strerror(errno));
    else
        result = 0;
    if (result == 0) {
        file_keep(ship, bind->host, bind->inside, &manifest);
        content_manifest_release(&manifest);
    }
    if (fd >= 0)
        close(fd);
    return result;
}

/* Libraries outside the system's directories go along; a peer has those of the system, and cpmp's,
 * itself or says what it lacks. */
static int
libraries_add(struct exec_ship *ship, const char *program, struct text *error)
{
    char own[PATH_MAX];
    struct elf_needs_question question = {.path = program,
                                          .library_path = getenv("LD_LIBRARY_PATH"),
                                          .provided = libdir_find(own) ? own : NULL};
    struct elf_needs needs;
    int result = 0;

    if (elf_needs_find(&question, &needs) != CPMP_OK)
        return 0;  /* a peer will say what it thinks of it */
    for (uint32_t i = 0; i < needs.count && result == 0; i++) {
        const struct elf_needs_library *library = &needs.libraries[i];
        Cpmp__SandboxBind bind = CPMP__SANDBOX_BIND__INIT;
        bind.host = bind.inside = library->path;
        bind.executable = true;
        if (library->own && library->path != NULL)
            result = file_add(ship, &bind, error);
    }
    elf_needs_release(&needs);
    return result;
}

/* The same files that a sandbox here would show: programs, what arguments name, and more. */
int
exec_ship_init(struct exec_ship *ship, const struct exec_options *options,
               const struct exec_image *images, struct text *error)
{
    struct exec_sandbox wanted = {.wanted = true};
    Cpmp__Sandbox *shown;
    int result = 0;

    memset(ship, 0, sizeof(*ship));
    for (size_t i = 0; i < options->preload_count; i++) {
        if (exec_sandbox_add_path(&wanted, options->preload[i]))
            continue;
        text_print(error, "--preload-files %s: %s", options->preload[i], strerror(errno));
        exec_sandbox_release(&wanted);
        return -1;
    }
    shown = exec_sandbox_message(&wanted, images, options->programs, options->programs_count);
    for (size_t i = 0; i < shown->n_binds && result == 0; i++)
        result = file_add(ship, shown->binds[i], error);
    for (size_t i = 0; i < options->programs_count && result == 0; i++)
        result = libraries_add(ship, images[i].path, error);
    exec_sandbox_message_free(shown);
    exec_sandbox_release(&wanted);
    return result;
}

void
exec_ship_release(struct exec_ship *ship)
{
    for (size_t i = 0; i < ship->count; i++) {
        cpmp__job_file__free_unpacked(ship->files[i], NULL);
        free(ship->paths[i]);
    }
    free(ship->files);
    free(ship->paths);
}

long
exec_ship_read(const struct exec_ship *ship, size_t index, uint32_t piece, void *bytes,
               struct text *error)
{
    uint64_t from = (uint64_t)piece * CONTENT_PIECE_BYTES, size = ship->files[index]->content->size;
    uint64_t want = size - from < CONTENT_PIECE_BYTES ? size - from : CONTENT_PIECE_BYTES;
    int fd = open(ship->paths[index], O_RDONLY | O_CLOEXEC);
    ssize_t count = fd < 0 ? -1 : pread(fd, bytes, (size_t)want, (off_t)from);
    int number = errno;

    if (fd >= 0)
        close(fd);
    if (count == (ssize_t)want)
        return count;
    text_print(error, "%s can't be sent along: %s", ship->paths[index],
               count < 0 ? strerror(number) : "it became shorter meanwhile");
    return -1;
}
