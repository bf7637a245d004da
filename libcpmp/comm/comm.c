/* SPDX-License-Identifier: BSD-3-Clause */
#include "comm/comm.h"

#include <assert.h>
#include <cpmp.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "p2p/engine.h"

#define CONTEXT_WORDS (CPI_CONTEXTS_MAX / 64)

/* Tag of the messages that make communicators, within the collective context of the parent: above
 * all tags that collectives use there. create_group's users choose their own, below it. */
#define AGREE_TAG 0x7fffffff

/* Contexts of the communicators that are there from the start. */
#define CONTEXT_WORLD  0u
#define CONTEXT_SELF   2u
#define CONTEXT_NATIVE 4u

/* Context ids taken at this rank: one bit each. A new communicator takes the lowest that is free at
 * all its members; id i stands for contexts 2i and 2i + 1. */
static uint64_t taken_contexts[CONTEXT_WORDS] = {7};

static void
context_free(uint32_t context)
{
    if (context > CONTEXT_NATIVE)
        taken_contexts[context / 2 / 64] &= ~(1ull << (context / 2 % 64));
}

static void
context_take(uint32_t context)
{
    assert((taken_contexts[context / 2 / 64] & 1ull << (context / 2 % 64)) == 0);
    taken_contexts[context / 2 / 64] |= 1ull << (context / 2 % 64);
}

/* The lowest id free at everyone in the circle; taken. */
static int
context_agree(const struct cpi_circle *circle, uint32_t *context_p)
{
    uint64_t words[CONTEXT_WORDS];

    for (uint32_t i = 0; i < CONTEXT_WORDS; i++)
        words[i] = ~taken_contexts[i];
    int error = cpi_circle_and(circle, words, CONTEXT_WORDS);
    if (error != CPMP_OK)
        return error;
    for (uint32_t i = 0; i < CONTEXT_WORDS; i++) {
        if (words[i] != 0) {
            *context_p = 2 * (i * 64 + (uint32_t)__builtin_ctzll(words[i]));
            context_take(*context_p);
            return CPMP_OK;
        }
    }
    return CPMP_ELIMIT;
}

/* The reverse map, unless comm ranks are world ranks. */
static int
reverse_make(struct cpi_comm *comm)
{
    bool identity = comm->size == cpi_engine.size;

    for (int i = 0; identity && i < comm->size; i++)
        identity = comm->group->world_ranks[i] == i;
    if (identity)
        return CPMP_OK;
    comm->rank_of_world = malloc(sizeof(int) * (size_t)cpi_engine.size);
    if (comm->rank_of_world == NULL)
        return CPMP_ENOMEM;
    for (int i = 0; i < cpi_engine.size; i++)
        comm->rank_of_world[i] = CPI_UNDEFINED;
    for (int i = 0; i < comm->size; i++)
        comm->rank_of_world[comm->group->world_ranks[i]] = i;
    return CPMP_OK;
}

/* Which of its ranks are on this peer, and on how many peers they are. */
static int
places_make(struct cpi_comm *comm)
{
    uint32_t peers = cpi_engine.segment.header->peers, local;
    char *seen = calloc(peers, 1);

    comm->local_ranks = malloc(sizeof(int) * (size_t)comm->size);
    if (seen == NULL || comm->local_ranks == NULL) {
        free(seen);
        return CPMP_ENOMEM;
    }
    comm->hosts = comm->local_size = 0;
    for (int i = 0; i < comm->size; i++) {
        int world_rank = comm->group->world_ranks[i];
        uint32_t peer = cpi_engine.segment.places[world_rank].peer;
        comm->hosts += !seen[peer];
        seen[peer] = 1;
        if (i == comm->rank)
            comm->local_rank = comm->local_size;
        if (cpi_engine_is_local(world_rank, &local))
            comm->local_ranks[comm->local_size++] = i;
    }
    comm->leader = comm->local_ranks[0];
    free(seen);
    return CPMP_OK;
}

/* Takes over the caller's reference to `group`, also on failure. */
static int
comm_fill(struct cpi_comm *comm, struct cpi_group *group, uint32_t context)
{
    memset(comm, 0, sizeof(*comm));
    comm->references = 1;
    comm->group = group;
    comm->rank = group->rank;
    comm->size = group->size;
    comm->context = context;
    int error = reverse_make(comm);
    if (error == CPMP_OK)
        error = places_make(comm);
    if (error != CPMP_OK)
        cpi_comm_release(comm);
    return error;
}

static int
init_all(struct cpi_comm *comm, uint32_t context)
{
    struct cpi_group *group;
    int *ranks = malloc(sizeof(int) * (size_t)cpi_engine.size);

    if (ranks == NULL)
        return CPMP_ENOMEM;
    for (int i = 0; i < cpi_engine.size; i++)
        ranks[i] = i;
    int error = cpi_group_make(cpi_engine.size, ranks, &group);
    free(ranks);
    return error != CPMP_OK ? error : comm_fill(comm, group, context);
}

int
cpi_comm_init_world(struct cpi_comm *comm)
{
    return init_all(comm, CONTEXT_WORLD);
}

int
cpi_comm_init_native(struct cpi_comm *comm)
{
    return init_all(comm, CONTEXT_NATIVE);
}

int
cpi_comm_init_self(struct cpi_comm *comm)
{
    struct cpi_group *group;
    int error = cpi_group_make(1, &cpi_engine.rank, &group);

    return error != CPMP_OK ? error : comm_fill(comm, group, CONTEXT_SELF);
}

void
cpi_comm_release(struct cpi_comm *comm)
{
    if (comm->on_free != NULL)
        comm->on_free(comm);
    if (comm->coll_free != NULL)
        comm->coll_free(comm);
    context_free(comm->context);
    cpi_group_put(comm->group);
    free(comm->rank_of_world);
    free(comm->local_ranks);
    memset(comm, 0, sizeof(*comm));
}

void
cpi_comm_free(struct cpi_comm *comm)
{
    cpi_comm_release(comm);
    free(comm);
}

static struct cpi_circle
circle_of(const struct cpi_comm *comm)
{
    return (struct cpi_circle){.size = comm->size, .rank = comm->rank,
                               .world_ranks = comm->group->world_ranks,
                               .context = comm->context + 1, .tag = AGREE_TAG};
}

/* A communicator of `group` (reference taken over) with `context`. */
static int
comm_new(struct cpi_group *group, uint32_t context, struct cpi_comm **new_p)
{
    struct cpi_comm *comm = malloc(sizeof(*comm));

    if (comm == NULL) {
        cpi_group_put(group);
        context_free(context);
        return CPMP_ENOMEM;
    }
    int error = comm_fill(comm, group, context);
    if (error != CPMP_OK) {
        free(comm);
        return error;
    }
    *new_p = comm;
    return CPMP_OK;
}

int
cpi_comm_dup(struct cpi_comm *comm, struct cpi_comm **new_p)
{
    struct cpi_circle circle = circle_of(comm);
    uint32_t context;
    int error = context_agree(&circle, &context);

    if (error != CPMP_OK)
        return error;
    cpi_group_get(comm->group);
    return comm_new(comm->group, context, new_p);
}

struct split_entry {
    int color, key, rank;
};

static int
split_compare(const void *a, const void *b)
{
    const struct split_entry *x = a, *y = b;

    if (x->color != y->color)
        return x->color < y->color ? -1 : 1;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

/* The group of the ranks with my color, by key and then by rank. */
static int
split_group(const struct cpi_comm *comm, struct split_entry *entries, int color,
            struct cpi_group **group_p)
{
    int *ranks = malloc(sizeof(int) * (size_t)comm->size), count = 0;

    if (ranks == NULL)
        return CPMP_ENOMEM;
    qsort(entries, (size_t)comm->size, sizeof(*entries), split_compare);
    for (int i = 0; i < comm->size; i++)
        if (entries[i].color == color)
            ranks[count++] = comm->group->world_ranks[entries[i].rank];
    int error = cpi_group_make(count, ranks, group_p);
    free(ranks);
    return error;
}

int
cpi_comm_split(struct cpi_comm *comm, int color, int key, struct cpi_comm **new_p)
{
    struct split_entry mine = {color, key, comm->rank};
    struct split_entry *entries = malloc(sizeof(mine) * (size_t)comm->size);
    struct cpi_circle circle = circle_of(comm);
    struct cpi_group *group = NULL;
    uint32_t context;

    if (entries == NULL)
        return CPMP_ENOMEM;
    /* One agreement serves all colors: groups that share no rank may share a context. */
    int error = cpi_circle_gather(&circle, &mine, sizeof(mine), entries);
    if (error == CPMP_OK)
        error = context_agree(&circle, &context);
    if (error == CPMP_OK && color == CPI_UNDEFINED) {
        context_free(context);
        *new_p = NULL;
        free(entries);
        return CPMP_OK;
    }
    if (error == CPMP_OK)
        error = split_group(comm, entries, color, &group);
    free(entries);
    return error != CPMP_OK ? error : comm_new(group, context, new_p);
}

int
cpi_comm_create(struct cpi_comm *comm, struct cpi_group *group, struct cpi_comm **new_p)
{
    struct cpi_circle circle = circle_of(comm);
    uint32_t context;
    int error = context_agree(&circle, &context);

    if (error != CPMP_OK)
        return error;
    if (group->rank == CPI_UNDEFINED) {
        context_free(context);
        *new_p = NULL;
        return CPMP_OK;
    }
    cpi_group_get(group);
    return comm_new(group, context, new_p);
}

int
cpi_comm_create_group(struct cpi_comm *comm, struct cpi_group *group, int tag,
                      struct cpi_comm **new_p)
{
    struct cpi_circle circle = {.size = group->size, .rank = group->rank,
                                .world_ranks = group->world_ranks,
                                .context = comm->context + 1, .tag = AGREE_TAG - 1 - tag};
    uint32_t context;

    if (group->rank == CPI_UNDEFINED) {
        *new_p = NULL;
        return CPMP_OK;
    }
    int error = context_agree(&circle, &context);
    if (error != CPMP_OK)
        return error;
    cpi_group_get(group);
    return comm_new(group, context, new_p);
}
