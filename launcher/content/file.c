/* SPDX-License-Identifier: BSD-3-Clause */
/* Whole contents: hashing, putting in, pinning. */
#include "content/content.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cpmp.h>

#include "content/state.h"
#include "system/file.h"
#include "text/memory.h"

void
content_hasher_init(struct content_hasher *hasher)
{
    hasher->buffer = memory_new(1, CONTENT_PIECE_BYTES);
    hasher->whole = EVP_MD_CTX_new();
    if (hasher->whole == NULL || EVP_DigestInit_ex(hasher->whole, EVP_sha256(), NULL) != 1) {
        fprintf(stderr, "cpmp: SHA-256 is not to be had from OpenSSL: out of memory, or its "
                "configuration forbids it\n");
        abort();
    }
}

void
content_hasher_release(struct content_hasher *hasher)
{
    EVP_MD_CTX_free(hasher->whole);
    free(hasher->buffer);
}

void
content_hash(const void *bytes, size_t count, struct content_name *name_p)
{
    int done = EVP_Digest(bytes, count, name_p->bytes, NULL, EVP_sha256(), NULL);

    assert(done == 1);
    (void)done;
}

void
content_manifest_release(struct content_manifest *manifest)
{
    free(manifest->pieces);
    memset(manifest, 0, sizeof(*manifest));
}

static int64_t
piece_read(int fd, struct content_hasher *hasher)
{
    return file_read_all(fd, hasher->buffer, CONTENT_PIECE_BYTES, FILE_AT_POSITION);
}

/* Takes one more piece into the manifest. */
static void
manifest_add(struct content_manifest *manifest, struct content_hasher *hasher, size_t count)
{
    uint32_t pieces = manifest->piece_count;

    if ((pieces & (pieces - 1)) == 0)  /* 0 or a power of two: it is full */
        manifest->pieces = memory_grow(manifest->pieces, pieces ? 2 * (size_t)pieces : 1,
                                       sizeof(manifest->pieces[0]));
    content_hash(hasher->buffer, count, &manifest->pieces[pieces]);
    manifest->piece_count++;
    manifest->size_bytes += count;
    EVP_DigestUpdate(hasher->whole, hasher->buffer, count);
}

static void
manifest_end(struct content_manifest *manifest, struct content_hasher *hasher)
{
    EVP_DigestFinal_ex(hasher->whole, manifest->name.bytes, NULL);
}

int
content_describe(int fd, bool executable, struct content_manifest *manifest_p)
{
    struct content_manifest manifest = {.executable = executable};
    struct content_hasher hasher;
    int64_t got;

    content_hasher_init(&hasher);
    while ((got = piece_read(fd, &hasher)) > 0 && manifest.size_bytes < CONTENT_SIZE_MAX)
        manifest_add(&manifest, &hasher, (size_t)got);
    manifest_end(&manifest, &hasher);
    content_hasher_release(&hasher);
    if (got != 0) {
        content_manifest_release(&manifest);
        return got < 0 ? CPMP_ESYS : CPMP_ELIMIT;
    }
    *manifest_p = manifest;
    return CPMP_OK;
}

/* --- putting in --- */

static mode_t
content_mode(bool executable)
{
    return executable ? 0555 : 0444;
}

/* Copies, hashes and counts; what fits the quota is asked piece by piece, since a pipe doesn't tell
 * its length. */
static int
copy_in(struct content_store *store, int from, int to, struct content_manifest *manifest)
{
    struct content_hasher hasher;
    int error = CPMP_OK;
    int64_t got;

    content_hasher_init(&hasher);
    while (error == CPMP_OK && (got = piece_read(from, &hasher)) != 0) {
        if (got < 0) {
            error = content_failed(store, "read what is to be put in");
            break;
        }
        error = content_make_room(store, (uint64_t)got, manifest->size_bytes);
        if (error)
            break;
        if (file_write_all(to, hasher.buffer, (size_t)got, FILE_AT_POSITION) < 0)
            error = content_failed(store, "write a content");
        manifest_add(manifest, &hasher, (size_t)got);
    }
    manifest_end(manifest, &hasher);
    content_hasher_release(&hasher);
    return error;
}

/* The temporary file `path` is whole: it gets its name. */
static int
settle(struct content_store *store, int fd, const char *path,
       const struct content_manifest *manifest)
{
    struct content_entry *entry = content_find(store, &manifest->name, false);
    char target[CONTENT_PATH_BYTES];

    if (entry != NULL) {  /* the same bytes; whether those here are still right isn't known */
        if (!entry->trusted)
            content_verify(store, &manifest->name);
        if (content_pin(store, &manifest->name, manifest->executable) == CPMP_OK) {
            unlinkat(store->directory_fd, path, 0);
            return CPMP_OK;
        }
    }
    content_relative(&manifest->name, false, target);
    if (fchmod(fd, content_mode(manifest->executable)) < 0 ||
        content_make_folder(store, &manifest->name) < 0 ||
        renameat(store->directory_fd, path, store->directory_fd, target) < 0)
        return content_failed(store, "give a content its name");
    entry = content_add(store, &manifest->name, manifest->size_bytes, false);
    entry->executable = manifest->executable;
    entry->trusted = true;
    entry->pins = 1;
    content_touch(store, entry);
    return CPMP_OK;
}

int
content_insert(struct content_store *store, int fd, bool executable,
               struct content_manifest *manifest_p)
{
    struct content_manifest manifest = {.executable = executable};
    struct text path = {0};
    int to, error;

    text_print(&path, "%s/new.XXXXXX", store->directory);
    to = mkostemp(path.bytes, O_CLOEXEC);
    if (to < 0) {
        error = content_failed(store, "make a file");
        text_release(&path);
        return error;
    }
    error = copy_in(store, fd, to, &manifest);
    if (error == CPMP_OK)
        error = settle(store, to, strrchr(path.bytes, '/') + 1, &manifest);
    if (error)
        unlink(path.bytes);
    close(to);
    text_release(&path);
    if (error)
        content_manifest_release(&manifest);
    else
        *manifest_p = manifest;
    return error;
}

/* --- using --- */

static int
file_open(struct content_store *store, const struct content_entry *entry)
{
    char path[CONTENT_PATH_BYTES];

    content_relative(&entry->name, false, path);
    return openat(store->directory_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

int
content_verify(struct content_store *store, const struct content_name *name)
{
    struct content_entry *entry = content_find(store, name, false);
    struct content_manifest manifest = {0};
    char text[CONTENT_NAME_TEXT];
    int fd, error = CPMP_ESYS;

    if (entry == NULL)
        return CPMP_ENOENT;
    fd = file_open(store, entry);
    if (fd >= 0) {
        error = content_describe(fd, false, &manifest);
        close(fd);
    }
    entry->trusted = error == CPMP_OK && content_name_equal(&manifest.name, name);
    content_manifest_release(&manifest);
    if (entry->trusted)
        return CPMP_OK;
    content_name_text(name, text);
    content_drop(store, entry);
    return content_fail(store, CPMP_EPROTO, "%s: the content %.12s... was damaged or changed; it "
                        "is removed and will be fetched again", store->directory, text);
}

int
content_pin(struct content_store *store, const struct content_name *name, bool executable)
{
    struct content_entry *entry = content_find(store, name, false);
    char path[CONTENT_PATH_BYTES];
    int error;

    if (entry == NULL)
        return content_fail(store, CPMP_ENOENT, "%s: no such content", store->directory);
    if (!entry->trusted) {
        error = content_verify(store, name);
        if (error)
            return error;
    }
    content_relative(name, false, path);
    if (executable && !entry->executable) {
        if (fchmodat(store->directory_fd, path, content_mode(true), 0) < 0)
            return content_failed(store, "make a content executable");
        entry->executable = true;
    }
    entry->pins++;
    content_touch(store, entry);
    return CPMP_OK;
}

void
content_unpin(struct content_store *store, const struct content_name *name)
{
    struct content_entry *entry = content_find(store, name, false);

    if (entry != NULL && entry->pins > 0)
        entry->pins--;
}

int
content_open_file(struct content_store *store, const struct content_name *name, int *fd_p)
{
    struct content_entry *entry = content_find(store, name, false);
    int fd;

    if (entry == NULL)
        return CPMP_ENOENT;
    fd = file_open(store, entry);
    if (fd < 0)
        return content_failed(store, "open a content");
    content_touch(store, entry);
    *fd_p = fd;
    return CPMP_OK;
}

int
content_remove(struct content_store *store, const struct content_name *name)
{
    struct content_entry *entry = content_find(store, name, false);

    if (entry == NULL)
        return content_fail(store, CPMP_ENOENT, "%s: no such content", store->directory);
    if (entry->pins > 0)
        return content_fail(store, CPMP_ESTATE, "%s: the content is in use", store->directory);
    content_drop(store, entry);
    return CPMP_OK;
}
