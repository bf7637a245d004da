/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_BOOK_H
#define CPI_PEER_BOOK_H

/*
 * The address book: who is meant by a contact of the overlay (proto/chord/message.h), by the number
 * of his entry. An entry is an id with what others, or the peer itself, said of its name and
 * addresses; a link to it proves that the id is right, so a false address costs a try and no more.
 *
 * The peer's own word replaces what others said. Entries that no part holds are forgotten when the
 * book is full: each part marks its own, the rest is swept.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/chord/id.h"
#include "proto/chord/message.h"

#define BOOK_ENTRIES_MAX    16384u
#define BOOK_ADDRESSES_MAX  8u
#define BOOK_ADDRESS_BYTES  72u   /* "[IPv6%scope]:port", 0 included */
#define BOOK_NAME_BYTES     64u
#define BOOK_RECENT_US      10000000u
#define BOOK_SELF           0u    /* the contact of this peer */

struct book_entry {
    struct chord_id id;
    bool used;
    bool own_word;     /* name and addresses are the peer's own */
    bool held;         /* marked in this sweep */
    char name[BOOK_NAME_BYTES];
    char addresses[BOOK_ADDRESSES_MAX][BOOK_ADDRESS_BYTES];
    uint32_t address_count;
    uint64_t last_us;  /* last heard of or used */
    uint64_t dead_us;  /* wall clock, when it was found dead; 0: it isn't, as far as is known */
};

/* What is said of a peer. Borrowed. */
struct book_peer {
    struct chord_id id;
    const char *name;             /* NULL or "": not said */
    char *const *addresses;
    size_t address_count;
    bool own_word;
};

struct book {
    struct book_entry *entries;
    uint32_t count, capacity;     /* entries[0 … count - 1]; those swept are not used */
    uint32_t used;
    uint32_t free_from;           /* entries before it are used */
    uint32_t *slots;              /* hash of ids: an entry's number + 1; 0: free */
    uint32_t slot_count;
    void (*mark)(void *arg);      /* marks what is held by book_hold */
    void *arg;
};

/* `mark` is called when the book is full, to have book_hold called for what must stay. */
void book_init(struct book *book, void (*mark)(void *arg), void *arg);
void book_release(struct book *book);

/* The contact of this peer, made or brought up to date; CHORD_NO_CONTACT when the book is full of
 * those that stay: who is held, who was named at this very `now_us` (all peers of one message are),
 * and who spoke for itself within BOOK_RECENT_US. The first one becomes BOOK_SELF. */
uint32_t book_intern(struct book *book, const struct book_peer *peer, uint64_t now_us);

/* CHORD_NO_CONTACT when unknown. */
uint32_t book_find(const struct book *book, const struct chord_id *id);

/* Valid until the next book_intern; NULL for what is no contact. */
const struct book_entry *book_get(const struct book *book, uint32_t contact);

/* It was found dead at that time of the wall clock; 0: it is alive. */
void book_died(struct book *book, uint32_t contact, uint64_t wall_us);

void book_hold(struct book *book, uint32_t contact);

/* The peer whose name is `text`, or whose id in hex begins with it (4 digits or more), when there
 * is exactly one; else CHORD_NO_CONTACT. */
uint32_t book_search(const struct book *book, const char *text);

#endif
