/* SPDX-License-Identifier: BSD-3-Clause */
#include "p2p/copy.h"

#include <assert.h>
#include <cpmp.h>
#include <string.h>

#include "plat/plat.h"

#define CHUNK_BYTES_MIN (8u << 10)
#define CHUNK_BYTES_MAX (256u << 10)
#define CHUNKS_AIM      8u

#define TRIES      4u   /* of each way before the choice is made */
#define LOOK_AGAIN 128u /* choices between tries of the ways that lost */

/* --- what another process may read --- */

static uint64_t cookie;

struct cpi_memory_offer
cpi_copy_offer(const void *base)
{
    if (cookie == 0)
        cookie = cpi_clock_ns() * 2 + 1;
    return (struct cpi_memory_offer){
        .address = (uintptr_t)base,
        .cookie_address = (uintptr_t)&cookie,
        .cookie = cookie,
        .pid = (uint64_t)cpi_process_id(),
    };
}

static bool
reachable(struct cpi_pair *pair, const struct cpi_memory_offer *offer)
{
    if (!pair->reach_probed) {
        uint64_t seen = 0;
        pair->reach_probed = true;
        pair->reach_works = cpi_process_read((int)offer->pid, offer->cookie_address, &seen,
                                             sizeof(seen)) == 0 &&
                            seen == offer->cookie;
    }
    return pair->reach_works;
}

/* --- the choice --- */

/* Lengths that behave alike: up to 32 KiB, 128 KiB, 512 KiB, longer. */
static unsigned
class_of(size_t bytes)
{
    return bytes <= 32u << 10 ? 0 : bytes <= 128u << 10 ? 1 : bytes <= 512u << 10 ? 2 : 3;
}

static enum cpi_copy_way
fastest(const struct cpi_copy_record *record)
{
    enum cpi_copy_way best = CPI_COPY_STREAM;

    for (enum cpi_copy_way way = 0; way < CPI_COPY_WAYS; way++)
        if (record->ns_per_kib[way] < record->ns_per_kib[best])
            best = way;
    return best;
}

enum cpi_copy_way
cpi_copy_choose(struct cpi_pair *pair, const struct cpi_request *request,
                const struct cpi_memory_offer *offer)
{
    if (offer->pid == 0 || request->payload.packer != NULL || request->status.bytes == 0 ||
        !reachable(pair, offer))
        return CPI_COPY_STREAM;
    if (cpi_engine_oversubscribed())
        return CPI_COPY_PULL;
    struct cpi_copy_record *record = &cpi_state.copies[class_of(request->limit)];
    unsigned turn = record->choices++;
    enum cpi_copy_way way;
    if (turn < TRIES * CPI_COPY_WAYS)
        way = (enum cpi_copy_way)(turn % CPI_COPY_WAYS);
    else if (turn % LOOK_AGAIN == 0)
        way = (enum cpi_copy_way)(turn / LOOK_AGAIN % CPI_COPY_WAYS);
    else
        way = fastest(record);
    /* With more to come both cores have enough to do, and to share the work is work. */
    bool alone = pair->share_in == NULL && cpi_state.match.posted_count == 0;
    return way == CPI_COPY_SHARED && !alone ? CPI_COPY_PULL : way;
}

void
cpi_copy_note(const struct cpi_request *request)
{
    if (request->began_ns == 0)
        return;
    struct cpi_copy_record *record = &cpi_state.copies[class_of(request->limit)];
    float *best = &record->ns_per_kib[request->way];
    float now = (float)(cpi_clock_ns() - request->began_ns) * 1024.0f / (float)request->limit;

    /* The least of late is kept: what is longer waited for something else than the copy. */
    if (*best == 0 || now < *best)
        *best = now;
    else
        *best += (now - *best) / 32;
}

/* --- PULL --- */

bool
cpi_copy_pull(struct cpi_pair *pair, struct cpi_request *request,
              const struct cpi_memory_offer *offer)
{
    if (cpi_process_read((int)offer->pid, offer->address, request->payload.base,
                         request->status.bytes) != 0) {
        pair->reach_works = false;
        return false;
    }
    cpi_control_send(pair, CPI_FRAME_FIN, 0, request->other, NULL, 0);
    return true;
}

/* --- SHARED --- */

static uint64_t
chunk_bytes(uint64_t bytes)
{
    uint64_t chunk = (bytes / CHUNKS_AIM + 4095) & ~(uint64_t)4095;

    return chunk < CHUNK_BYTES_MIN ? CHUNK_BYTES_MIN
                                   : chunk > CHUNK_BYTES_MAX ? CHUNK_BYTES_MAX : chunk;
}

/* The ring that carries the message also counts its chunks: of transfer `id`, how many are taken
 * and done. */
static struct cpi_ring *
counting_ring(const struct cpi_pair *pair, const struct cpi_request *request)
{
    bool receiver = request->kind == CPI_REQUEST_RECV;

    return cpi_segment_ring(&cpi_engine.segment, receiver ? cpi_engine.local : pair->local,
                            receiver ? pair->local : cpi_engine.local);
}

void
cpi_copy_share(struct cpi_pair *pair, struct cpi_request *request,
               const struct cpi_memory_offer *offer)
{
    struct cpi_ring *ring = counting_ring(pair, request);
    struct cpi_memory_offer mine = cpi_copy_offer(request->payload.base);
    struct cpi_frame_cts cts = {.receiver = cpi_request_handle(request),
                                .window = request->status.bytes};
    char payload[sizeof(cts) + sizeof(mine)];

    request->stage = CPI_STAGE_SHARED;
    request->memory = *offer;
    request->share = ++pair->share_id;
    atomic_store(&ring->chunks_done, (uint64_t)request->share << 32);
    atomic_store(&ring->chunks_taken, (uint64_t)request->share << 32);
    memcpy(payload, &cts, sizeof(cts));
    memcpy(payload + sizeof(cts), &mine, sizeof(mine));
    cpi_control_send(pair, CPI_FRAME_CTS, request->share, request->other, payload, sizeof(payload));
    pair->share_in = request;
    cpi_pair_mark_busy(pair);
}

void
cpi_copy_join(struct cpi_pair *pair, struct cpi_request *request,
              const struct cpi_memory_offer *offer)
{
    request->stage = CPI_STAGE_SHARED;
    request->memory = *offer;
    /* If the receiver's memory can't be reached from here, it copies alone. */
    if (!reachable(pair, offer))
        return;
    pair->share_out = request;
    cpi_pair_mark_busy(pair);
}

/* The next chunk of transfer `id`, or -1 when all are taken or the ring counts a later transfer. */
static int64_t
chunk_take(struct cpi_ring *ring, uint32_t id, uint64_t chunks)
{
    uint64_t word = atomic_load(&ring->chunks_taken);

    do {
        if ((uint32_t)(word >> 32) != id || (uint32_t)word >= chunks)
            return -1;
    } while (!atomic_compare_exchange_weak(&ring->chunks_taken, &word, word + 1));
    return (int64_t)(uint32_t)word;
}

static void
chunk_copy(const struct cpi_request *request, uint64_t offset, uint64_t bytes)
{
    char *mine = (char *)request->payload.base + offset;
    int pid = (int)request->memory.pid;
    uint64_t theirs = request->memory.address + offset;
    int failed = request->kind == CPI_REQUEST_RECV ? cpi_process_read(pid, theirs, mine, bytes)
                                                   : cpi_process_write(pid, theirs, mine, bytes);
    if (failed)
        cpi_engine_fail("the memory of a long message could be reached before and now can't");
}

/* Takes and copies a chunk; finishes the message when it was the last to be done. */
static bool
share_step(struct cpi_pair *pair, struct cpi_request *request)
{
    bool receiver = request->kind == CPI_REQUEST_RECV;
    uint64_t bytes = receiver ? request->status.bytes : request->limit;
    uint64_t chunk = chunk_bytes(bytes), chunks = (bytes + chunk - 1) / chunk;
    struct cpi_ring *ring = counting_ring(pair, request);
    int64_t index = chunk_take(ring, request->share, chunks);

    if (index < 0)
        return false;
    uint64_t offset = (uint64_t)index * chunk;
    chunk_copy(request, offset, bytes - offset < chunk ? bytes - offset : chunk);
    if ((uint32_t)atomic_fetch_add(&ring->chunks_done, 1) + 1 < chunks)
        return true;
    cpi_control_send(pair, CPI_FRAME_FIN, 0, request->other, NULL, 0);
    cpi_copy_finish(pair, request);
    return true;
}

bool
cpi_copy_step(struct cpi_pair *pair)
{
    bool moved = pair->share_in != NULL && share_step(pair, pair->share_in);

    return (pair->share_out != NULL && share_step(pair, pair->share_out)) || moved;
}

void
cpi_copy_finish(struct cpi_pair *pair, struct cpi_request *request)
{
    assert(request->stage == CPI_STAGE_SHARED);
    if (request->kind == CPI_REQUEST_SEND) {
        if (pair->share_out == request)
            pair->share_out = NULL;
        cpi_state.lent_bytes -= request->payload.bytes;
        cpi_request_finish(request, CPMP_OK);
        return;
    }
    pair->share_in = NULL;
    request->offset = request->limit;
    cpi_receive_finish(request);
}
