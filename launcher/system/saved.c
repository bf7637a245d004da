/* SPDX-License-Identifier: BSD-3-Clause */
#include "system/saved.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cpmp.h>

#include "system/file.h"
#include "text/memory.h"

static int
say_system(struct text *why, const char *what, const char *path)
{
    text_print(why, "cannot %s %s: %s", what, path, strerror(errno));
    return CPMP_ESYS;
}

/* So that the new name is on the disk, too. Not every file system can; then it is there soon. */
static void
directory_sync(const char *path)
{
    char *copy = memory_copy_text(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(copy);
}

static mode_t
mode_of(const char *path, enum saved_access access)
{
    struct stat old;

    if (access == SAVED_AS_IT_WAS && stat(path, &old) == 0)
        return old.st_mode & 0777;
    return access == SAVED_FOR_OWNER ? 0600 : 0644;
}

int
saved_write(const char *path, const void *bytes, size_t count, enum saved_access access,
            struct text *why)
{
    struct text beside = {0};
    mode_t mode = mode_of(path, access);
    int fd, failed;

    text_print(&beside, "%s.XXXXXX", path);
    fd = mkostemp(beside.bytes, O_CLOEXEC);  /* 0600 */
    if (fd < 0) {
        say_system(why, "write", path);
        goto release;
    }
    failed = (mode != 0600 && fchmod(fd, mode) < 0) ||
             file_write_all(fd, bytes, count, FILE_AT_POSITION) < 0 || fsync(fd) < 0;
    if (failed)
        say_system(why, "write", path);
    if (close(fd) < 0 && !failed) {
        failed = 1;
        say_system(why, "write", path);
    }
    if (!failed && rename(beside.bytes, path) < 0) {
        failed = 1;
        say_system(why, "write", path);
    }
    if (failed) {
        unlink(beside.bytes);
        goto release;
    }
    directory_sync(path);
    text_release(&beside);
    return CPMP_OK;

release:
    text_release(&beside);
    return CPMP_ESYS;
}

static int
owner_only(int fd, const char *path, struct text *why)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return say_system(why, "read", path);
    if (status.st_uid != geteuid()) {
        text_print(why, "%s belongs to another user (%u); refusing to use it", path,
                   (unsigned)status.st_uid);
        return CPMP_EKEY;
    }
    if (status.st_mode & (S_IRWXG | S_IRWXO)) {
        text_print(why, "others have access to %s (mode %04o); if nobody has read it, run: "
                   "chmod 600 %s", path, (unsigned)status.st_mode & 07777, path);
        return CPMP_EKEY;
    }
    return CPMP_OK;
}

static int
read_all(int fd, const char *path, size_t limit, struct text *bytes, struct text *why)
{
    char piece[4096];
    size_t have = 0;

    for (;;) {
        ssize_t count = read(fd, piece, sizeof(piece));

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return say_system(why, "read", path);
        if (count == 0)
            return CPMP_OK;
        have += (size_t)count;
        if (have > limit) {
            text_print(why, "%s is longer than %zu bytes; it is none of cpmp's", path, limit);
            return CPMP_ELIMIT;
        }
        text_add(bytes, piece, (size_t)count);
    }
}

int
saved_read(const char *path, size_t limit, enum saved_access access, struct text *bytes,
           struct text *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int error = CPMP_OK;

    if (fd < 0 && errno == ENOENT)
        return CPMP_ENOENT;
    if (fd < 0)
        return say_system(why, "read", path);
    if (access == SAVED_FOR_OWNER)
        error = owner_only(fd, path, why);
    if (error == CPMP_OK)
        error = read_all(fd, path, limit, bytes, why);
    close(fd);
    return error;
}
