/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_AGENT_FABRIC_STATE_H
#define CPI_AGENT_FABRIC_STATE_H

/*
 * The inside of the fabric, shared by its two files: fabric.c (opening, sending, receiving) and
 * fabric_link.c (greetings, losses, deadlines).
 *
 * A link's states:
 *
 *   IDLE --fabric_connect--> CONNECTING --welcome--> UP --> LOST            the lower index
 *                            ^         | (accident: try again after a while)
 *                            +--RETRY--+
 *   IDLE --fabric_connect--> EXPECTED --hello--> GREETED --batch--> UP --> LOST   the higher
 *                            ^                   | (the other gave up: it may come again)
 *                            +-------------------+
 *
 * All but IDLE, UP and LOST have a deadline. fabric_connect leads from LOST on as from IDLE.
 */

#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_eq.h>

#include "agent/fabric.h"
#include "agent/fabric_door.h"
#include "agent/fabric_hello.h"
#include "agent/fabric_library.h"
#include "agent/fabric_seal.h"
#include "link/address.h"

enum link_state {
    LINK_IDLE, LINK_CONNECTING, LINK_RETRY, LINK_EXPECTED, LINK_GREETED, LINK_UP, LINK_LOST
};

struct fabric_link {
    struct fabric *fabric;
    uint32_t peer;
    enum link_state state;
    uint32_t in_flight;
    int broken;                      /* a send failed with this; lost in the next slow poll */
    int fd;                          /* of a connection that stands; the provider's, or -1 */
    struct fid_ep *ep;               /* NULL in IDLE, RETRY, EXPECTED and LOST */
    uint64_t tag_out, tag_in;
    uint64_t sequence_out, sequence_in;
    uint64_t deadline_us, retry_us;
    uint64_t incarnation, attempt;   /* the highest that the peer has shown */
    struct seal seal;                /* of the connection; none when nothing is encrypted */
    uint8_t *sealed;                 /* [FABRIC_IN_FLIGHT_MAX] of SEALED_BYTES; lazily made */
    uint32_t sealed_places;          /* a bit for each that is in flight */
    struct cpi_hello hello;          /* CONNECTING: the one sent */
    struct sockaddr_storage address;
    char address_text[ADDRESS_TEXT_MAX];
};

/* A posted receive. `bytes` lies so that the frames behind the header start on 64 bytes. */
struct fabric_buffer {
    char *bytes;
    bool posted;
};

struct fabric {
    const struct fabric_library *library;
    struct fabric_events events;
    void *arg;
    uint64_t job;
    uint64_t incarnation;
    uint64_t attempt;       /* of the last hello sent */
    uint64_t patience_us, silence_us;
    uint32_t peer, peers;
    bool encrypt;
    uint32_t unsettled;     /* links that have a deadline, or are broken */
    uint32_t buffer_count;
    uint8_t key[CPI_KEY_BYTES];
    struct fi_info *info;
    struct fid_fabric *fabric;
    struct fid_domain *domain;
    struct fid_eq *eq;
    struct fid_cq *cq;
    struct fid_pep *pep;
    struct fid_ep *receives;  /* the shared receive context */
    int fds[2];
    struct fabric_counts counts;
    struct door door;
    struct fabric_link *links;      /* [peers] */
    struct fabric_buffer *buffers;  /* [buffer_count] */
    char *memory;                   /* of all buffers */
    char address[ADDRESS_TEXT_MAX];
};

/* --- fabric_link.c --- */

/* Events of the event queue: one fi_eq_read, its event handled. False when there was none. */
bool fabric_link_event(struct fabric *fabric);

/* Links whose deadline or time to try again has come, or whose sends failed. */
bool fabric_link_deadlines(struct fabric *fabric, uint64_t now_us);

/* A batch with the right tag came: the other side is proven. */
void fabric_link_proven(struct fabric_link *link);

/* Closes the endpoint and tells `lost`, with the peer's name and address before `what`. */
void fabric_link_lose(struct fabric_link *link, int error, const char *what);

/* Closes the endpoint, if there is one, and enters `state`. */
void fabric_link_reset(struct fabric_link *link, enum link_state state);

/* --- fabric.c --- */

/* An endpoint with everything bound to it. 0 or a negative libfabric error, `what` saying whose. */
int fabric_endpoint_open(struct fabric *fabric, struct fi_info *info, void *context,
                         struct fid_ep **ep_p, const char **what);

#endif
