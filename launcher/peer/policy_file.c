/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/policy_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cpmp.h>

#include "text/memory.h"

static int
system_error(const char *what, const char *path, struct text *why)
{
    text_print(why, "%s %s: %s", path, what, strerror(errno));
    return CPMP_ESYS;
}

/* The whole file. A missing one is empty, and *there_p false. */
static int
file_read(const char *path, struct text *text, bool *there_p, struct text *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char piece[4096];
    ssize_t count;
    int error = CPMP_OK;

    *there_p = fd >= 0;
    if (fd < 0)
        return errno == ENOENT ? CPMP_OK : system_error("can't be opened", path, why);
    while ((count = read(fd, piece, sizeof(piece))) != 0) {
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            error = system_error("can't be read", path, why);
            break;
        }
        text_add(text, piece, (size_t)count);
        if (text->used > POLICY_FILE_BYTES_MAX || memchr(piece, '\0', (size_t)count) != NULL) {
            text_print(why, "%s is no policy: it has bytes of value 0, or more than %u KiB", path,
                       POLICY_FILE_BYTES_MAX >> 10);
            error = CPMP_EINVAL;
            break;
        }
    }
    close(fd);
    return error;
}

static int
all_write(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t written = write(fd, bytes, count);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        bytes += written;
        count -= (size_t)written;
    }
    return 0;
}

/* The directory's entry is on disk only when the directory is. */
static int
directory_sync(const char *path)
{
    char *directory = memory_copy_text(path);
    char *slash = strrchr(directory, '/');
    int fd, result;

    if (slash != NULL)
        slash[slash == directory] = '\0';
    fd = open(slash != NULL ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    result = fd < 0 ? -1 : fsync(fd);
    if (fd >= 0)
        close(fd);
    free(directory);
    return result;
}

/* Beside the file, then over it, with the mode that it had. */
static int
file_replace(const char *path, const struct text *text, struct text *why)
{
    struct text beside = {0};
    struct stat old;
    mode_t mode = stat(path, &old) == 0 ? old.st_mode & 0777 : 0644;
    int fd;
    int error = CPMP_OK;

    text_print(&beside, "%s.XXXXXX", path);
    fd = mkostemp(beside.bytes, O_CLOEXEC);
    if (fd < 0) {
        error = system_error("can't be made", beside.bytes, why);
        goto release_name;
    }
    if (all_write(fd, text_string(text), text->used) != 0 || fchmod(fd, mode) != 0 ||
        fsync(fd) != 0) {
        error = system_error("can't be written", beside.bytes, why);
        goto remove_file;
    }
    if (rename(beside.bytes, path) != 0) {
        error = system_error("can't be replaced", path, why);
        goto remove_file;
    }
    if (directory_sync(path) != 0)
        error = system_error("was replaced, but its directory can't be synced", path, why);
    close(fd);
    goto release_name;

remove_file:
    close(fd);
    unlink(beside.bytes);
release_name:
    text_release(&beside);
    return error;
}

int
policy_file_load(const char *path, struct policy *policy, struct text *why)
{
    struct text text = {0};
    bool there;
    int error = file_read(path, &text, &there, why);

    if (!error)
        error = policy_parse(policy, path, text_string(&text), why);
    text_release(&text);
    return error;
}

/* Sets one key in the policy and in the file's text. */
static int
pair_apply(const char *pair, struct policy *policy, struct text *file, struct text *why)
{
    struct text value = {0};
    struct text next = {0};
    char key[POLICY_KEY_BYTES];
    int error = policy_set_pair(policy, pair, key, why);

    if (error)
        return error;
    policy_value(policy, key, &value);
    policy_edit(text_string(file), key, text_string(&value), &next);
    text_release(&value);
    text_release(file);
    *file = next;
    return CPMP_OK;
}

int
policy_file_set(const char *path, struct policy *policy, char *const *pairs, size_t count,
                struct text *why)
{
    struct text file = {0};
    struct policy changed;
    bool there;
    int error = file_read(path, &file, &there, why);

    policy_init(&changed);
    if (!error)
        error = policy_parse(&changed, path, text_string(&file), why);
    if (!error && !there)
        policy_template(&file);
    for (size_t i = 0; !error && i < count; i++)
        error = pair_apply(pairs[i], &changed, &file, why);
    if (!error)
        error = file_replace(path, &file, why);
    if (!error)
        policy_move(policy, &changed);
    policy_release(&changed);
    text_release(&file);
    return error;
}
