/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/book.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "text/hex.h"
#include "text/memory.h"

#define SLOTS_FIRST 64u

void
book_init(struct book *book, void (*mark)(void *arg), void *arg)
{
    memset(book, 0, sizeof(*book));
    book->mark = mark;
    book->arg = arg;
    book->slot_count = SLOTS_FIRST;
    book->slots = memory_new(book->slot_count, sizeof(*book->slots));
}

void
book_release(struct book *book)
{
    free(book->entries);
    free(book->slots);
    memset(book, 0, sizeof(*book));
}

/* --- the hash: ids are hashes already --- */

static uint32_t
slot_first(const struct book *book, const struct chord_id *id)
{
    uint32_t value;

    memcpy(&value, id->bytes + 8, sizeof(value));
    return value & (book->slot_count - 1);
}

static uint32_t *
slot_find(const struct book *book, const struct chord_id *id)
{
    uint32_t at = slot_first(book, id);

    while (book->slots[at] != 0 &&
           !chord_id_equal(&book->entries[book->slots[at] - 1].id, id))
        at = (at + 1) & (book->slot_count - 1);
    return &book->slots[at];
}

static void
slots_rebuild(struct book *book, uint32_t count)
{
    free(book->slots);
    book->slot_count = count;
    book->slots = memory_new(count, sizeof(*book->slots));
    for (uint32_t i = 0; i < book->count; i++)
        if (book->entries[i].used)
            *slot_find(book, &book->entries[i].id) = i + 1;
}

uint32_t
book_find(const struct book *book, const struct chord_id *id)
{
    uint32_t number = *slot_find(book, id);

    return number == 0 ? CHORD_NO_CONTACT : number - 1;
}

const struct book_entry *
book_get(const struct book *book, uint32_t contact)
{
    return contact < book->count && book->entries[contact].used ? &book->entries[contact] : NULL;
}

void
book_hold(struct book *book, uint32_t contact)
{
    if (contact < book->count)
        book->entries[contact].held = true;
}

void
book_died(struct book *book, uint32_t contact, uint64_t wall_us)
{
    if (contact < book->count)
        book->entries[contact].dead_us = wall_us;
}

/* --- room --- */

/* A message's peers are read one after the other, and its sender may be held by nobody yet: their
 * numbers must not be given to others meanwhile. */
static bool
stays(const struct book_entry *entry, uint64_t now_us)
{
    return entry->held || entry->last_us == now_us ||
           (entry->own_word && entry->last_us + BOOK_RECENT_US > now_us);
}

static void
sweep(struct book *book, uint64_t now_us)
{
    for (uint32_t i = 0; i < book->count; i++)
        book->entries[i].held = false;
    book_hold(book, BOOK_SELF);
    book->mark(book->arg);
    for (uint32_t i = 0; i < book->count; i++) {
        if (book->entries[i].used && !stays(&book->entries[i], now_us)) {
            book->entries[i].used = false;
            book->used--;
        }
    }
    book->free_from = 0;
    slots_rebuild(book, book->slot_count);
}

static uint32_t
entry_free(struct book *book, uint64_t now_us)
{
    if (book->used >= BOOK_ENTRIES_MAX)
        sweep(book, now_us);
    for (; book->free_from < book->count; book->free_from++)
        if (!book->entries[book->free_from].used)
            return book->free_from;
    if (book->count == BOOK_ENTRIES_MAX)
        return CHORD_NO_CONTACT;
    if (book->count == book->capacity) {
        book->capacity = book->capacity ? 2 * book->capacity : 32;
        book->entries = memory_grow(book->entries, book->capacity, sizeof(*book->entries));
    }
    return book->count++;
}

static uint32_t
entry_new(struct book *book, const struct chord_id *id, uint64_t now_us)
{
    uint32_t contact = entry_free(book, now_us);

    if (contact == CHORD_NO_CONTACT)
        return contact;
    memset(&book->entries[contact], 0, sizeof(book->entries[contact]));
    book->entries[contact].id = *id;
    book->entries[contact].used = true;
    book->used++;
    if (2 * book->used > book->slot_count)
        slots_rebuild(book, 2 * book->slot_count);
    *slot_find(book, id) = contact + 1;
    return contact;
}

/* --- what is said --- */

static void
entry_say(struct book_entry *entry, const struct book_peer *peer)
{
    if (entry->own_word && !peer->own_word)
        return;
    if (peer->name != NULL && peer->name[0] != '\0')
        snprintf(entry->name, sizeof(entry->name), "%s", peer->name);
    if (peer->address_count == 0)
        return;
    entry->own_word = peer->own_word;
    entry->address_count = 0;
    for (size_t i = 0; i < peer->address_count && entry->address_count < BOOK_ADDRESSES_MAX; i++)
        if (strlen(peer->addresses[i]) < BOOK_ADDRESS_BYTES)
            memcpy(entry->addresses[entry->address_count++], peer->addresses[i],
                   strlen(peer->addresses[i]) + 1);
}

uint32_t
book_intern(struct book *book, const struct book_peer *peer, uint64_t now_us)
{
    uint32_t contact = book_find(book, &peer->id);

    if (contact == CHORD_NO_CONTACT)
        contact = entry_new(book, &peer->id, now_us);
    if (contact == CHORD_NO_CONTACT)
        return contact;
    book->entries[contact].last_us = now_us;
    entry_say(&book->entries[contact], peer);
    return contact;
}

static bool
id_begins(const struct chord_id *id, const char *text, size_t length)
{
    char hex[HEX_BYTES(CHORD_ID_BYTES)];

    hex_print(id->bytes, CHORD_ID_BYTES, hex);
    return length >= 4 && length <= 2 * CHORD_ID_BYTES && strncasecmp(hex, text, length) == 0;
}

uint32_t
book_search(const struct book *book, const char *text)
{
    uint32_t found = CHORD_NO_CONTACT;
    size_t length = strlen(text);

    for (uint32_t i = 0; i < book->count; i++) {
        const struct book_entry *entry = &book->entries[i];
        if (!entry->used || (strcasecmp(entry->name, text) != 0 &&
                             !id_begins(&entry->id, text, length)))
            continue;
        if (found != CHORD_NO_CONTACT)
            return CHORD_NO_CONTACT;
        found = i;
    }
    return found;
}
