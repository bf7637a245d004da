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
#include "sandbox/sandbox.h"
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

/* What tells whether a file is still the one that was hashed. */
static struct exec_ship_mark
mark_of(const struct stat *status)
{
    return (struct exec_ship_mark){.device = status->st_dev, .inode = status->st_ino,
                                   .size_bytes = status->st_size, .changed = status->st_mtim};
}

static bool
mark_is(const struct exec_ship_mark *mark, const struct stat *status)
{
    return mark->device == status->st_dev && mark->inode == status->st_ino &&
           mark->size_bytes == status->st_size &&
           mark->changed.tv_sec == status->st_mtim.tv_sec &&
           mark->changed.tv_nsec == status->st_mtim.tv_nsec;
}

static void
file_keep(struct exec_ship *ship, const Cpmp__SandboxBind *bind,
          const struct content_manifest *manifest, const struct stat *status)
{
    Cpmp__JobFile *file = memory_new(1, sizeof(*file));
    size_t count = ship->count + 1;

    cpmp__job_file__init(file);
    file->path = memory_copy_text(bind->inside);
    file->content = content_make(manifest);
    ship->files = memory_grow(ship->files, count, sizeof(Cpmp__JobFile *));
    ship->paths = memory_grow(ship->paths, count, sizeof(char *));
    ship->marks = memory_grow(ship->marks, count, sizeof(*ship->marks));
    ship->files[ship->count] = file;
    ship->marks[ship->count] = mark_of(status);
    ship->paths[ship->count++] = memory_copy_text(bind->host);
}

static bool
is_kept(const struct exec_ship *ship, const char *inside)
{
    for (size_t i = 0; i < ship->count; i++)
        if (strcmp(ship->files[i]->path, inside) == 0)
            return true;
    return false;
}

/* The pieces of all files go in one message to each peer (Enlist). */
static bool
pieces_fit(const struct exec_ship *ship, const struct content_manifest *manifest)
{
    size_t count = manifest->piece_count;

    for (size_t i = 0; i < ship->count; i++)
        count += ship->files[i]->content->n_pieces;
    return count <= EXEC_SHIP_PIECES_MAX;
}

/* 0, or -1 with `why`. */
static int
file_add(struct exec_ship *ship, const Cpmp__SandboxBind *bind, struct text *why)
{
    struct content_manifest manifest = {0};
    struct stat status;
    int fd = open(bind->host, O_RDONLY | O_CLOEXEC | O_NONBLOCK), result = -1;

    if (is_kept(ship, bind->inside))
        result = 1;
    else if (fd < 0 || fstat(fd, &status) != 0)
        text_print(why, "%s can't be sent along: %s", bind->host, strerror(errno));
    else if (!S_ISREG(status.st_mode))
        text_print(why, "%s can't be sent along: it is %s", bind->host,
                   S_ISDIR(status.st_mode) ? "a directory; name its files" : "no file");
    else if (ship->count == EXEC_SHIP_FILES_MAX)
        text_print(why, "%s can't be sent along: a job takes %u files", bind->host,
                   EXEC_SHIP_FILES_MAX);
    else if (content_describe(fd, bind->executable, &manifest) != CPMP_OK)
        text_print(why, "%s can't be sent along: it can't be read: %s", bind->host,
                   strerror(errno));
    else if (!pieces_fit(ship, &manifest))
        text_print(why, "%s can't be sent along: the files of a job may have %u MiB together",
                   bind->host, EXEC_SHIP_PIECES_MAX / ((1u << 20) / CONTENT_PIECE_BYTES));
    else
        result = 0;
    if (result == 0)
        file_keep(ship, bind, &manifest, &status);
    content_manifest_release(&manifest);
    if (fd >= 0)
        close(fd);
    return result > 0 ? 0 : result;
}

/* --- what arguments name --- */

/* Peers have these directories themselves, and nothing can be put there. */
static bool
is_of_the_system(const char *path)
{
    char *place = sandbox_place(path);
    bool same = strcmp(place, path) == 0;

    free(place);
    return !same;
}

/* Peers have the system's directories themselves. A job goes on without what can't travel: maybe
 * the program doesn't read it. It is said. */
static int
argument_file_add(struct exec_ship *ship, const Cpmp__SandboxBind *bind, struct text *notes)
{
    struct text why = {0};
    struct stat status;

    if (stat(bind->host, &status) == 0 && status.st_size > EXEC_SHIP_ARGUMENT_BYTES)
        text_print(&why, "%s isn't sent along: it has %lld MiB, and files that arguments name go "
                         "by themselves up to %u MiB; send it by --preload-files", bind->host,
                   (long long)status.st_size >> 20, EXEC_SHIP_ARGUMENT_BYTES >> 20);
    else if (!is_of_the_system(bind->inside))
        file_add(ship, bind, &why);
    if (why.used > 0)
        text_print(notes, "cpexec: %s\n", text_string(&why));
    text_release(&why);
    return 0;
}

static void
directories_note(const struct exec_program *program, const struct exec_image *image,
                 struct text *notes)
{
    for (char **word = program->argv + 1; program->argv[0] != NULL && *word != NULL; word++) {
        struct text path = {0};
        struct stat status;

        text_print(&path, "%s%s%s", **word != '/' ? image->directory : "",
                   **word != '/' ? "/" : "", *word);
        if (**word != '\0' && stat(path.bytes, &status) == 0 && S_ISDIR(status.st_mode) &&
            !is_of_the_system(path.bytes) && strcmp(*word, "/") != 0)
            text_print(notes, "cpexec: the directory %s isn't sent along; name its files by "
                              "--preload-files\n", *word);
        text_release(&path);
    }
}

/* --- libraries and interpreters --- */

static int
own_file_add(struct exec_ship *ship, const char *path, struct text *error)
{
    Cpmp__SandboxBind bind = CPMP__SANDBOX_BIND__INIT;

    bind.host = bind.inside = (char *)path;
    bind.executable = true;
    return file_add(ship, &bind, error);
}

/* Libraries outside the system's directories go along, and so does a script's interpreter there; a
 * peer has those of the system, and cpmp's, itself or says what it lacks. */
static int
needs_add(struct exec_ship *ship, const char *program, struct text *error)
{
    char own[PATH_MAX];
    struct elf_needs_question question = {.path = program,
                                          .library_path = getenv("LD_LIBRARY_PATH"),
                                          .provided = libdir_find(own) ? own : NULL};
    struct elf_needs needs;
    int result = 0;

    if (elf_needs_find(&question, &needs) != CPMP_OK)
        return 0;  /* a peer will say what it thinks of it */
    if (needs.kind == ELF_NEEDS_SCRIPT && needs.interpreter != NULL &&
        !needs.interpreter_missing && !is_of_the_system(needs.interpreter))
        result = own_file_add(ship, needs.interpreter, error);
    for (uint32_t i = 0; i < needs.count && result == 0; i++)
        if (needs.libraries[i].own && needs.libraries[i].path != NULL)
            result = own_file_add(ship, needs.libraries[i].path, error);
    elf_needs_release(&needs);
    return result;
}

/* --- all of it --- */

static int
preloads_find(struct exec_sandbox *wanted, const struct exec_options *options, struct text *error)
{
    for (size_t i = 0; i < options->preload_count; i++) {
        if (exec_sandbox_add_path(wanted, options->preload[i]))
            continue;
        text_print(error, "--preload-files %s: %s", options->preload[i], strerror(errno));
        return -1;
    }
    return 0;
}

/* Programs and --preload-files, without which there is no job; what else is shown to a sandbox is
 * what arguments name. */
static bool
is_demanded(const Cpmp__SandboxBind *bind, const struct exec_sandbox *wanted,
            const struct exec_image *images, size_t count)
{
    for (size_t i = 0; i < wanted->paths_count + count; i++) {
        char *path = exec_sandbox_path(i < count ? images[i].path : wanted->paths[i - count]);
        bool same = strcmp(path, bind->inside) == 0;
        free(path);
        if (same)
            return true;
    }
    return false;
}

/* The same files that a sandbox here would show: programs, what arguments name, and more. */
int
exec_ship_init(struct exec_ship *ship, const struct exec_options *options,
               const struct exec_image *images, struct text *notes, struct text *error)
{
    struct exec_sandbox wanted = {.wanted = true};
    size_t count = options->programs_count;
    Cpmp__Sandbox *shown = NULL;
    int result;

    memset(ship, 0, sizeof(*ship));
    result = preloads_find(&wanted, options, error);
    if (result == 0)
        shown = exec_sandbox_message(&wanted, images, options->programs, count);
    for (size_t i = 0; result == 0 && i < shown->n_binds; i++)
        result = is_demanded(shown->binds[i], &wanted, images, count)
                     ? file_add(ship, shown->binds[i], error)
                     : argument_file_add(ship, shown->binds[i], notes);
    for (size_t i = 0; i < count && result == 0; i++) {
        directories_note(&options->programs[i], &images[i], notes);
        result = needs_add(ship, images[i].path, error);
    }
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
    free(ship->marks);
    free(ship->paths);
}

long
exec_ship_read(const struct exec_ship *ship, size_t index, uint32_t piece, void *bytes,
               struct text *error)
{
    uint64_t from = (uint64_t)piece * CONTENT_PIECE_BYTES, size = ship->files[index]->content->size;
    uint64_t want = size - from < CONTENT_PIECE_BYTES ? size - from : CONTENT_PIECE_BYTES;
    int fd = open(ship->paths[index], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    ssize_t count = -1;

    if (fd < 0 || fstat(fd, &status) != 0)
        text_print(error, "%s can't be sent along: %s", ship->paths[index], strerror(errno));
    else if (!mark_is(&ship->marks[index], &status))
        text_print(error, "%s has changed while the job was about to start; run it again",
                   ship->paths[index]);
    else if ((count = pread(fd, bytes, (size_t)want, (off_t)from)) != (ssize_t)want)
        text_print(error, "%s can't be sent along: %s", ship->paths[index],
                   count < 0 ? strerror(errno) : "it became shorter meanwhile");
    if (fd >= 0)
        close(fd);
    return count == (ssize_t)want ? count : -1;
}
