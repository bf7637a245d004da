/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_COLL_COLL_H
#define CPI_COLL_COLL_H

/*
 * Collectives: what every rank of a communicator calls, in the same order. MPI-3.1, chapter 5.
 *
 * Each function is both the blocking and the nonblocking one: with request_p NULL it returns when
 * this rank's part is done, else *request_p is to be waited for and freed (p2p.h). Reductions are,
 * to the bit, ((r0 op r1) op r2) op … in rank order, whatever the algorithm.
 *
 * Arguments have been checked by the caller: counts not negative, root a rank, operation allowed on
 * the datatype. CPI_IN_PLACE stands where MPI_IN_PLACE may. Arrays of counts, displacements and
 * datatypes are not needed after the call. Errors: CPMP_ENOMEM before anything was sent,
 * CPMP_ETRUNC when ranks disagree about lengths.
 */

#include <stddef.h>

#include "coll/op.h"
#include "comm/comm.h"
#include "p2p/request.h"
#include "type/type.h"

#define CPI_IN_PLACE ((void *)1)

int cpi_coll_barrier(struct cpi_comm *comm, struct cpi_request **request_p);

int cpi_coll_bcast(void *buf, size_t count, struct cpi_type *type, int root, struct cpi_comm *comm,
                   struct cpi_request **request_p);

int cpi_coll_gather(const void *send, size_t send_count, struct cpi_type *send_type, void *recv,
                    size_t recv_count, struct cpi_type *recv_type, int root,
                    struct cpi_comm *comm, struct cpi_request **request_p);
int cpi_coll_gatherv(const void *send, size_t send_count, struct cpi_type *send_type, void *recv,
                     const int recv_counts[], const int places[], struct cpi_type *recv_type,
                     int root, struct cpi_comm *comm, struct cpi_request **request_p);

int cpi_coll_scatter(const void *send, size_t send_count, struct cpi_type *send_type, void *recv,
                     size_t recv_count, struct cpi_type *recv_type, int root,
                     struct cpi_comm *comm, struct cpi_request **request_p);
int cpi_coll_scatterv(const void *send, const int send_counts[], const int places[],
                      struct cpi_type *send_type, void *recv, size_t recv_count,
                      struct cpi_type *recv_type, int root, struct cpi_comm *comm,
                      struct cpi_request **request_p);

int cpi_coll_allgather(const void *send, size_t send_count, struct cpi_type *send_type, void *recv,
                       size_t recv_count, struct cpi_type *recv_type, struct cpi_comm *comm,
                       struct cpi_request **request_p);
int cpi_coll_allgatherv(const void *send, size_t send_count, struct cpi_type *send_type,
                        void *recv, const int recv_counts[], const int places[],
                        struct cpi_type *recv_type, struct cpi_comm *comm,
                        struct cpi_request **request_p);

int cpi_coll_alltoall(const void *send, size_t send_count, struct cpi_type *send_type, void *recv,
                      size_t recv_count, struct cpi_type *recv_type, struct cpi_comm *comm,
                      struct cpi_request **request_p);
int cpi_coll_alltoallv(const void *send, const int send_counts[], const int send_places[],
                       struct cpi_type *send_type, void *recv, const int recv_counts[],
                       const int recv_places[], struct cpi_type *recv_type, struct cpi_comm *comm,
                       struct cpi_request **request_p);
/* Places in bytes. */
int cpi_coll_alltoallw(const void *send, const int send_counts[], const int send_places[],
                       struct cpi_type *const send_types[], void *recv, const int recv_counts[],
                       const int recv_places[], struct cpi_type *const recv_types[],
                       struct cpi_comm *comm, struct cpi_request **request_p);

int cpi_coll_reduce(const void *send, void *recv, size_t count, struct cpi_type *type,
                    struct cpi_op *op, int root, struct cpi_comm *comm,
                    struct cpi_request **request_p);
int cpi_coll_allreduce(const void *send, void *recv, size_t count, struct cpi_type *type,
                       struct cpi_op *op, struct cpi_comm *comm, struct cpi_request **request_p);
int cpi_coll_reduce_scatter(const void *send, void *recv, const int recv_counts[],
                            struct cpi_type *type, struct cpi_op *op, struct cpi_comm *comm,
                            struct cpi_request **request_p);
int cpi_coll_reduce_scatter_block(const void *send, void *recv, size_t recv_count,
                                  struct cpi_type *type, struct cpi_op *op, struct cpi_comm *comm,
                                  struct cpi_request **request_p);
int cpi_coll_scan(const void *send, void *recv, size_t count, struct cpi_type *type,
                  struct cpi_op *op, struct cpi_comm *comm, struct cpi_request **request_p);
int cpi_coll_exscan(const void *send, void *recv, size_t count, struct cpi_type *type,
                    struct cpi_op *op, struct cpi_comm *comm, struct cpi_request **request_p);

#endif
