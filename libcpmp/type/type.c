/* SPDX-License-Identifier: BSD-3-Clause */
#include "type/type.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "type/build.h"

static struct cpi_type predefined[CPI_PRIM_END];

static void
add_block(struct cpi_type *type, ptrdiff_t offset, size_t bytes)
{
    struct cpi_type_piece piece = { .offset = offset, .count = 1, .block = bytes };

    piece.start = type->size;
    if (type->piece_count && type->only.offset + (ptrdiff_t)type->only.block == offset)
        type->only.block += bytes;
    else if (type->piece_count == 0)
        type->only = piece, type->piece_count = 1;
    else
        type->pieces[1] = piece, type->pieces[0] = type->only, type->piece_count = 2;
    type->size += bytes;
    type->true_ub = offset + (ptrdiff_t)bytes;
    type->elements++;
}

void
cpi_type_predefine(struct cpi_type *type, enum cpi_prim prim, const char *name)
{
    /* SHORT_INT is the one pair with a gap inside. A predefined object may be copied byte by byte
     * into a program before it is made, so its pieces live elsewhere. */
    static struct cpi_type_piece gap_pieces[2];
    const struct cpi_prim_info *info = cpi_prim_info(prim);

    memset(type, 0, sizeof(*type));
    type->references = 1;
    type->prim = (uint8_t)prim;
    type->combiner = CPI_COMBINER_NAMED;
    type->flags = CPI_TYPE_PREDEFINED | CPI_TYPE_COMMITTED | CPI_TYPE_FLAT;
    type->alignment = info->alignment;
    type->ub = info->extent;
    if (info->second && info->second_at != info->first)
        type->pieces = gap_pieces;
    if (info->first)
        add_block(type, 0, info->first);
    if (info->second)
        add_block(type, info->second_at, info->second);
    if (type->piece_count < 2)
        type->flags |= CPI_TYPE_CONTIGUOUS;
    if (type->piece_count < 2 && type->size == info->extent)
        type->flags |= CPI_TYPE_DENSE;
    if (prim == CPI_PRIM_LB)
        type->flags |= CPI_TYPE_EXPLICIT_LB;
    if (prim == CPI_PRIM_UB)
        type->flags |= CPI_TYPE_EXPLICIT_UB;
    snprintf(type->name, sizeof(type->name), "%s", name);
    cpi_type_check(type);
}

struct cpi_type *
cpi_type_of_prim(enum cpi_prim prim)
{
    struct cpi_type *type = &predefined[prim];

    assert(prim > CPI_PRIM_NONE && prim < CPI_PRIM_END);
    if (type->references == 0)
        cpi_type_predefine(type, prim, cpi_prim_info(prim)->name);
    return type;
}

struct cpi_type *
cpi_type_get(struct cpi_type *type)
{
    if (!(type->flags & CPI_TYPE_PREDEFINED))
        atomic_fetch_add_explicit(&type->references, 1, memory_order_relaxed);
    return type;
}

void
cpi_type_put(struct cpi_type *type)
{
    if (!type || type->flags & CPI_TYPE_PREDEFINED)
        return;
    if (atomic_fetch_sub_explicit(&type->references, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < type->type_count; i++)
        cpi_type_put(type->types[i]);
    cpi_type_put(type->hidden);
    free(type->types);
    free(type->pieces);
    free(type);
}

void
cpi_type_commit(struct cpi_type *type)
{
    type->flags |= CPI_TYPE_COMMITTED;
}

static size_t
elements_of_prim(enum cpi_prim prim, size_t bytes)
{
    const struct cpi_prim_info *info = cpi_prim_info(prim);
    size_t size = (size_t)info->first + info->second;
    size_t whole = bytes / size, rest = bytes % size;

    if (!info->second)
        return rest ? CPI_TYPE_UNDEFINED : whole;
    if (rest && rest != info->first)
        return CPI_TYPE_UNDEFINED;
    return 2 * whole + (rest ? 1 : 0);
}

/* Which datatype of the arguments the packed byte *bytes_p of one element falls into: lowers
 * *bytes_p to the place in a run of it, and adds the elements before that run to *sum_p. */
static const struct cpi_type *
element_part(const struct cpi_type *type, size_t *bytes_p, size_t *sum_p)
{
    if (type->combiner != CPI_COMBINER_STRUCT)
        return type->types[0];
    for (uint32_t i = 0; i < type->type_count; i++) {
        const struct cpi_type *part = type->types[i];
        size_t length = (size_t)type->integers[1 + i];

        if (*bytes_p < length * part->size)
            return part;
        *bytes_p -= length * part->size;
        *sum_p += length * part->elements;
    }
    assert(*bytes_p == 0);
    return NULL;
}

size_t
cpi_type_elements(const struct cpi_type *type, size_t bytes)
{
    size_t sum = 0;

    while (type && type->size && bytes) {
        if (type->combiner == CPI_COMBINER_NAMED) {
            size_t last = elements_of_prim(type->prim, bytes);
            return last == CPI_TYPE_UNDEFINED ? last : sum + last;
        }
        sum += bytes / type->size * type->elements;
        bytes %= type->size;
        type = bytes ? element_part(type, &bytes, &sum) : NULL;
    }
    return bytes ? CPI_TYPE_UNDEFINED : sum;
}

void
cpi_type_check(const struct cpi_type *type)
{
    const struct cpi_type_piece *pieces = cpi_type_pieces(type);
    size_t start = 0;
    bool flat = true;

    assert(type->references > 0 && type->prim < CPI_PRIM_END && type->alignment > 0);
    for (uint32_t i = 0; i < type->piece_count; i++) {
        assert(pieces[i].count > 0 && pieces[i].block > 0 && pieces[i].start == start);
        assert(!pieces[i].child || pieces[i].child->size == pieces[i].block);
        flat = flat && !pieces[i].child;
        start += pieces[i].count * pieces[i].block;
    }
    assert(start == type->size);
    assert(!!(type->flags & CPI_TYPE_FLAT) == flat);
    assert(!(type->flags & CPI_TYPE_DENSE) || type->flags & CPI_TYPE_CONTIGUOUS);
    assert(!(type->flags & CPI_TYPE_CONTIGUOUS) || type->piece_count == 0 ||
           (flat && type->piece_count == 1 && pieces->count == 1));
    assert(!(type->flags & CPI_TYPE_DENSE) || (size_t)cpi_type_extent(type) == type->size);
    (void)start, (void)flat;
}
