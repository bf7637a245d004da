/* SPDX-License-Identifier: BSD-3-Clause */
#include "type/pack.h"

#include <assert.h>
#include <string.h>

/* Elements of a flat child are moved piece by piece over so many packed bytes at a time: few enough
 * to stay in the nearest cache while the pieces take turns. */
#define BATCH_BYTES 8192u

enum direction { PACK, UNPACK };

static void move_element(const struct cpi_type *type, char *typed, size_t position, char *packed,
                         size_t bytes, enum direction direction);

/* `count` blocks from one even stride to another. Constant sizes become single moves. */
static inline void
copy_blocks(char *to, ptrdiff_t to_stride, const char *from, ptrdiff_t from_stride, size_t count,
            size_t block)
{
#define COPY_BLOCKS(bytes)                                                                         \
    case bytes:                                                                                    \
        for (size_t i = 0; i < count; i++, to += to_stride, from += from_stride)                   \
            memcpy(to, from, bytes);                                                               \
        return;

    switch (block) {
        COPY_BLOCKS(1)
        COPY_BLOCKS(2)
        COPY_BLOCKS(4)
        COPY_BLOCKS(8)
        COPY_BLOCKS(12)
        COPY_BLOCKS(16)
        COPY_BLOCKS(24)
        COPY_BLOCKS(32)
    }
#undef COPY_BLOCKS
    for (size_t i = 0; i < count; i++, to += to_stride, from += from_stride)
        memcpy(to, from, block);
}

static inline void
move_blocks(char *typed, ptrdiff_t stride, char *packed, ptrdiff_t packed_stride, size_t count,
            size_t block, enum direction direction)
{
    if (direction == PACK)
        copy_blocks(packed, packed_stride, typed, stride, count, block);
    else
        copy_blocks(typed, stride, packed, packed_stride, count, block);
}

/* `count` whole elements of a flat datatype: each piece for all of them before the next piece. */
static void
move_flat(const struct cpi_type *type, char *typed, ptrdiff_t stride, char *packed, size_t count,
          enum direction direction)
{
    const struct cpi_type_piece *pieces = cpi_type_pieces(type);
    ptrdiff_t size = (ptrdiff_t)type->size;

    for (uint32_t i = 0; i < type->piece_count; i++) {
        char *at = typed + pieces[i].offset;
        char *row = packed + pieces[i].start;

        if (pieces[i].count == 1) {
            move_blocks(at, stride, row, size, count, pieces[i].block, direction);
            continue;
        }
        for (size_t k = 0; k < count; k++, at += stride, row += size)
            move_blocks(at, pieces[i].stride, row, (ptrdiff_t)pieces[i].block, pieces[i].count,
                        pieces[i].block, direction);
    }
}

/* `count` whole things of a piece. */
static void
move_whole(const struct cpi_type_piece *piece, char *typed, char *packed, size_t count,
           enum direction direction)
{
    size_t batch = BATCH_BYTES / piece->block + 1;

    if (!piece->child) {
        move_blocks(typed, piece->stride, packed, (ptrdiff_t)piece->block, count, piece->block,
                    direction);
        return;
    }
    if (!(piece->child->flags & CPI_TYPE_FLAT))
        batch = 1;
    while (count) {
        size_t now = batch < count ? batch : count;

        if (batch > 1)
            move_flat(piece->child, typed, piece->stride, packed, now, direction);
        else
            move_element(piece->child, typed, 0, packed, piece->block, direction);
        typed += (ptrdiff_t)now * piece->stride;
        packed += now * piece->block;
        count -= now;
    }
}

/* Part of one thing. */
static void
move_part(const struct cpi_type_piece *piece, char *typed, size_t position, char *packed,
          size_t bytes, enum direction direction)
{
    if (piece->child)
        move_element(piece->child, typed, position, packed, bytes, direction);
    else if (direction == PACK)
        memcpy(packed, typed + position, bytes);
    else
        memcpy(typed + position, packed, bytes);
}

/* Packed bytes [position, position + bytes) of a piece; `typed` is the element's origin. */
static void
move_piece(const struct cpi_type_piece *piece, char *typed, size_t position, char *packed,
           size_t bytes, enum direction direction)
{
    size_t index = position / piece->block;
    size_t within = position % piece->block;
    size_t count;

    typed += piece->offset + (ptrdiff_t)index * piece->stride;
    if (within) {
        size_t part = piece->block - within < bytes ? piece->block - within : bytes;

        move_part(piece, typed, within, packed, part, direction);
        typed += piece->stride;
        packed += part;
        bytes -= part;
    }
    count = bytes / piece->block;
    if (count)
        move_whole(piece, typed, packed, count, direction);
    if (bytes % piece->block)
        move_part(piece, typed + (ptrdiff_t)count * piece->stride, 0,
                  packed + count * piece->block, bytes % piece->block, direction);
}

/* The piece that holds packed byte `position`. */
static uint32_t
find_piece(const struct cpi_type_piece *pieces, uint32_t count, size_t position)
{
    uint32_t low = 0;

    while (count - low > 1) {
        uint32_t middle = low + (count - low) / 2;

        if (pieces[middle].start <= position)
            low = middle;
        else
            count = middle;
    }
    return low;
}

static void
move_element(const struct cpi_type *type, char *typed, size_t position, char *packed, size_t bytes,
             enum direction direction)
{
    const struct cpi_type_piece *pieces = cpi_type_pieces(type);
    uint32_t i = find_piece(pieces, type->piece_count, position);

    assert(position + bytes <= type->size);
    for (; bytes; i++) {
        size_t within = position - pieces[i].start;
        size_t left = pieces[i].count * pieces[i].block - within;
        size_t now = left < bytes ? left : bytes;

        move_piece(&pieces[i], typed, within, packed, now, direction);
        position += now;
        packed += now;
        bytes -= now;
    }
}

/* `count` elements seen as one piece, as simple as it gets. */
static struct cpi_type_piece
elements_as_piece(const struct cpi_type *type, size_t count)
{
    const struct cpi_type_piece *inner = cpi_type_pieces(type);
    struct cpi_type_piece piece = { .count = count, .stride = cpi_type_extent(type),
                                    .block = type->size, .child = type };

    if (type->piece_count > 1 || inner->child)
        return piece;
    if (inner->count == 1) {
        piece.offset = inner->offset;
        piece.child = NULL;
    } else if (piece.stride == (ptrdiff_t)inner->count * inner->stride) {
        piece = *inner;
        piece.count *= count;
    }
    return piece;
}

static size_t
move(const struct cpi_type *type, char *typed, size_t count, size_t position, char *packed,
     size_t bytes, enum direction direction)
{
    size_t total = type->size * count;
    struct cpi_type_piece piece;

    if (position >= total)
        return 0;
    if (bytes > total - position)
        bytes = total - position;
    if (bytes == 0)
        return 0;
    if (type->flags & CPI_TYPE_DENSE) {
        piece = (struct cpi_type_piece){ .count = 1, .block = total,
                                         .offset = cpi_type_pieces(type)->offset };
        move_part(&piece, typed + piece.offset, position, packed, bytes, direction);
        return bytes;
    }
    piece = elements_as_piece(type, count);
    move_piece(&piece, typed, position, packed, bytes, direction);
    return bytes;
}

size_t
cpi_type_pack(const struct cpi_type *type, const void *base, size_t count, size_t position,
              void *out, size_t bytes)
{
    return move(type, (char *)(uintptr_t)base, count, position, out, bytes, PACK);
}

size_t
cpi_type_unpack(const struct cpi_type *type, void *base, size_t count, size_t position,
                const void *in, size_t bytes)
{
    return move(type, base, count, position, (char *)(uintptr_t)in, bytes, UNPACK);
}

size_t
cpi_type_copy(const struct cpi_type *to_type, void *to, size_t to_count,
              const struct cpi_type *from_type, const void *from, size_t from_count)
{
    size_t from_bytes = from_type->size * from_count;
    size_t to_bytes = to_type->size * to_count;
    size_t bytes = from_bytes < to_bytes ? from_bytes : to_bytes;
    char buffer[BATCH_BYTES];

    if (bytes == 0)
        return 0;
    if (from_type->flags & CPI_TYPE_DENSE)
        return cpi_type_unpack(to_type, to, to_count, 0,
                               (const char *)from + cpi_type_pieces(from_type)->offset, bytes);
    if (to_type->flags & CPI_TYPE_DENSE)
        return cpi_type_pack(from_type, from, from_count, 0,
                             (char *)to + cpi_type_pieces(to_type)->offset, bytes);
    for (size_t position = 0; position < bytes; position += sizeof(buffer)) {
        size_t now = bytes - position < sizeof(buffer) ? bytes - position : sizeof(buffer);

        cpi_type_pack(from_type, from, from_count, position, buffer, now);
        cpi_type_unpack(to_type, to, to_count, position, buffer, now);
    }
    return bytes;
}
