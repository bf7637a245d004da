/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_WIRE_FRAME_H
#define CPI_WIRE_FRAME_H

/*
 * The frame: what travels between two ranks, or between a rank and an agent.
 *
 * A frame is this header and `size - sizeof(header)` bytes of payload. It looks the same in a ring
 * of the job segment and on the network, so that an agent forwards a run of frames as it lies. All
 * numbers are little-endian; the version stands in the segment's header and in the agents' hello.
 *
 * In a ring, `size` is written last (release): 0 means "not there yet". Frames start on 64 bytes.
 */

#include <stddef.h>
#include <stdint.h>

#define CPI_FRAME_VERSION 1u
#define CPI_FRAME_ALIGN   64u           /* frames start on multiples of this */
#define CPI_FRAME_MAX     (64u << 10)   /* the largest frame, header included */
#define CPI_RANK_AGENT    0xffffffffu   /* source or dest: the agent of the other end's rank */

enum cpi_frame_kind {
    CPI_FRAME_NONE = 0,
    CPI_FRAME_PAD = 1,       /* skip to the ring's end; in rings only */
    /* rank to rank: messages (p2p/) */
    CPI_FRAME_EAGER = 2,     /* a message, or its first part: length = whole message */
    CPI_FRAME_MORE = 3,      /* next part of an eager message: length = offset */
    CPI_FRAME_RTS = 4,       /* request to send: length = message, handle = sender's request */
    CPI_FRAME_CTS = 5,       /* clear to send: handle = sender's request, payload: cpi_frame_cts;
                              * length between peers = 1: the receiver's agent waits for CARGO */
    CPI_FRAME_DATA = 6,      /* handle = receiver's request, length = offset */
    CPI_FRAME_ACK = 7,       /* handle = sender's request, length = bytes taken so far */
    CPI_FRAME_FIN = 8,       /* handle = sender's request: all taken by a single copy */
    CPI_FRAME_CREDIT = 9,    /* length = eager bytes, as the sender counts, taken since the start */
    /* rank to agent and back: global variables (gvar/), events (event/), the job */
    CPI_FRAME_VAR_CALL = 16,
    CPI_FRAME_VAR_REPLY = 17,
    CPI_FRAME_EVENT = 18,
    CPI_FRAME_EVENT_ACK = 19,
    CPI_FRAME_SUBSCRIBE = 20,
    CPI_FRAME_ABORT = 21,    /* tag = exit code, payload = text */
    /* long messages past the rings (p2p/direct.h); handle = own request, length = its bytes */
    CPI_FRAME_REACH = 22,    /* rank to agent: look whether its memory can be reached */
    CPI_FRAME_LAND = 23,     /* rank to agent, payload cpi_frame_direct; length = 0: no more */
    CPI_FRAME_HAUL = 24,     /* rank to agent, payload cpi_frame_direct */
    CPI_FRAME_CARGO = 25,    /* agent to agent: source = the sender, context = the receiver,
                              * handle = its request, length = offset */
    CPI_FRAME_MOVED = 26,    /* agent to rank: done; tag = errno of the kernel's refusal, or 0 */
    CPI_FRAME_KIND_END
};

struct cpi_frame {
    uint32_t size;         /* bytes of this frame, header included */
    uint8_t kind;          /* enum cpi_frame_kind */
    uint8_t flags;
    uint16_t incarnation;  /* of the source; a lower one than known is refused */
    uint32_t source;       /* world rank or CPI_RANK_AGENT */
    uint32_t dest;
    uint32_t context;      /* communicator's context; 0 where it means nothing */
    int32_t tag;
    uint64_t sequence;     /* 1, 2, … per (source, dest), over all kinds */
    uint64_t length;       /* by kind */
    uint64_t handle;       /* by kind */
};

_Static_assert(sizeof(struct cpi_frame) == 48, "the frame header is part of the wire format");

struct cpi_frame_cts {
    uint64_t receiver;  /* the receiver's request: goes into DATA.handle */
    uint64_t window;    /* bytes that may be sent beyond the last ACK; 0: no limit */
};

struct cpi_frame_direct {
    uint64_t address;   /* of the message in the rank's memory */
    uint64_t other;     /* haul: the receiver's request */
    uint32_t rank;      /* the other side's, in the world */
    uint32_t reserved;  /* 0 */
};

#define CPI_DIRECT_MAX 64u           /* of one rank's messages each way under way like this */
#define CPI_CARGO_MAX  (192u << 10)  /* payload of CPI_FRAME_CARGO; of others: CPI_FRAME_MAX */

/* Space that a frame of `size` bytes takes in a ring or batch. */
static inline size_t
cpi_frame_stride(size_t size)
{
    return (size + CPI_FRAME_ALIGN - 1) & ~(size_t)(CPI_FRAME_ALIGN - 1);
}

static inline size_t
cpi_frame_payload_bytes(const struct cpi_frame *frame)
{
    return frame->size - sizeof(*frame);
}

/* Checks a frame that came from outside: `available` bytes lie at `bytes`, the job has `ranks`
 * ranks. Returns CPMP_OK, or CPMP_EPROTO when any field is out of range (size, kind, ranks, a
 * payload too short for its kind). Alignment of `bytes`: 8. */
int cpi_frame_check(const void *bytes, size_t available, uint32_t ranks);

#endif
