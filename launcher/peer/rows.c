/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/rows.h"

#include <stdlib.h>
#include <string.h>

#include "system/clock.h"
#include "text/memory.h"

static void
row_addresses(const struct offer *offer, Cpmp__PeerRow *row)
{
    row->addresses = memory_new(offer->address_count, sizeof(char *));
    for (uint32_t i = 0; i < offer->address_count; i++) {
        struct address address = {.family = offer->addresses[i].ip_bytes == 4 ? 4 : 6,
                                  .port = offer->addresses[i].port};
        char text[ADDRESS_TEXT_MAX];

        memcpy(address.bytes, offer->addresses[i].ip, offer->addresses[i].ip_bytes);
        address_print(&address, text);
        row->addresses[row->n_addresses++] = memory_copy_text(text);
    }
}

static void
row_weaknesses(const struct offer *offer, Cpmp__PeerRow *row)
{
    const char *at = offer->seller.weaknesses;

    while (*at != '\0') {
        size_t length = strcspn(at, ",");
        char *name = memory_new(1, length + 1);

        memcpy(name, at, length);
        row->weaknesses = memory_grow(row->weaknesses, row->n_weaknesses + 1, sizeof(char *));
        row->weaknesses[row->n_weaknesses++] = name;
        at += length + (at[length] == ',');
    }
}

static Cpmp__PeerRow *
row_make(const struct daemon *daemon, const struct offer *offer)
{
    Cpmp__PeerRow *row = memory_new(1, sizeof(*row));
    const struct seller *seller = &offer->seller;

    cpmp__peer_row__init(row);
    row->id.data = memory_new(1, SELLER_ID_BYTES);
    row->id.len = SELLER_ID_BYTES;
    memcpy(row->id.data, seller->id, SELLER_ID_BYTES);
    row->name = memory_copy_text(seller->name);
    row->self = memcmp(seller->id, daemon->membership.id, SELLER_ID_BYTES) == 0;
    row->arch = memory_copy_text(seller->arch);
    row->os = memory_copy_text(seller->os);
    row->kernel = memory_copy_text(seller->kernel);
    row->version = memory_copy_text(seller->version);
    row->reason = memory_copy_text(offer->why);
    row->cores = seller->cores;
    row->ranks_max = seller->ranks_max;
    row->ranks_free = seller->ranks_free;
    row->free_millicores = seller->millicores_free;
    row->memory_bytes = seller->memory_bytes;
    row->free_memory_bytes = seller->memory_free_bytes;
    row->scratch_bytes = seller->scratch_bytes;
    row->sharing = seller->ranks_max > 0;
    row->rtt_us = row->self ? 0 : links_round_trip_us(daemon->links, seller->id);
    row_addresses(offer, row);
    row_weaknesses(offer, row);
    return row;
}

/* Its offer stays on the ring until it expires; who found it dead needn't wait for that. Clocks may
 * differ: after an offer's lifetime, what is on the ring was signed by somebody alive. Word of a
 * death may come after the next life began: a link tells better. */
static bool
is_dead(const struct daemon *daemon, const struct offer *offer)
{
    const struct book_entry *entry;
    struct chord_id id;

    memcpy(id.bytes, offer->seller.id, CHORD_ID_BYTES);
    entry = book_get(&daemon->book, book_find(&daemon->book, &id));
    return entry != NULL && entry->dead_us != 0 && offer->issued_us <= entry->dead_us &&
           !links_is_up(daemon->links, offer->seller.id) &&
           clock_wall_us() - entry->dead_us < OFFERS_LIFETIME_US;
}

Cpmp__PeerRow **
rows_make(const struct daemon *daemon, const struct offer *offers, size_t count, size_t *count_p)
{
    Cpmp__PeerRow **rows = memory_new(count, sizeof(Cpmp__PeerRow *));

    *count_p = 0;
    for (size_t i = 0; i < count; i++)
        if (!membership_is_revoked(&daemon->membership, offers[i].seller.id) &&
            !is_dead(daemon, &offers[i]))
            rows[(*count_p)++] = row_make(daemon, &offers[i]);
    return rows;
}

void
rows_free(Cpmp__PeerRow **rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cpmp__peer_row__free_unpacked(rows[i], NULL);
    free(rows);
}
