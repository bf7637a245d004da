/* SPDX-License-Identifier: BSD-3-Clause */
#include "comm/comm.h"

#include <assert.h>
#include <cpmp.h>
#include <stdlib.h>
#include <string.h>

#include "p2p/engine.h"

int
cpi_group_find(const struct cpi_group *group, int world_rank)
{
    for (int i = 0; i < group->size; i++)
        if (group->world_ranks[i] == world_rank)
            return i;
    return CPI_UNDEFINED;
}

/* A group with room for `size` ranks, still to be filled and sealed. */
static struct cpi_group *
group_new(int size)
{
    struct cpi_group *group = calloc(1, sizeof(*group));

    if (group == NULL)
        return NULL;
    group->world_ranks = malloc(sizeof(int) * (size_t)(size > 0 ? size : 1));
    if (group->world_ranks == NULL) {
        free(group);
        return NULL;
    }
    group->references = 1;
    return group;
}

static struct cpi_group *
group_seal(struct cpi_group *group)
{
    group->rank = cpi_group_find(group, cpi_engine.rank);
    return group;
}

int
cpi_group_make(int size, const int *world_ranks, struct cpi_group **group_p)
{
    struct cpi_group *group = group_new(size);

    if (group == NULL)
        return CPMP_ENOMEM;
    if (size > 0)
        memcpy(group->world_ranks, world_ranks, sizeof(int) * (size_t)size);
    group->size = size;
    *group_p = group_seal(group);
    return CPMP_OK;
}

void
cpi_group_get(struct cpi_group *group)
{
    if (group->references > 0)
        group->references++;
}

void
cpi_group_put(struct cpi_group *group)
{
    assert(group->references != 0);
    if (group->references < 0 || --group->references > 0)
        return;
    free(group->world_ranks);
    free(group);
}

/* rank of each world rank in `group`, CPI_UNDEFINED for the others; the caller frees it. */
static int *
index_new(const struct cpi_group *group)
{
    int *index = malloc(sizeof(int) * (size_t)cpi_engine.size);

    if (index == NULL)
        return NULL;
    for (int i = 0; i < cpi_engine.size; i++)
        index[i] = CPI_UNDEFINED;
    for (int i = 0; i < group->size; i++)
        index[group->world_ranks[i]] = i;
    return index;
}

int
cpi_group_translate(const struct cpi_group *from, int count, const int *ranks,
                    const struct cpi_group *to, int *out)
{
    int *index = index_new(to);

    if (index == NULL)
        return CPMP_ENOMEM;
    for (int i = 0; i < count; i++) {
        if (ranks[i] != CPI_PROC_NULL && (ranks[i] < 0 || ranks[i] >= from->size)) {
            free(index);
            return CPMP_ERANK;
        }
    }
    for (int i = 0; i < count; i++)
        out[i] = ranks[i] == CPI_PROC_NULL ? CPI_PROC_NULL : index[from->world_ranks[ranks[i]]];
    free(index);
    return CPMP_OK;
}

int
cpi_group_compare(const struct cpi_group *a, const struct cpi_group *b)
{
    bool identical = true, similar = true;

    if (a->size != b->size)
        return 3;
    int *index = index_new(b);
    if (index == NULL)
        return 3;
    for (int i = 0; i < a->size; i++) {
        int rank = index[a->world_ranks[i]];
        identical &= rank == i;
        similar &= rank != CPI_UNDEFINED;
    }
    free(index);
    return identical ? 0 : similar ? 1 : 3;
}

/* The members of `a` that are in `b` (wanted) or are not (not wanted), then with `rest` those of
 * `b` that are not in `a`: intersection, difference and union. */
static int
group_combine(const struct cpi_group *a, const struct cpi_group *b, int take_in, int take_out,
              int take_rest, struct cpi_group **out)
{
    int *in_a = index_new(a), *in_b = index_new(b);
    struct cpi_group *group = group_new(a->size + b->size);

    if (in_a == NULL || in_b == NULL || group == NULL) {
        free(in_a);
        free(in_b);
        if (group != NULL)
            cpi_group_put(group);
        return CPMP_ENOMEM;
    }
    for (int i = 0; i < a->size; i++) {
        bool in = in_b[a->world_ranks[i]] != CPI_UNDEFINED;
        if (in ? take_in : take_out)
            group->world_ranks[group->size++] = a->world_ranks[i];
    }
    for (int i = 0; take_rest && i < b->size; i++)
        if (in_a[b->world_ranks[i]] == CPI_UNDEFINED)
            group->world_ranks[group->size++] = b->world_ranks[i];
    free(in_a);
    free(in_b);
    *out = group_seal(group);
    return CPMP_OK;
}

int
cpi_group_union(const struct cpi_group *a, const struct cpi_group *b, struct cpi_group **out)
{
    return group_combine(a, b, 1, 1, 1, out);
}

int
cpi_group_intersection(const struct cpi_group *a, const struct cpi_group *b, struct cpi_group **out)
{
    return group_combine(a, b, 1, 0, 0, out);
}

int
cpi_group_difference(const struct cpi_group *a, const struct cpi_group *b, struct cpi_group **out)
{
    return group_combine(a, b, 0, 1, 0, out);
}

/* Which ranks of `group` are named, each at most once; NULL with *error_p set otherwise. */
static char *
named_new(const struct cpi_group *group, int count, const int *ranks, int *error_p)
{
    char *named = calloc((size_t)group->size + 1, 1);

    *error_p = CPMP_ENOMEM;
    for (int i = 0; named != NULL && i < count; i++) {
        if (ranks[i] < 0 || ranks[i] >= group->size || named[ranks[i]]) {
            free(named);
            *error_p = CPMP_ERANK;
            return NULL;
        }
        named[ranks[i]] = 1;
    }
    return named;
}

int
cpi_group_include(const struct cpi_group *group, int count, const int *ranks,
                  struct cpi_group **out)
{
    int error;
    char *named = named_new(group, count, ranks, &error);

    if (named == NULL)
        return error;
    free(named);
    struct cpi_group *made = group_new(count);
    if (made == NULL)
        return CPMP_ENOMEM;
    for (int i = 0; i < count; i++)
        made->world_ranks[i] = group->world_ranks[ranks[i]];
    made->size = count;
    *out = group_seal(made);
    return CPMP_OK;
}

int
cpi_group_exclude(const struct cpi_group *group, int count, const int *ranks,
                  struct cpi_group **out)
{
    int error;
    char *named = named_new(group, count, ranks, &error);

    if (named == NULL)
        return error;
    struct cpi_group *made = group_new(group->size);
    if (made == NULL) {
        free(named);
        return CPMP_ENOMEM;
    }
    for (int i = 0; i < group->size; i++)
        if (!named[i])
            made->world_ranks[made->size++] = group->world_ranks[i];
    free(named);
    *out = group_seal(made);
    return CPMP_OK;
}
