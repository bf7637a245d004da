/* SPDX-License-Identifier: BSD-3-Clause */
#include "check.h"

/* MPI-1's names, which old programs use, and MPI_Init_thread. */

static int deletes;

static int
copy_attr(MPI_Comm comm, int key, void *extra, void *value, void *new_value, int *flag)
{
    (void)comm, (void)key, (void)extra;
    *(void **)new_value = (char *)value + 1;
    *flag = 1;
    return MPI_SUCCESS;
}

static int
delete_attr(MPI_Comm comm, int key, void *value, void *extra)
{
    (void)comm, (void)key, (void)value, (void)extra;
    deletes++;
    return MPI_SUCCESS;
}

static void
test_attributes(void)
{
    static char base[3];
    int key, flag;
    void *value;
    MPI_Comm copy;

    MPI_Keyval_create(copy_attr, delete_attr, &key, NULL);
    MPI_Attr_put(MPI_COMM_SELF, key, base);
    MPI_Comm_dup(MPI_COMM_SELF, &copy);
    MPI_Attr_get(copy, key, &value, &flag);
    CHECK(flag && value == base + 1);
    MPI_Attr_delete(MPI_COMM_SELF, key);
    MPI_Attr_get(MPI_COMM_SELF, key, &value, &flag);
    CHECK(!flag && deletes == 1);
    MPI_Comm_free(&copy);
    CHECK(deletes == 2);
    MPI_Keyval_free(&key);
    CHECK(key == MPI_KEYVAL_INVALID);
}

static int handled;

static void
handler(MPI_Comm *comm, int *code, ...)
{
    (void)comm;
    handled = *code;
}

static void
test_error_handlers(void)
{
    MPI_Errhandler mine, got;

    MPI_Errhandler_create(handler, &mine);
    MPI_Errhandler_set(MPI_COMM_SELF, mine);
    MPI_Errhandler_get(MPI_COMM_SELF, &got);
    CHECK(got == mine);
    FAILS(MPI_ERR_RANK, MPI_Send(&rank, 1, MPI_INT, 7, 0, MPI_COMM_SELF));
    CHECK(handled == MPI_ERR_RANK);
    MPI_Errhandler_free(&got);
    MPI_Errhandler_set(MPI_COMM_SELF, MPI_ERRORS_ARE_FATAL);
    MPI_Errhandler_free(&mine);
}

/* MPI_LB and MPI_UB make an extent of their own. */
static void
test_types(void)
{
    double data[2][3];
    int lengths[4] = {1, 1, 1, 1};
    MPI_Aint places[4] = {-8, 0, 8, 64}, base, at, lb, ub, extent;
    MPI_Datatype types[4] = {MPI_LB, MPI_INT, MPI_DOUBLE, MPI_UB}, type, vector;

    MPI_Address(&data[0], &base);
    MPI_Address(&data[1], &at);
    CHECK(at - base == (MPI_Aint)sizeof(data[0]));
    MPI_Type_struct(4, lengths, places, types, &type);
    MPI_Type_lb(type, &lb);
    MPI_Type_ub(type, &ub);
    MPI_Type_extent(type, &extent);
    CHECK(lb == -8 && ub == 64 && extent == 72);
    MPI_Type_hvector(2, 1, 100, type, &vector);
    MPI_Type_extent(vector, &extent);
    CHECK(extent == 172);
    MPI_Type_free(&vector);
    MPI_Type_hindexed(1, lengths, &places[3], type, &vector);
    MPI_Type_lb(vector, &lb);
    MPI_Type_extent(vector, &extent);
    CHECK(lb == 56 && extent == 72);
    MPI_Type_free(&vector);
    MPI_Type_free(&type);
}

int
main(int argc, char **argv)
{
    int provided = -1, level = -1;

    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Query_thread(&level);
    CHECK(provided == MPI_THREAD_FUNNELED && level == provided);
    test_attributes();
    test_error_handlers();
    test_types();
    return end();
}
