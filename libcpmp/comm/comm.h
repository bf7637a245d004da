/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_COMM_COMM_H
#define CPI_COMM_COMM_H

/*
 * Groups and communicators. A communicator has two contexts: `context` for messages between its
 * ranks and `context + 1` for its collectives. Both structs are the objects behind MPI's handles
 * and so must fit in 512 and 256 bytes (mpi-abi.md).
 */

#include <stdbool.h>
#include <stdint.h>

#include "p2p/request.h"

#define CPI_UNDEFINED       (-32766)
#define CPI_CONTEXTS_MAX    4096u  /* communicators alive at once; contexts are below twice this */

struct cpi_group {
    int references;    /* -1: predefined, never freed */
    int size;
    int rank;          /* this process's, or CPI_UNDEFINED */
    int *world_ranks;  /* [size]; owned */
};

struct cpi_comm {
    int references;
    int rank, size;
    uint32_t context;            /* even */
    struct cpi_group *group;     /* one reference owned */
    int *rank_of_world;          /* [world], CPI_UNDEFINED elsewhere; NULL: ranks are world ranks */
    uint32_t coll_sequence;      /* collectives begun, for their tags */
    void *coll;                  /* coll's: its state, */
    void (*coll_free)(struct cpi_comm *comm);  /* ended with this when not NULL */
    int hosts;                   /* peers that its ranks live on */
    int local_size, local_rank;  /* among its ranks on this peer, in rank order */
    int *local_ranks;            /* [local_size] comm ranks on this peer; owned */
    int leader;                  /* comm rank of the first one here */
    char name[64];
    void *errhandler, *attributes, *topology;  /* the MPI binding's */
    void (*on_free)(struct cpi_comm *comm);    /* the MPI binding's */
};

/* --- groups: new ones come with one reference --- */
int cpi_group_make(int size, const int *world_ranks, struct cpi_group **group_p);
void cpi_group_get(struct cpi_group *group);
void cpi_group_put(struct cpi_group *group);
/* Rank of a world rank in `group`, or CPI_UNDEFINED. */
int cpi_group_find(const struct cpi_group *group, int world_rank);
int cpi_group_translate(const struct cpi_group *from, int count, const int *ranks,
                        const struct cpi_group *to, int *out);
/* 0 identical, 1 same members, 3 unequal: MPI_IDENT, MPI_SIMILAR, MPI_UNEQUAL. */
int cpi_group_compare(const struct cpi_group *a, const struct cpi_group *b);
int cpi_group_union(const struct cpi_group *a, const struct cpi_group *b, struct cpi_group **out);
int cpi_group_intersection(const struct cpi_group *a, const struct cpi_group *b,
                           struct cpi_group **out);
int cpi_group_difference(const struct cpi_group *a, const struct cpi_group *b,
                         struct cpi_group **out);
/* Ranks of `ranks`, in that order; CPMP_ERANK for a rank out of range or twice. */
int cpi_group_include(const struct cpi_group *group, int count, const int *ranks,
                      struct cpi_group **out);
int cpi_group_exclude(const struct cpi_group *group, int count, const int *ranks,
                      struct cpi_group **out);

/* --- communicators --- */

/* Fill `comm` (caller's memory) as the world, as this process alone, or as the world once more for
 * the native interface, whose messages never meet MPI's. Their contexts are fixed: no agreement is
 * needed. */
int cpi_comm_init_world(struct cpi_comm *comm);
int cpi_comm_init_self(struct cpi_comm *comm);
int cpi_comm_init_native(struct cpi_comm *comm);
void cpi_comm_release(struct cpi_comm *comm);

/* Collective over `comm`: every rank calls; new ones are on the heap with one reference. */
int cpi_comm_dup(struct cpi_comm *comm, struct cpi_comm **new_p);
/* color CPI_UNDEFINED: *new_p is NULL. */
int cpi_comm_split(struct cpi_comm *comm, int color, int key, struct cpi_comm **new_p);
/* Ranks outside `group` get NULL. */
int cpi_comm_create(struct cpi_comm *comm, struct cpi_group *group, struct cpi_comm **new_p);
/* Collective over the members of `group` only (MPI_Comm_create_group). */
int cpi_comm_create_group(struct cpi_comm *comm, struct cpi_group *group, int tag,
                          struct cpi_comm **new_p);

static inline void
cpi_comm_get(struct cpi_comm *comm)
{
    comm->references++;
}

/* The last reference is gone. */
void cpi_comm_free(struct cpi_comm *comm);

static inline void
cpi_comm_put(struct cpi_comm *comm)
{
    if (--comm->references == 0)
        cpi_comm_free(comm);
}

static inline int
cpi_comm_to_world(const struct cpi_comm *comm, int rank)
{
    return rank < 0 || comm->rank_of_world == NULL ? rank : comm->group->world_ranks[rank];
}

/* The comm rank of a status's source (negative values stay). */
static inline int
cpi_comm_from_world(const struct cpi_comm *comm, int world_rank)
{
    return world_rank < 0 || comm->rank_of_world == NULL ? world_rank
                                                         : comm->rank_of_world[world_rank];
}

#endif
