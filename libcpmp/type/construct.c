/* SPDX-License-Identifier: BSD-3-Clause */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "type/build.h"
#include "type/type.h"

static int
give(struct cpi_type *type, int error, struct cpi_type **type_p)
{
    if (!error)
        error = cpi_type_finish(type);
    if (error)
        cpi_type_put(type);
    else
        *type_p = type;
    return error;
}

static void
take_type(struct cpi_type *type, struct cpi_type *old)
{
    type->types[type->type_count++] = cpi_type_get(old);
}

static bool
any_negative(int count, const int values[])
{
    for (int i = 0; i < count; i++)
        if (values[i] < 0)
            return true;
    return count < 0;
}

int
cpi_type_contiguous(int count, struct cpi_type *old, struct cpi_type **type_p)
{
    struct cpi_type *type;

    if (count < 0)
        return CPMP_EINVAL;
    type = cpi_type_new(CPI_COMBINER_CONTIGUOUS, 1, 0, 1);
    if (!type)
        return CPMP_ENOMEM;
    type->integers[0] = count;
    take_type(type, old);
    return give(type, cpi_type_add(type, 0, (size_t)count, cpi_type_extent(old), old), type_p);
}

/* `count` blocks of `length` elements. The block is a datatype of its own, kept as long as
 * `type`. */
static int
add_blocks(struct cpi_type *type, int count, int length, ptrdiff_t stride, struct cpi_type *old)
{
    int error = cpi_type_contiguous(length, old, &type->hidden);

    if (error)
        return error;
    return cpi_type_add(type, 0, length ? (size_t)count : 0, stride, type->hidden);
}

int
cpi_type_vector(int count, int length, int stride, struct cpi_type *old, struct cpi_type **type_p)
{
    struct cpi_type *type;
    ptrdiff_t bytes;

    if (count < 0 || length < 0)
        return CPMP_EINVAL;
    if (__builtin_mul_overflow((ptrdiff_t)stride, cpi_type_extent(old), &bytes))
        return CPMP_ELIMIT;
    type = cpi_type_new(CPI_COMBINER_VECTOR, 3, 0, 1);
    if (!type)
        return CPMP_ENOMEM;
    type->integers[0] = count;
    type->integers[1] = length;
    type->integers[2] = stride;
    take_type(type, old);
    return give(type, add_blocks(type, count, length, bytes, old), type_p);
}

int
cpi_type_hvector(int count, int length, ptrdiff_t stride_bytes, struct cpi_type *old,
                 struct cpi_type **type_p)
{
    struct cpi_type *type;

    if (count < 0 || length < 0)
        return CPMP_EINVAL;
    type = cpi_type_new(CPI_COMBINER_HVECTOR, 2, 1, 1);
    if (!type)
        return CPMP_ENOMEM;
    type->integers[0] = count;
    type->integers[1] = length;
    type->addresses[0] = stride_bytes;
    take_type(type, old);
    return give(type, add_blocks(type, count, length, stride_bytes, old), type_p);
}

/* The four indexed ones: a length for each block or `length` for all, displacements in elements or
 * in bytes. */
struct blocks {
    int count, length;
    const int *lengths;
    const int *in_elements;
    const ptrdiff_t *in_bytes;
};

static int
add_indexed(struct cpi_type *type, const struct blocks *blocks, struct cpi_type *old)
{
    ptrdiff_t extent = cpi_type_extent(old);
    int error = CPMP_OK;

    for (int i = 0; i < blocks->count && !error; i++) {
        int length = blocks->lengths ? blocks->lengths[i] : blocks->length;
        ptrdiff_t offset;

        if (blocks->in_bytes)
            offset = blocks->in_bytes[i];
        else if (__builtin_mul_overflow((ptrdiff_t)blocks->in_elements[i], extent, &offset))
            return CPMP_ELIMIT;
        error = cpi_type_add(type, offset, (size_t)length, extent, old);
    }
    return error;
}

/* Arguments in MPI's order: count, length or lengths, displacements. */
static int
make_indexed(enum cpi_combiner combiner, const struct blocks *blocks, struct cpi_type *old,
             struct cpi_type **type_p)
{
    size_t count = (size_t)blocks->count;
    size_t lengths = blocks->lengths ? count : 1;
    struct cpi_type *type;

    if (blocks->count < 0 || blocks->length < 0 ||
        (blocks->lengths && any_negative(blocks->count, blocks->lengths)))
        return CPMP_EINVAL;
    type = cpi_type_new(combiner, 1 + lengths + (blocks->in_elements ? count : 0),
                        blocks->in_bytes ? count : 0, 1);
    if (!type)
        return CPMP_ENOMEM;
    type->integers[0] = blocks->count;
    if (!blocks->lengths)
        type->integers[1] = blocks->length;
    else if (count)
        memcpy(type->integers + 1, blocks->lengths, count * sizeof(int));
    if (blocks->in_elements && count)
        memcpy(type->integers + 1 + lengths, blocks->in_elements, count * sizeof(int));
    if (blocks->in_bytes && count)
        memcpy(type->addresses, blocks->in_bytes, count * sizeof(ptrdiff_t));
    take_type(type, old);
    return give(type, add_indexed(type, blocks, old), type_p);
}

int
cpi_type_indexed(int count, const int lengths[], const int displacements[], struct cpi_type *old,
                 struct cpi_type **type_p)
{
    static const int none[1];
    struct blocks blocks = { .count = count, .lengths = count > 0 ? lengths : none,
                             .in_elements = count > 0 ? displacements : none };

    return make_indexed(CPI_COMBINER_INDEXED, &blocks, old, type_p);
}

int
cpi_type_hindexed(int count, const int lengths[], const ptrdiff_t displacements_bytes[],
                  struct cpi_type *old, struct cpi_type **type_p)
{
    static const int none[1];
    static const ptrdiff_t nowhere[1];
    struct blocks blocks = { .count = count, .lengths = count > 0 ? lengths : none,
                             .in_bytes = count > 0 ? displacements_bytes : nowhere };

    return make_indexed(CPI_COMBINER_HINDEXED, &blocks, old, type_p);
}

int
cpi_type_indexed_block(int count, int length, const int displacements[], struct cpi_type *old,
                       struct cpi_type **type_p)
{
    static const int none[1];
    struct blocks blocks = { .count = count, .length = length,
                             .in_elements = count > 0 ? displacements : none };

    return make_indexed(CPI_COMBINER_INDEXED_BLOCK, &blocks, old, type_p);
}

int
cpi_type_hindexed_block(int count, int length, const ptrdiff_t displacements_bytes[],
                        struct cpi_type *old, struct cpi_type **type_p)
{
    static const ptrdiff_t nowhere[1];
    struct blocks blocks = { .count = count, .length = length,
                             .in_bytes = count > 0 ? displacements_bytes : nowhere };

    return make_indexed(CPI_COMBINER_HINDEXED_BLOCK, &blocks, old, type_p);
}

int
cpi_type_struct(int count, const int lengths[], const ptrdiff_t displacements_bytes[],
                struct cpi_type *const olds[], struct cpi_type **type_p)
{
    struct cpi_type *type;
    int error = CPMP_OK;

    if (any_negative(count, lengths))
        return CPMP_EINVAL;
    type = cpi_type_new(CPI_COMBINER_STRUCT, (size_t)count + 1, (size_t)count, (size_t)count);
    if (!type)
        return CPMP_ENOMEM;
    type->integers[0] = count;
    for (int i = 0; i < count; i++) {
        type->integers[1 + i] = lengths[i];
        type->addresses[i] = displacements_bytes[i];
        take_type(type, olds[i]);
    }
    for (int i = 0; i < count && !error; i++)
        error = cpi_type_add(type, displacements_bytes[i], (size_t)lengths[i],
                             cpi_type_extent(olds[i]), olds[i]);
    return give(type, error, type_p);
}

/* Wraps `*inner_p` (a reference, given up) into `subsize` rows of `stride` bytes. */
static int
add_dimension(struct cpi_type **inner_p, int subsize, ptrdiff_t stride)
{
    struct cpi_type *outer;
    int error = cpi_type_hvector(subsize, 1, stride, *inner_p, &outer);

    if (error)
        return error;
    cpi_type_put(*inner_p);
    *inner_p = outer;
    return CPMP_OK;
}

/* Dimension d counted from the one that is contiguous in memory. */
static int
dimension_at(int dimensions, enum cpi_type_order order, int d)
{
    return order == CPI_TYPE_ORDER_C ? dimensions - 1 - d : d;
}

/* The block as hvectors from the innermost dimension out; then placed at its start in the array. */
static int
add_subarray(struct cpi_type *type, int dimensions, enum cpi_type_order order,
             struct cpi_type *old)
{
    const int *sizes = type->integers + 1;
    const int *subsizes = sizes + dimensions;
    const int *starts = subsizes + dimensions;
    ptrdiff_t row = cpi_type_extent(old);
    ptrdiff_t offset = 0;
    int error = CPMP_OK;

    type->hidden = cpi_type_get(old);
    for (int d = 0; d < dimensions && !error; d++) {
        int i = dimension_at(dimensions, order, d);
        ptrdiff_t skip;

        error = add_dimension(&type->hidden, subsizes[i], row);
        if (__builtin_mul_overflow(row, (ptrdiff_t)starts[i], &skip) ||
            __builtin_add_overflow(offset, skip, &offset) ||
            __builtin_mul_overflow(row, (ptrdiff_t)sizes[i], &row))
            return CPMP_ELIMIT;
    }
    if (!error)
        error = cpi_type_add(type, offset, 1, 0, type->hidden);
    if (!error)
        error = cpi_type_finish(type);
    return error ? error : cpi_type_set_bounds(type, 0, row);
}

int
cpi_type_subarray(int dimensions, const int sizes[], const int subsizes[], const int starts[],
                  enum cpi_type_order order, struct cpi_type *old, struct cpi_type **type_p)
{
    size_t bytes = (size_t)dimensions * sizeof(int);
    struct cpi_type *type;
    int error;

    if (dimensions < 1)
        return CPMP_EINVAL;
    for (int i = 0; i < dimensions; i++)
        if (subsizes[i] < 1 || starts[i] < 0 || sizes[i] < 1 || subsizes[i] > sizes[i] ||
            starts[i] > sizes[i] - subsizes[i])
            return CPMP_EINVAL;
    type = cpi_type_new(CPI_COMBINER_SUBARRAY, 3 * (size_t)dimensions + 2, 0, 1);
    if (!type)
        return CPMP_ENOMEM;
    type->integers[0] = dimensions;
    memcpy(type->integers + 1, sizes, bytes);
    memcpy(type->integers + 1 + dimensions, subsizes, bytes);
    memcpy(type->integers + 1 + 2 * dimensions, starts, bytes);
    type->integers[1 + 3 * dimensions] = (int)order;
    take_type(type, old);
    error = add_subarray(type, dimensions, order, old);
    if (error)
        cpi_type_put(type);
    else
        *type_p = type;
    return error;
}

int
cpi_type_resized(struct cpi_type *old, ptrdiff_t lb, ptrdiff_t extent, struct cpi_type **type_p)
{
    struct cpi_type *type = cpi_type_new(CPI_COMBINER_RESIZED, 0, 2, 1);
    int error;

    if (!type)
        return CPMP_ENOMEM;
    type->addresses[0] = lb;
    type->addresses[1] = extent;
    take_type(type, old);
    error = cpi_type_add(type, 0, 1, 0, old);
    if (!error)
        error = cpi_type_finish(type);
    if (!error)
        error = cpi_type_set_bounds(type, lb, extent);
    if (error)
        cpi_type_put(type);
    else
        *type_p = type;
    return error;
}

int
cpi_type_dup(struct cpi_type *old, struct cpi_type **type_p)
{
    struct cpi_type *type = cpi_type_new(CPI_COMBINER_DUP, 0, 0, 1);
    int error;

    if (!type)
        return CPMP_ENOMEM;
    take_type(type, old);
    error = cpi_type_add(type, 0, 1, 0, old);
    if (!error)
        error = cpi_type_finish(type);
    if (error) {
        cpi_type_put(type);
        return error;
    }
    /* a predefined pair has padding of its own; explicit bounds stay what they were */
    type->lb = old->lb;
    type->ub = old->ub;
    type->prim = old->prim;
    type->flags |= old->flags & (CPI_TYPE_COMMITTED | CPI_TYPE_DENSE);
    *type_p = type;
    return CPMP_OK;
}
