/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/slots.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "coll/fold.h"
#include "coll/slots_hosts.h"
#include "p2p/engine.h"
#include "type/pack.h"

/* Rounds that every rank folds for itself copy the contributions first (a user's operation writes
 * to them), to the stack up to so many ranks. */
#define STACK_RANKS 32

/* Up to so many bytes (of the vector, or of one rank's block) several rounds beat messages;
 * measured with 16 ranks on 2 cores. */
#define BCAST_MAX       (64u << 10)
#define REDUCE_MAX      (256u << 10)
#define ALLREDUCE_MAX   (256u << 10)
#define GATHER_MAX      (64u << 10)
#define ALLGATHER_MAX   (128u << 10)
#define ALLTOALL_ROUNDS 2u /* of alltoall_part bytes */

/* Up to so many bytes a broadcast shares its round with others of the same root. */
#define BCAST_SHORT 1024u

/* `bytes` packed bytes of the data, from `position` on, into a slot. */
static void
pack_to(char *slot, const void *buf, size_t count, const struct cpi_type *type, size_t position,
        size_t bytes)
{
    cpi_type_pack(type, buf, count, position, slot, bytes);
}

static void
unpack_from(const char *slot, void *buf, size_t count, const struct cpi_type *type,
            size_t position, size_t bytes)
{
    cpi_type_unpack(type, buf, count, position, slot, bytes);
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

/* The contributions in all slots, of `count` elements each, folded to `out`: the caller is the only
 * reader. */
static void
fold_slots(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t count, char *out)
{
    char *few[STACK_RANKS], **blocks = few;

    if (slots->size > STACK_RANKS)
        blocks = malloc((size_t)slots->size * sizeof(char *));
    if (!blocks)
        cpi_engine_abort(1, "out of memory in a reduction");
    for (int i = 0; i < slots->size; i++)
        blocks[i] = cpi_slot_payload(slots, i);
    fold(a, blocks, (size_t)slots->size, count, out);
    if (blocks != few)
        free(blocks);
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
run_barrier(struct cpi_slots *slots)
{
    cpi_round_begin(slots, CPI_ROUND_SYNC, false);
    meet(slots);
    cpi_round_end(slots);
}

static void
bcast_round(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t position, size_t bytes)
{
    bool at_root = slots->rank == a->root;
    char *slot;

    cpi_round_begin(slots, CPI_ROUND_FROM, at_root);
    slot = cpi_slot_payload(slots, a->root);
    if (at_root) {
        pack_to(slot, a->recv, a->recv_count, a->recv_type, position, bytes);
        cpi_round_release(slots);
    } else {
        cpi_round_wait_release(slots);
        unpack_from(slot, a->recv, a->recv_count, a->recv_type, position, bytes);
    }
    cpi_round_arrive(slots);
    cpi_round_end(slots);
}

/* Elements [start, start + count): all write theirs, the root alone reads. */
static void
reduce_round(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t start, size_t count)
{
    size_t size = a->send_type->size;

    cpi_round_begin(slots, CPI_ROUND_TO_ROOT, true);
    pack_to(cpi_slot_payload(slots, slots->rank), a->send, a->send_count, a->send_type,
            start * size, count * size);
    cpi_round_arrive(slots);
    if (slots->rank == a->root) {
        _Alignas(64) char out[CPI_SLOT_PAYLOAD_BYTES];

        cpi_round_wait_full(slots);
        fold_slots(slots, a, count, out);
        cpi_round_release(slots);
        unpack_from(out, a->recv, a->send_count, a->send_type, start * size, count * size);
    }
    cpi_round_end(slots);
}

/* Elements [start, start + count): the last to arrive folds them into the first rank's slot. */
static void
allreduce_round(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t start, size_t count)
{
    size_t size = a->send_type->size;
    char *result;

    cpi_round_begin(slots, CPI_ROUND_SYNC, true);
    result = cpi_slot_payload(slots, 0);
    pack_to(cpi_slot_payload(slots, slots->rank), a->send, a->send_count, a->send_type,
            start * size, count * size);
    if (cpi_round_arrive(slots)) {
        fold_slots(slots, a, count, result);
        cpi_round_release(slots);
    } else {
        cpi_round_wait_release(slots);
    }
    unpack_from(result, a->recv, a->send_count, a->send_type, start * size, count * size);
    cpi_round_end(slots);
}

/* A short message: many of one root go into one round, so that it need not wait for each to be
 * read. */
static void
run_bcast_short(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t bytes)
{
    char *place = cpi_run_place(slots, a->root, bytes);

    if (slots->rank == a->root) {
        pack_to(place, a->recv, a->recv_count, a->recv_type, 0, bytes);
        cpi_run_post(slots);
    } else {
        cpi_run_wait(slots);
        unpack_from(place, a->recv, a->recv_count, a->recv_type, 0, bytes);
    }
}

typedef void round_fn(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t start,
                      size_t count);

/* Rounds over `count` things of `size` bytes, as many at a time as a slot holds. */
static void
run_rounds(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t count, size_t size,
           round_fn *round)
{
    size_t most = CPI_SLOT_PAYLOAD_BYTES / size;

    assert(most > 0);
    for (size_t at = 0; at < count; at += most)
        round(slots, a, at, count - at < most ? count - at : most);
}

/* How much of a block of `bytes` there is from `position` on, at most `most`. */
static size_t
part_of(size_t bytes, size_t position, size_t most)
{
    if (position >= bytes)
        return 0;
    return bytes - position < most ? bytes - position : most;
}

/* Everybody's block, or as much of it as a slot holds, from the slots to where it belongs. */
static void
read_blocks(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t position)
{
    for (int i = 0; i < slots->size; i++) {
        struct cpi_payload to = cpi_args_recv_block(a, i);

        if (i != slots->rank || !a->in_place)
            cpi_payload_write(&to, position, cpi_slot_payload(slots, i),
                              part_of(to.bytes, position, CPI_SLOT_PAYLOAD_BYTES));
    }
}

static void
gather_round(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t position, size_t bytes)
{
    cpi_round_begin(slots, CPI_ROUND_TO_ROOT, true);
    if (!a->in_place)
        pack_to(cpi_slot_payload(slots, slots->rank), a->send, a->send_count, a->send_type,
                position, bytes);
    cpi_round_arrive(slots);
    if (slots->rank == a->root) {
        cpi_round_wait_full(slots);
        read_blocks(slots, a, position);
        cpi_round_release(slots);
    }
    cpi_round_end(slots);
}

static void
allgather_round(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t position,
                size_t bytes)
{
    cpi_round_begin(slots, CPI_ROUND_READ, true);
    pack_to(cpi_slot_payload(slots, slots->rank), a->send, a->send_count, a->send_type, position,
            bytes);
    meet(slots);
    read_blocks(slots, a, position);
    cpi_round_end(slots);
}

/* A slot holds a part of the block for each rank. */
static size_t
alltoall_part(const struct cpi_comm *comm)
{
    return CPI_SLOT_PAYLOAD_BYTES / (size_t)comm->size;
}

static void
alltoall_round(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t position,
               size_t bytes)
{
    size_t place = (size_t)slots->rank * bytes;
    char *own;

    cpi_round_begin(slots, CPI_ROUND_READ, true);
    own = cpi_slot_payload(slots, slots->rank);
    for (int i = 0; i < slots->size; i++) {
        struct cpi_payload from = cpi_args_send_block(a, i);

        cpi_payload_read(&from, position, own + (size_t)i * bytes, bytes);
    }
    meet(slots);
    for (int i = 0; i < slots->size; i++) {
        struct cpi_payload to = cpi_args_recv_block(a, i);

        cpi_payload_write(&to, position, cpi_slot_payload(slots, i) + place, bytes);
    }
    cpi_round_end(slots);
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
    pack_to(cpi_slot_payload(slots, slots->rank), a->send, a->send_count, a->send_type, 0,
            CPI_SLOT_PAYLOAD_BYTES);
    meet(slots);
    for (size_t i = 0; i < n; i++) {
        blocks[i] = copies + head + i * bytes;
        memcpy(blocks[i], cpi_slot_payload(slots, (int)i) + start * size, bytes);
    }
    cpi_round_end(slots);
    if (n > 0) {
        char *out = copies + head + n * bytes;

        fold(a, blocks, n, count, out);
        unpack_from(out, a->recv, count, a->send_type, 0, bytes);
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

/* The largest block that a rank brings to allgather. */
static size_t
largest_block(const struct cpi_coll_args *a, size_t bytes)
{
    size_t size = (size_t)a->comm->size, largest = 0;

    if (!a->recv_counts)
        return bytes / size;
    for (size_t i = 0; i < size; i++)
        if ((size_t)a->recv_counts[i] > largest)
            largest = (size_t)a->recv_counts[i];
    return largest * a->recv_type->size;
}

/* May it go through the slots, by what all ranks agree on? */
static bool
fits(enum cpi_coll_kind kind, const struct cpi_coll_args *a, size_t bytes)
{
    size_t size = (size_t)a->comm->size;

    switch (kind) {
    case CPI_COLL_BARRIER:
        return true;
    case CPI_COLL_BCAST:
        return bytes <= BCAST_MAX;
    case CPI_COLL_REDUCE:
        return bytes <= REDUCE_MAX && a->send_type->size <= CPI_SLOT_PAYLOAD_BYTES;
    case CPI_COLL_ALLREDUCE:
        return bytes <= ALLREDUCE_MAX && a->send_type->size <= CPI_SLOT_PAYLOAD_BYTES;
    case CPI_COLL_GATHER:
        return bytes <= GATHER_MAX;
    case CPI_COLL_REDUCE_SCATTER:
    case CPI_COLL_SCAN:
        return bytes <= CPI_SLOT_PAYLOAD_BYTES;
    case CPI_COLL_ALLTOALL:
        return bytes <= ALLTOALL_ROUNDS * alltoall_part(a->comm);
    case CPI_COLL_ALLGATHER:
        return bytes <= size * ALLGATHER_MAX && largest_block(a, bytes) <= ALLGATHER_MAX;
    default:
        return false;
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
        if (bytes <= BCAST_SHORT)
            run_bcast_short(slots, a, bytes);
        else
            run_rounds(slots, a, bytes, 1, bcast_round);
        break;
    case CPI_COLL_REDUCE:
        run_rounds(slots, a, a->send_count, a->send_type->size, reduce_round);
        break;
    case CPI_COLL_ALLREDUCE:
        run_rounds(slots, a, a->send_count, a->send_type->size, allreduce_round);
        break;
    case CPI_COLL_GATHER:
        run_rounds(slots, a, bytes, 1, gather_round);
        break;
    case CPI_COLL_ALLGATHER:
        run_rounds(slots, a, largest_block(a, bytes), 1, allgather_round);
        break;
    case CPI_COLL_ALLTOALL:
        run_rounds(slots, a, bytes, (size_t)slots->size, alltoall_round);
        break;
    case CPI_COLL_REDUCE_SCATTER:
        run_reduce_scatter(slots, a);
        break;
    default:
        run_part(slots, a, 0, a->send_count, (size_t)slots->rank + (a->exclusive ? 0 : 1));
    }
}

void
cpi_slots_bcast(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t bytes)
{
    run_kind(CPI_COLL_BCAST, slots, a, bytes);
}

bool
cpi_slots_run(enum cpi_coll_kind kind, const struct cpi_coll_args *a, size_t bytes, int *error_p)
{
    bool one_host = a->comm->hosts == 1;
    struct cpi_slots *slots;

    if (bytes == 0 && kind != CPI_COLL_BARRIER)
        return false;
    if (one_host ? !fits(kind, a, bytes) : !cpi_hosts_fit(kind, a, bytes))
        return false;
    slots = cpi_slots_of(a->comm);
    if (!slots)
        return false;
    *error_p = CPMP_OK;
    if (one_host)
        run_kind(kind, slots, a, bytes);
    else
        *error_p = cpi_hosts_run(kind, slots, a, bytes);
    return true;
}
