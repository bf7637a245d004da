/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_P2P_PAIR_H
#define CPI_P2P_PAIR_H

/*
 * The engine's inside: what this rank knows of each other rank, and the steps that send.c, recv.c
 * and engine.c share.
 *
 * A message of up to eager_max bytes goes at once (EAGER, then MORE while it does not fit in a
 * frame) as long as the receiver's credit lasts; else a request to send goes (RTS), and the data
 * when the receiver asks (CTS, DATA), or the receiver copies it itself (FIN). Order per pair:
 * EAGER, MORE and RTS leave in the order of posting. DATA and the control frames leave whenever
 * there is room.
 *
 * Nothing here waits. What finds its ring full stays in the pair's queues, and the pair in `busy`.
 */

#include <stdbool.h>
#include <stdint.h>

#include "p2p/engine.h"
#include "p2p/match.h"
#include "p2p/request.h"

/* Stages of a request. */
enum {
    CPI_STAGE_NEW = 0,
    CPI_STAGE_EAGER,    /* send: part of it has gone */
    CPI_STAGE_RTS,      /* send: RTS gone, waits for CTS or FIN */
    CPI_STAGE_DATA,     /* send: streaming; receive: CTS sent, DATA comes */
    CPI_STAGE_SHARED,   /* both sides copy chunks */
    CPI_STAGE_POSTED,   /* receive: in matching */
    CPI_STAGE_STREAM,   /* receive: takes the rest of an eager message */
    CPI_STAGE_GRANT,    /* receive: matched, CTS held back until others are done */
    CPI_STAGE_HAUL,     /* send: the agent takes it */
    CPI_STAGE_DONE
};

/* A frame that found its ring full; the payload follows the struct. */
struct cpi_held {
    struct cpi_list link;
    struct cpi_frame frame;
    char payload[];
};

/* One other rank (or, as engine_state.agent, this rank's agent). */
struct cpi_pair {
    uint32_t world_rank;
    uint32_t local;           /* whose ring leads there: the rank's, or the agent's index */
    bool remote;
    bool busy;                /* in engine_state.busy */
    bool reach_probed, reach_works;     /* its memory, by the kernel's leave */
    uint32_t share_id;                  /* shared copies begun as receiver */
    struct cpi_request *share_in, *share_out;
    uint64_t sent, received;  /* sequence numbers */
    uint64_t eager_sent, eager_acked;   /* my credit there: bytes as cost */
    uint64_t eager_arrived, eager_taken, eager_told;  /* its credit here */
    struct cpi_list held;     /* control frames: first */
    struct cpi_list queue;    /* sends not begun, or begun eager: in order */
    struct cpi_list streams;  /* sends in DATA */
    struct cpi_list busy_link;
    size_t want_bytes;        /* of the frame that did not fit */
    /* the eager message that is coming in parts, into a request or into a message */
    uint64_t stream_left, stream_at;
    uint32_t stream_cost;
    struct cpi_request *stream_request;
    struct cpi_message *stream_message;
};

/* What a way of copying costs for messages of one class of lengths; 0: not known. By enum
 * cpi_copy_way. */
struct cpi_copy_record {
    unsigned choices;
    float ns_per_kib[3];
};

/* What polling knows of one local sender. */
struct cpi_source {
    uint64_t position, released;
    uint32_t idle_polls;
};

struct cpi_engine_state {
    bool active;
    size_t ring_bytes, payload_max;     /* of a frame */
    size_t eager_max, eager_max_remote;
    uint64_t credit_bytes;
    uint64_t spin_since_ns;
    uint64_t lent_bytes;                /* of sends whose data ranks of this host copy from here */
    unsigned brief_waits, yields;       /* wait.c: of a rank beside others that compute */
    bool wait_two_works;
    unsigned granted;                   /* long messages under way from other peers */
    unsigned hauls;                     /* sends in CPI_STAGE_HAUL */
    struct cpi_pair *pairs;             /* [world] */
    struct cpi_pair agent;
    struct cpi_source *sources;         /* [local + 1] */
    struct cpi_match match;
    struct cpi_copy_record copies[4];
    struct cpi_list busy;               /* pairs with something to send */
    struct cpi_list hooks;
    bool (*after)(void);                /* cpi_engine_set_after */
    struct cpi_list grants;             /* requests in CPI_STAGE_GRANT */
    struct cpi_frame_handler {
        cpi_frame_fn *fn;
        void *arg;
    } handlers[CPI_FRAME_KIND_END];
};

extern struct cpi_engine_state cpi_state;

/* --- frames out (engine.c) --- */

/* Room for a frame to `pair` with `payload_bytes`, its header filled (sequence included), or NULL
 * when the ring is full. Follow with cpi_frame_push. */
struct cpi_frame *cpi_frame_begin(struct cpi_pair *pair, enum cpi_frame_kind kind,
                                  size_t payload_bytes);
void cpi_frame_push(struct cpi_pair *pair, struct cpi_frame *frame, size_t payload_bytes);

/* A short frame that must go: now, or held until there is room. Without memory the job is ended. */
void cpi_control_send(struct cpi_pair *pair, enum cpi_frame_kind kind, uint64_t length,
                      uint64_t handle, const void *payload, size_t payload_bytes);

/* The same now or never: false when there is no room, or others of this pair are held. */
bool cpi_control_try(struct cpi_pair *pair, enum cpi_frame_kind kind, uint64_t length,
                     uint64_t handle, const void *payload, size_t payload_bytes);

/* Have flushing look at this pair. */
void cpi_pair_mark_busy(struct cpi_pair *pair);

/* Ends the job with a text about a fault inside or in what came from outside. */
_Noreturn void cpi_engine_fail(const char *what);

/* Does any ring that may have something have it? */
bool cpi_engine_pending(void);

/* Has every pair that waits for room asked to be woken? False when one has room by now. */
bool cpi_engine_room_wanted(void);

/* --- steps of sends (send.c) --- */

/* Send what is queued for this pair as far as there is room. True when anything moved. */
bool cpi_send_flush(struct cpi_pair *pair);
void cpi_send_begin(struct cpi_request *request);
/* Frames that concern sends: CTS, ACK, FIN, CREDIT. */
void cpi_send_on_frame(struct cpi_pair *pair, const struct cpi_frame *frame);

/* --- steps of receives (recv.c) --- */
void cpi_recv_begin(struct cpi_request *request);
void cpi_receive_finish(struct cpi_request *request);
/* The same for a long message from another peer. */
void cpi_receive_finish_long(struct cpi_request *request);
/* EAGER, MORE, RTS, DATA. */
void cpi_recv_on_frame(struct cpi_pair *pair, const struct cpi_frame *frame);

/* Bytes of credit that an eager message takes. */
static inline uint32_t
cpi_eager_cost(size_t bytes)
{
    return (uint32_t)cpi_frame_stride(sizeof(struct cpi_frame) + bytes);
}

static inline void
cpi_request_finish(struct cpi_request *request, int error)
{
    request->status.error = error;
    request->stage = CPI_STAGE_DONE;
    request->done = true;
}

#endif
