/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_CONTENT_STATE_H
#define CPI_CONTENT_STATE_H

/* The inside of the content store, shared by its sources. */

#include <openssl/evp.h>

#include "content/content.h"

struct content_entry {
    struct content_name name;
    uint64_t size_bytes;
    uint64_t used;      /* order of last uses, higher is later */
    int64_t used_s;
    uint32_t pins;      /* of a partial: 1 while it is open */
    bool executable;
    bool partial;
    bool trusted;       /* hashed since this start */
};

struct content_store {
    char *directory;
    int directory_fd;
    uint64_t quota_bytes, used_bytes, clock;
    uint32_t count, capacity;
    struct content_entry *entries;
    struct text error;
};

/* SHA-256 of pieces and of the whole in one pass. */
struct content_hasher {
    EVP_MD_CTX *whole;
    unsigned char *buffer;  /* CONTENT_PIECE_BYTES */
};

void content_hasher_init(struct content_hasher *hasher);
void content_hasher_release(struct content_hasher *hasher);
void content_hash(const void *bytes, size_t count, struct content_name *name_p);

/* The path relative to the store's directory. */
#define CONTENT_PATH_BYTES 96u
void content_relative(const struct content_name *name, bool partial,
                      char path[CONTENT_PATH_BYTES]);

/* NULL: none. Valid until one is added or removed. */
struct content_entry *content_find(const struct content_store *store,
                                   const struct content_name *name, bool partial);
struct content_entry *content_add(struct content_store *store, const struct content_name *name,
                                  uint64_t size_bytes, bool partial);

/* Unlinks the file and forgets the entry. */
void content_drop(struct content_store *store, struct content_entry *entry);
void content_touch(struct content_store *store, struct content_entry *entry);

/* Evicts until `bytes` more fit, beside `beside` that are not counted yet; CPMP_ELIMIT. */
int content_make_room(struct content_store *store, uint64_t bytes, uint64_t beside);

/* Makes the directory that a name of this kind lies in; 0 or -1 with errno. */
int content_make_folder(struct content_store *store, const struct content_name *name);

/* Sets the sentence for people, from errno: CPMP_ENOSPC or CPMP_ESYS. */
int content_failed(struct content_store *store, const char *what);

/* Sets the sentence; returns `error`. */
__attribute__((format(printf, 3, 4)))
int content_fail(struct content_store *store, int error, const char *format, ...);

#endif
