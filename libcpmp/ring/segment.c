/* SPDX-License-Identifier: BSD-3-Clause */
#include "ring/segment.h"

#include <assert.h>
#include <cpmp.h>
#include <string.h>

#include "plat/plat.h"

#define PAGE_BYTES       4096u
#define RINGS_BYTES_AIM  (512ull << 20) /* all rings together, up to 256 ranks */
#define RING_BYTES_MAX   (64u << 10)    /* stays in a core's second-level cache */
#define RING_BYTES_MIN   (4u << 10)
#define CREDIT_BYTES_AIM (64ull << 20)  /* unread eager bytes at one rank, all senders together */
#define CREDIT_BYTES_MAX (1ull << 20)
#define CREDIT_BYTES_MIN (4ull << 10)

struct layout {
    size_t ranks, places, names, inboxes, coll, rings, ring_bytes, ring_stride, bytes;
};

static size_t
page_up(size_t bytes)
{
    return (bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
}

/* The largest power of two with which every pair of local ranks and agent can have a ring. */
static size_t
ring_bytes_for(uint32_t local)
{
    uint64_t rings = (uint64_t)(local + 1) * (local + 1);
    size_t bytes = RING_BYTES_MAX;

    while (bytes > RING_BYTES_MIN && rings * bytes > RINGS_BYTES_AIM)
        bytes /= 2;
    return bytes;
}

static uint64_t
credit_bytes_for(uint32_t world)
{
    uint64_t bytes = CREDIT_BYTES_AIM / world;

    if (bytes > CREDIT_BYTES_MAX)
        return CREDIT_BYTES_MAX;
    return bytes < CREDIT_BYTES_MIN ? CREDIT_BYTES_MIN : bytes;
}

static void
layout_set(struct layout *layout, uint32_t world, uint32_t local, uint32_t peers)
{
    size_t slots = (size_t)local + 1;

    layout->ranks = page_up(sizeof(struct cpi_segment_header));
    layout->places = page_up(layout->ranks + slots * sizeof(struct cpi_rank_block));
    layout->names = page_up(layout->places + world * sizeof(struct cpi_place));
    layout->inboxes = page_up(layout->names + (size_t)peers * CPI_SEGMENT_NAME_MAX);
    layout->coll = page_up(layout->inboxes + slots * sizeof(struct cpi_inbox));
    layout->rings = page_up(layout->coll + (size_t)local * CPI_COLL_AREA_BYTES);
    layout->ring_bytes = ring_bytes_for(local);
    layout->ring_stride = sizeof(struct cpi_ring) + layout->ring_bytes;
    layout->bytes = page_up(layout->rings + slots * slots * layout->ring_stride);
}

static bool
counts_valid(uint32_t world, uint32_t local, uint32_t peer, uint32_t peers)
{
    return world >= 1 && world <= CPI_SEGMENT_WORLD_MAX && local <= CPI_SEGMENT_LOCAL_MAX &&
           local <= world && peers >= 1 && peers <= CPI_SEGMENT_WORLD_MAX && peer < peers;
}

size_t
cpi_segment_bytes(const struct cpi_segment_config *config)
{
    struct layout layout;

    if (!counts_valid(config->world, config->local, config->peer, config->peers))
        return 0;
    layout_set(&layout, config->world, config->local, config->peers);
    return layout.bytes;
}

static void
view_set(struct cpi_segment *segment, void *start, const struct layout *layout)
{
    char *base = start;

    segment->header = start;
    segment->ranks = (struct cpi_rank_block *)(base + layout->ranks);
    segment->places = (struct cpi_place *)(base + layout->places);
    segment->peer_names = (char (*)[CPI_SEGMENT_NAME_MAX])(base + layout->names);
    segment->inboxes = (struct cpi_inbox *)(base + layout->inboxes);
    segment->coll = base + layout->coll;
    segment->rings = base + layout->rings;
    segment->ring_stride = layout->ring_stride;
    segment->bytes = layout->bytes;
}

int
cpi_segment_make(struct cpi_segment *segment, const struct cpi_segment_config *config, int *fd_p)
{
    struct layout layout;

    if (config->world == 0 || config->peers == 0 || config->peer >= config->peers)
        return CPMP_EINVAL;
    if (cpi_segment_bytes(config) == 0)
        return CPMP_ELIMIT;
    layout_set(&layout, config->world, config->local, config->peers);
    int fd = cpi_memfd_make("cpmp-job", layout.bytes);
    if (fd < 0)
        return CPMP_ESYS;
    void *start = cpi_memfd_map(fd, layout.bytes);
    if (start == NULL) {
        cpi_fd_close(fd);
        return CPMP_ESYS;
    }
    view_set(segment, start, &layout);
    *segment->header = (struct cpi_segment_header){
        .magic = CPI_SEGMENT_MAGIC,
        .frame_version = CPI_FRAME_VERSION,
        .world = config->world,
        .local = config->local,
        .peer = config->peer,
        .peers = config->peers,
        .cores = config->cores,
        .lone_fence =
            config->peers == 1 && config->local <= config->cores && cpi_barrier_join(),
        .job = config->job,
        .bytes = layout.bytes,
        .ring_bytes = layout.ring_bytes,
        .capacity_millicores = config->capacity_millicores,
        .credit_bytes = credit_bytes_for(config->world),
    };
    *fd_p = fd;
    return CPMP_OK;
}

/* The layout that the header claims; an error when it isn't what this library would have made. */
static int
header_check(const struct cpi_segment_header *header, size_t bytes, struct layout *layout)
{
    if (header->magic != CPI_SEGMENT_MAGIC)
        return CPMP_EPROTO;
    if (header->frame_version != CPI_FRAME_VERSION)
        return CPMP_EVERSION;
    if (!counts_valid(header->world, header->local, header->peer, header->peers))
        return CPMP_EPROTO;
    layout_set(layout, header->world, header->local, header->peers);
    if (header->bytes != bytes || layout->bytes != bytes ||
        header->ring_bytes != layout->ring_bytes)
        return CPMP_EPROTO;
    return CPMP_OK;
}

int
cpi_segment_map(struct cpi_segment *segment, int fd)
{
    size_t bytes = cpi_memfd_sealed_bytes(fd);
    struct layout layout;

    if (bytes < page_up(sizeof(struct cpi_segment_header)))
        return CPMP_EPROTO;
    void *start = cpi_memfd_map(fd, bytes);
    if (start == NULL)
        return CPMP_ESYS;
    int error = header_check(start, bytes, &layout);
    if (error != CPMP_OK) {
        cpi_memory_unmap(start, bytes);
        return error;
    }
    view_set(segment, start, &layout);
    if (segment->header->lone_fence != 0 && !cpi_barrier_join()) {
        cpi_segment_unmap(segment);
        return CPMP_ESYS;
    }
    return CPMP_OK;
}

void
cpi_segment_unmap(struct cpi_segment *segment)
{
    cpi_memory_unmap(segment->header, segment->bytes);
    memset(segment, 0, sizeof(*segment));
}

size_t
cpi_segment_frame_max(const struct cpi_segment *segment)
{
    uint32_t most = segment->header->local;

    for (uint32_t rank = 0; rank < segment->header->world; rank++)
        if (segment->places[rank].local >= most)
            most = segment->places[rank].local + 1;
    return cpi_ring_frame_max(ring_bytes_for(most));
}

void
cpi_segment_check(const struct cpi_segment *segment)
{
    const struct cpi_segment_header *header = segment->header;
    struct layout layout;

    assert(header_check(header, segment->bytes, &layout) == CPMP_OK);
    for (uint32_t receiver = 0; receiver <= header->local; receiver++)
        for (uint32_t sender = 0; sender <= header->local; sender++)
            cpi_ring_check(cpi_segment_ring(segment, receiver, sender), header->ring_bytes);
    (void)layout;
}

/* Whoever turns "asleep" into "awake" has the duty to wake; one of many does. */
static int
doorbell_take(const struct cpi_segment *segment, uint32_t receiver)
{
    _Atomic uint32_t *state = &segment->ranks[receiver].doorbell.state;

    return atomic_load_explicit(state, memory_order_relaxed) != 0 && atomic_exchange(state, 0) != 0;
}

void
cpi_inbox_fence(const struct cpi_segment *segment)
{
    if (segment->header->lone_fence != 0)
        cpi_barrier_all();
    else
        atomic_thread_fence(memory_order_seq_cst);
}

int
cpi_inbox_notify(const struct cpi_segment *segment, uint32_t receiver, uint32_t sender)
{
    _Atomic uint64_t *word = &segment->inboxes[receiver].bits[sender / 64];
    uint64_t bit = 1ull << (sender % 64);

    /* Pairs with cpi_inbox_fence. The agent sleeps often and always makes its own barrier only. */
    if (segment->header->lone_fence == 0 || receiver == segment->header->local)
        atomic_thread_fence(memory_order_seq_cst);
    else
        atomic_signal_fence(memory_order_seq_cst);
    if ((atomic_load_explicit(word, memory_order_relaxed) & bit) == 0) {
        atomic_fetch_or(word, bit);
        atomic_thread_fence(memory_order_seq_cst);  /* the doorbell is looked at after it */
    }
    return doorbell_take(segment, receiver);
}

int
cpi_inbox_release(const struct cpi_segment *segment, uint32_t receiver, uint32_t sender,
                  uint64_t position)
{
    struct cpi_ring *ring = cpi_segment_ring(segment, receiver, sender);

    cpi_ring_release(ring, position);
    atomic_thread_fence(memory_order_seq_cst);  /* pairs with cpi_ring_want */
    /* An exchange: a plain 0 could land on the writer's next request, after the doorbell was
     * read. */
    if (atomic_load_explicit(&ring->wanted, memory_order_relaxed) == 0 ||
        atomic_exchange(&ring->wanted, 0) == 0)
        return 0;
    return doorbell_take(segment, sender);
}
