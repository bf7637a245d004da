/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_P2P_P2P_H
#define CPI_P2P_P2P_H

/*
 * Messages between ranks: MPI's point-to-point semantics on bytes. Ranks are world ranks, contexts
 * separate communicators; the layers above translate. One engine a process (engine.h). Not
 * thread-safe.
 *
 * CPI_PROC_NULL as dest or source is done at once (received: 0 bytes from CPI_PROC_NULL,
 * CPI_ANY_TAG). Functions return CPMP_OK or CPMP_ENOMEM; what happens to a message later stands in
 * status.error.
 */

#include "p2p/request.h"

/* A message taken out of matching by a matched probe; ended by cpi_p2p_imrecv. */
struct cpi_message;

int cpi_p2p_isend(const struct cpi_payload *payload, int dest, uint32_t context, int tag,
                  enum cpi_send_mode mode, struct cpi_request **request_p);
int cpi_p2p_irecv(const struct cpi_payload *payload, int source, uint32_t context, int tag,
                  struct cpi_request **request_p);

/* Blocking; `status` may be NULL. The result is the message's own error. */
int cpi_p2p_send(const struct cpi_payload *payload, int dest, uint32_t context, int tag,
                 enum cpi_send_mode mode);
int cpi_p2p_recv(const struct cpi_payload *payload, int source, uint32_t context, int tag,
                 struct cpi_status *status);

/* Persistent requests: made inactive, run by cpi_p2p_start, again after each completion. */
int cpi_p2p_send_init(const struct cpi_payload *payload, int dest, uint32_t context, int tag,
                      enum cpi_send_mode mode, struct cpi_request **request_p);
int cpi_p2p_recv_init(const struct cpi_payload *payload, int source, uint32_t context, int tag,
                      struct cpi_request **request_p);
int cpi_p2p_start(struct cpi_request *request);

/* Returns when request->done (set by the engine, or by the owner's hook). Does not free. */
void cpi_p2p_wait(struct cpi_request *request);

/* One round of progress unless it is done already. */
bool cpi_p2p_test(struct cpi_request *request);

/* Take back a receive that nothing has matched: it becomes done with status.cancelled. Otherwise,
 * and for sends, nothing happens (MPI-3.1, 3.8.4 allows it). */
void cpi_p2p_cancel(struct cpi_request *request);

/* The earliest message that matches; it stays. One round of progress. */
bool cpi_p2p_iprobe(int source, uint32_t context, int tag, struct cpi_status *status);
void cpi_p2p_probe(int source, uint32_t context, int tag, struct cpi_status *status);

/* The same, and the message is kept for *message_p alone. */
bool cpi_p2p_improbe(int source, uint32_t context, int tag, struct cpi_message **message_p,
                     struct cpi_status *status);
void cpi_p2p_mprobe(int source, uint32_t context, int tag, struct cpi_message **message_p,
                    struct cpi_status *status);
int cpi_p2p_imrecv(const struct cpi_payload *payload, struct cpi_message *message,
                   struct cpi_request **request_p);

#endif
