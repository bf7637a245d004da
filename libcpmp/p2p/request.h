/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_P2P_REQUEST_H
#define CPI_P2P_REQUEST_H

/*
 * Requests: operations under way, and the payloads they move.
 *
 * Requests live in a table that never shrinks, so that a handle that comes from outside can be
 * checked: it is the index and the generation of the entry. The MPI handle is the request's
 * address.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/list.h"

#define CPI_ANY_SOURCE (-1)
#define CPI_ANY_TAG    (-1)
#define CPI_PROC_NULL  (-2)

/* How bytes that do not lie in one piece are moved: copies the packed bytes [position, position +
 * bytes) out of or into `base`, for `count` elements of `layout`. */
struct cpi_packer {
    void (*pack)(const void *layout, const void *base, size_t count, size_t position, void *out,
                 size_t bytes);
    void (*unpack)(const void *layout, void *base, size_t count, size_t position, const void *in,
                   size_t bytes);
};

/* What a message carries. With packer NULL it is `bytes` bytes at `base`. Nothing is owned. */
struct cpi_payload {
    void *base;
    size_t bytes;                    /* packed */
    const struct cpi_packer *packer;
    const void *layout;
    size_t count;
};

/* Packed bytes [position, position + bytes) of the payload, out and in. Writing takes what lies
 * within payload->bytes; the rest is dropped. */
void cpi_payload_read(const struct cpi_payload *payload, size_t position, void *out, size_t bytes);
void cpi_payload_write_some(const struct cpi_payload *payload, size_t position, const void *in,
                            size_t bytes);

static inline void
cpi_payload_write(const struct cpi_payload *payload, size_t position, const void *in, size_t bytes)
{
    if (payload->packer == NULL && position + bytes <= payload->bytes && bytes > 0)
        memcpy((char *)payload->base + position, in, bytes);
    else
        cpi_payload_write_some(payload, position, in, bytes);
}

/* What a process tells another one of the same host of memory that it may reach. The cookie proves
 * that `pid` means the same process on both sides. All 0: not offered. */
struct cpi_memory_offer {
    uint64_t address;
    uint64_t cookie_address;
    uint64_t cookie;
    uint64_t pid;
};

struct cpi_status {
    int source;   /* world rank */
    int tag;
    int error;    /* CPMP_OK, CPMP_ETRUNC, … */
    bool cancelled;
    size_t bytes;
};

enum cpi_request_kind {
    CPI_REQUEST_NONE = 0,
    CPI_REQUEST_SEND,
    CPI_REQUEST_RECV,
    CPI_REQUEST_OTHER,  /* driven by a cpi_hook (collective schedules); its owner sets done */
};

enum cpi_send_mode { CPI_SEND_STANDARD, CPI_SEND_SYNC, CPI_SEND_READY };

/* What a fresh one needs to be zero stands first; the rest is set where it is used. */
struct cpi_request {
    uint8_t kind;              /* enum cpi_request_kind */
    uint8_t mode;              /* enum cpi_send_mode */
    uint8_t stage;             /* of the protocol; p2p's own */
    bool persistent;
    bool active;               /* false: a persistent request between its rounds */
    volatile bool done;
    bool shared;               /* of all sends that were done at once: not to be changed or owned */
    uint8_t way;               /* receive: enum cpi_copy_way */
    bool direct;               /* receive: the agent waits for it (direct.h) */
    void *bin;                 /* match.c */
    void *owner;               /* communicator or schedule, for the layers above; they count it */
    void *extra;               /* the layers above: freed by `on_free` */
    void (*on_free)(struct cpi_request *request);
    struct cpi_payload payload;  /* from here on not zeroed */
    uint32_t index;            /* in the table */
    uint32_t generation;
    uint32_t context;
    int peer;                  /* world rank: destination, or source (may be CPI_ANY_SOURCE) */
    int tag;
    struct cpi_status status;
    struct cpi_list link;      /* in a match bin, or in a pair's queue */
    uint64_t order;            /* of posting: which wildcard receive is older */
    uint64_t offset;           /* bytes sent or taken */
    uint64_t limit;            /* send: may go so far by window; receive: bytes to expect */
    uint64_t acked;            /* receive: told to the sender */
    uint64_t other;            /* the other side's handle */
    uint64_t began_ns;         /* receive: copying since when; 0: not measured */
    uint32_t share;            /* number of a shared copy, */
    struct cpi_memory_offer memory;  /* and the other side's memory */
};

/* A fresh request (what is zero in it: above); NULL without memory. */
struct cpi_request *cpi_request_new(void);

/* Runs on_free and gives the request back (a shared one: nothing). It must be done or inactive. */
void cpi_request_free(struct cpi_request *request);

static inline uint64_t
cpi_request_handle(const struct cpi_request *request)
{
    return (uint64_t)request->generation << 32 | request->index;
}

/* The live request behind a handle from outside, or NULL. */
struct cpi_request *cpi_request_find(uint64_t handle);

/* Requests in use; for leak checks. */
size_t cpi_request_count(void);

#endif
