/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_AGENT_FABRIC_H
#define CPI_AGENT_FABRIC_H

/*
 * The connections between the agents of a job: one libfabric endpoint (FI_EP_MSG, provider tcp) per
 * pair of peers, receives from one shared context. It carries batches (wire/fabric.h), whole or not
 * at all, in order; what is in them is the router's business.
 *
 * The agent with the lower index connects, the other waits, so two never cross. Everything happens
 * inside fabric_poll, in the caller's thread; callbacks run there too. No thread, no signal
 * handler.
 *
 * A job of one peer opens no fabric, and libfabric isn't even loaded (fabric_library.h tells why).
 *
 * Strangers (no key, garbage, silence) are dropped and counted; what they can cost is bounded
 * (fabric_door.h). A peer that breaks the protocol after its greeting loses its connection.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "wire/fabric.h"

#define FABRIC_RUNS_MAX       3u    /* memory areas of one batch: libfabric's 4 less the header */
#define FABRIC_IN_FLIGHT_MAX  4u    /* batches handed to one connection and not done */
#define FABRIC_WHY_MAX        256u

struct fabric;

/* A batch to be sent. The caller owns it and what `runs` point to until it comes back through
 * `sent`. */
struct fabric_batch {
    struct iovec runs[FABRIC_RUNS_MAX];
    uint32_t run_count;
    uint32_t frames;           /* in all runs */
    uint64_t grant;            /* goes into the header */
    struct cpi_batch header;   /* the fabric's */
    struct iovec vector[FABRIC_RUNS_MAX + 1];
    uint32_t place;            /* of its sealed frames in the link */
    struct fabric_link *link;
};

struct fabric_events {
    /* The connection to `peer` stands; batches may be sent. */
    void (*up)(void *arg, uint32_t peer);
    /* A batch came; its header is checked and its frames lie behind it, not yet checked. Valid in
     * the call. Other than CPMP_OK: it breaks the protocol, and the connection is given up. */
    int (*received)(void *arg, uint32_t peer, const struct cpi_batch *batch);
    /* `batch` is the caller's again: it has gone out, or its connection is lost. */
    void (*sent)(void *arg, uint32_t peer, struct fabric_batch *batch);
    /* The connection is gone for good; `why` is for people and valid in the call. `error`:
     * CPMP_EPEER when the other side went away or can't be reached, CPMP_EPROTO, CPMP_EVERSION or
     * CPMP_EKEY when it spoke wrongly, CPMP_ESYS. Not called for what fabric_close ends. */
    void (*lost)(void *arg, uint32_t peer, int error, const char *why);
};

struct fabric_config {
    const char *listen;       /* numeric address, no wildcard; NULL or "": 127.0.0.1 */
    uint16_t port_first, port_last;  /* it listens on one of these; 0, 0: on any */
    uint64_t job;
    const uint8_t *key;       /* CPI_KEY_BYTES; copied */
    uint32_t peer, peers;     /* this agent's index, of so many (2 or more) */
    uint64_t incarnation;     /* of this agent; a replacement has a higher one */
    uint64_t patience_us;     /* a connection that doesn't stand by then is lost; 0: 10 s */
    bool encrypt;             /* seal what is sent (fabric_seal.h); all agents of a job alike */
    uint64_t silence_us;      /* so is one whose other host answers nothing for so long; 0: 10 s */
};

struct fabric_counts {
    uint64_t batches_out, batches_in, bytes_out, bytes_in;  /* of frames, strides summed up */
    uint64_t strangers;
};

/* Does now what is slow at the first fabric_open: loading libfabric and listing its providers. What
 * fails is told then. The process may fork afterwards: there is no thread and no descriptor yet. */
void fabric_warm(void);

/* Loads libfabric, listens. On failure *fabric_p is left alone and `why` (FABRIC_WHY_MAX bytes)
 * says what failed, where and what to do. Errors: CPMP_EINVAL (the address), CPMP_ENOSUP (no
 * libfabric, no provider tcp), CPMP_ENOMEM, CPMP_ESYS. */
int fabric_open(struct fabric **fabric_p, const struct fabric_config *config, char *why);

/* Ends all connections; batches in flight come back through `sent`, nothing else is called. NULL is
 * fine. */
void fabric_close(struct fabric *fabric);

/* "address:port" for the other agents. */
const char *fabric_address(const struct fabric *fabric);

/* Who gets the events; once, before fabric_connect. */
void fabric_on(struct fabric *fabric, const struct fabric_events *events, void *arg);

/* Connect to `peer` at `address` (what its fabric_address said), or, when its index is lower than
 * this agent's, expect its connection. `up` or `lost` follows from fabric_poll. After `lost` it may
 * be called again. CPMP_EINVAL: peer or address are none; CPMP_EEXIST: asked for already. */
int fabric_connect(struct fabric *fabric, uint32_t peer, const char *address);

/* End the connection to `peer` without telling anybody here. */
void fabric_disconnect(struct fabric *fabric, uint32_t peer);

/* Send `batch`. CPMP_EAGAIN: FABRIC_IN_FLIGHT_MAX are under way; try again after a `sent`.
 * CPMP_EPEER: the connection doesn't stand. With an error the batch stays the caller's and no event
 * follows. */
int fabric_send(struct fabric *fabric, uint32_t peer, struct fabric_batch *batch);

/* Batches handed over for `peer` and not done yet. */
uint32_t fabric_in_flight(const struct fabric *fabric, uint32_t peer);

/* Progress on the connections that stand; true when something happened. One or two system calls. */
bool fabric_poll(struct fabric *fabric);

/* What fabric_poll leaves out to be cheap: greetings, losses, deadlines. Call it before each sleep
 * and every few hundred polls. True when something happened. */
bool fabric_poll_slow(struct fabric *fabric);

/* Two descriptors to sleep on (readable: poll both ways), and whether sleeping is allowed now:
 * false when there is something to poll that would not show on them. Ask last before each sleep. */
void fabric_fds(const struct fabric *fabric, int fds[2]);
bool fabric_may_sleep(struct fabric *fabric);

/* When fabric_poll_slow wants to be called at the latest, on cpi_clock_ns's clock in microseconds;
 * UINT64_MAX: never. */
uint64_t fabric_deadline_us(const struct fabric *fabric);

void fabric_counts(const struct fabric *fabric, struct fabric_counts *counts);

/* Asserts the invariants. */
void fabric_check(const struct fabric *fabric);

#endif
