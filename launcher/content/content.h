/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_CONTENT_CONTENT_H
#define CPI_CONTENT_CONTENT_H

/*
 * The store of a peer: contents (executables, files) by the SHA-256 of their bytes, as files
 * DIRECTORY/ab/cdef... that never change. At most `quota_bytes` are kept; what was used least
 * lately goes first, what is pinned stays. The directory is the index: it is read at the start.
 *
 * Nothing is fsynced. A name is a promise about the bytes, so a file that a power cut left short or
 * empty is found out: what was there before this start is hashed once before its first use, and is
 * dropped when it is another. The worst that is lost is a download; fsync would cost every one of
 * them the speed of the disk.
 *
 * A file gets its name only when it is whole (rename), so a kill at any moment leaves what was
 * there and at most a temporary file, which the next start removes. A fetch writes into
 * DIRECTORY/partial/NAME; which of its pieces are there is found by hashing them, so there is no
 * record that could be wrong.
 *
 * Files are 0444, those that were put as executables 0555, directories 0755: a sandbox's user reads
 * them. One process and thread uses a store.
 *
 * Errors: CPMP_ENOSPC (the disk is full), CPMP_ELIMIT (more than the quota lets in beside what is
 * pinned), CPMP_EPROTO (bytes that are not what their name says), CPMP_ENOENT, CPMP_ESYS;
 * content_error() has the sentence for people.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/text.h"

#define CONTENT_NAME_BYTES  32u
#define CONTENT_NAME_TEXT   65u           /* in hexadecimal, with the 0 */
#define CONTENT_PIECE_BYTES (256u << 10)  /* as in proto/fetch/fetch.h */
#define CONTENT_SIZE_MAX    (1ull << 38)

struct content_name {
    uint8_t bytes[CONTENT_NAME_BYTES];
};

/* What is to be known to fetch a content. `pieces` belongs to it. */
struct content_manifest {
    struct content_name name;
    uint64_t size_bytes;
    bool executable;
    uint32_t piece_count;
    struct content_name *pieces;
};

struct content_info {
    struct content_name name;
    uint64_t size_bytes;
    bool executable;
    bool partial;      /* of a fetch that isn't complete */
    uint32_t pins;
    int64_t used_s;    /* last use, seconds since 1970 */
};

struct content_usage {
    uint64_t quota_bytes, used_bytes, pinned_bytes;
    uint32_t contents;
};

struct content_store;
struct content_partial;

/* Lower case hexadecimal, and back; false: no name. */
void content_name_text(const struct content_name *name, char text[CONTENT_NAME_TEXT]);
bool content_name_parse(const char *text, struct content_name *name_p);
bool content_name_equal(const struct content_name *one, const struct content_name *other);

void content_manifest_release(struct content_manifest *manifest);

/* Opens the store in `directory`, which is made when it isn't there (not its parents). `why` gets
 * the sentence for people when that fails: CPMP_ESYS. */
int content_open(const char *directory, uint64_t quota_bytes, struct content_store **store_p,
                 struct text *why);

/* Open partials must have been closed. */
void content_close(struct content_store *store);

/* Why the last call failed, for people. */
const char *content_error(const struct content_store *store);

/* Names the bytes from here to the end of `fd`, without keeping them. CPMP_ESYS with errno. */
int content_describe(int fd, bool executable, struct content_manifest *manifest_p);

/* Puts the bytes from here to the end of `fd` in, hashing on the way, and pins it once. What is
 * there already is not written twice. */
int content_insert(struct content_store *store, int fd, bool executable,
                   struct content_manifest *manifest_p);

/* Finds it whole and right, and pins it: it stays until content_unpin (which is harmless for one
 * that was found damaged meanwhile). CPMP_ENOENT: not here; CPMP_EPROTO: it was damaged and is gone
 * now. `executable`: it shall be, from now on. */
int content_pin(struct content_store *store, const struct content_name *name, bool executable);
void content_unpin(struct content_store *store, const struct content_name *name);

/* Whether it is here; it may turn out to be damaged. */
bool content_has(const struct content_store *store, const struct content_name *name);

/* Hashes it again; drops it when it is damaged: CPMP_EPROTO. For one that others complain of. */
int content_verify(struct content_store *store, const struct content_name *name);

/* Where it lies, absolute when the directory was; for a bind mount or open. */
void content_path(const struct content_store *store, const struct content_name *name,
                  struct text *path);

/* A descriptor to read it, close-on-exec; counts as use. CPMP_ENOENT. */
int content_open_file(struct content_store *store, const struct content_name *name, int *fd_p);

/* CPMP_ESTATE: it is pinned. */
int content_remove(struct content_store *store, const struct content_name *name);

/* Evicts what no longer fits. */
void content_set_quota(struct content_store *store, uint64_t quota_bytes);
struct content_usage content_usage(const struct content_store *store);

/* One by one, in no order: `index` from 0 until it is false. */
bool content_at(const struct content_store *store, uint32_t index, struct content_info *info_p);

/* --- a content that comes in pieces --- */

/* Begins or goes on; room for all of it is reserved. CPMP_EEXIST: it is here, whole; CPMP_ESTATE:
 * its partial is open; CPMP_EPROTO: a manifest that can't be. The manifest is copied. */
int content_partial_open(struct content_store *store, const struct content_manifest *manifest,
                         struct content_partial **partial_p);

/* Which pieces are there; manifest.piece_count of them. Valid until it is closed. */
const bool *content_partial_had(const struct content_partial *partial);

/* Writes a piece when it is the right one; CPMP_EPROTO when it isn't: nothing has changed. */
int content_partial_write(struct content_partial *partial, uint32_t piece, const void *bytes,
                          size_t count);

/* All pieces are there: checks the whole and gives it its name, pinned once. CPMP_EPROTO: the
 * pieces are what the manifest says, the whole isn't; CPMP_ESTATE: pieces are missing. In any case
 * but CPMP_ESTATE the partial is closed. */
int content_partial_finish(struct content_partial *partial);

/* Stops; `keep`: what came may be gone on with later, as long as nothing else needs the room. */
void content_partial_close(struct content_partial *partial, bool keep);

#endif
