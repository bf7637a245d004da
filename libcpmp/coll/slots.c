/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/slots.h"

#include <stdlib.h>
#include <string.h>

#include "coll/fold.h"
#include "coll/slots_round.h"
#include "p2p/engine.h"
#include "type/pack.h"

/* Rounds that every rank folds for itself copy the contributions first (a user's operation writes
 * to them), to the stack up to so many ranks. */
#define STACK_RANKS 32

static void
pack_to(char *slot, const void *buf, size_t count, const struct cpi_type *type)
{
    cpi_type_pack(type, buf, count, 0, slot, CPI_SLOT_PAYLOAD_BYTES);
}

static void
unpack_from(const char *slot, size_t bytes, void *buf, size_t count, const struct cpi_type *type)
{
    cpi_type_unpack(type, buf, count, 0, slot, bytes);
}

/* Folds `n` blocks to `out`, packed. */
static void
fold(const struct cpi_coll_args *a, char **blocks, size_t n, size_t count, char *out)
{
    size_t scratch = cpi_fold_scratch_bytes(a->send_type, count);
    struct cpi_fold all = { .op = a->op, .type = a->send_type, .count = count, .n = n,
                            .blocks = blocks, .out = out };

    if (scratch) {
        all.scratch = malloc(scratch);
        if (!all.scratch)
            cpi_engine_abort(1, "out of memory in a reduction");
    }
    cpi_fold_run(&all);
    free(all.scratch);
}

/* Every rank's slot, and the contributions there folded to `out`: the caller is the only reader. */
static void
fold_slots(struct cpi_slots *slots, const struct cpi_coll_args *a, char *out)
{
    char *few[STACK_RANKS], **blocks = few;

    if (slots->size > STACK_RANKS)
        blocks = malloc((size_t)slots->size * sizeof(char *));
    if (!blocks)
        cpi_engine_abort(1, "out of memory in a reduction");
    for (int i = 0; i < slots->size; i++)
        blocks[i] = cpi_slot_payload(slots, i);
    fold(a, blocks, (size_t)slots->size, a->send_count, out);
    if (blocks != few)
        free(blocks);
}

static void
run_barrier(struct cpi_slots *slots)
{
    cpi_round_begin(slots, CPI_ROUND_SYNC, false);
    if (cpi_round_arrive(slots))
        cpi_round_release(slots);
    else
        cpi_round_wait_release(slots);
}

static void
run_bcast(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t bytes)
{
    bool at_root = slots->rank == a->root;
    char *slot = cpi_slot_payload(slots, a->root);

    cpi_round_begin(slots, CPI_ROUND_FROM, at_root);
    if (at_root) {
        pack_to(slot, a->recv, a->recv_count, a->recv_type);
        cpi_round_release(slots);
    } else {
        cpi_round_wait_release(slots);
        unpack_from(slot, bytes, a->recv, a->recv_count, a->recv_type);
    }
    cpi_round_arrive(slots);
}

static void
run_reduce(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t bytes)
{
    _Alignas(64) char out[CPI_SLOT_PAYLOAD_BYTES];

    cpi_round_begin(slots, CPI_ROUND_TO_ROOT, true);
    pack_to(cpi_slot_payload(slots, slots->rank), a->send, a->send_count, a->send_type);
    cpi_round_arrive(slots);
    if (slots->rank != a->root)
        return;
    cpi_round_wait_full(slots);
    fold_slots(slots, a, out);
    cpi_round_release(slots);
    unpack_from(out, bytes, a->recv, a->send_count, a->send_type);
}

static void
run_allreduce(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t bytes)
{
    char *result = cpi_slot_payload(slots, 0);

    cpi_round_begin(slots, CPI_ROUND_SYNC, true);
    pack_to(cpi_slot_payload(slots, slots->rank), a->send, a->send_count, a->send_type);
    if (cpi_round_arrive(slots)) {
        fold_slots(slots, a, result);
        cpi_round_release(slots);
    } else {
        cpi_round_wait_release(slots);
    }
    unpack_from(result, bytes, a->recv, a->send_count, a->send_type);
}

static void
run_gather(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t bytes)
{
    cpi_round_begin(slots, CPI_ROUND_TO_ROOT, true);
    if (!a->in_place)
        pack_to(cpi_slot_payload(slots, slots->rank), a->send, a->send_count, a->send_type);
    cpi_round_arrive(slots);
    if (slots->rank != a->root)
        return;
    cpi_round_wait_full(slots);
    for (int i = 0; i < slots->size; i++) {
        struct cpi_payload to = cpi_args_recv_block(a, i);

        if (i != slots->rank || !a->in_place)
            cpi_payload_write(&to, 0, cpi_slot_payload(slots, i), bytes);
    }
    cpi_round_release(slots);
}

/* All come, then all may read. */
static void
meet(struct cpi_slots *slots)
{
    if (cpi_round_arrive(slots))
        cpi_round_release(slots);
    else
        cpi_round_wait_release(slots);
}

static void
run_allgather(struct cpi_slots *slots, const struct cpi_coll_args *a)
{
    cpi_round_begin(slots, CPI_ROUND_READ, true);
    pack_to(cpi_slot_payload(slots, slots->rank), a->send, a->send_count, a->send_type);
    meet(slots);
    for (int i = 0; i < slots->size; i++) {
        struct cpi_payload to = cpi_args_recv_block(a, i);

        if (i != slots->rank || !a->in_place)
            cpi_payload_write(&to, 0, cpi_slot_payload(slots, i), to.bytes);
    }
}

static void
run_alltoall(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t bytes)
{
    size_t at = (size_t)slots->rank * bytes;

    cpi_round_begin(slots, CPI_ROUND_READ, true);
    pack_to(cpi_slot_payload(slots, slots->rank), a->send, a->send_count * (size_t)slots->size,
            a->send_type);
    meet(slots);
    for (int i = 0; i < slots->size; i++) {
        struct cpi_payload to = cpi_args_recv_block(a, i);

        cpi_payload_write(&to, 0, cpi_slot_payload(slots, i) + at, bytes);
    }
}

/* Scan and reduce_scatter: each rank folds elements [start, start + count) of the first n slots. */
static void
run_part(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t start, size_t count,
         size_t n)
{
    size_t size = a->send_type->size, bytes = count * size;
    size_t head = (n * sizeof(char *) + 63) / 64 * 64, room = head + (n + 1) * bytes;
    _Alignas(64) char few[STACK_RANKS * sizeof(char *) + 2048];
    char *copies = few, **blocks;

    if (room > sizeof(few))
        copies = aligned_alloc(64, (room + 63) / 64 * 64);
    if (!copies)
        cpi_engine_abort(1, "out of memory in a reduction");
    blocks = (char **)(void *)copies;
    cpi_round_begin(slots, CPI_ROUND_READ, true);
    pack_to(cpi_slot_payload(slots, slots->rank), a->send, a->send_count, a->send_type);
    meet(slots);
    for (size_t i = 0; i < n; i++) {
        blocks[i] = copies + head + i * bytes;
        memcpy(blocks[i], cpi_slot_payload(slots, (int)i) + start * size, bytes);
    }
    if (n > 0) {
        char *out = copies + head + n * bytes;

        fold(a, blocks, n, count, out);
        unpack_from(out, bytes, a->recv, count, a->send_type);
    }
    if (copies != few)
        free(copies);
}

static void
run_reduce_scatter(struct cpi_slots *slots, const struct cpi_coll_args *a)
{
    size_t start = 0, count = a->recv_count;

    for (int i = 0; i < slots->rank; i++)
        start += a->recv_counts ? (size_t)a->recv_counts[i] : count;
    if (a->recv_counts)
        count = (size_t)a->recv_counts[slots->rank];
    run_part(slots, a, start, count, (size_t)slots->size);
}

/* Bytes that a rank writes to its slot, at most; beyond the payload when slots don't serve. */
static size_t
slot_bytes(enum cpi_coll_kind kind, const struct cpi_coll_args *a, size_t bytes)
{
    size_t size = (size_t)a->comm->size, largest = 0;

    switch (kind) {
    case CPI_COLL_ALLTOALL:
        return bytes * size;
    case CPI_COLL_ALLGATHER:
        if (!a->recv_counts || bytes > size * CPI_SLOT_PAYLOAD_BYTES)
            return bytes / size;
        for (size_t i = 0; i < size; i++)
            if ((size_t)a->recv_counts[i] * a->recv_type->size > largest)
                largest = (size_t)a->recv_counts[i] * a->recv_type->size;
        return largest;
    case CPI_COLL_BARRIER:
    case CPI_COLL_BCAST:
    case CPI_COLL_GATHER:
    case CPI_COLL_REDUCE:
    case CPI_COLL_ALLREDUCE:
    case CPI_COLL_REDUCE_SCATTER:
    case CPI_COLL_SCAN:
        return bytes;
    default:
        return SIZE_MAX;
    }
}

static void
run_kind(enum cpi_coll_kind kind, struct cpi_slots *slots, const struct cpi_coll_args *a,
         size_t bytes)
{
    switch (kind) {
    case CPI_COLL_BARRIER:
        run_barrier(slots);
        break;
    case CPI_COLL_BCAST:
        run_bcast(slots, a, bytes);
        break;
    case CPI_COLL_REDUCE:
        run_reduce(slots, a, bytes);
        break;
    case CPI_COLL_ALLREDUCE:
        run_allreduce(slots, a, bytes);
        break;
    case CPI_COLL_GATHER:
        run_gather(slots, a, bytes);
        break;
    case CPI_COLL_ALLGATHER:
        run_allgather(slots, a);
        break;
    case CPI_COLL_ALLTOALL:
        run_alltoall(slots, a, bytes);
        break;
    case CPI_COLL_REDUCE_SCATTER:
        run_reduce_scatter(slots, a);
        break;
    default:
        run_part(slots, a, 0, a->send_count, (size_t)slots->rank + (a->exclusive ? 0 : 1));
    }
}

bool
cpi_slots_run(enum cpi_coll_kind kind, const struct cpi_coll_args *a, size_t bytes)
{
    struct cpi_slots *slots;

    if (a->comm->hosts != 1 || (bytes == 0 && kind != CPI_COLL_BARRIER) ||
        slot_bytes(kind, a, bytes) > CPI_SLOT_PAYLOAD_BYTES)
        return false;
    slots = cpi_slots_of(a->comm);
    if (!slots)
        return false;
    run_kind(kind, slots, a, bytes);
    cpi_round_end(slots);
    return true;
}
