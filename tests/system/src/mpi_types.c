/* SPDX-License-Identifier: BSD-3-Clause */
#include "check.h"

#include <complex.h>
#include <stddef.h>
#include <stdint.h>
#include <wchar.h>

/* Datatypes: sizes of predefined ones, bounds of derived ones, packing, counting. One rank. */

struct particle {
    char kind;
    double position[3];
    int charge;
};

static void
test_predefined(void)
{
    const struct { MPI_Datatype type; size_t bytes; const char *name; } table[] = {
        {MPI_CHAR, sizeof(char), "MPI_CHAR"},
        {MPI_SHORT, sizeof(short), "MPI_SHORT"},
        {MPI_INT, sizeof(int), "MPI_INT"},
        {MPI_LONG, sizeof(long), "MPI_LONG"},
        {MPI_LONG_LONG, sizeof(long long), "MPI_LONG_LONG_INT"},
        {MPI_UNSIGNED_LONG_LONG, sizeof(long long), "MPI_UNSIGNED_LONG_LONG"},
        {MPI_FLOAT, sizeof(float), "MPI_FLOAT"},
        {MPI_DOUBLE, sizeof(double), "MPI_DOUBLE"},
        {MPI_LONG_DOUBLE, sizeof(long double), "MPI_LONG_DOUBLE"},
        {MPI_WCHAR, sizeof(wchar_t), "MPI_WCHAR"},
        {MPI_INT8_T, 1, "MPI_INT8_T"},
        {MPI_UINT64_T, 8, "MPI_UINT64_T"},
        {MPI_AINT, sizeof(MPI_Aint), "MPI_AINT"},
        {MPI_OFFSET, sizeof(MPI_Offset), "MPI_OFFSET"},
        {MPI_COUNT, sizeof(MPI_Count), "MPI_COUNT"},
        {MPI_C_BOOL, sizeof(_Bool), "MPI_C_BOOL"},
        {MPI_C_DOUBLE_COMPLEX, sizeof(double complex), "MPI_C_DOUBLE_COMPLEX"},
        {MPI_BYTE, 1, "MPI_BYTE"},
        {MPI_PACKED, 1, "MPI_PACKED"},
        {MPI_DOUBLE_INT, sizeof(double) + sizeof(int), "MPI_DOUBLE_INT"},
        {MPI_2INT, 2 * sizeof(int), "MPI_2INT"},
        {MPI_INTEGER8, 8, "MPI_INTEGER8"},
        {MPI_DOUBLE_COMPLEX, 16, "MPI_DOUBLE_COMPLEX"},
    };
    char name[MPI_MAX_OBJECT_NAME];
    MPI_Aint lb, extent;
    int bytes, length;

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        MPI_Type_size(table[i].type, &bytes);
        MPI_Type_get_name(table[i].type, name, &length);
        CHECK((size_t)bytes == table[i].bytes && strcmp(name, table[i].name) == 0);
    }
    MPI_Type_get_extent(MPI_DOUBLE_INT, &lb, &extent);
    CHECK(lb == 0 && extent == (MPI_Aint)sizeof(struct { double d; int i; }));
    MPI_Datatype found;
    MPI_Type_match_size(MPI_TYPECLASS_REAL, 8, &found);
    CHECK(found == MPI_REAL8);
}

static void
bounds_are(MPI_Datatype type, int bytes, MPI_Aint lb, MPI_Aint extent, MPI_Aint true_lb,
           MPI_Aint true_extent)
{
    MPI_Aint got[4];
    MPI_Count counts[2];
    int got_bytes;

    MPI_Type_size(type, &got_bytes);
    MPI_Type_get_extent(type, &got[0], &got[1]);
    MPI_Type_get_true_extent(type, &got[2], &got[3]);
    CHECK(got_bytes == bytes && got[0] == lb && got[1] == extent);
    CHECK(got[2] == true_lb && got[3] == true_extent);
    MPI_Type_get_extent_x(type, &counts[0], &counts[1]);
    CHECK(counts[0] == lb && counts[1] == extent);
    MPI_Type_get_true_extent_x(type, &counts[0], &counts[1]);
    CHECK(counts[0] == true_lb && counts[1] == true_extent);
    MPI_Type_size_x(type, &counts[0]);
    CHECK(counts[0] == bytes);
    MPI_Type_ub(type, &got[0]);
    CHECK(got[0] == lb + extent);
}

static void
test_bounds(void)
{
    MPI_Datatype type, wider;
    int lengths[3] = {1, 3, 1}, places[2] = {4, 1}, pair[2] = {2, 1};
    MPI_Aint offsets[3] = {offsetof(struct particle, kind), offsetof(struct particle, position),
                           offsetof(struct particle, charge)};
    MPI_Datatype types[3] = {MPI_CHAR, MPI_DOUBLE, MPI_INT};
    int sizes[2] = {4, 6}, subsizes[2] = {2, 3}, starts[2] = {1, 2};

    MPI_Type_contiguous(5, MPI_INT, &type);
    bounds_are(type, 20, 0, 20, 0, 20);
    MPI_Type_free(&type);
    MPI_Type_vector(3, 2, 5, MPI_INT, &type);
    bounds_are(type, 24, 0, 48, 0, 48);
    MPI_Type_free(&type);
    MPI_Type_create_hvector(3, 1, -16, MPI_INT, &type);
    bounds_are(type, 12, -32, 36, -32, 36);
    MPI_Type_free(&type);
    MPI_Type_indexed(2, pair, places, MPI_INT, &type);
    bounds_are(type, 12, 4, 20, 4, 20);
    MPI_Type_free(&type);
    MPI_Type_create_indexed_block(2, 1, places, MPI_INT, &type);
    bounds_are(type, 8, 4, 16, 4, 16);
    MPI_Type_free(&type);
    MPI_Type_create_hindexed_block(2, 2, offsets, MPI_SHORT, &type);
    bounds_are(type, 8, 0, 12, 0, 12);
    MPI_Type_free(&type);
    MPI_Type_create_struct(3, lengths, offsets, types, &type);
    bounds_are(type, 29, 0, sizeof(struct particle), 0, 36);
    MPI_Type_create_resized(type, -8, 64, &wider);
    bounds_are(wider, 29, -8, 64, 0, 36);
    MPI_Type_free(&type);
    MPI_Type_dup(wider, &type);
    bounds_are(type, 29, -8, 64, 0, 36);
    MPI_Type_free(&type);
    MPI_Type_free(&wider);
    MPI_Type_create_subarray(2, sizes, subsizes, starts, MPI_ORDER_C, MPI_INT, &type);
    bounds_are(type, 24, 0, 96, 32, 36);
    MPI_Type_free(&type);
    CHECK(type == MPI_DATATYPE_NULL);
}

static void
test_pack(void)
{
    struct particle in[10], out[10];
    int lengths[3] = {1, 3, 1}, position = 0, bytes, head = 17, tail = 0;
    MPI_Aint offsets[3] = {offsetof(struct particle, kind), offsetof(struct particle, position),
                           offsetof(struct particle, charge)};
    MPI_Datatype types[3] = {MPI_CHAR, MPI_DOUBLE, MPI_INT}, type, exact;
    char packed[400];

    MPI_Type_create_struct(3, lengths, offsets, types, &type);
    MPI_Type_create_resized(type, 0, sizeof(struct particle), &exact);
    MPI_Type_free(&type);
    MPI_Type_commit(&exact);
    memset(in, 0, sizeof(in));
    memset(out, 0, sizeof(out));
    for (int i = 0; i < 10; i++) {
        in[i].kind = (char)('a' + i);
        in[i].charge = i - 5;
        for (int k = 0; k < 3; k++)
            in[i].position[k] = i + k / 4.0;
    }
    MPI_Pack_size(10, exact, MPI_COMM_SELF, &bytes);
    CHECK(bytes >= 290 && bytes + 8 <= (int)sizeof(packed));
    MPI_Pack(&head, 1, MPI_INT, packed, sizeof(packed), &position, MPI_COMM_SELF);
    MPI_Pack(in, 10, exact, packed, sizeof(packed), &position, MPI_COMM_SELF);
    MPI_Pack(&head, 1, MPI_INT, packed, sizeof(packed), &position, MPI_COMM_SELF);
    int end_at = position;
    position = 0;
    MPI_Unpack(packed, end_at, &position, &tail, 1, MPI_INT, MPI_COMM_SELF);
    MPI_Unpack(packed, end_at, &position, out, 10, exact, MPI_COMM_SELF);
    MPI_Unpack(packed, end_at, &position, &tail, 1, MPI_INT, MPI_COMM_SELF);
    CHECK(position == end_at && tail == 17);
    CHECK(memcmp(in, out, sizeof(in)) == 0);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    FAILS(MPI_ERR_TRUNCATE,
          MPI_Unpack(packed, end_at, &position, &tail, 1, MPI_INT, MPI_COMM_SELF));
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_ARE_FATAL);
    /* What was packed may travel as MPI_PACKED and arrive with the datatype. */
    memset(out, 0, sizeof(out));
    MPI_Sendrecv(packed + 4, end_at - 8, MPI_PACKED, 0, 1, out, 10, exact, 0, 1, MPI_COMM_SELF,
                 MPI_STATUS_IGNORE);
    CHECK(memcmp(in, out, sizeof(in)) == 0);
    MPI_Type_free(&exact);
}

static void
test_counts(void)
{
    int lengths[2] = {1, 2}, count, ints[9] = {0};
    MPI_Aint offsets[2] = {0, 8};
    MPI_Datatype types[2] = {MPI_INT, MPI_DOUBLE}, type;
    MPI_Count elements;
    MPI_Status status;

    MPI_Type_create_struct(2, lengths, offsets, types, &type);
    MPI_Type_commit(&type);
    for (int made = 0; made < 12; made++) {
        if (made % 2)
            MPI_Status_set_elements(&status, type, made);
        else
            MPI_Status_set_elements_x(&status, type, made);
        MPI_Get_elements(&status, type, &count);
        MPI_Get_elements_x(&status, type, &elements);
        CHECK(count == made && elements == made);
        MPI_Get_count(&status, type, &count);
        CHECK(count == (made % 3 == 0 ? made / 3 : MPI_UNDEFINED));
    }
    MPI_Status_set_cancelled(&status, 1);
    MPI_Test_cancelled(&status, &count);
    CHECK(count);
    MPI_Type_free(&type);
    MPI_Type_contiguous(4, MPI_INT, &type);
    MPI_Type_commit(&type);
    MPI_Sendrecv(ints, 7, MPI_INT, 0, 0, ints, 2, type, 0, 0, MPI_COMM_SELF, &status);
    MPI_Get_count(&status, type, &count);
    CHECK(count == MPI_UNDEFINED);
    MPI_Get_elements(&status, type, &count);
    CHECK(count == 7);
    MPI_Type_free(&type);
}

static void
test_contents(void)
{
    int integers[3], n_integers, n_addresses, n_types, combiner;
    char name[MPI_MAX_OBJECT_NAME];
    MPI_Aint addresses[1];
    MPI_Datatype column, vector, inner[1];

    MPI_Type_get_envelope(MPI_INT, &n_integers, &n_addresses, &n_types, &combiner);
    CHECK(combiner == MPI_COMBINER_NAMED && n_integers == 0 && n_types == 0);
    MPI_Type_contiguous(2, MPI_FLOAT, &column);
    MPI_Type_vector(3, 4, 5, column, &vector);
    MPI_Type_set_name(column, "two floats");
    MPI_Type_free(&column);
    MPI_Type_get_envelope(vector, &n_integers, &n_addresses, &n_types, &combiner);
    CHECK(combiner == MPI_COMBINER_VECTOR && n_integers == 3 && n_addresses == 0 && n_types == 1);
    MPI_Type_get_contents(vector, 3, 0, 1, integers, addresses, inner);
    CHECK(integers[0] == 3 && integers[1] == 4 && integers[2] == 5);
    MPI_Type_get_envelope(inner[0], &n_integers, &n_addresses, &n_types, &combiner);
    CHECK(combiner == MPI_COMBINER_CONTIGUOUS);
    MPI_Type_get_name(inner[0], name, &n_types);
    CHECK(strcmp(name, "two floats") == 0 && n_types == 10);
    MPI_Type_free(&inner[0]);
    MPI_Type_free(&vector);
}

/* Elements at absolute addresses, sent from MPI_BOTTOM. */
static void
test_bottom(void)
{
    int a = 3, b = 4, out[2] = {0, 0}, lengths[2] = {1, 1};
    MPI_Aint addresses[2];
    MPI_Datatype type;

    MPI_Get_address(&a, &addresses[0]);
    MPI_Get_address(&b, &addresses[1]);
    CHECK(MPI_Aint_diff(addresses[1], addresses[0]) == (char *)&b - (char *)&a);
    CHECK(MPI_Aint_add(addresses[0], 8) == addresses[0] + 8);
    MPI_Type_create_hindexed(2, lengths, addresses, MPI_INT, &type);
    MPI_Type_commit(&type);
    MPI_Sendrecv(MPI_BOTTOM, 1, type, 0, 0, out, 2, MPI_INT, 0, 0, MPI_COMM_SELF,
                 MPI_STATUS_IGNORE);
    CHECK(out[0] == 3 && out[1] == 4);
    MPI_Type_free(&type);
}

static int deleted;

static int
delete_attr(MPI_Datatype type, int key, void *value, void *extra)
{
    (void)type, (void)key, (void)value, (void)extra;
    deleted++;
    return MPI_SUCCESS;
}

static void
test_attributes(void)
{
    int key, flag;
    void *value;
    MPI_Datatype a, b;

    MPI_Type_create_keyval(MPI_TYPE_DUP_FN, delete_attr, &key, NULL);
    MPI_Type_contiguous(2, MPI_INT, &a);
    MPI_Type_set_attr(a, key, &deleted);
    MPI_Type_dup(a, &b);
    MPI_Type_get_attr(b, key, &value, &flag);
    CHECK(flag && value == &deleted);
    MPI_Type_delete_attr(b, key);
    MPI_Type_free(&a);
    CHECK(deleted == 2);
    MPI_Type_free(&b);
    MPI_Type_free_keyval(&key);
    CHECK(deleted == 2 && key == MPI_KEYVAL_INVALID);
}

static void
test_reduce_local(void)
{
    double a[3] = {1, 2, 3}, b[3] = {10, 20, 30};
    struct { int value, place; } in = {5, 1}, inout = {5, 0};

    MPI_Reduce_local(a, b, 3, MPI_DOUBLE, MPI_SUM);
    CHECK(b[0] == 11 && b[1] == 22 && b[2] == 33);
    MPI_Reduce_local(&in, &inout, 1, MPI_2INT, MPI_MAXLOC);
    CHECK(inout.value == 5 && inout.place == 0);
}

int
main(int argc, char **argv)
{
    begin(&argc, &argv);
    test_predefined();
    test_bounds();
    test_pack();
    test_counts();
    test_contents();
    test_bottom();
    test_attributes();
    test_reduce_local();
    return end();
}
