/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "mpi/error.h"
#include "mpi/handles.h"

/* Hands out a new group; an empty one is MPI_GROUP_EMPTY, which programs compare with. */
static void
group_give(struct cpi_group *group, MPI_Group *handle)
{
    if (group->size > 0) {
        *handle = (MPI_Group)group;
        return;
    }
    cpi_group_put(group);
    *handle = MPI_GROUP_EMPTY;
}

CPI_ALIAS(Group_size)
int
PMPI_Group_size(MPI_Group group, int *size)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, cpi_group_valid(group), MPI_ERR_GROUP);
    CPI_REQUIRE(MPI_COMM_NULL, size != NULL, MPI_ERR_ARG);
    *size = cpi_group_of(group)->size;
    return MPI_SUCCESS;
}

CPI_ALIAS(Group_rank)
int
PMPI_Group_rank(MPI_Group group, int *rank)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, cpi_group_valid(group), MPI_ERR_GROUP);
    CPI_REQUIRE(MPI_COMM_NULL, rank != NULL, MPI_ERR_ARG);
    *rank = cpi_group_of(group)->rank;
    return MPI_SUCCESS;
}

CPI_ALIAS(Group_translate_ranks)
int
PMPI_Group_translate_ranks(MPI_Group from, int n, const int ranks[], MPI_Group to, int translated[])
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, cpi_group_valid(from) && cpi_group_valid(to), MPI_ERR_GROUP);
    CPI_REQUIRE(MPI_COMM_NULL, n >= 0 && (n == 0 || (ranks != NULL && translated != NULL)),
                MPI_ERR_ARG);
    CPI_RETURN(MPI_COMM_NULL, cpi_error_class(cpi_group_translate(
                                  cpi_group_of(from), n, ranks, cpi_group_of(to), translated)));
}

CPI_ALIAS(Group_compare)
int
PMPI_Group_compare(MPI_Group a, MPI_Group b, int *result)
{
    static const int results[] = {MPI_IDENT, MPI_SIMILAR, MPI_UNEQUAL, MPI_UNEQUAL};

    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, cpi_group_valid(a) && cpi_group_valid(b), MPI_ERR_GROUP);
    CPI_REQUIRE(MPI_COMM_NULL, result != NULL, MPI_ERR_ARG);
    *result = results[cpi_group_compare(cpi_group_of(a), cpi_group_of(b))];
    return MPI_SUCCESS;
}

typedef int combine_fn(const struct cpi_group *a, const struct cpi_group *b,
                       struct cpi_group **out);

static int
group_combine(combine_fn *combine, MPI_Group a, MPI_Group b, MPI_Group *newgroup,
              const char *function)
{
    struct cpi_group *group;
    int class = !cpi_group_valid(a) || !cpi_group_valid(b) ? MPI_ERR_GROUP
                : newgroup == NULL                         ? MPI_ERR_ARG
                                                           : MPI_SUCCESS;

    if (class == MPI_SUCCESS)
        class = cpi_error_class(combine(cpi_group_of(a), cpi_group_of(b), &group));
    if (class != MPI_SUCCESS)
        return cpi_error_raise(MPI_COMM_NULL, class, function);
    group_give(group, newgroup);
    return MPI_SUCCESS;
}

CPI_ALIAS(Group_union)
int
PMPI_Group_union(MPI_Group a, MPI_Group b, MPI_Group *newgroup)
{
    CPI_ENTER();
    return group_combine(cpi_group_union, a, b, newgroup, CPI_FUNCTION);
}

CPI_ALIAS(Group_intersection)
int
PMPI_Group_intersection(MPI_Group a, MPI_Group b, MPI_Group *newgroup)
{
    CPI_ENTER();
    return group_combine(cpi_group_intersection, a, b, newgroup, CPI_FUNCTION);
}

CPI_ALIAS(Group_difference)
int
PMPI_Group_difference(MPI_Group a, MPI_Group b, MPI_Group *newgroup)
{
    CPI_ENTER();
    return group_combine(cpi_group_difference, a, b, newgroup, CPI_FUNCTION);
}

typedef int choose_fn(const struct cpi_group *group, int count, const int *ranks,
                      struct cpi_group **out);

static int
group_choose(choose_fn *choose, MPI_Group handle, int n, const int ranks[], MPI_Group *newgroup,
             const char *function)
{
    struct cpi_group *group;
    int class = !cpi_group_valid(handle) ? MPI_ERR_GROUP
                : n < 0 || newgroup == NULL || (n > 0 && ranks == NULL)
                    ? MPI_ERR_ARG
                    : cpi_error_class(choose(cpi_group_of(handle), n, ranks, &group));

    if (class != MPI_SUCCESS)
        return cpi_error_raise(MPI_COMM_NULL, class, function);
    group_give(group, newgroup);
    return MPI_SUCCESS;
}

CPI_ALIAS(Group_incl)
int
PMPI_Group_incl(MPI_Group group, int n, const int ranks[], MPI_Group *newgroup)
{
    CPI_ENTER();
    return group_choose(cpi_group_include, group, n, ranks, newgroup, CPI_FUNCTION);
}

CPI_ALIAS(Group_excl)
int
PMPI_Group_excl(MPI_Group group, int n, const int ranks[], MPI_Group *newgroup)
{
    CPI_ENTER();
    return group_choose(cpi_group_exclude, group, n, ranks, newgroup, CPI_FUNCTION);
}

/* The ranks of (first, last, stride) triplets, in order, for a group of `size`. At most `size`
 * of them can be valid, so what lies beyond is an error and not a reason for more memory. */
static int
ranges_expand(int size, int n, int ranges[][3], int *ranks, int *count_p)
{
    int count = 0;

    for (int i = 0; i < n; i++) {
        long first = ranges[i][0], last = ranges[i][1], stride = ranges[i][2];
        if (stride == 0)
            return MPI_ERR_ARG;
        for (long rank = first; stride > 0 ? rank <= last : rank >= last; rank += stride) {
            if (rank < 0 || rank >= size || count == size)
                return MPI_ERR_RANK;
            ranks[count++] = (int)rank;
        }
    }
    *count_p = count;
    return MPI_SUCCESS;
}

static int
group_choose_ranges(choose_fn *choose, MPI_Group handle, int n, int ranges[][3],
                    MPI_Group *newgroup, const char *function)
{
    if (!cpi_group_valid(handle))
        return cpi_error_raise(MPI_COMM_NULL, MPI_ERR_GROUP, function);
    if (n < 0 || newgroup == NULL || (n > 0 && ranges == NULL))
        return cpi_error_raise(MPI_COMM_NULL, MPI_ERR_ARG, function);
    int count = 0, size = cpi_group_of(handle)->size;
    int *ranks = malloc(sizeof(int) * (size_t)(size > 0 ? size : 1));
    int class = ranks == NULL ? MPI_ERR_NO_MEM : ranges_expand(size, n, ranges, ranks, &count);
    if (class == MPI_SUCCESS)
        class = group_choose(choose, handle, count, ranks, newgroup, function);
    else
        class = cpi_error_raise(MPI_COMM_NULL, class, function);
    free(ranks);
    return class;
}

CPI_ALIAS(Group_range_incl)
int
PMPI_Group_range_incl(MPI_Group group, int n, int ranges[][3], MPI_Group *newgroup)
{
    CPI_ENTER();
    return group_choose_ranges(cpi_group_include, group, n, ranges, newgroup, CPI_FUNCTION);
}

CPI_ALIAS(Group_range_excl)
int
PMPI_Group_range_excl(MPI_Group group, int n, int ranges[][3], MPI_Group *newgroup)
{
    CPI_ENTER();
    return group_choose_ranges(cpi_group_exclude, group, n, ranges, newgroup, CPI_FUNCTION);
}

CPI_ALIAS(Group_free)
int
PMPI_Group_free(MPI_Group *group)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, group != NULL && cpi_group_valid(*group), MPI_ERR_GROUP);
    cpi_group_put(cpi_group_of(*group));
    *group = MPI_GROUP_NULL;
    return MPI_SUCCESS;
}
