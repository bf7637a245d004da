/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_AGENT_ROUTER_STATE_H
#define CPI_AGENT_ROUTER_STATE_H

/*
 * The inside of the router, shared by its files: router.c (opening, running, sleeping),
 * router_out.c (from rings and handlers to connections), router_in.c (from connections to rings and
 * handlers).
 *
 * Ring space under way. Frames are taken from a source at `scan`. Those that go out by reference
 * put a hold on the ring; holds are in the order of their positions, done in any. The ring is given
 * back up to the first hold that is not done, or up to `scan` when there is none.
 *
 * Slots. A connection has FABRIC_IN_FLIGHT_MAX + 1 slots, a batch each: at most one is open and
 * filled, the others are under way or free. So an open slot that is full and can't be sent is the
 * place where everything for that connection stops, in order.
 *
 * Grants. `queued` counts bytes of frames put into batches, `granted` is what the other side
 * allows; the same for the other direction in `received` and `advertised`. Bytes in backlogs are
 * not granted again until they are in their rings.
 */

#include <sys/epoll.h>

#include "agent/router.h"

#define ROUTER_SLOTS       (FABRIC_IN_FLIGHT_MAX + 1)
#define ROUTER_COPY_BYTES  (32u << 10)  /* of short frames in one batch */
#define ROUTER_COPY_MAX    2048u        /* frames above it go by reference */
#define ROUTER_EAGER_BYTES (16u << 10)  /* an open batch of that size waits for no other */
#define ROUTER_HOLDS       16u          /* of one ring; if all are in use long frames are copied */
#define ROUTER_SLOT_HOLDS  FABRIC_RUNS_MAX
#define ROUTER_WORDS       ((CPI_SEGMENT_LOCAL_MAX + 1 + 63) / 64)

struct router_hold {
    uint64_t position;  /* where the held bytes begin */
    bool done;
};

/* What a local rank writes. */
struct router_source {
    struct cpi_ring *ring;
    uint32_t local, world_rank;
    uint64_t scan, released;
    uint32_t hold_first, hold_count;  /* hold_first counts on; place = hold_first % ROUTER_HOLDS */
    bool faulty;
    struct router_hold holds[ROUTER_HOLDS];
};

/* Frames one after the other, each behind a router_entry. */
struct router_chunk {
    struct router_chunk *next;
    size_t used, taken, bytes;
    _Alignas(16) char data[];
};

struct router_entry {
    uint32_t stride;
    uint32_t peer;      /* that it came from, and */
    uint32_t epoch;     /* with which of its connections */
    uint32_t reserved;
};

struct router_queue {
    struct router_chunk *first, *last;
    size_t bytes;  /* strides summed up */
};

/* What a local rank reads. */
struct router_sink {
    struct cpi_ring *ring;
    struct router_queue backlog;
};

struct router_direct;
struct router_reach;

struct router_slot {
    struct fabric_batch batch;
    bool busy;           /* handed to the fabric */
    uint32_t bytes;      /* of frames */
    uint32_t copied;     /* of them, in `copy` */
    uint32_t cargo;      /* number of its part of link->cargoes, from 1; 0: it holds none */
    uint32_t hold_count;
    struct {
        struct router_source *source;
        uint32_t hold;   /* as hold_first counts */
    } holds[ROUTER_SLOT_HOLDS];
    char *copy;          /* ROUTER_COPY_BYTES */
};

struct router_link {
    uint32_t peer;
    bool up, lost;
    uint32_t epoch;             /* of its connection, 1 for the first */
    struct router_slot *open;   /* NULL: none is being filled */
    uint64_t queued, granted;
    uint64_t received, advertised;
    uint64_t backlog_bytes;     /* of this epoch */
    uint64_t window;
    struct router_queue waiting;  /* frames of handlers that found no room */
    struct router_slot slots[ROUTER_SLOTS];
    char *copies;
    char *cargoes;                /* ROUTER_CARGOES of ROUTER_CARGO_BYTES */
    uint32_t cargoes_used;        /* a bit each */
    struct router_direct *hauls, *hauls_last;
};

struct router_handler {
    router_frame_fn *fn;
    void *arg;
};

struct router {
    const struct cpi_segment *segment;
    struct fabric *fabric;
    struct cpi_host_page *host;
    const uint32_t *pids;                /* as in router_config */
    struct router_events events;
    void *arg;
    uint32_t world, local, peer, peers, words;
    size_t ring_bytes, frame_max;
    int bell_fd, epoll_fd, timer_fd;
    bool running, counted, kicked;
    uint32_t polls;                    /* since the last slow one */
    uint64_t timer_us;                 /* what timer_fd is set to; UINT64_MAX: off */
    uint64_t active[ROUTER_WORDS];     /* sources that may have frames, whatever the inbox says */
    uint64_t dirty[ROUTER_WORDS];      /* sinks written to since their ranks were told */
    uint64_t backlogged[ROUTER_WORDS]; /* sinks with a backlog */
    struct router_counts counts;
    struct router_handler handlers[CPI_FRAME_KIND_END];
    struct router_source *sources;     /* [local] */
    struct router_sink *sinks;         /* [local] */
    struct router_reach *reaches;      /* [local] */
    struct router_link *links;         /* [peers]; without a fabric none is ever up */
    uint16_t *incarnations;            /* [world] the highest seen */
    struct cpi_frame *scratch;         /* frame_max bytes: a frame for a handler */
};

/* --- router_out.c --- */

/* Takes frames from all sources that may have some. True when any moved. */
bool router_sources_drain(struct router *router);

/* Sends open batches whose time has come, and grants that are due. True when anything went. */
bool router_links_flush(struct router *router);

/* Events of the fabric. */
void router_link_up(void *arg, uint32_t peer);
void router_link_sent(void *arg, uint32_t peer, struct fabric_batch *batch);
void router_link_lost(void *arg, uint32_t peer, int error, const char *why);

/* Puts a frame of a handler on its way. */
int router_link_send(struct router *router, uint32_t peer, const struct cpi_frame *frame);

/* What the link may be granted now. */
uint64_t router_link_grant(const struct router_link *link);

/* A slot that is neither open nor under way, or NULL. */
struct router_slot *router_slot_free(struct router_link *link);

/* Sends a frame of cargo in `slot`, which holds the room it is in. */
void router_slot_cargo(struct router *router, struct router_link *link, struct router_slot *slot,
                       struct cpi_frame *frame);

/* --- router_in.c --- */

/* The event of the fabric. */
int router_link_received(void *arg, uint32_t peer, const struct cpi_batch *batch);

/* A frame for local rank `local` from `peer`: into its ring or its backlog. CPMP_ENOMEM. */
int router_sink_put(struct router *router, uint32_t local, uint32_t peer,
                    const struct cpi_frame *frame);

/* Moves backlogs into rings as far as there is room. True when anything moved. */
bool router_sinks_drain(struct router *router);

/* Before sleeping: asks the ranks of backlogs for a wake; false when one has room by now. */
bool router_sinks_want(struct router *router);

/* Tells ranks about frames put into their rings. */
void router_sinks_notify(struct router *router);

/* A frame for this agent's handler of its kind. */
void router_handle(struct router *router, uint32_t peer, const struct cpi_frame *frame);

/* --- queues (router_queue.c) --- */
bool router_queue_put(struct router_queue *queue, const struct router_entry *entry,
                      const struct cpi_frame *frame);

/* The first frame and its entry, or NULL. router_queue_drop takes it away. */
const struct cpi_frame *router_queue_first(const struct router_queue *queue,
                                           struct router_entry *entry);
void router_queue_drop(struct router_queue *queue);
void router_queue_release(struct router_queue *queue);

#endif
