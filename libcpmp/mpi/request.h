/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_MPI_REQUEST_H
#define CPI_MPI_REQUEST_H

/*
 * Requests as users have them. A request keeps what it needs alive: its communicator (`owner`,
 * also for the error handler) and, where packing goes on, its datatype. Sends that were done at
 * once share one request that holds nothing.
 */

#include "mpi/handles.h"

/* Hands `request`, just begun on `comm`, out as *handle. */
void cpi_request_give(struct cpi_request *request, struct cpi_comm *comm, MPI_Request *handle);

/* Forgets a request that is under way: it is freed when it is done. False without memory. */
bool cpi_request_orphan(struct cpi_request *request);

/* Waits for the forgotten sends: what was sent arrives, even if the sender is about to end. */
void cpi_request_orphans_drain(void);

/* Fills *status (may be NULL) as that of nothing: no request, or an inactive one. */
void cpi_status_empty(MPI_Status *status);

/* Fills *status (may be NULL), but for MPI_ERROR, from one of `comm`'s (NULL: of a request done at
 * once). */
void cpi_status_fill(MPI_Status *status, const struct cpi_status *from,
                     const struct cpi_comm *comm);

/* --- buffered sends (bsend.c) --- */

/* What MPI_Bsend_init is given; in the `extra` of a request to MPI_PROC_NULL, which is
 * persistent and done as soon as it is started. */
struct cpi_bsend_call {
    const void *buf;
    int count;
    MPI_Datatype type;
    int dest, tag;
};

/* Copies the message to the attached buffer and sends it from there; returns an MPI error. */
int cpi_bsend(const struct cpi_bsend_call *call, struct cpi_comm *comm);

/* Waits until all buffered messages are with their receivers. */
void cpi_bsend_drain(void);

#endif
