/* SPDX-License-Identifier: BSD-3-Clause */
/* Contents that come in pieces. */
#include "content/content.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cpmp.h>

#include "content/state.h"
#include "system/file.h"
#include "text/memory.h"

struct content_partial {
    struct content_store *store;
    struct content_manifest manifest;
    int fd;
    uint32_t had_count;
    bool *had;
};

static uint32_t
piece_bytes(const struct content_manifest *manifest, uint32_t piece)
{
    uint64_t left = manifest->size_bytes - (uint64_t)piece * CONTENT_PIECE_BYTES;

    return left < CONTENT_PIECE_BYTES ? (uint32_t)left : CONTENT_PIECE_BYTES;
}

static bool
manifest_valid(const struct content_manifest *manifest)
{
    return manifest->size_bytes <= CONTENT_SIZE_MAX &&
           manifest->piece_count ==
               (manifest->size_bytes + CONTENT_PIECE_BYTES - 1) / CONTENT_PIECE_BYTES;
}

/* Its whole length at once, so that a full disk shows now and not after an hour's download. */
static int
space_reserve(int fd, uint64_t bytes)
{
    if (bytes > 0 && fallocate(fd, 0, 0, (off_t)bytes) < 0 && errno != EOPNOTSUPP)
        return -1;
    return ftruncate(fd, (off_t)bytes);
}

/* Which pieces are right, of an earlier attempt. */
static void
pieces_find(struct content_partial *partial)
{
    struct content_hasher hasher;

    content_hasher_init(&hasher);
    for (uint32_t i = 0; i < partial->manifest.piece_count; i++) {
        struct content_name name;
        int64_t got = file_read_all(partial->fd, hasher.buffer, CONTENT_PIECE_BYTES,
                                    FILE_AT_POSITION);
        if (got != piece_bytes(&partial->manifest, i))
            break;
        content_hash(hasher.buffer, (size_t)got, &name);
        partial->had[i] = content_name_equal(&name, &partial->manifest.pieces[i]);
        partial->had_count += partial->had[i];
    }
    content_hasher_release(&hasher);
}

/* Without closing the entry's room. */
static void
partial_free(struct content_partial *partial)
{
    if (partial->fd >= 0)
        close(partial->fd);
    content_manifest_release(&partial->manifest);
    free(partial->had);
    free(partial);
}

/* The room of the content in the index, pinned; NULL with an error. */
static struct content_entry *
entry_reserve(struct content_store *store, const struct content_manifest *manifest, int *error_p)
{
    struct content_entry *entry = content_find(store, &manifest->name, true);

    if (entry != NULL && entry->pins > 0) {
        *error_p = content_fail(store, CPMP_ESTATE, "%s: this content is being fetched already",
                                store->directory);
        return NULL;
    }
    if (entry != NULL && entry->size_bytes != manifest->size_bytes) {
        content_drop(store, entry);  /* of another manifest */
        entry = NULL;
    }
    if (entry == NULL) {
        *error_p = content_make_room(store, manifest->size_bytes, 0);
        if (*error_p)
            return NULL;
        entry = content_add(store, &manifest->name, manifest->size_bytes, true);
    }
    entry->pins = 1;
    return entry;
}

static struct content_partial *
partial_new(struct content_store *store, const struct content_manifest *manifest)
{
    struct content_partial *partial = memory_new(1, sizeof(*partial));
    size_t bytes = manifest->piece_count * sizeof(manifest->pieces[0]);

    partial->store = store;
    partial->fd = -1;
    partial->manifest = *manifest;
    partial->manifest.pieces = memory_new(manifest->piece_count + 1, sizeof(*manifest->pieces));
    if (bytes > 0)
        memcpy(partial->manifest.pieces, manifest->pieces, bytes);
    partial->had = memory_new(manifest->piece_count + 1, sizeof(bool));
    return partial;
}

int
content_partial_open(struct content_store *store, const struct content_manifest *manifest,
                     struct content_partial **partial_p)
{
    struct content_partial *partial;
    struct content_entry *entry;
    char path[CONTENT_PATH_BYTES];
    int error = CPMP_OK;

    if (!manifest_valid(manifest))
        return content_fail(store, CPMP_EPROTO, "a content was announced with sizes that do not "
                            "agree");
    if (content_has(store, &manifest->name))
        return content_fail(store, CPMP_EEXIST, "%s: the content is here", store->directory);
    entry = entry_reserve(store, manifest, &error);
    if (entry == NULL)
        return error;
    partial = partial_new(store, manifest);
    content_relative(&manifest->name, true, path);
    partial->fd = openat(store->directory_fd, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
                         0600);
    if (partial->fd < 0 || space_reserve(partial->fd, manifest->size_bytes) < 0) {
        error = content_failed(store, "make room for a content");
        partial_free(partial);
        content_drop(store, entry);
        return error;
    }
    pieces_find(partial);
    *partial_p = partial;
    return CPMP_OK;
}

const bool *
content_partial_had(const struct content_partial *partial)
{
    return partial->had;
}

int
content_partial_write(struct content_partial *partial, uint32_t piece, const void *bytes,
                      size_t count)
{
    struct content_name name;

    if (piece >= partial->manifest.piece_count ||
        count != piece_bytes(&partial->manifest, piece))
        return content_fail(partial->store, CPMP_EPROTO, "a piece of a content has a wrong length");
    content_hash(bytes, count, &name);
    if (!content_name_equal(&name, &partial->manifest.pieces[piece]))
        return content_fail(partial->store, CPMP_EPROTO, "a piece of a content is not what was "
                            "announced");
    if (partial->had[piece])
        return CPMP_OK;
    if (file_write_all(partial->fd, bytes, count, (int64_t)piece * CONTENT_PIECE_BYTES) < 0)
        return content_failed(partial->store, "write a piece of a content");
    partial->had[piece] = true;
    partial->had_count++;
    return CPMP_OK;
}

/* The whole, from the disk: what was written is read once more. */
static bool
whole_is_right(struct content_partial *partial)
{
    struct content_manifest found = {0};
    bool right;

    if (lseek(partial->fd, 0, SEEK_SET) < 0 ||
        content_describe(partial->fd, false, &found) != CPMP_OK)
        return false;
    right = content_name_equal(&found.name, &partial->manifest.name);
    content_manifest_release(&found);
    return right;
}

/* Out of partial/, under its name. */
static int
partial_settle(struct content_partial *partial)
{
    struct content_store *store = partial->store;
    const struct content_manifest *manifest = &partial->manifest;
    char from[CONTENT_PATH_BYTES], to[CONTENT_PATH_BYTES];
    struct content_entry *entry;

    content_relative(&manifest->name, true, from);
    content_relative(&manifest->name, false, to);
    if (fchmod(partial->fd, manifest->executable ? 0555 : 0444) < 0 ||
        content_make_folder(store, &manifest->name) < 0 ||
        renameat(store->directory_fd, from, store->directory_fd, to) < 0)
        return content_failed(store, "give a content its name");
    entry = content_find(store, &manifest->name, true);
    assert(entry != NULL && entry->pins == 1);
    entry->partial = false;  /* its pin goes on as the caller's */
    entry->trusted = true;
    entry->executable = manifest->executable;
    content_touch(store, entry);
    return CPMP_OK;
}

int
content_partial_finish(struct content_partial *partial)
{
    struct content_store *store = partial->store;
    int error;

    if (partial->had_count < partial->manifest.piece_count)
        return content_fail(store, CPMP_ESTATE, "pieces of the content are missing");
    /* Put in meanwhile from elsewhere: that one serves. */
    if (content_has(store, &partial->manifest.name) &&
        content_pin(store, &partial->manifest.name, partial->manifest.executable) == CPMP_OK) {
        content_partial_close(partial, false);
        return CPMP_OK;
    }
    if (!whole_is_right(partial))
        error = content_fail(store, CPMP_EPROTO, "all pieces of a content came, but together they "
                             "are not what was announced");
    else
        error = partial_settle(partial);
    if (error)
        content_partial_close(partial, false);
    else
        partial_free(partial);
    return error;
}

void
content_partial_close(struct content_partial *partial, bool keep)
{
    struct content_entry *entry =
        content_find(partial->store, &partial->manifest.name, true);

    assert(entry != NULL && entry->pins == 1);
    entry->pins = 0;
    if (keep)
        content_touch(partial->store, entry);
    else
        content_drop(partial->store, entry);
    partial_free(partial);
}
