/* SPDX-License-Identifier: BSD-3-Clause */
#include "content/elf_needs.h"

#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cpmp.h>

#include "content/elf_cache.h"
#include "content/elf_file.h"
#include "text/memory.h"

#define LIBRARIES_MAX   512u
#define CACHE_BYTES_MAX (16u << 20)
#define LINE_BYTES      256u  /* of a script's #! (BINPRM_BUF_SIZE) */

struct search {
    const struct elf_needs_question *question;
    struct elf_needs *needs;
    struct elf_file here;   /* this program: what a library must be built for */
    struct elf_file file;   /* the one being looked at */
    char *main_rpath;       /* inherited by all; NULL: none */
    const char *main_as;
    unsigned char *cache;
    size_t cache_bytes;
};

/* --- files --- */

static int
file_read(const char *path, struct elf_file *file)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    int error;

    if (fd < 0)
        return CPMP_ESYS;
    /* A pipe or a device would block or never end. */
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        errno = EACCES;
        return CPMP_ESYS;
    }
    error = elf_file_read_fd(fd, file);
    close(fd);
    return error;
}

static bool
runs_here(const struct search *search, const struct elf_file *file)
{
    return file->executable && file->bits == search->here.bits &&
           file->order == search->here.order && file->machine == search->here.machine;
}

static void
cache_read(struct search *search)
{
    int fd = open("/etc/ld.so.cache", O_RDONLY | O_CLOEXEC);
    struct stat status;
    ssize_t got;

    if (fd < 0)
        return;
    if (fstat(fd, &status) == 0 && status.st_size > 0 && status.st_size <= CACHE_BYTES_MAX) {
        search->cache = memory_new(1, (size_t)status.st_size);
        while (search->cache_bytes < (size_t)status.st_size &&
               (got = read(fd, search->cache + search->cache_bytes,
                           (size_t)status.st_size - search->cache_bytes)) > 0)
            search->cache_bytes += (size_t)got;
    }
    close(fd);
}

/* --- looking a library up --- */

/* Whether `path` is a library for this machine; ld.so too goes on when it isn't. */
static bool
path_fits(const struct search *search, const char *path)
{
    struct elf_file *file = memory_new(1, sizeof(*file));
    bool fits = file_read(path, file) == CPMP_OK && runs_here(search, file);

    free(file);
    return fits;
}

/* `entry` of a path list, $ORIGIN replaced by the folder of `owner`. False: not to be searched. */
static bool
entry_expand(const char *entry, size_t count, const char *owner, struct text *folder)
{
    static const char *const tokens[] = {"$ORIGIN", "${ORIGIN}"};
    const char *slash = strrchr(owner, '/');

    text_clear(folder);
    for (size_t i = 0; i < 2; i++) {
        size_t length = strlen(tokens[i]);
        if (count < length || strncmp(entry, tokens[i], length) != 0)
            continue;
        text_add(folder, owner, slash == NULL ? 0 : (size_t)(slash - owner));
        entry += length;
        count -= length;
        break;
    }
    if (memchr(entry, '$', count) != NULL)
        return false;  /* $LIB, $PLATFORM: they differ from system to system */
    text_add(folder, entry, count);
    /* Empty means the current directory, which on a peer is another. */
    return folder->used > 0;
}

/* In the folders of a list, separated by colons; the path, owned by the caller, or NULL. */
static char *
list_search(const struct search *search, const char *list, const char *owner, const char *name)
{
    struct text path = {0};
    char *found = NULL;

    while (list != NULL && *list != 0 && found == NULL) {
        size_t count = strcspn(list, ":");
        if (entry_expand(list, count, owner, &path)) {
            text_print(&path, "/%s", name);
            if (path_fits(search, text_string(&path)))
                found = memory_copy_text(text_string(&path));
        }
        list += count + (list[count] == ':');
    }
    text_release(&path);
    return found;
}

static char *
cache_search(const struct search *search, const char *name)
{
    const char *path;

    for (size_t i = 0; (path = elf_cache_find(search->cache, search->cache_bytes, name, i)); i++)
        if (path_fits(search, path))
            return memory_copy_text(path);
    return NULL;
}

/* Debian's folders have the machine in their names; others have lib64. */
static char *
default_search(const struct search *search, const char *name)
{
    static const char folders[] =
        "/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu:/lib/aarch64-linux-gnu:"
        "/usr/lib/aarch64-linux-gnu:/lib64:/usr/lib64:/lib:/usr/lib";

    return list_search(search, folders, "", name);
}

static bool
is_systems(const char *path)
{
    static const char *const folders[] = {"/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/",
                                          "/libx32/", "/usr/libexec/"};

    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        if (strncmp(path, folders[i], strlen(folders[i])) == 0)
            return true;
    return false;
}

/* As ld.so(8) says; `file` needs it and lies at `owner`. */
static void
library_search(struct search *search, const struct elf_file *file, const char *owner,
               struct elf_needs_library *library)
{
    const struct elf_needs_question *question = search->question;
    const char *name = library->name;

    library->path = list_search(search, question->provided, "", name);
    if (library->path != NULL) {
        library->provided = true;
        return;
    }
    if (strchr(name, '/') != NULL)
        library->path = path_fits(search, name) ? memory_copy_text(name) : NULL;
    else if (file->runpath[0] == 0) {
        library->path = list_search(search, file->rpath, owner, name);
        if (library->path == NULL)
            library->path = list_search(search, search->main_rpath, search->main_as, name);
    }
    if (library->path == NULL && strchr(name, '/') == NULL) {
        library->path = list_search(search, question->library_path, "", name);
        if (library->path == NULL)
            library->path = list_search(search, file->runpath, owner, name);
        if (library->path == NULL)
            library->path = cache_search(search, name);
        if (library->path == NULL)
            library->path = default_search(search, name);
    }
    library->own = library->path != NULL && !is_systems(library->path);
}

/* --- all of them --- */

static bool
is_known(const struct elf_needs *needs, const char *name)
{
    for (uint32_t i = 0; i < needs->count; i++)
        if (strcmp(needs->libraries[i].name, name) == 0)
            return true;
    return false;
}

static bool
is_newer(unsigned major, unsigned minor, unsigned than_major, unsigned than_minor)
{
    return major > than_major || (major == than_major && minor > than_minor);
}

/* Keeps the highest glibc that is wanted and isn't here. */
static void
libc_note(const struct elf_file *file, struct elf_needs *needs)
{
    char *end;
    unsigned major = (unsigned)strtoul(gnu_get_libc_version(), &end, 10);
    unsigned minor = *end == '.' ? (unsigned)strtoul(end + 1, NULL, 10) : 0;

    if (!is_newer(file->libc_major, file->libc_minor, major, minor) ||
        !is_newer(file->libc_major, file->libc_minor, needs->libc_major, needs->libc_minor))
        return;
    needs->libc_major = file->libc_major;
    needs->libc_minor = file->libc_minor;
}

/* What search->file, which lies at `owner`, needs beyond what is known. */
static int
needed_add(struct search *search, const char *owner)
{
    struct elf_needs *needs = search->needs;

    libc_note(&search->file, needs);
    for (uint32_t i = 0; i < search->file.needed_count; i++) {
        struct elf_needs_library *library;
        if (is_known(needs, search->file.needed[i]))
            continue;
        if (needs->count == LIBRARIES_MAX)
            return CPMP_ELIMIT;
        library = &needs->libraries[needs->count++];
        library->name = memory_copy_text(search->file.needed[i]);
        library->wanted_by = memory_copy_text(owner);
        library_search(search, &search->file, owner, library);
        needs->missing += library->path == NULL;
    }
    return CPMP_OK;
}

static int
libraries_find(struct search *search)
{
    struct elf_needs *needs = search->needs;
    int error;

    needs->libraries = memory_new(LIBRARIES_MAX, sizeof(*needs->libraries));
    cache_read(search);
    if (search->file.runpath[0] == 0 && search->file.rpath[0] != 0)
        search->main_rpath = memory_copy_text(search->file.rpath);
    error = needed_add(search, search->main_as);
    for (uint32_t i = 0; i < needs->count && error == CPMP_OK; i++) {
        const char *path = needs->libraries[i].path;
        /* It fitted a moment ago; if it is gone now, starting the program will tell. */
        if (path != NULL && file_read(path, &search->file) == CPMP_OK)
            error = needed_add(search, path);
    }
    free(search->main_rpath);
    free(search->cache);
    return error;
}

static int
executable_look(struct search *search)
{
    struct elf_needs *needs = search->needs;
    const struct elf_file *file = &search->file;

    needs->machine = elf_machine_text(file->machine);
    if (!file->executable)
        return CPMP_EPROTO;
    if (!runs_here(search, file)) {
        needs->wrong_machine = true;
        return CPMP_OK;
    }
    if (file->interpreter[0] != 0) {
        needs->interpreter = memory_copy_text(file->interpreter);
        needs->interpreter_missing = access(file->interpreter, X_OK) < 0;
    }
    needs->kind = file->needed_count > 0 ? ELF_NEEDS_LIBRARIES : ELF_NEEDS_NOTHING;
    return libraries_find(search);
}

/* --- scripts --- */

/* The word at *rest_p, ended by a 0; "" when there is none. */
static char *
word_take(char **rest_p)
{
    char *word = *rest_p + strspn(*rest_p, " \t");
    char *end = word + strcspn(word, " \t\r\n");

    *rest_p = *end == 0 ? end : end + 1;
    *end = 0;
    return word;
}

/* Where execvp would find it; NULL: nowhere. Owned by the caller. */
static char *
command_find(const char *search_path, const char *name)
{
    struct text path = {0};
    char *found = NULL;

    while (search_path != NULL && *search_path != 0 && found == NULL) {
        size_t count = strcspn(search_path, ":");
        text_clear(&path);
        text_add(&path, search_path, count);
        text_print(&path, "/%s", name);
        if (count > 0 && access(text_string(&path), X_OK) == 0)
            found = memory_copy_text(text_string(&path));
        search_path += count + (search_path[count] == ':');
    }
    text_release(&path);
    return found;
}

/* The line behind "#!". env's options (-S) are left to env. */
static void
script_look(const struct elf_needs_question *question, char *line, struct elf_needs *needs)
{
    char *rest = line, *interpreter, *name;

    line[strcspn(line, "\n")] = 0;
    interpreter = word_take(&rest);
    name = word_take(&rest);
    needs->kind = ELF_NEEDS_SCRIPT;
    needs->interpreter_missing = access(interpreter, X_OK) < 0;
    if (!needs->interpreter_missing && strcmp(interpreter, "/usr/bin/env") == 0 && *name != 0 &&
        *name != '-' && strchr(name, '=') == NULL && strchr(name, '/') == NULL) {
        needs->interpreter = command_find(question->search_path, name);
        needs->interpreter_missing = needs->interpreter == NULL;
        interpreter = name;
    }
    if (needs->interpreter == NULL)
        needs->interpreter = memory_copy_text(interpreter);
}

static int
other_look(const struct elf_needs_question *question, struct elf_needs *needs)
{
    int fd = open(question->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char line[LINE_BYTES + 1] = {0};
    ssize_t got;

    if (fd < 0)
        return CPMP_ESYS;
    got = read(fd, line, LINE_BYTES);
    close(fd);
    if (got < 0)
        return CPMP_ESYS;
    needs->kind = ELF_NEEDS_UNKNOWN;
    if (got > 2 && line[0] == '#' && line[1] == '!')
        script_look(question, line + 2, needs);
    return CPMP_OK;
}

/* --- the whole --- */

int
elf_needs_find(const struct elf_needs_question *question, struct elf_needs *needs_p)
{
    struct search *search = memory_new(1, sizeof(*search));
    struct elf_needs needs = {0};
    int error, number;

    search->question = question;
    search->needs = &needs;
    search->main_as = question->as_path ? question->as_path : question->path;
    error = file_read("/proc/self/exe", &search->here);
    if (error == CPMP_OK)
        error = file_read(question->path, &search->file);
    if (error == CPMP_OK)
        error = executable_look(search);
    else if (error == CPMP_ENOENT)
        error = other_look(question, &needs);
    number = errno;
    free(search);
    if (error)
        elf_needs_release(&needs);
    else
        *needs_p = needs;
    errno = number;
    return error;
}

void
elf_needs_release(struct elf_needs *needs)
{
    for (uint32_t i = 0; i < needs->count; i++) {
        free(needs->libraries[i].name);
        free(needs->libraries[i].path);
        free(needs->libraries[i].wanted_by);
    }
    free(needs->libraries);
    free(needs->interpreter);
    memset(needs, 0, sizeof(*needs));
}

bool
elf_needs_met(const struct elf_needs *needs, struct text *why)
{
    const char *before = "it lacks ";

    if (needs->kind == ELF_NEEDS_UNKNOWN) {
        text_print(why, "it is neither a program nor a script with #!");
        return false;
    }
    if (needs->wrong_machine) {
        text_print(why, "it was built for %s", needs->machine);
        return false;
    }
    if (needs->interpreter_missing) {
        text_print(why, "there is no %s", needs->interpreter);
        return false;
    }
    if (needs->libc_major > 0) {
        text_print(why, "it was linked with glibc %u.%u and here is %s", needs->libc_major,
                   needs->libc_minor, gnu_get_libc_version());
        return false;
    }
    for (uint32_t i = 0; i < needs->count; i++) {
        if (needs->libraries[i].path != NULL)
            continue;
        text_print(why, "%s%s", before, needs->libraries[i].name);
        before = ", ";
    }
    return needs->missing == 0;
}
