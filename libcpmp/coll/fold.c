/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/fold.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "type/pack.h"

/* Blocks are folded so many bytes at a time: the running result stays in the nearest cache. */
#define CHUNK_BYTES 4096u

/* Elements in scratch begin on multiples of this, whatever their lower bound. */
#define ALIGNMENT 16u

/* Bytes that `count` elements span in memory, from *low_p on relative to the first one's origin.
 * What lies within an element's bounds counts, data or not: users' operations assign whole
 * structs. */
static size_t
span_bytes(const struct cpi_type *type, size_t count, ptrdiff_t *low_p)
{
    ptrdiff_t reach = (ptrdiff_t)(count - 1) * cpi_type_extent(type);
    ptrdiff_t low = type->lb < type->true_lb ? type->lb : type->true_lb;
    ptrdiff_t high = type->ub > type->true_ub ? type->ub : type->true_ub;

    *low_p = low + (reach < 0 ? reach : 0);
    return (size_t)(high - low + (reach < 0 ? -reach : reach));
}

size_t
cpi_fold_scratch_bytes(const struct cpi_type *type, size_t count)
{
    ptrdiff_t low;

    if (count == 0 || type->size == 0 || type->flags & CPI_TYPE_DENSE)
        return 0;
    return 2 * (span_bytes(type, count, &low) + 2 * ALIGNMENT);
}

/* Predefined operation on elements without gaps. */
static void
fold_loop(const struct cpi_fold *fold, cpi_op_loop_fn *loop)
{
    size_t size = fold->type->size;
    size_t chunk = CHUNK_BYTES / size ? CHUNK_BYTES / size : 1;
    _Alignas(64) char sum[CHUNK_BYTES];

    for (size_t at = 0; at < fold->count; at += chunk) {
        size_t now = fold->count - at < chunk ? fold->count - at : chunk;

        loop(sum, fold->blocks[0] + at * size, fold->blocks[1] + at * size, now);
        for (size_t k = 2; k < fold->n; k++)
            loop(sum, sum, fold->blocks[k] + at * size, now);
        memcpy((char *)fold->out + at * size, sum, now * size);
    }
}

/* User's operation on elements without gaps: the running result moves from block to block. */
static void
fold_in_blocks(const struct cpi_fold *fold)
{
    ptrdiff_t origin = cpi_type_pieces(fold->type)->offset;

    for (size_t k = 1; k < fold->n; k++)
        cpi_op_apply(fold->op, fold->blocks[k - 1] - origin, fold->blocks[k] - origin, fold->count,
                     fold->type);
    memmove(fold->out, fold->blocks[fold->n - 1], fold->count * fold->type->size);
}

static char *
scratch_origin(char *scratch, ptrdiff_t low)
{
    uintptr_t origin = (uintptr_t)(scratch - low);

    return (char *)((origin + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}

/* Elements with gaps are laid out as the operation expects them, two blocks at a time. */
static void
fold_in_scratch(const struct cpi_fold *fold)
{
    size_t bytes = fold->count * fold->type->size;
    ptrdiff_t low;
    size_t span = span_bytes(fold->type, fold->count, &low) + ALIGNMENT;
    char *sum = scratch_origin(fold->scratch, low);
    char *next = scratch_origin((char *)fold->scratch + span, low);

    cpi_type_unpack(fold->type, sum, fold->count, 0, fold->blocks[0], bytes);
    for (size_t k = 1; k < fold->n; k++) {
        char *swap = sum;

        cpi_type_unpack(fold->type, next, fold->count, 0, fold->blocks[k], bytes);
        cpi_op_apply(fold->op, sum, next, fold->count, fold->type);
        sum = next;
        next = swap;
    }
    cpi_type_pack(fold->type, sum, fold->count, 0, fold->out, bytes);
}

void
cpi_fold_run(const struct cpi_fold *fold)
{
    const struct cpi_type *type = fold->type;
    cpi_op_loop_fn *loop;

    if (fold->n == 0 || fold->count == 0 || type->size == 0)
        return;
    loop = type->prim != CPI_PRIM_NONE ? cpi_op_loop(fold->op->kind, type->prim) : NULL;
    if (fold->n == 1)
        memmove(fold->out, fold->blocks[0], fold->count * type->size);
    else if (type->flags & CPI_TYPE_DENSE && loop)
        fold_loop(fold, loop);
    else if (type->flags & CPI_TYPE_DENSE)
        fold_in_blocks(fold);
    else
        fold_in_scratch(fold);
}
