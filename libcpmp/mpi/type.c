/* SPDX-License-Identifier: BSD-3-Clause */
#include <limits.h>
#include <stdio.h>

#include "mpi/attr.h"
#include "mpi/error.h"
#include "mpi/handles.h"

/* --- constructors --- */

/* What every constructor asks of its arguments; `arrays` says whether they are all there. */
static int
construct_check(int count, bool arrays, MPI_Datatype oldtype, const MPI_Datatype *newtype)
{
    if (count < 0)
        return MPI_ERR_COUNT;
    if (!cpi_type_valid(oldtype) || newtype == NULL)
        return MPI_ERR_TYPE;
    return arrays || count == 0 ? MPI_SUCCESS : MPI_ERR_ARG;
}

/* Ends a constructor with the library's call, whose last argument is &made. */
#define CONSTRUCT(check, call)                                                                     \
    do {                                                                                           \
        struct cpi_type *made;                                                                     \
        CPI_ENTER();                                                                               \
        int class = (check);                                                                       \
        if (class == MPI_SUCCESS)                                                                  \
            class = cpi_error_class(call);                                                         \
        if (class == MPI_SUCCESS)                                                                  \
            *newtype = (MPI_Datatype)made;                                                         \
        CPI_RETURN(MPI_COMM_NULL, class);                                                          \
    } while (0)

CPI_ALIAS(Type_contiguous)
int
PMPI_Type_contiguous(int count, MPI_Datatype oldtype, MPI_Datatype *newtype)
{
    CONSTRUCT(construct_check(count, true, oldtype, newtype),
              cpi_type_contiguous(count, cpi_type_of(oldtype), &made));
}

CPI_ALIAS(Type_vector)
int
PMPI_Type_vector(int count, int length, int stride, MPI_Datatype oldtype, MPI_Datatype *newtype)
{
    CONSTRUCT(construct_check(count, true, oldtype, newtype),
              cpi_type_vector(count, length, stride, cpi_type_of(oldtype), &made));
}

CPI_ALIAS(Type_create_hvector)
int
PMPI_Type_create_hvector(int count, int length, MPI_Aint stride, MPI_Datatype oldtype,
                         MPI_Datatype *newtype)
{
    CONSTRUCT(construct_check(count, true, oldtype, newtype),
              cpi_type_hvector(count, length, stride, cpi_type_of(oldtype), &made));
}

CPI_ALIAS(Type_indexed)
int
PMPI_Type_indexed(int count, const int lengths[], const int displacements[], MPI_Datatype oldtype,
                  MPI_Datatype *newtype)
{
    CONSTRUCT(construct_check(count, lengths != NULL && displacements != NULL, oldtype, newtype),
              cpi_type_indexed(count, lengths, displacements, cpi_type_of(oldtype), &made));
}

CPI_ALIAS(Type_create_hindexed)
int
PMPI_Type_create_hindexed(int count, const int lengths[], const MPI_Aint displacements[],
                          MPI_Datatype oldtype, MPI_Datatype *newtype)
{
    CONSTRUCT(construct_check(count, lengths != NULL && displacements != NULL, oldtype, newtype),
              cpi_type_hindexed(count, lengths, displacements, cpi_type_of(oldtype), &made));
}

CPI_ALIAS(Type_create_indexed_block)
int
PMPI_Type_create_indexed_block(int count, int length, const int displacements[],
                               MPI_Datatype oldtype, MPI_Datatype *newtype)
{
    CONSTRUCT(construct_check(count, displacements != NULL, oldtype, newtype),
              cpi_type_indexed_block(count, length, displacements, cpi_type_of(oldtype), &made));
}

CPI_ALIAS(Type_create_hindexed_block)
int
PMPI_Type_create_hindexed_block(int count, int length, const MPI_Aint displacements[],
                                MPI_Datatype oldtype, MPI_Datatype *newtype)
{
    CONSTRUCT(construct_check(count, displacements != NULL, oldtype, newtype),
              cpi_type_hindexed_block(count, length, displacements, cpi_type_of(oldtype), &made));
}

static int
struct_check(int count, const int *lengths, const MPI_Aint *displacements,
             const MPI_Datatype *types, const MPI_Datatype *newtype)
{
    if (count < 0)
        return MPI_ERR_COUNT;
    if (newtype == NULL)
        return MPI_ERR_TYPE;
    if (count > 0 && (lengths == NULL || displacements == NULL || types == NULL))
        return MPI_ERR_ARG;
    for (int i = 0; i < count; i++)
        if (!cpi_type_valid(types[i]))
            return MPI_ERR_TYPE;
    return MPI_SUCCESS;
}

CPI_ALIAS(Type_create_struct)
int
PMPI_Type_create_struct(int count, const int lengths[], const MPI_Aint displacements[],
                        const MPI_Datatype types[], MPI_Datatype *newtype)
{
    CONSTRUCT(struct_check(count, lengths, displacements, types, newtype),
              cpi_type_struct(count, lengths, displacements, (struct cpi_type *const *)types,
                              &made));
}

CPI_ALIAS(Type_create_subarray)
int
PMPI_Type_create_subarray(int dimensions, const int sizes[], const int subsizes[],
                          const int starts[], int order, MPI_Datatype oldtype,
                          MPI_Datatype *newtype)
{
    bool valid = dimensions > 0 && sizes != NULL && subsizes != NULL && starts != NULL &&
                 (order == MPI_ORDER_C || order == MPI_ORDER_FORTRAN);

    CONSTRUCT(valid ? construct_check(dimensions, true, oldtype, newtype) : MPI_ERR_ARG,
              cpi_type_subarray(dimensions, sizes, subsizes, starts, (enum cpi_type_order)order,
                                cpi_type_of(oldtype), &made));
}

CPI_ALIAS(Type_create_resized)
int
PMPI_Type_create_resized(MPI_Datatype oldtype, MPI_Aint lb, MPI_Aint extent, MPI_Datatype *newtype)
{
    CONSTRUCT(construct_check(0, true, oldtype, newtype),
              cpi_type_resized(cpi_type_of(oldtype), lb, extent, &made));
}

CPI_ALIAS(Type_dup)
int
PMPI_Type_dup(MPI_Datatype oldtype, MPI_Datatype *newtype)
{
    struct cpi_type *made;

    CPI_ENTER();
    int class = construct_check(0, true, oldtype, newtype);
    if (class == MPI_SUCCESS)
        class = cpi_error_class(cpi_type_dup(cpi_type_of(oldtype), &made));
    CPI_REQUIRE(MPI_COMM_NULL, class == MPI_SUCCESS, class);
    class = cpi_attr_copy_all(oldtype, cpi_type_of(oldtype)->attributes,
                              (struct cpi_attrs **)&made->attributes, made);
    if (class == MPI_SUCCESS)
        *newtype = (MPI_Datatype)made;
    else
        cpi_type_put(made);
    CPI_RETURN(MPI_COMM_NULL, class);
}

CPI_ALIAS(Type_commit)
int
PMPI_Type_commit(MPI_Datatype *type)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, type != NULL && cpi_type_valid(*type), MPI_ERR_TYPE);
    cpi_type_commit(cpi_type_of(*type));
    return MPI_SUCCESS;
}

CPI_ALIAS(Type_free)
int
PMPI_Type_free(MPI_Datatype *handle)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, handle != NULL && cpi_type_valid(*handle), MPI_ERR_TYPE);
    struct cpi_type *type = cpi_type_of(*handle);
    CPI_REQUIRE(MPI_COMM_NULL, !(type->flags & CPI_TYPE_PREDEFINED), MPI_ERR_TYPE);
    int class = cpi_attr_delete_all(*handle, (struct cpi_attrs **)&type->attributes);
    CPI_REQUIRE(MPI_COMM_NULL, class == MPI_SUCCESS, class);
    cpi_type_put(type);
    *handle = MPI_DATATYPE_NULL;
    return MPI_SUCCESS;
}

/* --- sizes and bounds --- */

#define REQUIRE_TYPE(type, outputs)                                                                \
    do {                                                                                           \
        CPI_ENTER();                                                                               \
        CPI_REQUIRE(MPI_COMM_NULL, cpi_type_valid(type), MPI_ERR_TYPE);                            \
        CPI_REQUIRE(MPI_COMM_NULL, outputs, MPI_ERR_ARG);                                          \
    } while (0)

CPI_ALIAS(Type_size)
int
PMPI_Type_size(MPI_Datatype type, int *size)
{
    REQUIRE_TYPE(type, size != NULL);
    size_t bytes = cpi_type_of(type)->size;
    *size = bytes <= INT_MAX ? (int)bytes : MPI_UNDEFINED;
    return MPI_SUCCESS;
}

CPI_ALIAS(Type_size_x)
int
PMPI_Type_size_x(MPI_Datatype type, MPI_Count *size)
{
    REQUIRE_TYPE(type, size != NULL);
    *size = (MPI_Count)cpi_type_of(type)->size;
    return MPI_SUCCESS;
}

CPI_ALIAS(Type_get_extent)
int
PMPI_Type_get_extent(MPI_Datatype type, MPI_Aint *lb, MPI_Aint *extent)
{
    REQUIRE_TYPE(type, lb != NULL && extent != NULL);
    *lb = cpi_type_of(type)->lb;
    *extent = cpi_type_extent(cpi_type_of(type));
    return MPI_SUCCESS;
}

CPI_ALIAS(Type_get_extent_x)
int
PMPI_Type_get_extent_x(MPI_Datatype type, MPI_Count *lb, MPI_Count *extent)
{
    REQUIRE_TYPE(type, lb != NULL && extent != NULL);
    *lb = cpi_type_of(type)->lb;
    *extent = cpi_type_extent(cpi_type_of(type));
    return MPI_SUCCESS;
}

CPI_ALIAS(Type_get_true_extent)
int
PMPI_Type_get_true_extent(MPI_Datatype type, MPI_Aint *lb, MPI_Aint *extent)
{
    REQUIRE_TYPE(type, lb != NULL && extent != NULL);
    *lb = cpi_type_of(type)->true_lb;
    *extent = cpi_type_of(type)->true_ub - cpi_type_of(type)->true_lb;
    return MPI_SUCCESS;
}

CPI_ALIAS(Type_get_true_extent_x)
int
PMPI_Type_get_true_extent_x(MPI_Datatype type, MPI_Count *lb, MPI_Count *extent)
{
    REQUIRE_TYPE(type, lb != NULL && extent != NULL);
    *lb = cpi_type_of(type)->true_lb;
    *extent = cpi_type_of(type)->true_ub - cpi_type_of(type)->true_lb;
    return MPI_SUCCESS;
}

/* --- how it was made --- */

CPI_ALIAS(Type_get_envelope)
int
PMPI_Type_get_envelope(MPI_Datatype handle, int *integers, int *addresses, int *types,
                       int *combiner)
{
    REQUIRE_TYPE(handle, integers != NULL && addresses != NULL && types != NULL &&
                             combiner != NULL);
    const struct cpi_type *type = cpi_type_of(handle);
    *integers = (int)type->integer_count;
    *addresses = (int)type->address_count;
    *types = (int)type->type_count;
    *combiner = type->combiner;
    return MPI_SUCCESS;
}

CPI_ALIAS(Type_get_contents)
int
PMPI_Type_get_contents(MPI_Datatype handle, int max_integers, int max_addresses, int max_types,
                       int integers[], MPI_Aint addresses[], MPI_Datatype types[])
{
    REQUIRE_TYPE(handle, max_integers >= 0 && max_addresses >= 0 && max_types >= 0);
    const struct cpi_type *type = cpi_type_of(handle);
    CPI_REQUIRE(MPI_COMM_NULL, type->combiner != CPI_COMBINER_NAMED, MPI_ERR_TYPE);
    CPI_REQUIRE(MPI_COMM_NULL, type->integer_count <= (unsigned)max_integers &&
                type->address_count <= (unsigned)max_addresses &&
                type->type_count <= (unsigned)max_types, MPI_ERR_ARG);
    CPI_REQUIRE(MPI_COMM_NULL, (type->integer_count == 0 || integers != NULL) &&
                (type->address_count == 0 || addresses != NULL) &&
                (type->type_count == 0 || types != NULL), MPI_ERR_ARG);
    for (uint32_t i = 0; i < type->integer_count; i++)
        integers[i] = type->integers[i];
    for (uint32_t i = 0; i < type->address_count; i++)
        addresses[i] = type->addresses[i];
    for (uint32_t i = 0; i < type->type_count; i++)
        types[i] = (MPI_Datatype)cpi_type_get(type->types[i]);
    return MPI_SUCCESS;
}

CPI_ALIAS(Type_set_name)
int
PMPI_Type_set_name(MPI_Datatype type, const char *name)
{
    REQUIRE_TYPE(type, name != NULL);
    snprintf(cpi_type_of(type)->name, MPI_MAX_OBJECT_NAME, "%s", name);
    return MPI_SUCCESS;
}

CPI_ALIAS(Type_get_name)
int
PMPI_Type_get_name(MPI_Datatype type, char *name, int *length)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, name != NULL && length != NULL, MPI_ERR_ARG);
    const char *text = type == MPI_DATATYPE_NULL ? "MPI_DATATYPE_NULL" : NULL;
    CPI_REQUIRE(MPI_COMM_NULL, text != NULL || cpi_type_valid(type), MPI_ERR_TYPE);
    *length = snprintf(name, MPI_MAX_OBJECT_NAME, "%s", text ? text : cpi_type_of(type)->name);
    return MPI_SUCCESS;
}

CPI_ALIAS(Type_match_size)
int
PMPI_Type_match_size(int typeclass, int size, MPI_Datatype *type)
{
    const struct { int typeclass, size; MPI_Datatype type; } table[] = {
        {MPI_TYPECLASS_INTEGER, 1, MPI_INTEGER1}, {MPI_TYPECLASS_INTEGER, 2, MPI_INTEGER2},
        {MPI_TYPECLASS_INTEGER, 4, MPI_INTEGER4}, {MPI_TYPECLASS_INTEGER, 8, MPI_INTEGER8},
        {MPI_TYPECLASS_REAL, 4, MPI_REAL4}, {MPI_TYPECLASS_REAL, 8, MPI_REAL8},
        {MPI_TYPECLASS_REAL, 16, MPI_REAL16}, {MPI_TYPECLASS_COMPLEX, 8, MPI_COMPLEX8},
        {MPI_TYPECLASS_COMPLEX, 16, MPI_COMPLEX16}, {MPI_TYPECLASS_COMPLEX, 32, MPI_COMPLEX32},
    };

    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, type != NULL, MPI_ERR_ARG);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].typeclass == typeclass && table[i].size == size) {
            *type = table[i].type;
            return MPI_SUCCESS;
        }
    }
    return cpi_error_raise(MPI_COMM_NULL, MPI_ERR_ARG, CPI_FUNCTION);
}

/* --- MPI-1's names --- */

CPI_ALIAS(Type_extent)
int
PMPI_Type_extent(MPI_Datatype type, MPI_Aint *extent)
{
    MPI_Aint lb;

    return PMPI_Type_get_extent(type, &lb, extent);
}

CPI_ALIAS(Type_lb)
int
PMPI_Type_lb(MPI_Datatype type, MPI_Aint *lb)
{
    REQUIRE_TYPE(type, lb != NULL);
    *lb = cpi_type_of(type)->lb;
    return MPI_SUCCESS;
}

CPI_ALIAS(Type_ub)
int
PMPI_Type_ub(MPI_Datatype type, MPI_Aint *ub)
{
    REQUIRE_TYPE(type, ub != NULL);
    *ub = cpi_type_of(type)->ub;
    return MPI_SUCCESS;
}

CPI_ALIAS(Type_hvector)
int
PMPI_Type_hvector(int count, int length, MPI_Aint stride, MPI_Datatype oldtype,
                  MPI_Datatype *newtype)
{
    return PMPI_Type_create_hvector(count, length, stride, oldtype, newtype);
}

CPI_ALIAS(Type_hindexed)
int
PMPI_Type_hindexed(int count, int lengths[], MPI_Aint displacements[], MPI_Datatype oldtype,
                   MPI_Datatype *newtype)
{
    return PMPI_Type_create_hindexed(count, lengths, displacements, oldtype, newtype);
}

CPI_ALIAS(Type_struct)
int
PMPI_Type_struct(int count, int lengths[], MPI_Aint displacements[], MPI_Datatype types[],
                 MPI_Datatype *newtype)
{
    return PMPI_Type_create_struct(count, lengths, displacements, types, newtype);
}
