/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_WIRE_FABRIC_H
#define CPI_WIRE_FABRIC_H

/*
 * What two agents of a job say to each other over their connection. Numbers are little-endian.
 *
 * Greeting. The agent with the lower peer index connects. Its connection request carries a `hello`,
 * the answer a `welcome` (the same struct). Each holds a nonce and a code keyed with the job's key,
 * the welcome's over the hello's nonce too: the connecting side knows then that the other holds the
 * key and is alive. From both nonces and the key follow two tags, one for each direction. A batch
 * carries its direction's tag; the first one with the right tag proves to the accepting side the
 * same.
 *
 * Batch. One message of the connection: this header and frames at strides of 64 bytes, as they lay
 * in the ring that they came from. A batch may be empty; it then tells no more than its grant.
 *
 * Both sides of a connection encrypt, or none; the flag in the greeting, under its code, says
 * which. An encrypted batch has its frames sealed and CPI_SEAL_BYTES behind them
 * (agent/fabric_seal.h).
 *
 * Tags are needed for more than the greeting: receives of all connections share their buffers, so
 * what connection a batch came by is known from `from` and `tag` alone.
 */

#include <stddef.h>
#include <stdint.h>

#include <cpmp.h>

#include "wire/frame.h"

#define CPI_FABRIC_VERSION  1u
#define CPI_HELLO_MAGIC     0x68706d63u   /* "cmph" */
#define CPI_BATCH_MAGIC     0x62706d63u   /* "cmpb" */
#define CPI_BATCH_BYTES_MAX (256u << 10)  /* of one message, header included */
#define CPI_KEY_BYTES       32u           /* of the job's key */
#define CPI_NONCE_BYTES     16u
#define CPI_CODE_BYTES      32u           /* HMAC-SHA256 */
#define CPI_SEAL_BYTES      16u           /* behind the frames of an encrypted batch */
#define CPI_HELLO_ENCRYPTS  1u            /* the one flag of a hello */

enum cpi_hello_role { CPI_ROLE_HELLO = 1, CPI_ROLE_WELCOME = 2 };

struct cpi_hello {
    uint32_t magic;
    uint16_t version;        /* CPI_FABRIC_VERSION */
    uint16_t frame_version;
    uint32_t role;           /* enum cpi_hello_role */
    uint32_t from, to;       /* peer indices */
    uint32_t flags;          /* 0 or CPI_HELLO_ENCRYPTS */
    uint64_t job;
    uint64_t incarnation;    /* of the agent `from`; a lower one than known is refused */
    uint64_t attempt;        /* hello: higher with each one this agent sends; a replay isn't */
    uint8_t nonce[CPI_NONCE_BYTES];
    uint8_t code[CPI_CODE_BYTES];
};

_Static_assert(sizeof(struct cpi_hello) == 96, "the hello is part of the wire format");

struct cpi_batch {
    uint32_t magic;
    uint32_t bytes;      /* of the frames that follow, strides summed up */
    uint32_t frames;     /* so many of them */
    uint32_t from;       /* peer index */
    uint64_t tag;
    uint64_t sequence;   /* 1, 2, … of this connection and direction */
    uint64_t grant;      /* so many bytes of frames, since the start, may come the other way */
};

_Static_assert(sizeof(struct cpi_batch) == 40, "the batch header is part of the wire format");

#define CPI_BATCH_FRAME_BYTES_MAX \
    ((CPI_BATCH_BYTES_MAX - sizeof(struct cpi_batch) - CPI_SEAL_BYTES) & \
     ~(size_t)(CPI_FRAME_ALIGN - 1))

/* The form of a hello or welcome that came from outside; not yet whether its code is right. */
static inline int
cpi_hello_check(const void *bytes, size_t available, uint32_t role)
{
    const struct cpi_hello *hello = (const struct cpi_hello *)bytes;

    if (available < sizeof(*hello) || hello->magic != CPI_HELLO_MAGIC)
        return CPMP_EPROTO;
    if (hello->version != CPI_FABRIC_VERSION || hello->frame_version != CPI_FRAME_VERSION)
        return CPMP_EVERSION;
    if (hello->role != role || hello->flags > CPI_HELLO_ENCRYPTS || hello->from == hello->to)
        return CPMP_EPROTO;
    return CPMP_OK;
}

/* The header of a batch that came from outside as a message of `available` bytes. */
static inline int
cpi_batch_check(const void *bytes, size_t available)
{
    const struct cpi_batch *batch = (const struct cpi_batch *)bytes;

    if (available < sizeof(*batch) || available > CPI_BATCH_BYTES_MAX)
        return CPMP_EPROTO;
    if (batch->magic != CPI_BATCH_MAGIC || batch->bytes != available - sizeof(*batch))
        return CPMP_EPROTO;
    if (batch->bytes % CPI_FRAME_ALIGN != 0 || batch->frames > batch->bytes / CPI_FRAME_ALIGN)
        return CPMP_EPROTO;
    return CPMP_OK;
}

/* Walks through the frames of a batch whose header has been checked. */
struct cpi_batch_reader {
    const char *at;
    uint32_t bytes;   /* left */
    uint32_t frames;  /* left */
};

static inline void
cpi_batch_reader_init(struct cpi_batch_reader *reader, const struct cpi_batch *batch)
{
    reader->at = (const char *)(batch + 1);
    reader->bytes = batch->bytes;
    reader->frames = batch->frames;
}

/* The next frame, checked by cpi_frame_check, to *frame_p; NULL there after the last one.
 * CPMP_EPROTO when a frame is malformed, or when count and bytes don't end together. */
static inline int
cpi_batch_next(struct cpi_batch_reader *reader, uint32_t ranks, const struct cpi_frame **frame_p)
{
    const struct cpi_frame *frame = (const struct cpi_frame *)reader->at;

    if (reader->frames == 0) {
        *frame_p = NULL;
        return reader->bytes == 0 ? CPMP_OK : CPMP_EPROTO;
    }
    if (cpi_frame_check(frame, reader->bytes, ranks) != CPMP_OK)
        return CPMP_EPROTO;
    size_t stride = cpi_frame_stride(frame->size);
    if (stride > reader->bytes)
        return CPMP_EPROTO;
    reader->at += stride;
    reader->bytes -= (uint32_t)stride;
    reader->frames--;
    *frame_p = frame;
    return CPMP_OK;
}

#endif
