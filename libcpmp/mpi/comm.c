/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "mpi/attr.h"
#include "mpi/errhandler.h"
#include "mpi/error.h"
#include "mpi/handles.h"
#include "p2p/engine.h"

/* --- making --- */

static void
on_free(struct cpi_comm *comm)
{
    cpi_errhandler_put(comm->errhandler);
}

/* Hands out what became of `parent`: with its error handler; NULL is MPI_COMM_NULL. */
static void
comm_give(struct cpi_comm *parent, struct cpi_comm *comm, MPI_Comm *handle)
{
    if (comm == NULL) {
        *handle = MPI_COMM_NULL;
        return;
    }
    cpi_errhandler_set(comm, parent->errhandler);
    comm->on_free = on_free;
    *handle = (MPI_Comm)comm;
}

static int
comm_dup(MPI_Comm handle, MPI_Comm *new_handle)
{
    struct cpi_comm *comm = cpi_comm_of(handle), *made;
    int class = cpi_error_class(cpi_comm_dup(comm, &made));

    if (class != MPI_SUCCESS)
        return class;
    comm_give(comm, made, new_handle);
    class = cpi_attr_copy_all(handle, comm->attributes, (struct cpi_attrs **)&made->attributes,
                              *new_handle);
    if (class != MPI_SUCCESS) {
        cpi_comm_put(made);
        *new_handle = MPI_COMM_NULL;
    }
    return class;
}

CPI_ALIAS(Comm_dup)
int
PMPI_Comm_dup(MPI_Comm comm, MPI_Comm *newcomm)
{
    CPI_ENTER();
    CPI_REQUIRE(comm, cpi_comm_valid(comm), MPI_ERR_COMM);
    CPI_REQUIRE(comm, newcomm != NULL, MPI_ERR_ARG);
    CPI_RETURN(comm, comm_dup(comm, newcomm));
}

/* No hint of `info` means anything here. */
CPI_ALIAS(Comm_dup_with_info)
int
PMPI_Comm_dup_with_info(MPI_Comm comm, MPI_Info info, MPI_Comm *newcomm)
{
    CPI_ENTER();
    CPI_REQUIRE(comm, cpi_comm_valid(comm), MPI_ERR_COMM);
    CPI_REQUIRE(comm, newcomm != NULL, MPI_ERR_ARG);
    CPI_REQUIRE(comm, info != NULL, MPI_ERR_INFO);
    CPI_RETURN(comm, comm_dup(comm, newcomm));
}

/* Are all of `group` in `comm`? */
static bool
group_within(const struct cpi_group *group, const struct cpi_comm *comm)
{
    for (int i = 0; i < group->size; i++)
        if (cpi_comm_from_world(comm, group->world_ranks[i]) < 0)
            return false;
    return true;
}

CPI_ALIAS(Comm_create)
int
PMPI_Comm_create(MPI_Comm comm, MPI_Group group, MPI_Comm *newcomm)
{
    struct cpi_comm *made;

    CPI_ENTER();
    CPI_REQUIRE(comm, cpi_comm_valid(comm), MPI_ERR_COMM);
    CPI_REQUIRE(comm, cpi_group_valid(group), MPI_ERR_GROUP);
    CPI_REQUIRE(comm, newcomm != NULL, MPI_ERR_ARG);
    CPI_REQUIRE(comm, group_within(cpi_group_of(group), cpi_comm_of(comm)), MPI_ERR_GROUP);
    int class = cpi_error_class(cpi_comm_create(cpi_comm_of(comm), cpi_group_of(group), &made));
    if (class == MPI_SUCCESS)
        comm_give(cpi_comm_of(comm), made, newcomm);
    CPI_RETURN(comm, class);
}

CPI_ALIAS(Comm_create_group)
int
PMPI_Comm_create_group(MPI_Comm comm, MPI_Group group, int tag, MPI_Comm *newcomm)
{
    struct cpi_comm *made;

    CPI_ENTER();
    CPI_REQUIRE(comm, cpi_comm_valid(comm), MPI_ERR_COMM);
    CPI_REQUIRE(comm, cpi_group_valid(group), MPI_ERR_GROUP);
    CPI_REQUIRE(comm, tag >= 0 && tag <= CPI_TAG_UB, MPI_ERR_TAG);
    CPI_REQUIRE(comm, newcomm != NULL, MPI_ERR_ARG);
    CPI_REQUIRE(comm, group_within(cpi_group_of(group), cpi_comm_of(comm)), MPI_ERR_GROUP);
    int class = cpi_error_class(
        cpi_comm_create_group(cpi_comm_of(comm), cpi_group_of(group), tag, &made));
    if (class == MPI_SUCCESS)
        comm_give(cpi_comm_of(comm), made, newcomm);
    CPI_RETURN(comm, class);
}

static int
comm_split(MPI_Comm comm, int color, int key, MPI_Comm *newcomm)
{
    struct cpi_comm *made;
    int class = cpi_error_class(cpi_comm_split(cpi_comm_of(comm), color, key, &made));

    if (class == MPI_SUCCESS)
        comm_give(cpi_comm_of(comm), made, newcomm);
    return class;
}

CPI_ALIAS(Comm_split)
int
PMPI_Comm_split(MPI_Comm comm, int color, int key, MPI_Comm *newcomm)
{
    CPI_ENTER();
    CPI_REQUIRE(comm, cpi_comm_valid(comm), MPI_ERR_COMM);
    CPI_REQUIRE(comm, newcomm != NULL && (color >= 0 || color == MPI_UNDEFINED), MPI_ERR_ARG);
    CPI_RETURN(comm, comm_split(comm, color, key, newcomm));
}

/* Ranks of one peer share memory. Of Open MPI's finer kinds none is known to a rank. */
CPI_ALIAS(Comm_split_type)
int
PMPI_Comm_split_type(MPI_Comm comm, int split_type, int key, MPI_Info info, MPI_Comm *newcomm)
{
    CPI_ENTER();
    CPI_REQUIRE(comm, cpi_comm_valid(comm), MPI_ERR_COMM);
    CPI_REQUIRE(comm, info != NULL, MPI_ERR_INFO);
    CPI_REQUIRE(comm, newcomm != NULL, MPI_ERR_ARG);
    int color = MPI_UNDEFINED;
    if (split_type == MPI_COMM_TYPE_SHARED || split_type == OMPI_COMM_TYPE_HOST)
        color = (int)cpi_engine.segment.header->peer;
    else if (split_type == OMPI_COMM_TYPE_CLUSTER)
        color = 0;
    else if (split_type > MPI_COMM_TYPE_SHARED && split_type < OMPI_COMM_TYPE_CLUSTER)
        return cpi_error_raise(comm, MPI_ERR_UNSUPPORTED_OPERATION, CPI_FUNCTION);
    else
        CPI_REQUIRE(comm, split_type == MPI_UNDEFINED, MPI_ERR_ARG);
    CPI_RETURN(comm, comm_split(comm, color, key, newcomm));
}

/* --- ending --- */

static int
comm_free(MPI_Comm *handle, const char *function)
{
    if (handle == NULL || !cpi_comm_valid(*handle) || *handle == MPI_COMM_WORLD ||
        *handle == MPI_COMM_SELF)
        return cpi_error_raise(MPI_COMM_NULL, MPI_ERR_COMM, function);
    struct cpi_comm *comm = cpi_comm_of(*handle);
    int class = cpi_attr_delete_all(*handle, (struct cpi_attrs **)&comm->attributes);
    if (class != MPI_SUCCESS)
        return cpi_error_raise(*handle, class, function);
    cpi_comm_put(comm);
    *handle = MPI_COMM_NULL;
    return MPI_SUCCESS;
}

CPI_ALIAS(Comm_free)
int
PMPI_Comm_free(MPI_Comm *comm)
{
    CPI_ENTER();
    return comm_free(comm, CPI_FUNCTION);
}

/* What is still under way on it goes on: each request holds a reference. */
CPI_ALIAS(Comm_disconnect)
int
PMPI_Comm_disconnect(MPI_Comm *comm)
{
    CPI_ENTER();
    return comm_free(comm, CPI_FUNCTION);
}

/* --- asking --- */

CPI_ALIAS(Comm_size)
int
PMPI_Comm_size(MPI_Comm comm, int *size)
{
    CPI_ENTER();
    CPI_REQUIRE(comm, cpi_comm_valid(comm), MPI_ERR_COMM);
    CPI_REQUIRE(comm, size != NULL, MPI_ERR_ARG);
    *size = cpi_comm_of(comm)->size;
    return MPI_SUCCESS;
}

CPI_ALIAS(Comm_rank)
int
PMPI_Comm_rank(MPI_Comm comm, int *rank)
{
    CPI_ENTER();
    CPI_REQUIRE(comm, cpi_comm_valid(comm), MPI_ERR_COMM);
    CPI_REQUIRE(comm, rank != NULL, MPI_ERR_ARG);
    *rank = cpi_comm_of(comm)->rank;
    return MPI_SUCCESS;
}

CPI_ALIAS(Comm_compare)
int
PMPI_Comm_compare(MPI_Comm a, MPI_Comm b, int *result)
{
    static const int results[] = {MPI_CONGRUENT, MPI_SIMILAR, MPI_UNEQUAL, MPI_UNEQUAL};

    CPI_ENTER();
    CPI_REQUIRE(a, cpi_comm_valid(a), MPI_ERR_COMM);
    CPI_REQUIRE(b, cpi_comm_valid(b), MPI_ERR_COMM);
    CPI_REQUIRE(a, result != NULL, MPI_ERR_ARG);
    *result = a == b ? MPI_IDENT
                     : results[cpi_group_compare(cpi_comm_of(a)->group, cpi_comm_of(b)->group)];
    return MPI_SUCCESS;
}

CPI_ALIAS(Comm_group)
int
PMPI_Comm_group(MPI_Comm comm, MPI_Group *group)
{
    CPI_ENTER();
    CPI_REQUIRE(comm, cpi_comm_valid(comm), MPI_ERR_COMM);
    CPI_REQUIRE(comm, group != NULL, MPI_ERR_ARG);
    cpi_group_get(cpi_comm_of(comm)->group);
    *group = (MPI_Group)cpi_comm_of(comm)->group;
    return MPI_SUCCESS;
}

/* There are no intercommunicators, so nothing has a remote group and no job a parent. */
CPI_ALIAS(Comm_test_inter)
int
PMPI_Comm_test_inter(MPI_Comm comm, int *flag)
{
    CPI_ENTER();
    CPI_REQUIRE(comm, cpi_comm_valid(comm), MPI_ERR_COMM);
    CPI_REQUIRE(comm, flag != NULL, MPI_ERR_ARG);
    *flag = 0;
    return MPI_SUCCESS;
}

CPI_ALIAS(Comm_remote_size)
int
PMPI_Comm_remote_size(MPI_Comm comm, int *size)
{
    CPI_ENTER();
    (void)size;
    return cpi_error_raise(comm, MPI_ERR_COMM, CPI_FUNCTION);
}

CPI_ALIAS(Comm_remote_group)
int
PMPI_Comm_remote_group(MPI_Comm comm, MPI_Group *group)
{
    CPI_ENTER();
    (void)group;
    return cpi_error_raise(comm, MPI_ERR_COMM, CPI_FUNCTION);
}

CPI_ALIAS(Comm_get_parent)
int
PMPI_Comm_get_parent(MPI_Comm *parent)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, parent != NULL, MPI_ERR_ARG);
    *parent = MPI_COMM_NULL;
    return MPI_SUCCESS;
}

/* --- names and hints --- */

CPI_ALIAS(Comm_set_name)
int
PMPI_Comm_set_name(MPI_Comm comm, const char *name)
{
    CPI_ENTER();
    CPI_REQUIRE(comm, cpi_comm_valid(comm), MPI_ERR_COMM);
    CPI_REQUIRE(comm, name != NULL, MPI_ERR_ARG);
    snprintf(cpi_comm_of(comm)->name, MPI_MAX_OBJECT_NAME, "%s", name);
    return MPI_SUCCESS;
}

CPI_ALIAS(Comm_get_name)
int
PMPI_Comm_get_name(MPI_Comm comm, char *name, int *length)
{
    CPI_ENTER();
    CPI_REQUIRE(comm, name != NULL && length != NULL, MPI_ERR_ARG);
    /* MPI-3.1 names the null handle too. */
    const char *text = comm == MPI_COMM_NULL ? "MPI_COMM_NULL" : NULL;
    CPI_REQUIRE(comm, text != NULL || cpi_comm_valid(comm), MPI_ERR_COMM);
    *length = snprintf(name, MPI_MAX_OBJECT_NAME, "%s", text ? text : cpi_comm_of(comm)->name);
    return MPI_SUCCESS;
}

/* Hints may be ignored (MPI-3.1, 6.4.4), and all are, so none is in use. */
CPI_ALIAS(Comm_set_info)
int
PMPI_Comm_set_info(MPI_Comm comm, MPI_Info info)
{
    CPI_ENTER();
    CPI_REQUIRE(comm, cpi_comm_valid(comm), MPI_ERR_COMM);
    CPI_REQUIRE(comm, info != NULL && info != MPI_INFO_NULL, MPI_ERR_INFO);
    return MPI_SUCCESS;
}

CPI_ALIAS(Comm_get_info)
int
PMPI_Comm_get_info(MPI_Comm comm, MPI_Info *info)
{
    CPI_ENTER();
    CPI_REQUIRE(comm, cpi_comm_valid(comm), MPI_ERR_COMM);
    CPI_REQUIRE(comm, info != NULL, MPI_ERR_ARG);
    return PMPI_Info_create(info);
}
