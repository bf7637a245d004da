/* SPDX-License-Identifier: BSD-3-Clause */
#include "type/build.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

/* Up to so many pieces of a child are taken over one by one, so that they can join their neighbours
 * and packing needs no descent; beyond, memory counts more. */
#define SPLICE_MAX 64u

/* Sizes and bounds stay below this, so that sums of two never overflow. */
#define BYTES_MAX ((size_t)PTRDIFF_MAX / 2)

struct cpi_type *
cpi_type_new(enum cpi_combiner combiner, size_t integers, size_t addresses, size_t types)
{
    struct cpi_type *type = calloc(1, sizeof(*type));
    size_t bytes = types * sizeof(struct cpi_type *) + addresses * sizeof(ptrdiff_t) +
                   integers * sizeof(int);
    char *arguments;

    if (!type)
        return NULL;
    arguments = calloc(1, bytes + 1);
    if (!arguments) {
        free(type);
        return NULL;
    }
    type->references = 1;
    type->combiner = (uint8_t)combiner;
    type->alignment = 1;
    /* until finish, the data's bounds; none yet when lb > ub */
    type->true_lb = PTRDIFF_MAX, type->true_ub = PTRDIFF_MIN;
    type->lb = PTRDIFF_MAX, type->ub = PTRDIFF_MIN;
    type->types = (struct cpi_type **)arguments;
    type->addresses = (ptrdiff_t *)(type->types + types);
    type->integers = (int *)(type->addresses + addresses);
    type->address_count = (uint32_t)addresses;
    type->integer_count = (uint32_t)integers;
    return type;
}

static int
push(struct cpi_type *type, const struct cpi_type_piece *piece)
{
    if (type->piece_count == type->piece_room) {
        uint32_t room = type->piece_room ? 2 * type->piece_room : 4;
        struct cpi_type_piece *more = room > type->piece_room
                                          ? realloc(type->pieces, room * sizeof(*more))
                                          : NULL;
        if (!more)
            return CPMP_ENOMEM;
        type->pieces = more;
        type->piece_room = room;
    }
    type->pieces[type->piece_count++] = *piece;
    return CPMP_OK;
}

/* Can `next` go on where `last` ends, at an even stride? Then it is taken in. */
static bool
join_strided(struct cpi_type_piece *last, const struct cpi_type_piece *next)
{
    ptrdiff_t stride = last->count > 1 ? last->stride : next->offset - last->offset;

    if (last->block != next->block || last->child || next->child)
        return false;
    if (next->offset != last->offset + (ptrdiff_t)last->count * stride)
        return false;
    if (next->count > 1 && next->stride != stride)
        return false;
    last->count += next->count;
    last->stride = stride;
    return true;
}

/* Adds blocks of bytes, joined with what is there where possible. A single block that begins where
 * the last one ends becomes one with it, even if that one has to leave a strided piece. */
static int
append(struct cpi_type *type, const struct cpi_type_piece *next)
{
    struct cpi_type_piece *last;
    struct cpi_type_piece joined;

    if (type->piece_count == 0)
        return push(type, next);
    last = &type->pieces[type->piece_count - 1];
    if (last->child || next->child)
        return push(type, next);
    joined = *last;
    joined.offset += (ptrdiff_t)(last->count - 1) * last->stride;
    if (next->count != 1 || joined.offset + (ptrdiff_t)last->block != next->offset)
        return join_strided(last, next) ? CPMP_OK : push(type, next);
    if (last->count == 1) {
        last->block += next->block;
        return CPMP_OK;
    }
    last->count--;
    joined.count = 1;
    joined.start += last->count * last->block;
    joined.block += next->block;
    return push(type, &joined);
}

/* Takes over each piece of `old`, moved by `offset`. */
static int
splice(struct cpi_type *type, ptrdiff_t offset, const struct cpi_type *old)
{
    const struct cpi_type_piece *pieces = cpi_type_pieces(old);

    for (uint32_t i = 0; i < old->piece_count; i++) {
        struct cpi_type_piece piece = pieces[i];
        int error;

        piece.offset += offset;
        piece.start += type->size;
        error = append(type, &piece);
        if (error)
            return error;
    }
    return CPMP_OK;
}

static int
add_pieces(struct cpi_type *type, ptrdiff_t offset, size_t count, ptrdiff_t stride,
           const struct cpi_type *old)
{
    const struct cpi_type_piece *inner = cpi_type_pieces(old);
    struct cpi_type_piece piece = { .offset = offset, .count = count, .stride = stride,
                                    .block = old->size, .start = type->size, .child = old };

    if (count == 1 && old->piece_count <= SPLICE_MAX)
        return splice(type, offset, old);
    if (old->piece_count > 1 || inner->child)
        return push(type, &piece);
    if (inner->count == 1 && stride == (ptrdiff_t)inner->block)
        piece.block *= count, piece.count = 1;
    else if (inner->count > 1 && stride == (ptrdiff_t)inner->count * inner->stride)
        piece.block = inner->block, piece.count *= inner->count, piece.stride = inner->stride;
    else if (inner->count > 1)
        return push(type, &piece);
    piece.offset += inner->offset;
    piece.child = NULL;
    return append(type, &piece);
}

static void
widen(ptrdiff_t *lb, ptrdiff_t *ub, ptrdiff_t low, ptrdiff_t high)
{
    *lb = low < *lb ? low : *lb;
    *ub = high > *ub ? high : *ub;
}

static void
add_bounds(struct cpi_type *type, ptrdiff_t offset, ptrdiff_t span, const struct cpi_type *old)
{
    ptrdiff_t first = span < 0 ? offset + span : offset;
    ptrdiff_t last = span < 0 ? offset : offset + span;

    if (old->size)
        widen(&type->true_lb, &type->true_ub, first + old->true_lb, last + old->true_ub);
    if (old->flags & CPI_TYPE_EXPLICIT_LB) {
        type->flags |= CPI_TYPE_EXPLICIT_LB;
        type->lb = first + old->lb < type->lb ? first + old->lb : type->lb;
    }
    if (old->flags & CPI_TYPE_EXPLICIT_UB) {
        type->flags |= CPI_TYPE_EXPLICIT_UB;
        type->ub = last + old->ub > type->ub ? last + old->ub : type->ub;
    }
    if (old->size && old->alignment > type->alignment)
        type->alignment = old->alignment;
}

static bool
out_of_range(ptrdiff_t value)
{
    return value > (ptrdiff_t)BYTES_MAX || value < -(ptrdiff_t)BYTES_MAX;
}

int
cpi_type_add(struct cpi_type *type, ptrdiff_t offset, size_t count, ptrdiff_t stride,
             const struct cpi_type *old)
{
    size_t bytes;
    ptrdiff_t span, low, high;
    int error = CPMP_OK;

    if (count == 0)
        return CPMP_OK;
    if (__builtin_mul_overflow(count, old->size, &bytes) || bytes > BYTES_MAX - type->size ||
        __builtin_mul_overflow((ptrdiff_t)(count - 1), stride, &span) ||
        out_of_range(span) || out_of_range(offset) ||
        __builtin_add_overflow(offset + (span < 0 ? span : 0), old->lb, &low) ||
        __builtin_add_overflow(offset + (span < 0 ? 0 : span), old->ub, &high) ||
        out_of_range(low) || out_of_range(high))
        return CPMP_ELIMIT;
    if (old->size)
        error = add_pieces(type, offset, count, stride, old);
    if (error)
        return error;
    add_bounds(type, offset, span, old);
    type->size += bytes;
    type->elements += count * old->elements;
    return CPMP_OK;
}

/* The extent without explicit bounds: the data's, rounded up to the alignment (MPI-3.1, 4.1). */
static void
settle_bounds(struct cpi_type *type)
{
    bool explicit_lb = type->flags & CPI_TYPE_EXPLICIT_LB;
    bool explicit_ub = type->flags & CPI_TYPE_EXPLICIT_UB;

    if (type->size == 0)
        type->true_lb = type->true_ub = 0;
    if (!explicit_lb)
        type->lb = type->size || !explicit_ub ? type->true_lb : type->ub;
    if (!explicit_ub) {
        type->ub = type->size || !explicit_lb ? type->true_ub : type->lb;
        if (type->ub > type->lb) {
            size_t over = (size_t)(type->ub - type->lb) % type->alignment;
            type->ub += over ? (ptrdiff_t)(type->alignment - over) : 0;
        }
    }
}

static void
settle_density(struct cpi_type *type)
{
    const struct cpi_type_piece *pieces = cpi_type_pieces(type);

    type->flags &= (uint16_t)~(CPI_TYPE_CONTIGUOUS | CPI_TYPE_DENSE);
    if (type->piece_count == 0 ||
        (type->piece_count == 1 && pieces->count == 1 && !pieces->child))
        type->flags |= CPI_TYPE_CONTIGUOUS;
    if (type->flags & CPI_TYPE_CONTIGUOUS && (size_t)cpi_type_extent(type) == type->size)
        type->flags |= CPI_TYPE_DENSE;
}

int
cpi_type_finish(struct cpi_type *type)
{
    size_t start = 0;
    bool flat = true;

    if (type->piece_count == 1) {
        type->only = type->pieces[0];
        free(type->pieces);
        type->pieces = NULL;
        type->piece_room = 0;
    }
    for (uint32_t i = 0; i < type->piece_count; i++) {
        struct cpi_type_piece *piece = type->pieces ? &type->pieces[i] : &type->only;

        piece->start = start;
        start += piece->count * piece->block;
        flat = flat && !piece->child;
    }
    if (flat)
        type->flags |= CPI_TYPE_FLAT;
    settle_bounds(type);
    settle_density(type);
    cpi_type_check(type);
    return CPMP_OK;
}

int
cpi_type_set_bounds(struct cpi_type *type, ptrdiff_t lb, ptrdiff_t extent)
{
    ptrdiff_t ub;

    if (__builtin_add_overflow(lb, extent, &ub) || out_of_range(ub) || out_of_range(lb))
        return CPMP_ELIMIT;
    type->lb = lb;
    type->ub = ub;
    type->flags |= CPI_TYPE_EXPLICIT_LB | CPI_TYPE_EXPLICIT_UB;
    settle_density(type);
    return CPMP_OK;
}
