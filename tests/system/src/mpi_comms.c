/* SPDX-License-Identifier: BSD-3-Clause */
#include "check.h"

/* Communicators, groups, attributes, error handlers, info objects. Any number of ranks. */

static void
test_world(void)
{
    char name[MPI_MAX_OBJECT_NAME];
    int length, flag, result;
    MPI_Comm parent;

    MPI_Comm_get_name(MPI_COMM_WORLD, name, &length);
    CHECK(strcmp(name, "MPI_COMM_WORLD") == 0 && length == (int)strlen(name));
    MPI_Comm_get_name(MPI_COMM_SELF, name, &length);
    CHECK(strcmp(name, "MPI_COMM_SELF") == 0);
    MPI_Comm_test_inter(MPI_COMM_WORLD, &flag);
    CHECK(!flag);
    MPI_Comm_get_parent(&parent);
    CHECK(parent == MPI_COMM_NULL);
    MPI_Comm_compare(MPI_COMM_WORLD, MPI_COMM_WORLD, &result);
    CHECK(result == MPI_IDENT);
    MPI_Comm_compare(MPI_COMM_WORLD, MPI_COMM_SELF, &result);
    CHECK(result == (size == 1 ? MPI_CONGRUENT : MPI_UNEQUAL));
    MPI_Comm_size(MPI_COMM_SELF, &length);
    CHECK(length == 1);
}

static void
test_dup_split(void)
{
    MPI_Comm copy, half, reversed;
    int result, half_rank, half_size, sum = 0, wanted = 0;

    MPI_Comm_dup(MPI_COMM_WORLD, &copy);
    MPI_Comm_compare(MPI_COMM_WORLD, copy, &result);
    CHECK(result == MPI_CONGRUENT);
    MPI_Comm_split(copy, rank % 2, rank, &half);
    MPI_Comm_rank(half, &half_rank);
    MPI_Comm_size(half, &half_size);
    CHECK(half_rank == rank / 2 && half_size == (size + 1 - rank % 2) / 2);
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, half);
    for (int i = rank % 2; i < size; i += 2)
        wanted += i;
    CHECK(sum == wanted);
    MPI_Comm_split(half, 0, -rank, &reversed);
    MPI_Comm_rank(reversed, &result);
    CHECK(result == half_size - 1 - half_rank);
    MPI_Comm_compare(half, reversed, &result);
    CHECK(result == (half_size == 1 ? MPI_CONGRUENT : MPI_SIMILAR));
    MPI_Comm_free(&reversed);
    MPI_Comm_split(half, half_rank == 0 ? 3 : MPI_UNDEFINED, 0, &reversed);
    CHECK((reversed == MPI_COMM_NULL) == (half_rank != 0));
    if (reversed != MPI_COMM_NULL)
        MPI_Comm_free(&reversed);
    MPI_Comm_free(&half);
    MPI_Comm_disconnect(&copy);
    MPI_Info info, got;
    MPI_Info_create(&info);
    MPI_Info_set(info, "a_hint", "that means nothing here");
    MPI_Comm_dup_with_info(MPI_COMM_WORLD, info, &copy);
    MPI_Comm_set_info(copy, info);
    MPI_Comm_get_info(copy, &got);
    MPI_Info_free(&got);
    MPI_Info_free(&info);
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_MAX, copy);
    CHECK(sum == size - 1);
    MPI_Comm_free(&copy);
    CHECK(half == MPI_COMM_NULL && copy == MPI_COMM_NULL);
}

static void
test_create(void)
{
    int first[1][3] = {{0, (size - 1) / 2, 1}}, sum = 0, members = (size - 1) / 2 + 1;
    MPI_Group world, lower;
    MPI_Comm comm;

    MPI_Comm_group(MPI_COMM_WORLD, &world);
    MPI_Group_range_incl(world, 1, first, &lower);
    MPI_Comm_create(MPI_COMM_WORLD, lower, &comm);
    CHECK((comm == MPI_COMM_NULL) == (rank >= members));
    if (comm != MPI_COMM_NULL) {
        MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, comm);
        CHECK(sum == members * (members - 1) / 2);
        MPI_Comm_free(&comm);
        /* Only the members call this one. */
        MPI_Comm_create_group(MPI_COMM_WORLD, lower, 5, &comm);
        MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, comm);
        CHECK(sum == members * (members - 1) / 2);
        MPI_Comm_free(&comm);
    }
    MPI_Group_free(&lower);
    MPI_Group_free(&world);
    CHECK(world == MPI_GROUP_NULL);
}

static void
test_split_type(void)
{
    MPI_Comm host;
    char name[MPI_MAX_PROCESSOR_NAME], other[MPI_MAX_PROCESSOR_NAME];
    int length, host_size;

    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &host);
    MPI_Comm_size(host, &host_size);
    CHECK(host_size >= 1 && host_size <= size);
    memset(name, 0, sizeof(name));
    MPI_Get_processor_name(name, &length);
    memcpy(other, name, sizeof(other));
    MPI_Bcast(other, sizeof(other), MPI_CHAR, 0, host);
    CHECK(strcmp(name, other) == 0);
    MPI_Comm_free(&host);
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_UNDEFINED, rank, MPI_INFO_NULL, &host);
    CHECK(host == MPI_COMM_NULL);
}

static void
test_groups(void)
{
    MPI_Group world, a, b, c;
    int ranks[2] = {size - 1, 0}, found[2], result, count, triplet[1][3] = {{size - 1, 0, -1}};

    MPI_Comm_group(MPI_COMM_WORLD, &world);
    MPI_Group_size(world, &count);
    MPI_Group_rank(world, &result);
    CHECK(count == size && result == rank);
    MPI_Group_range_incl(world, 1, triplet, &a);
    MPI_Group_compare(world, a, &result);
    CHECK(result == (size == 1 ? MPI_IDENT : MPI_SIMILAR));
    MPI_Group_translate_ranks(world, 1, &rank, a, found);
    CHECK(found[0] == size - 1 - rank);
    ranks[1] = MPI_PROC_NULL;
    MPI_Group_translate_ranks(a, 2, ranks, world, found);
    CHECK(found[0] == 0 && found[1] == MPI_PROC_NULL);
    ranks[1] = 0;
    MPI_Group_incl(world, size > 1 ? 2 : 1, ranks, &b);
    MPI_Group_union(b, a, &c);
    MPI_Group_size(c, &count);
    CHECK(count == size);
    MPI_Group_free(&c);
    MPI_Group_intersection(world, b, &c);
    MPI_Group_size(c, &count);
    CHECK(count == (size > 1 ? 2 : 1));
    MPI_Group_free(&c);
    MPI_Group_difference(b, world, &c);
    CHECK(c == MPI_GROUP_EMPTY);
    MPI_Group_free(&c);
    MPI_Group_excl(world, 1, ranks, &c);
    MPI_Group_size(c, &count);
    MPI_Group_rank(c, &result);
    CHECK(count == size - 1 && result == (rank == size - 1 ? MPI_UNDEFINED : rank));
    MPI_Group_free(&c);
    triplet[0][2] = -2; /* the last, the last but two, … */
    MPI_Group_range_excl(world, 1, triplet, &c);
    MPI_Group_size(c, &count);
    MPI_Group_rank(c, &result);
    CHECK(count == size / 2 && (result == MPI_UNDEFINED) == ((size - 1 - rank) % 2 == 0));
    MPI_Group_compare(c, world, &result);
    CHECK(result == MPI_UNEQUAL);
    MPI_Group_free(&c);
    MPI_Group_union(a, world, &c); /* the order of the first */
    MPI_Group_compare(a, c, &result);
    CHECK(result == MPI_IDENT);
    MPI_Group_free(&c);
    MPI_Group_intersection(a, world, &c);
    MPI_Group_compare(a, c, &result);
    CHECK(result == MPI_IDENT);
    MPI_Group_translate_ranks(b, 1, (int[]){0}, MPI_GROUP_EMPTY, found);
    CHECK(found[0] == MPI_UNDEFINED);
    MPI_Group_free(&c);
    MPI_Group_free(&b);
    MPI_Group_free(&a);
    MPI_Group_free(&world);
}

/* --- attributes --- */

static int copies, deletes, last_deleted;

static int
copy_attr(MPI_Comm comm, int key, void *extra, void *value, void *new_value, int *flag)
{
    (void)comm, (void)key;
    copies++;
    *(void **)new_value = (char *)value + *(int *)extra;
    *flag = 1;
    return MPI_SUCCESS;
}

static int
delete_attr(MPI_Comm comm, int key, void *value, void *extra)
{
    (void)comm, (void)value, (void)extra;
    deletes++;
    last_deleted = key;
    return MPI_SUCCESS;
}

static int
refuse_delete_once(MPI_Comm comm, int key, void *value, void *extra)
{
    (void)comm, (void)key, (void)value;
    return (*(int *)extra)++ == 0 ? MPI_ERR_OTHER : MPI_SUCCESS;
}

static void
test_attributes(void)
{
    static char base[10];
    int key, second, plain, flag, step = 3;
    void *value = NULL;
    MPI_Comm a, b;

    MPI_Comm_create_keyval(copy_attr, delete_attr, &key, &step);
    MPI_Comm_create_keyval(MPI_COMM_DUP_FN, delete_attr, &second, NULL);
    MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, MPI_COMM_NULL_DELETE_FN, &plain, NULL);
    MPI_Comm_dup(MPI_COMM_SELF, &a);
    MPI_Comm_get_attr(a, key, &value, &flag);
    CHECK(!flag);
    MPI_Comm_set_attr(a, key, base);
    MPI_Comm_set_attr(a, second, base + 1);
    MPI_Comm_set_attr(a, plain, base + 2);
    MPI_Comm_dup(a, &b);
    CHECK(copies == 1);
    MPI_Comm_get_attr(b, key, &value, &flag);
    CHECK(flag && value == base + 3);
    MPI_Comm_get_attr(b, second, &value, &flag);
    CHECK(flag && value == base + 1);
    MPI_Comm_get_attr(b, plain, &value, &flag);
    CHECK(!flag);
    MPI_Comm_set_attr(a, key, base + 5); /* the old value is deleted */
    CHECK(deletes == 1);
    MPI_Comm_delete_attr(a, second);
    CHECK(deletes == 2 && last_deleted == second);
    int freed = second;
    MPI_Comm_free_keyval(&second);
    CHECK(second == MPI_KEYVAL_INVALID);
    MPI_Comm_free(&b); /* the value under the freed key too, set last so deleted first */
    CHECK(deletes == 4 && last_deleted == key && freed != key);
    MPI_Comm_free(&a);
    CHECK(deletes == 5);
    MPI_Comm_free_keyval(&key);
    MPI_Comm_free_keyval(&plain);

    /* A delete function that refuses keeps the communicator. */
    step = 0;
    MPI_Comm_dup(MPI_COMM_SELF, &a);
    MPI_Comm_set_errhandler(a, MPI_ERRORS_RETURN);
    MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, refuse_delete_once, &key, &step);
    MPI_Comm_set_attr(a, key, base);
    FAILS(MPI_ERR_OTHER, MPI_Comm_free(&a));
    CHECK(a != MPI_COMM_NULL);
    MPI_Comm_free(&a);
    CHECK(a == MPI_COMM_NULL && step == 2);
    MPI_Comm_free_keyval(&key);
}

/* Deletes the value under *extra, or sets one there. */
static int
delete_other(MPI_Comm comm, int key, void *value, void *extra)
{
    int flag, other = *(int *)extra;
    void *there;

    (void)key;
    deletes++;
    MPI_Comm_get_attr(comm, other, &there, &flag);
    return flag ? MPI_Comm_delete_attr(comm, other) : MPI_Comm_set_attr(comm, other, value);
}

/* Delete functions may change other values of the communicator. */
static void
test_attributes_that_delete(void)
{
    static char base[10];
    int keys[3], flag, other;
    void *value;
    MPI_Comm a;

    for (int i = 0; i < 3; i++)
        MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, i == 1 ? delete_other : delete_attr, &keys[i],
                               i == 1 ? &other : NULL);
    MPI_Comm_dup(MPI_COMM_SELF, &a);
    for (int i = 0; i < 4; i++) {
        deletes = 0;
        other = i % 2 ? keys[0] : keys[2];
        for (int k = 0; k < 3; k++)
            if (i < 2 || keys[k] != other)
                MPI_Comm_set_attr(a, keys[k], base + k);
        MPI_Comm_delete_attr(a, keys[1]);
        CHECK(deletes == (i < 2 ? 2 : 1));
        for (int k = 0; k < 3; k++) {
            MPI_Comm_get_attr(a, keys[k], &value, &flag);
            CHECK(flag == (k != 1 && (i >= 2 || keys[k] != other)));
            CHECK(!flag || value == base + (keys[k] == other ? 1 : k));
            if (flag)
                MPI_Comm_delete_attr(a, keys[k]);
        }
    }
    deletes = 0;
    other = keys[2];
    MPI_Comm_set_attr(a, keys[1], base);
    MPI_Comm_free(&a); /* what is set on the way is deleted too */
    CHECK(deletes == 2);
    for (int i = 0; i < 3; i++)
        MPI_Comm_free_keyval(&keys[i]);
}

static void
test_predefined_attributes(void)
{
    int flag, *value;

    MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_TAG_UB, &value, &flag);
    CHECK(flag && *value >= 32767);
    MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_UNIVERSE_SIZE, &value, &flag);
    CHECK(flag && *value >= size);
    MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_LASTUSEDCODE, &value, &flag);
    CHECK(flag && *value >= MPI_ERR_LASTCODE);
    MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_WTIME_IS_GLOBAL, &value, &flag);
    CHECK(flag && !*value);
    MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_APPNUM, &value, &flag);
    CHECK(flag && *value == 0);
}

static int at_finalize; /* must run in MPI_Finalize, while MPI works */

static int
delete_self(MPI_Comm comm, int key, void *value, void *extra)
{
    int self_size;

    (void)key, (void)value, (void)extra;
    MPI_Comm_size(comm, &self_size);
    at_finalize += self_size;
    return MPI_SUCCESS;
}

/* --- errors --- */

static int handled_code, handled_calls;

static void
handler(MPI_Comm *comm, int *code, ...)
{
    int handled_size;

    handled_code = *code;
    handled_calls++;
    MPI_Comm_size(*comm, &handled_size);
}

static void
test_error_handlers(void)
{
    MPI_Errhandler mine, got;
    MPI_Comm comm, child;
    int value = 0;

    MPI_Comm_dup(MPI_COMM_SELF, &comm);
    MPI_Comm_create_errhandler(handler, &mine);
    MPI_Comm_set_errhandler(comm, mine);
    MPI_Comm_get_errhandler(comm, &got);
    CHECK(got == mine);
    MPI_Errhandler_free(&got);
    MPI_Errhandler_free(&mine); /* the communicator still has it */
    CHECK(mine == MPI_ERRHANDLER_NULL);
    FAILS(MPI_ERR_RANK, MPI_Send(&value, 1, MPI_INT, 99, 0, comm));
    CHECK(handled_calls == 1 && handled_code == MPI_ERR_RANK);
    MPI_Comm_dup(comm, &child); /* inherits it */
    MPI_Comm_call_errhandler(child, MPI_ERR_OTHER);
    CHECK(handled_calls == 2 && handled_code == MPI_ERR_OTHER);
    MPI_Comm_free(&comm);
    FAILS(MPI_ERR_TAG, MPI_Send(&value, 1, MPI_INT, 0, -5, child));
    CHECK(handled_calls == 3);
    MPI_Comm_free(&child);
    MPI_Comm_get_errhandler(MPI_COMM_WORLD, &got);
    CHECK(got == MPI_ERRORS_ARE_FATAL);
    MPI_Errhandler_free(&got);
}

static void
test_error_codes(void)
{
    char text[MPI_MAX_ERROR_STRING];
    int class, code, found, length, *last, flag;

    MPI_Error_string(MPI_ERR_RANK, text, &length);
    CHECK(strcmp(text, "MPI_ERR_RANK: invalid rank") == 0 && length == (int)strlen(text));
    MPI_Add_error_class(&class);
    CHECK(class > MPI_ERR_LASTCODE);
    MPI_Add_error_code(class, &code);
    MPI_Add_error_string(code, "out of cheese");
    MPI_Error_class(code, &found);
    CHECK(found == class && code != class);
    MPI_Error_string(code, text, &length);
    CHECK(strcmp(text, "out of cheese") == 0);
    MPI_Error_string(class, text, &length);
    CHECK(length == 0);
    MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_LASTUSEDCODE, &last, &flag);
    CHECK(*last == code);
}

static void
test_bad_arguments(void)
{
    int data[4] = {0}, flag;
    MPI_Datatype raw;
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Comm null = MPI_COMM_NULL, none, world = MPI_COMM_WORLD;
    MPI_Op sum = MPI_SUM;
    MPI_Group remote;

    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    FAILS(MPI_ERR_COMM, MPI_Send(data, 1, MPI_INT, 0, 0, MPI_COMM_NULL));
    FAILS(MPI_ERR_COUNT, MPI_Send(data, -1, MPI_INT, 0, 0, MPI_COMM_WORLD));
    FAILS(MPI_ERR_TYPE, MPI_Send(data, 1, MPI_DATATYPE_NULL, 0, 0, MPI_COMM_WORLD));
    FAILS(MPI_ERR_RANK, MPI_Send(data, 1, MPI_INT, size, 0, MPI_COMM_WORLD));
    FAILS(MPI_ERR_RANK, MPI_Send(data, 1, MPI_INT, MPI_ANY_SOURCE, 0, MPI_COMM_WORLD));
    FAILS(MPI_ERR_TAG, MPI_Send(data, 1, MPI_INT, 0, MPI_ANY_TAG, MPI_COMM_WORLD));
    FAILS(MPI_ERR_BUFFER, MPI_Send(NULL, 1, MPI_INT, 0, 0, MPI_COMM_WORLD));
    FAILS(MPI_ERR_RANK, MPI_Irecv(data, 1, MPI_INT, -7, 0, MPI_COMM_WORLD, &request));
    FAILS(MPI_ERR_TAG, MPI_Iprobe(0, -9, MPI_COMM_WORLD, &flag, MPI_STATUS_IGNORE));
    MPI_Type_contiguous(2, MPI_INT, &raw);
    FAILS(MPI_ERR_TYPE, MPI_Send(data, 1, raw, 0, 0, MPI_COMM_WORLD)); /* not committed */
    MPI_Type_free(&raw);
    FAILS(MPI_ERR_TYPE, MPI_Type_contiguous(2, MPI_DATATYPE_NULL, &raw));
    FAILS(MPI_ERR_REQUEST, MPI_Start(&request));
    FAILS(MPI_ERR_REQUEST, MPI_Cancel(&request));
    FAILS(MPI_ERR_ROOT, MPI_Bcast(data, 1, MPI_INT, size, MPI_COMM_WORLD));
    FAILS(MPI_ERR_OP, MPI_Allreduce(MPI_IN_PLACE, data, 1, MPI_INT, MPI_OP_NULL, MPI_COMM_WORLD));
    FAILS(MPI_ERR_OP, MPI_Allreduce(MPI_IN_PLACE, data, 1, MPI_FLOAT, MPI_BAND, MPI_COMM_WORLD));
    FAILS(MPI_ERR_OP, MPI_Op_free(&sum));
    FAILS(MPI_ERR_COMM, MPI_Comm_free(&world));
    FAILS(MPI_ERR_COMM, MPI_Comm_dup(null, &none));
    FAILS(MPI_ERR_COMM, MPI_Comm_remote_size(MPI_COMM_WORLD, &flag));
    FAILS(MPI_ERR_COMM, MPI_Comm_remote_group(MPI_COMM_WORLD, &remote));
    FAILS(MPI_ERR_RANK, MPI_Group_incl(MPI_GROUP_EMPTY, 1, data, &remote));
    FAILS(MPI_ERR_KEYVAL, MPI_Comm_delete_attr(MPI_COMM_WORLD, 12345));
    FAILS(MPI_ERR_GROUP, MPI_Group_size(MPI_GROUP_NULL, &flag));
    FAILS(MPI_ERR_ARG, MPI_Errhandler_free(NULL));
    /* A request freed long ago. */
    MPI_Irecv(data, 1, MPI_INT, 0, 0, MPI_COMM_SELF, &request);
    MPI_Request stale = request;
    MPI_Cancel(&request);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    FAILS(MPI_ERR_REQUEST, MPI_Wait(&stale, MPI_STATUS_IGNORE));
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
}

static void
test_info(void)
{
    MPI_Info info, copy;
    char key[MPI_MAX_INFO_KEY], value[MPI_MAX_INFO_VAL];
    int count, flag, length;

    MPI_Info_create(&info);
    MPI_Info_set(info, "colour", "green");
    MPI_Info_set(info, "size", "1");
    MPI_Info_set(info, "colour", "blue");
    MPI_Info_get_nkeys(info, &count);
    MPI_Info_get_nthkey(info, 0, key);
    CHECK(count == 2 && strcmp(key, "colour") == 0);
    MPI_Info_dup(info, &copy);
    MPI_Info_delete(info, "colour");
    MPI_Info_get(info, "colour", sizeof(value) - 1, value, &flag);
    CHECK(!flag);
    MPI_Info_get(copy, "colour", sizeof(value) - 1, value, &flag);
    CHECK(flag && strcmp(value, "blue") == 0);
    MPI_Info_get(copy, "colour", 2, value, &flag); /* cut */
    CHECK(flag && strcmp(value, "bl") == 0);
    MPI_Info_get_valuelen(copy, "colour", &length, &flag);
    CHECK(flag && length == 4);
    MPI_Info_free(&info);
    MPI_Info_free(&copy);
    CHECK(info == MPI_INFO_NULL);
    MPI_Info_get_nkeys(MPI_INFO_ENV, &count);
    CHECK(count > 0);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    FAILS(MPI_ERR_INFO, MPI_Info_free(&info));
    FAILS(MPI_ERR_INFO, MPI_Info_set(MPI_INFO_NULL, "a", "b"));
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
}

static void
test_names(void)
{
    char name[MPI_MAX_OBJECT_NAME], longer[100];
    int length;
    MPI_Comm comm;

    MPI_Comm_dup(MPI_COMM_WORLD, &comm);
    MPI_Comm_get_name(comm, name, &length);
    CHECK(length == 0 && name[0] == '\0');
    memset(longer, 'x', sizeof(longer));
    longer[99] = '\0';
    MPI_Comm_set_name(comm, longer);
    MPI_Comm_get_name(comm, name, &length);
    CHECK(strlen(name) == MPI_MAX_OBJECT_NAME - 1 && name[0] == 'x');
    MPI_Comm_free(&comm);
}

/* Far more than can be alive at once, so contexts must come back. */
static void
test_many(void)
{
    for (int i = 0; i < 5000; i++) {
        MPI_Comm comm;
        MPI_Comm_dup(MPI_COMM_SELF, &comm);
        MPI_Comm_free(&comm);
    }
}

static void
test_environment(void)
{
    int version, subversion, length, flag;
    char text[MPI_MAX_LIBRARY_VERSION_STRING];
    void *memory;

    MPI_Get_version(&version, &subversion);
    CHECK(version == 3 && subversion == 1);
    MPI_Get_library_version(text, &length);
    CHECK(strncmp(text, "Open MPI v4.1", 13) == 0 && length == (int)strlen(text));
    MPI_Initialized(&flag);
    CHECK(flag);
    MPI_Finalized(&flag);
    CHECK(!flag);
    MPI_Query_thread(&flag);
    CHECK(flag == MPI_THREAD_SINGLE);
    MPI_Is_thread_main(&flag);
    CHECK(flag);
    double start = MPI_Wtime();
    CHECK(MPI_Wtick() > 0 && MPI_Wtime() >= start);
    MPI_Alloc_mem(100000, MPI_INFO_NULL, &memory);
    memset(memory, 1, 100000);
    MPI_Free_mem(memory);
    CHECK(MPI_Pcontrol(1, "x") == MPI_SUCCESS);
}

int
main(int argc, char **argv)
{
    int key, flag;

    MPI_Initialized(&flag);
    if (flag)
        return 1;
    begin(&argc, &argv);
    test_world();
    test_dup_split();
    test_create();
    test_split_type();
    test_groups();
    test_attributes();
    test_attributes_that_delete();
    test_predefined_attributes();
    test_error_handlers();
    test_error_codes();
    test_bad_arguments();
    test_info();
    test_names();
    test_many();
    test_environment();
    MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, delete_self, &key, NULL);
    MPI_Comm_set_attr(MPI_COMM_SELF, key, NULL);
    end();
    MPI_Finalized(&flag);
    return flag && at_finalize == 1 ? 0 : 4;
}
