/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_SYSTEM_SAVED_H
#define CPI_SYSTEM_SAVED_H

/*
 * Small files that are there whole or not at all: keys, certificates, lists. Writing goes to a file
 * beside, which takes the name once its bytes are on the disk, so that neither a crash nor a full
 * disk leaves half of one. `why` gets the reason of an error for people, with what to do.
 */

#include <stddef.h>

#include "text/text.h"

enum saved_access {
    SAVED_FOR_ALL,     /* 0644 */
    SAVED_AS_IT_WAS,   /* for a file that people edit: keeps its mode; 0644 when there was none */
    SAVED_FOR_OWNER,   /* 0600; refused when somebody else could read or write it */
};

/* CPMP_OK or CPMP_ESYS; after that the old file is as it was. */
int saved_write(const char *path, const void *bytes, size_t count, enum saved_access access,
                struct text *why);

/* Adds the file to `bytes`, at most `limit` bytes. CPMP_OK; CPMP_ENOENT when there is none (and no
 * words in `why`); CPMP_ELIMIT when it is longer; CPMP_EKEY when others have access to what is the
 * owner's; CPMP_ESYS. */
int saved_read(const char *path, size_t limit, enum saved_access access, struct text *bytes,
               struct text *why);

#endif
