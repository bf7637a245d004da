/* SPDX-License-Identifier: BSD-3-Clause */
#include "p2p/match.h"

#include <assert.h>
#include <cpmp.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define SLOTS_FIRST 256u

/* All members of one key, oldest first. */
struct cpi_bin {
    struct cpi_bin *next;  /* in its slot, or in the free list */
    uint32_t context;
    int source, tag;
    struct cpi_list members;
};

static unsigned
kind_of(int source, int tag)
{
    return (source == CPI_ANY_SOURCE ? 2u : 0u) | (tag == CPI_ANY_TAG ? 1u : 0u);
}

static size_t
slot_of(const struct cpi_table *table, uint32_t context, int source, int tag)
{
    uint64_t key = ((uint64_t)(uint32_t)source << 32 | (uint32_t)tag) +
                   (uint64_t)context * 0x9e3779b97f4a7c15ull;

    return (size_t)((key * 0xff51afd7ed558ccdull) >> 33) & (table->slot_count - 1);
}

static int
table_grow(struct cpi_table *table)
{
    size_t old_count = table->slot_count;
    struct cpi_bin **old = table->slots;
    struct cpi_bin **slots = calloc(old_count * 2, sizeof(struct cpi_bin *));

    if (slots == NULL)
        return CPMP_ENOMEM;
    table->slots = slots;
    table->slot_count = old_count * 2;
    for (size_t i = 0; i < old_count; i++) {
        while (old[i] != NULL) {
            struct cpi_bin *bin = old[i];
            old[i] = bin->next;
            size_t slot = slot_of(table, bin->context, bin->source, bin->tag);
            bin->next = slots[slot];
            slots[slot] = bin;
        }
    }
    free(old);
    return CPMP_OK;
}

static inline bool
bin_is(const struct cpi_bin *bin, uint32_t context, int source, int tag)
{
    return bin->tag == tag && bin->source == source && bin->context == context;
}

/* The key's bin or NULL. Messages of one kind come in rows, so the recent one is tried first. */
static inline struct cpi_bin *
bin_find(const struct cpi_table *table, uint32_t context, int source, int tag)
{
    if (table->recent != NULL && bin_is(table->recent, context, source, tag))
        return table->recent;
    struct cpi_bin *bin = table->slots[slot_of(table, context, source, tag)];
    while (bin != NULL && !bin_is(bin, context, source, tag))
        bin = bin->next;
    return bin;
}

/* The key's oldest member or NULL. */
static inline struct cpi_list *
oldest_find(const struct cpi_table *table, uint32_t context, int source, int tag)
{
    const struct cpi_bin *bin = bin_find(table, context, source, tag);

    return bin == NULL || cpi_list_empty(&bin->members) ? NULL : bin->members.next;
}

static struct cpi_bin *
bin_make(struct cpi_match *match, struct cpi_table *table, uint32_t context, int source, int tag)
{
    if (table->bin_count >= table->slot_count && table_grow(table) != CPMP_OK)
        return NULL;
    struct cpi_bin *bin = match->free_bins;
    if (bin != NULL)
        match->free_bins = bin->next;
    else if ((bin = malloc(sizeof(*bin))) == NULL)
        return NULL;
    size_t slot = slot_of(table, context, source, tag);
    bin->context = context;
    bin->source = source;
    bin->tag = tag;
    bin->next = table->slots[slot];
    cpi_list_init(&bin->members);
    table->slots[slot] = bin;
    table->bin_count++;
    return bin;
}

/* A bin without members goes to the free list. */
static void
bin_drop(struct cpi_match *match, struct cpi_table *table, struct cpi_bin *bin)
{
    struct cpi_bin **at = &table->slots[slot_of(table, bin->context, bin->source, bin->tag)];
    while (*at != bin)
        at = &(*at)->next;
    *at = bin->next;
    table->bin_count--;
    bin->next = match->free_bins;
    match->free_bins = bin;
}

/* Appends `link` to the key's bin, which is made when there is none. */
static inline struct cpi_bin *
table_append(struct cpi_match *match, struct cpi_table *table, uint32_t context, int source,
             int tag, struct cpi_list *link)
{
    struct cpi_bin *bin = bin_find(table, context, source, tag), *before = table->recent;

    if (bin == NULL && (bin = bin_make(match, table, context, source, tag)) == NULL)
        return NULL;
    cpi_list_append(&bin->members, link);
    if (bin != before) {
        table->recent = bin;
        if (before != NULL && cpi_list_empty(&before->members))
            bin_drop(match, table, before);
    }
    return bin;
}

/* Unlinks a member. */
static inline void
table_remove(struct cpi_match *match, struct cpi_table *table, struct cpi_bin *bin,
             struct cpi_list *link)
{
    cpi_list_remove(link);
    if (bin != table->recent && cpi_list_empty(&bin->members))
        bin_drop(match, table, bin);
}

int
cpi_match_init(struct cpi_match *match)
{
    memset(match, 0, sizeof(*match));
    cpi_list_init(&match->arrivals);
    match->indexed[0] = true;
    match->posted.slot_count = match->unexpected.slot_count = SLOTS_FIRST;
    match->posted.slots = calloc(SLOTS_FIRST, sizeof(struct cpi_bin *));
    match->unexpected.slots = calloc(SLOTS_FIRST, sizeof(struct cpi_bin *));
    if (match->posted.slots == NULL || match->unexpected.slots == NULL) {
        cpi_match_release(match);
        return CPMP_ENOMEM;
    }
    return CPMP_OK;
}

static void
bins_free(struct cpi_bin *bin)
{
    while (bin != NULL) {
        struct cpi_bin *next = bin->next;
        free(bin);
        bin = next;
    }
}

static void
table_release(struct cpi_table *table)
{
    for (size_t i = 0; table->slots != NULL && i < table->slot_count; i++)
        bins_free(table->slots[i]);
    free(table->slots);
}

void
cpi_match_release(struct cpi_match *match)
{
    table_release(&match->posted);
    table_release(&match->unexpected);
    bins_free(match->free_bins);
    memset(match, 0, sizeof(*match));
}

static inline bool
is_wild(const struct cpi_request *request)
{
    return request->peer == CPI_ANY_SOURCE || request->tag == CPI_ANY_TAG;
}

int
cpi_match_post(struct cpi_match *match, struct cpi_request *request)
{
    request->bin = table_append(match, &match->posted, request->context, request->peer,
                                request->tag, &request->link);
    if (request->bin == NULL)
        return CPMP_ENOMEM;
    request->order = ++match->post_order;
    match->posted_wild += is_wild(request);
    match->posted_count++;
    return CPMP_OK;
}

static inline void
unpost(struct cpi_match *match, struct cpi_request *request)
{
    assert(request->bin != NULL);
    table_remove(match, &match->posted, request->bin, &request->link);
    request->bin = NULL;
    match->posted_wild -= is_wild(request);
    match->posted_count--;
}

void
cpi_match_unpost(struct cpi_match *match, struct cpi_request *request)
{
    unpost(match, request);
}

static inline struct cpi_request *
oldest_posted(const struct cpi_match *match, uint32_t context, int source, int tag)
{
    struct cpi_list *first = oldest_find(&match->posted, context, source, tag);
    return first == NULL ? NULL : CPI_CONTAINER(first, struct cpi_request, link);
}

struct cpi_request *
cpi_match_arrive(struct cpi_match *match, uint32_t context, int source, int tag)
{
    struct cpi_request *best = oldest_posted(match, context, source, tag);

    if (__builtin_expect(match->posted_wild > 0, 0)) {
        for (unsigned kind = 1; kind < 4; kind++) {
            struct cpi_request *other = oldest_posted(match, context,
                                                      kind & 2 ? CPI_ANY_SOURCE : source,
                                                      kind & 1 ? CPI_ANY_TAG : tag);
            if (other != NULL && (best == NULL || other->order < best->order))
                best = other;
        }
    }
    if (best != NULL)
        unpost(match, best);
    return best;
}

/* Adds a message to the bin of one kind. */
static int
index_message(struct cpi_match *match, struct cpi_message *message, unsigned kind)
{
    message->bins[kind] = table_append(match, &match->unexpected, message->context,
                                       kind & 2 ? CPI_ANY_SOURCE : message->source,
                                       kind & 1 ? CPI_ANY_TAG : message->tag,
                                       &message->links[kind]);
    return message->bins[kind] == NULL ? CPMP_ENOMEM : CPMP_OK;
}

static void
unindex_message(struct cpi_match *match, struct cpi_message *message)
{
    for (unsigned kind = 0; kind < 4; kind++) {
        if (message->bins[kind] != NULL)
            table_remove(match, &match->unexpected, message->bins[kind], &message->links[kind]);
        message->bins[kind] = NULL;
    }
}

int
cpi_match_keep(struct cpi_match *match, struct cpi_message *message)
{
    memset(message->bins, 0, sizeof(message->bins));
    for (unsigned kind = 0; kind < 4; kind++) {
        if (match->indexed[kind] && index_message(match, message, kind) != CPMP_OK) {
            unindex_message(match, message);
            return CPMP_ENOMEM;
        }
    }
    cpi_list_append(&match->arrivals, &message->arrival);
    match->unexpected_count++;
    message->in_match = true;
    return CPMP_OK;
}

/* From now on keep the index of this kind; true when it could be built. */
static bool
index_build(struct cpi_match *match, unsigned kind)
{
    if (match->indexed[kind])
        return true;
    CPI_LIST_FOR(link, &match->arrivals)
    {
        struct cpi_message *message = CPI_CONTAINER(link, struct cpi_message, arrival);
        if (message->bins[kind] == NULL && index_message(match, message, kind) != CPMP_OK)
            return false;  /* taken up again by the next call */
    }
    match->indexed[kind] = true;
    return true;
}

struct cpi_message *
cpi_match_find(struct cpi_match *match, uint32_t context, int source, int tag)
{
    unsigned kind = kind_of(source, tag);

    if (match->unexpected_count == 0 || !index_build(match, kind))
        return NULL;
    struct cpi_list *first = oldest_find(&match->unexpected, context, source, tag);
    return first == NULL ? NULL : CPI_CONTAINER(first - kind, struct cpi_message, links);
}

void
cpi_match_remove(struct cpi_match *match, struct cpi_message *message)
{
    assert(message->in_match);
    unindex_message(match, message);
    cpi_list_remove(&message->arrival);
    match->unexpected_count--;
    message->in_match = false;
}

static size_t
table_check(const struct cpi_table *table)
{
    size_t bins = 0, members = 0;

    for (size_t i = 0; i < table->slot_count; i++) {
        for (const struct cpi_bin *bin = table->slots[i]; bin != NULL; bin = bin->next) {
            assert(slot_of(table, bin->context, bin->source, bin->tag) == i);
            assert(bin == table->recent || !cpi_list_empty(&bin->members));
            bins++;
            CPI_LIST_FOR(link, &bin->members)
                members++;
        }
    }
    assert(bins == table->bin_count);
    return members;
}

void
cpi_match_check(const struct cpi_match *match)
{
    size_t posted = table_check(&match->posted), arrivals = 0, indexed = 0;

    CPI_LIST_FOR(link, &match->arrivals)
    {
        const struct cpi_message *message = CPI_CONTAINER(link, struct cpi_message, arrival);
        assert(message->in_match && message->bins[0] != NULL);
        for (unsigned kind = 0; kind < 4; kind++)
            indexed += message->bins[kind] != NULL;
        arrivals++;
    }
    assert(posted == match->posted_count && match->posted_wild <= match->posted_count);
    assert(arrivals == match->unexpected_count);
    assert(table_check(&match->unexpected) == indexed);
    (void)posted;
}
