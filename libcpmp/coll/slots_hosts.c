/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/slots_hosts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "coll/schedule.h"
#include "p2p/engine.h"
#include "type/pack.h"

/* Beyond, the algorithms of select.c are as fast; measured with 16 ranks on 2 peers and 6 on 3. For
 * broadcasts they always are: a tree from rank 0 crosses over to each host once as it is. */
#define GATHER_MAX    (4u << 10)
#define ALLGATHER_MAX (64u << 10)  /* all blocks together */
#define RAW_MAX       (128u << 10) /* all contributions to a reduction, all blocks of gather */

/* --- who is where --- */

static int
host_size(const struct cpi_slots_hosts *hosts, int host)
{
    return hosts->starts[host + 1] - hosts->starts[host];
}

static int
leader_of(const struct cpi_slots_hosts *hosts, int host)
{
    return hosts->members[hosts->starts[host]];
}

/* Host i steps after this one around the circle; i may be negative, above -count. */
static int
host_at(const struct cpi_slots_hosts *hosts, int i)
{
    return (hosts->mine + i + hosts->count) % hosts->count;
}

/* Which of the ranks here collects for the root: itself, or the leader where it isn't. */
static int
local_root(const struct cpi_slots_hosts *hosts, int root)
{
    const int *mine = hosts->members + hosts->starts[hosts->mine];
    int i = 0;

    if (hosts->host_of[root] != hosts->mine)
        return 0;
    while (mine[i] != root)
        i++;
    return i;
}

static struct cpi_schedule *
schedule_new(struct cpi_comm *comm)
{
    struct cpi_schedule *schedule = cpi_schedule_new(comm);

    if (!schedule)
        cpi_engine_abort(1, "out of memory for a collective");
    return schedule;
}

/* A round that the leader releases when it is done with the other hosts. */
typedef int leader_fn(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t bytes);

static int
led_round(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t bytes, leader_fn *lead)
{
    int error = CPMP_OK;

    cpi_round_arrive(slots);
    if (slots->rank == 0) {
        cpi_round_wait_full(slots);
        error = lead(slots, a, bytes);
        cpi_round_release(slots);
    } else {
        cpi_schedule_skip(a->comm);
        cpi_round_wait_release(slots);
    }
    return error;
}

/* --- barrier: dissemination among leaders --- */

static int
lead_barrier(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t bytes)
{
    const struct cpi_slots_hosts *hosts = slots->hosts;
    struct cpi_schedule *schedule = schedule_new(a->comm);

    (void)bytes;
    for (int distance = 1; distance < hosts->count; distance *= 2) {
        cpi_schedule_await(schedule, leader_of(hosts, host_at(hosts, -distance)));
        cpi_schedule_signal(schedule, leader_of(hosts, host_at(hosts, distance)));
        cpi_schedule_fence(schedule);
    }
    return cpi_schedule_start(schedule, a, NULL);
}

static int
run_barrier(struct cpi_slots *slots, const struct cpi_coll_args *a)
{
    int error;

    cpi_round_begin(slots, CPI_ROUND_SYNC, false);
    error = led_round(slots, a, 0, lead_barrier);
    cpi_round_end(slots);
    return error;
}

/* --- contributions of all ranks, to all leaders --- */

/* How long rank r's is: `bytes`, or its block of allgather. */
static size_t
block_bytes(const struct cpi_coll_args *a, size_t bytes, int r)
{
    return a->op ? bytes : cpi_args_recv_block(a, r).bytes;
}

/* The ranks host by host, this rank's first: number k of them. */
static int
member_at(const struct cpi_slots_hosts *hosts, const struct cpi_coll_args *a, int k)
{
    return hosts->members[(hosts->starts[hosts->mine] + k) % a->comm->size];
}

/* What is in the slots here, one after the other, to `blocks`. */
static void
slots_collect(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t bytes, char *blocks)
{
    for (int i = 0; i < slots->size; i++) {
        size_t block = block_bytes(a, bytes, member_at(slots->hosts, a, i));

        memcpy(blocks, cpi_slot_payload(slots, i), block);
        blocks += block;
    }
}

/* Bruck's rounds with hosts for ranks. `blocks` holds this host's contributions; in the end all, in
 * the order of member_at. */
static void
leaders_gather(struct cpi_schedule *schedule, const struct cpi_slots_hosts *hosts,
               const struct cpi_coll_args *a, size_t bytes, char *blocks)
{
    int count = hosts->count, k = 0;
    size_t *starts = cpi_schedule_buffer(schedule, ((size_t)count + 1) * sizeof(size_t));

    if (!starts)
        return;
    starts[0] = 0;
    for (int h = 0; h < count; h++) {
        starts[h + 1] = starts[h];
        for (int i = 0; i < host_size(hosts, host_at(hosts, h)); i++)
            starts[h + 1] += block_bytes(a, bytes, member_at(hosts, a, k++));
    }
    for (int have = 1; have < count; have *= 2) {
        int more = have < count - have ? have : count - have;

        cpi_schedule_recv(schedule, leader_of(hosts, host_at(hosts, have)),
                          cpi_bytes(cpi_at(blocks, starts[have]),
                                    starts[have + more] - starts[have]));
        cpi_schedule_send(schedule, leader_of(hosts, host_at(hosts, -have)),
                          cpi_bytes(blocks, starts[more]));
        cpi_schedule_fence(schedule);
    }
}

/* --- allreduce: the leader folds all, and leaves the result in its slot --- */

static int
lead_allreduce(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t bytes)
{
    size_t size = (size_t)a->comm->size;
    struct cpi_schedule *schedule = schedule_new(a->comm);
    char *blocks = cpi_schedule_buffer(schedule, size * bytes);
    char **pointers = cpi_schedule_buffer(schedule, size * sizeof(char *));

    if (blocks && pointers) {
        slots_collect(slots, a, bytes, blocks);
        leaders_gather(schedule, slots->hosts, a, bytes, blocks);
        for (int k = 0; k < a->comm->size; k++)
            pointers[member_at(slots->hosts, a, k)] = blocks + (size_t)k * bytes;
        cpi_schedule_fold(schedule, &(struct cpi_fold){ .op = a->op, .type = a->send_type,
                                                        .count = a->send_count, .n = size,
                                                        .blocks = pointers,
                                                        .out = cpi_slot_payload(slots, 0) });
    }
    return cpi_schedule_start(schedule, a, NULL);
}

static int
run_allreduce(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t bytes)
{
    int error;

    cpi_round_begin(slots, CPI_ROUND_SYNC, true);
    cpi_type_pack(a->send_type, a->send, a->send_count, 0, cpi_slot_payload(slots, slots->rank),
                  bytes);
    error = led_round(slots, a, bytes, lead_allreduce);
    cpi_type_unpack(a->send_type, a->recv, a->send_count, 0, cpi_slot_payload(slots, 0), bytes);
    cpi_round_end(slots);
    return error;
}

/* --- allgather: the leader gets all blocks, and broadcasts them --- */

static void
blocks_unpack(struct cpi_slots *slots, const struct cpi_coll_args *a, const char *blocks)
{
    for (int k = 0; k < a->comm->size; k++) {
        int rank = member_at(slots->hosts, a, k);
        struct cpi_payload to = cpi_args_recv_block(a, rank);

        if (rank != a->comm->rank || !a->in_place)
            cpi_payload_write(&to, 0, blocks, to.bytes);
        blocks += to.bytes;
    }
}

static int
run_allgather(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t bytes)
{
    char *blocks = malloc(bytes);
    struct cpi_coll_args here = { .comm = a->comm, .recv = blocks, .recv_count = bytes,
                                  .recv_type = cpi_type_of_prim(CPI_PRIM_BYTE) };
    int error = CPMP_OK;

    if (!blocks)
        cpi_engine_abort(1, "out of memory for a collective");
    cpi_round_begin(slots, CPI_ROUND_TO_ROOT, true);
    cpi_type_pack(a->send_type, a->send, a->send_count, 0, cpi_slot_payload(slots, slots->rank),
                  CPI_SLOT_PAYLOAD_BYTES);
    cpi_round_arrive(slots);
    if (slots->rank == 0) {
        struct cpi_schedule *schedule = schedule_new(a->comm);

        cpi_round_wait_full(slots);
        slots_collect(slots, a, 0, blocks);
        cpi_round_release(slots);
        leaders_gather(schedule, slots->hosts, a, 0, blocks);
        error = cpi_schedule_start(schedule, a, NULL);
    } else {
        cpi_schedule_skip(a->comm);
    }
    cpi_round_end(slots);
    if (slots->size > 1)
        cpi_slots_bcast(slots, &here, bytes);
    blocks_unpack(slots, a, blocks);
    free(blocks);
    return error;
}

/* --- reduce and gather: each leader sends its host's contributions to the root --- */

/* The root: from each host, to its place among the members; this host's are there. */
static void
root_recv(struct cpi_schedule *schedule, const struct cpi_slots_hosts *hosts, size_t bytes,
          char *blocks)
{
    for (int i = 1; i < hosts->count; i++) {
        int host = host_at(hosts, i);

        cpi_schedule_recv(schedule, leader_of(hosts, host),
                          cpi_bytes(blocks + (size_t)hosts->starts[host] * bytes,
                                    (size_t)host_size(hosts, host) * bytes));
    }
    cpi_schedule_fence(schedule);
}

static void
root_fold(struct cpi_schedule *schedule, const struct cpi_slots_hosts *hosts,
          const struct cpi_coll_args *a, size_t bytes, char *blocks)
{
    size_t size = (size_t)a->comm->size;
    char **pointers = cpi_schedule_buffer(schedule, size * sizeof(char *));

    if (!pointers)
        return;
    for (size_t k = 0; k < size; k++)
        pointers[hosts->members[k]] = blocks + k * bytes;
    cpi_schedule_fold_to(schedule,
                         &(struct cpi_fold){ .op = a->op, .type = a->send_type,
                                             .count = a->send_count, .n = size,
                                             .blocks = pointers },
                         cpi_type_payload(a->recv, a->send_count, a->send_type));
}

static void
root_place(struct cpi_schedule *schedule, const struct cpi_slots_hosts *hosts,
           const struct cpi_coll_args *a, size_t bytes, char *blocks)
{
    for (int k = 0; k < a->comm->size; k++)
        if (hosts->members[k] != a->root || !a->in_place)
            cpi_schedule_copy(schedule, cpi_args_recv_block(a, hosts->members[k]),
                              cpi_bytes(blocks + (size_t)k * bytes, bytes));
}

/* What the root does, and the leaders of other hosts, when all have arrived. */
static int
collect_to_root(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t bytes)
{
    const struct cpi_slots_hosts *hosts = slots->hosts;
    bool at_root = a->comm->rank == a->root;
    size_t mine = (size_t)slots->size * bytes;
    struct cpi_schedule *schedule = schedule_new(a->comm);
    char *blocks = cpi_schedule_buffer(schedule,
                                       at_root ? (size_t)a->comm->size * bytes : mine);
    char *ours = cpi_at(blocks, at_root ? (size_t)hosts->starts[hosts->mine] * bytes : 0);

    for (int i = 0; i < slots->size && blocks; i++)
        memcpy(ours + (size_t)i * bytes, cpi_slot_payload(slots, i), bytes);
    cpi_round_release(slots);
    if (blocks && !at_root)
        cpi_schedule_send(schedule, a->root, cpi_bytes(blocks, mine));
    if (blocks && at_root) {
        root_recv(schedule, hosts, bytes, blocks);
        (a->op ? root_fold : root_place)(schedule, hosts, a, bytes, blocks);
    }
    return cpi_schedule_start(schedule, a, NULL);
}

static int
run_to_root(struct cpi_slots *slots, const struct cpi_coll_args *a, size_t bytes)
{
    int error = CPMP_OK;

    cpi_round_begin(slots, CPI_ROUND_TO_ROOT, true);
    if (!a->in_place)
        cpi_type_pack(a->send_type, a->send, a->send_count, 0,
                      cpi_slot_payload(slots, slots->rank), bytes);
    cpi_round_arrive(slots);
    if (slots->rank == local_root(slots->hosts, a->root)) {
        cpi_round_wait_full(slots);
        error = collect_to_root(slots, a, bytes);
    } else {
        cpi_schedule_skip(a->comm);
    }
    cpi_round_end(slots);
    return error;
}

/* --- which --- */

static bool
blocks_fit(const struct cpi_coll_args *a)
{
    for (int i = 0; i < a->comm->size; i++)
        if (cpi_args_recv_block(a, i).bytes > CPI_SLOT_PAYLOAD_BYTES)
            return false;
    return true;
}

bool
cpi_hosts_fit(enum cpi_coll_kind kind, const struct cpi_coll_args *a, size_t bytes)
{
    size_t size = (size_t)a->comm->size;

    switch (kind) {
    case CPI_COLL_BARRIER:
        return true;
    case CPI_COLL_REDUCE:
    case CPI_COLL_ALLREDUCE:
        return bytes <= CPI_SLOT_PAYLOAD_BYTES && bytes <= RAW_MAX / size;
    case CPI_COLL_GATHER:
        return bytes <= GATHER_MAX && bytes <= RAW_MAX / size;
    case CPI_COLL_ALLGATHER:
        return bytes <= ALLGATHER_MAX && blocks_fit(a);
    default:
        return false;
    }
}

int
cpi_hosts_run(enum cpi_coll_kind kind, struct cpi_slots *slots, const struct cpi_coll_args *a,
              size_t bytes)
{
    switch (kind) {
    case CPI_COLL_BARRIER:
        return run_barrier(slots, a);
    case CPI_COLL_ALLREDUCE:
        return run_allreduce(slots, a, bytes);
    case CPI_COLL_ALLGATHER:
        return run_allgather(slots, a, bytes);
    case CPI_COLL_REDUCE:
    case CPI_COLL_GATHER:
        return run_to_root(slots, a, bytes);
    default:
        assert(!"cpi_hosts_fit said yes");
        return CPMP_EINVAL;
    }
}
