/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/slots_round.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "coll/algorithms.h"
#include "p2p/engine.h"
#include "plat/plat.h"

/* By context id: `attached` of the communicator that this rank used the id's slots for last. */
static _Atomic uint32_t *last_attached[CPI_COLL_CONTEXTS];

/* --- taking and leaving slots --- */

static char *
slot_of(struct cpi_comm *comm, int rank)
{
    uint32_t local = 0;
    bool here = cpi_engine_is_local(cpi_comm_to_world(comm, rank), &local);

    assert(here);
    (void)here;
    return cpi_engine.segment.coll + (size_t)local * CPI_COLL_AREA_BYTES +
           (size_t)(comm->context / 2) * 2 * CPI_COLL_SLOT_BYTES;
}

static void
detach(struct cpi_comm *comm)
{
    struct cpi_slots *slots = comm->coll;

    if (slots->usable)
        atomic_fetch_sub(&slots->control[0]->attached, 1);
    free(slots->hosts);
    free(slots);
    comm->coll = NULL;
}

/* Do all ranks say yes? */
static bool
all_agree(struct cpi_comm *comm, bool yes)
{
    uint8_t mine = yes, all = 0;
    struct cpi_type *type = cpi_type_of_prim(CPI_PRIM_BYTE);
    struct cpi_coll_args a = { .comm = comm, .op = cpi_op_of_kind(CPI_OP_BAND), .send = &mine,
                               .send_count = 1, .send_type = type, .recv = &all,
                               .recv_type = type };
    struct cpi_schedule *schedule = cpi_schedule_new(comm);

    if (!schedule)
        return false;
    cpi_allreduce_gather(schedule, &a);
    return cpi_schedule_start(schedule, &a, NULL) == CPMP_OK && all;
}

static void
reset(struct cpi_slots *slots)
{
    for (int parity = 0; parity < 2; parity++) {
        atomic_store(&slots->control[parity]->arrived, 0);
        atomic_store(&slots->control[parity]->release, 0);
        atomic_store(&slots->control[parity]->posted, 0);
    }
    atomic_store(&slots->control[0]->attached, (uint32_t)slots->size);
}

/* Have all ranks left the communicator that this rank used the id's slots for last? If its first
 * rank is that of the new one too, then that rank looks, and may have set the word anew by now. */
static bool
is_quiet(const struct cpi_slots *slots, const _Atomic uint32_t *last)
{
    if (!last || (last == &slots->control[0]->attached && slots->rank != 0))
        return true;
    return atomic_load(last) == 0;
}

static void
attach(struct cpi_comm *comm, struct cpi_slots *slots)
{
    uint32_t id = comm->context / 2;
    bool quiet;

    for (int i = 0; i < slots->size; i++)
        slots->payloads[i] = slot_of(comm, comm->local_ranks[i]) + CPI_SLOT_HEAD_BYTES;
    slots->control[0] = (struct cpi_slot_control *)slot_of(comm, comm->leader);
    slots->control[1] = (struct cpi_slot_control *)(slot_of(comm, comm->leader) +
                                                    CPI_COLL_SLOT_BYTES);
    quiet = is_quiet(slots, last_attached[id]);
    if (quiet && slots->rank == 0)
        reset(slots);
    slots->usable = all_agree(comm, quiet && cpi_engine_has_wait_word());
    if (slots->usable)
        last_attached[id] = &slots->control[0]->attached;
    else if (quiet && slots->rank == 0)
        atomic_store(&slots->control[0]->attached, 0);
}

static uint32_t
peer_of(const struct cpi_comm *comm, int rank)
{
    return cpi_engine.segment.places[cpi_comm_to_world(comm, rank)].peer;
}

/* Numbers the hosts and lists the ranks of each. */
static void
hosts_fill(struct cpi_slots_hosts *hosts, const struct cpi_comm *comm)
{
    int used = 0;

    for (int i = 0; i < comm->size; i++)
        hosts->host_of[i] = -1;
    for (int first = 0; first < comm->size; first++) {
        if (hosts->host_of[first] >= 0)
            continue;
        hosts->starts[hosts->count] = used;
        for (int i = first; i < comm->size; i++)
            if (peer_of(comm, i) == peer_of(comm, first))
                hosts->host_of[i] = hosts->count, hosts->members[used++] = i;
        hosts->count++;
    }
    hosts->starts[hosts->count] = used;
    hosts->mine = hosts->host_of[comm->rank];
}

static struct cpi_slots_hosts *
hosts_new(const struct cpi_comm *comm)
{
    size_t numbers = 2 * (size_t)comm->size + (size_t)comm->hosts + 1;
    struct cpi_slots_hosts *hosts = calloc(1, sizeof(*hosts) + numbers * sizeof(int));

    if (!hosts)
        return NULL;
    hosts->host_of = (int *)(hosts + 1);
    hosts->members = hosts->host_of + comm->size;
    hosts->starts = hosts->members + comm->size;
    hosts_fill(hosts, comm);
    return hosts;
}

struct cpi_slots *
cpi_slots_of(struct cpi_comm *comm)
{
    struct cpi_slots *slots = comm->coll;

    if (slots)
        return slots->usable ? slots : NULL;
    if (comm->size == comm->hosts || comm->context / 2 >= CPI_COLL_CONTEXTS)
        return NULL;
    slots = calloc(1, sizeof(*slots) + (size_t)comm->local_size * sizeof(char *));
    if (slots && comm->hosts > 1)
        slots->hosts = hosts_new(comm);
    if (!slots || (comm->hosts > 1 && !slots->hosts))
        cpi_engine_abort(1, "out of memory for a communicator's slots");
    slots->size = comm->local_size;
    slots->rank = comm->local_rank;
    comm->coll = slots;
    comm->coll_free = detach;
    attach(comm, slots);
    return slots->usable ? slots : NULL;
}

/* --- a round --- */

static void
wake(const _Atomic uint32_t *word, const _Atomic uint32_t *sleepers)
{
    atomic_thread_fence(memory_order_seq_cst); /* pairs with the sleeper's, before it looks again */
    if (atomic_load_explicit(sleepers, memory_order_relaxed) > 0)
        cpi_futex_wake(word, INT_MAX);
}

/* Until the word has come to `goal`; it counts up and may wrap around. */
static void
wait_for(const _Atomic uint32_t *word, uint32_t goal, _Atomic uint32_t *sleepers)
{
    uint32_t now = atomic_load_explicit(word, memory_order_acquire);

    while ((int32_t)(now - goal) < 0) {
        cpi_engine_wait_word(word, now, sleepers);
        now = atomic_load_explicit(word, memory_order_acquire);
    }
}

static void
wait_arrived(struct cpi_slots *slots, uint32_t parity)
{
    struct cpi_slot_control *control = slots->control[parity];

    wait_for(&control->arrived, slots->full[parity], &control->arrived_sleepers);
}

static void
wait_released(struct cpi_slots *slots, uint32_t round)
{
    struct cpi_slot_control *control = slots->control[round & 1];

    wait_for(&control->release, round + 1, &control->release_sleepers);
}

static void
end_run(struct cpi_slots *slots)
{
    slots->run_open = false;
    cpi_round_arrive(slots);
    cpi_round_end(slots);
}

void
cpi_round_begin(struct cpi_slots *slots, enum cpi_round_kind kind, bool writes)
{
    uint32_t parity;
    enum cpi_round_kind before, last;

    if (slots->run_open)
        end_run(slots);
    parity = slots->round & 1;
    before = slots->kinds[parity];
    last = slots->kinds[1 - parity];

    /* SYNC and READ are over for nobody before all have arrived. */
    if (before == CPI_ROUND_TO_ROOT || before == CPI_ROUND_FROM)
        wait_arrived(slots, parity);
    if (writes && before == CPI_ROUND_TO_ROOT)
        wait_released(slots, slots->round - 2);
    if (writes && (before == CPI_ROUND_READ || (before == CPI_ROUND_SYNC && slots->rank == 0)) &&
        (last == CPI_ROUND_TO_ROOT || last == CPI_ROUND_FROM))
        wait_arrived(slots, 1 - parity);
    slots->kinds[parity] = kind;
    slots->full[parity] += (uint32_t)slots->size;
}

bool
cpi_round_arrive(struct cpi_slots *slots)
{
    uint32_t parity = slots->round & 1;
    struct cpi_slot_control *control = slots->control[parity];
    bool last = atomic_fetch_add(&control->arrived, 1) + 1 == slots->full[parity];

    if (last)
        wake(&control->arrived, &control->arrived_sleepers);
    return last;
}

void
cpi_round_wait_full(struct cpi_slots *slots)
{
    wait_arrived(slots, slots->round & 1);
}

void
cpi_round_wait_release(struct cpi_slots *slots)
{
    wait_released(slots, slots->round);
}

void
cpi_round_release(struct cpi_slots *slots)
{
    struct cpi_slot_control *control = slots->control[slots->round & 1];

    atomic_store_explicit(&control->release, slots->round + 1, memory_order_release);
    wake(&control->release, &control->release_sleepers);
}

void
cpi_round_end(struct cpi_slots *slots)
{
    slots->round++;
}

char *
cpi_run_place(struct cpi_slots *slots, int root, size_t bytes)
{
    size_t stride = (bytes + 63) / 64 * 64;
    char *place;

    if (!slots->run_open || slots->run_root != root ||
        slots->run_used + stride > CPI_SLOT_PAYLOAD_BYTES) {
        cpi_round_begin(slots, CPI_ROUND_FROM, slots->rank == root);
        slots->run_open = true;
        slots->run_root = root;
        slots->run_used = 0;
    }
    place = cpi_slot_payload(slots, root) + slots->run_used;
    slots->run_used += stride;
    slots->posted[slots->round & 1]++;
    return place;
}

void
cpi_run_post(struct cpi_slots *slots)
{
    struct cpi_slot_control *control = slots->control[slots->round & 1];

    atomic_store_explicit(&control->posted, slots->posted[slots->round & 1], memory_order_release);
    wake(&control->posted, &control->posted_sleepers);
}

void
cpi_run_wait(struct cpi_slots *slots)
{
    struct cpi_slot_control *control = slots->control[slots->round & 1];

    wait_for(&control->posted, slots->posted[slots->round & 1], &control->posted_sleepers);
}
