/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_UPLOADS_H
#define CPI_PEER_UPLOADS_H

/*
 * Pieces of contents for other peers. A piece is read only when the link to its asker takes it: who
 * asks for everything and reads nothing costs a line in a table for each piece, and there are
 * UPLOADS_MAX of these in all, UPLOADS_OF_ONE_MAX for one peer. What doesn't fit is not answered,
 * and asked for again (proto/fetch).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "content/content.h"
#include "wire/peer.pb-c.h"

#define UPLOADS_MAX        4096u
#define UPLOADS_OF_ONE_MAX 1024u

struct uploads_hooks {
    void (*send)(void *arg, uint32_t contact, Cpmp__PeerMessage *message);
    /* Whether a piece may be sent now; else uploads_room follows, or uploads_forget. */
    bool (*has_room)(void *arg, uint32_t contact);
};

struct uploads_one {
    uint32_t contact, piece;
    struct content_name name;
};

struct uploads {
    struct content_store *store;
    const struct uploads_hooks *hooks;
    void *arg;
    struct uploads_one *list;   /* that wait, the oldest first */
    size_t count;
};

void uploads_init(struct uploads *uploads, struct content_store *store,
                  const struct uploads_hooks *hooks, void *arg);
void uploads_release(struct uploads *uploads);

/* A contact asks for a piece. One that isn't here is answered without data. */
void uploads_ask(struct uploads *uploads, uint32_t contact, const Cpmp__PieceRequest *request);

/* The link to a contact has room again; it is lost. */
void uploads_room(struct uploads *uploads, uint32_t contact);
void uploads_forget(struct uploads *uploads, uint32_t contact);

#endif
