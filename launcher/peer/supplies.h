/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_SUPPLIES_H
#define CPI_PEER_SUPPLIES_H

/*
 * Sees that contents are here. Those that the store lacks come from a program of this machine
 * (cpexec hands in what its job needs), or are fetched, in pieces, from the peer that wants them
 * used and from any other that has them (proto/fetch), and verified. Peers that have a content say
 * so on the ring, under a key made of its name.
 *
 * One content is fetched once, however many wait for it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "content/content.h"
#include "peer/overlay.h"
#include "wire/local.pb-c.h"
#include "wire/peer.pb-c.h"

#define SUPPLY_HOLDER_US    UINT64_C(3600000000)  /* how long the ring is told who has it */
#define SUPPLY_CONTENTS_MAX 1024u                 /* of one supply */
#define SUPPLY_COMING_MAX   256u                  /* fetched at a time */
#define SUPPLY_EXPECTED_MAX 1024u                 /* contents that programs here may hand in, */
#define SUPPLY_SESSION_MAX  256u                  /* and one of them */
#define SUPPLY_HANDED_MAX   16u                   /* files open for that */

struct supplies;
struct supply;

struct supplies_hooks {
    /* Sends to a contact. */
    void (*send)(void *arg, uint32_t contact, Cpmp__PeerMessage *message);
};

/* All are here and pinned (`why` NULL), or not; then why, for people. `shipped_bytes`: of those
 * that came. */
typedef void supply_fn(void *arg, const char *why, uint64_t shipped_bytes);

struct supplies *supplies_new(uv_loop_t *loop, struct content_store *store, struct book *book,
                              struct overlay *overlay, const struct supplies_hooks *hooks,
                              void *arg);

/* Nobody who waits hears more. The memory goes when the loop has closed the handles. */
void supplies_close(struct supplies *supplies);

/* Has `contents` brought here; `source` is a contact that has them. `done` comes later, once; never
 * after supplies_end. */
struct supply *supplies_begin(struct supplies *supplies, Cpmp__Content *const *contents,
                            size_t count, uint32_t source, supply_fn *done, void *arg);

/* How far it is: of the bytes that have to come, those that did. */
void supplies_progress(const struct supply *supply, uint64_t *had_bytes_p, uint64_t *bytes_p);

/* Stops, or unpins what was brought: to be called when `done` was called, too. */
void supplies_end(struct supply *supply);

/* The program `session` may hand in this content. False with `why`: it can't be one, or too many
 * are expected. */
bool supplies_expect(struct supplies *supplies, uint64_t session, const Cpmp__Content *content,
                     struct text *why);

/* A piece of a content that is expected. *done_p: now it is whole, and here. False with `why`. */
bool supplies_put(struct supplies *supplies, uint64_t session, const Cpmp__ContentPut *put,
                  bool *done_p, struct text *why);
void supplies_session_gone(struct supplies *supplies, uint64_t session);

/* A PieceReply from a contact. */
void supplies_answered(struct supplies *supplies, uint32_t contact,
                       const Cpmp__PieceReply *reply);

/* Calls book_hold for every contact in use. */
void supplies_hold(const struct supplies *supplies);

/* A contact can't be reached any more. */
void supplies_lost(struct supplies *supplies, uint32_t contact);

#endif
