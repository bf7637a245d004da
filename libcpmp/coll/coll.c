/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/coll.h"

#include <cpmp.h>

#include "coll/args.h"
#include "coll/schedule.h"
#include "coll/select.h"
#include "coll/slots.h"

/*
 * From MPI's arguments to struct cpi_coll_args, and on to the algorithm. MPI_IN_PLACE ends here.
 */

static int
run(enum cpi_coll_kind kind, const struct cpi_coll_args *a, size_t bytes,
    struct cpi_request **request_p)
{
    struct cpi_schedule *schedule;
    int error;

    if (!request_p && !cpi_coll_forced(kind) && cpi_slots_run(kind, a, bytes, &error))
        return error;
    schedule = cpi_schedule_new(a->comm);
    if (!schedule)
        return CPMP_ENOMEM;
    cpi_coll_select(kind, a->comm, bytes)(schedule, a);
    return cpi_schedule_start(schedule, a, request_p);
}

int
cpi_coll_barrier(struct cpi_comm *comm, struct cpi_request **request_p)
{
    struct cpi_coll_args a = { .comm = comm };

    return run(CPI_COLL_BARRIER, &a, 0, request_p);
}

int
cpi_coll_bcast(void *buf, size_t count, struct cpi_type *type, int root, struct cpi_comm *comm,
               struct cpi_request **request_p)
{
    struct cpi_coll_args a = { .comm = comm, .root = root, .recv = buf, .recv_count = count,
                               .recv_type = type };

    return run(CPI_COLL_BCAST, &a, count * type->size, request_p);
}

int
cpi_coll_gather(const void *send, size_t send_count, struct cpi_type *send_type, void *recv,
                size_t recv_count, struct cpi_type *recv_type, int root, struct cpi_comm *comm,
                struct cpi_request **request_p)
{
    bool at_root = comm->rank == root;
    struct cpi_coll_args a = { .comm = comm, .root = root, .in_place = send == CPI_IN_PLACE };

    if (at_root)
        a.recv = recv, a.recv_count = recv_count, a.recv_type = recv_type;
    if (a.in_place)
        send = NULL, send_count = 0, send_type = recv_type;
    a.send = send, a.send_count = send_count, a.send_type = send_type;
    return run(CPI_COLL_GATHER, &a,
               at_root ? recv_count * recv_type->size : send_count * send_type->size, request_p);
}

int
cpi_coll_gatherv(const void *send, size_t send_count, struct cpi_type *send_type, void *recv,
                 const int recv_counts[], const int places[], struct cpi_type *recv_type, int root,
                 struct cpi_comm *comm, struct cpi_request **request_p)
{
    struct cpi_coll_args a = { .comm = comm, .root = root, .in_place = send == CPI_IN_PLACE };

    if (!a.in_place)
        a.send = send, a.send_count = send_count, a.send_type = send_type;
    if (comm->rank == root) {
        a.recv = recv, a.recv_type = recv_type;
        a.recv_counts = recv_counts, a.recv_places = places;
    }
    return run(CPI_COLL_GATHERV, &a, 0, request_p);
}

int
cpi_coll_scatter(const void *send, size_t send_count, struct cpi_type *send_type, void *recv,
                 size_t recv_count, struct cpi_type *recv_type, int root, struct cpi_comm *comm,
                 struct cpi_request **request_p)
{
    bool at_root = comm->rank == root;
    struct cpi_coll_args a = { .comm = comm, .root = root, .in_place = recv == CPI_IN_PLACE };

    if (at_root)
        a.send = send, a.send_count = send_count, a.send_type = send_type;
    if (!a.in_place)
        a.recv = recv, a.recv_count = recv_count, a.recv_type = recv_type;
    return run(CPI_COLL_SCATTER, &a,
               at_root ? send_count * send_type->size : recv_count * recv_type->size, request_p);
}

int
cpi_coll_scatterv(const void *send, const int send_counts[], const int places[],
                  struct cpi_type *send_type, void *recv, size_t recv_count,
                  struct cpi_type *recv_type, int root, struct cpi_comm *comm,
                  struct cpi_request **request_p)
{
    struct cpi_coll_args a = { .comm = comm, .root = root, .in_place = recv == CPI_IN_PLACE };

    if (comm->rank == root) {
        a.send = send, a.send_type = send_type;
        a.send_counts = send_counts, a.send_places = places;
    }
    if (!a.in_place)
        a.recv = recv, a.recv_count = recv_count, a.recv_type = recv_type;
    return run(CPI_COLL_SCATTERV, &a, 0, request_p);
}

int
cpi_coll_allgather(const void *send, size_t send_count, struct cpi_type *send_type, void *recv,
                   size_t recv_count, struct cpi_type *recv_type, struct cpi_comm *comm,
                   struct cpi_request **request_p)
{
    struct cpi_coll_args a = { .comm = comm, .send = send, .send_count = send_count,
                               .send_type = send_type, .recv = recv, .recv_count = recv_count,
                               .recv_type = recv_type, .in_place = send == CPI_IN_PLACE };

    if (a.in_place) {
        a.send = (char *)recv +
                 (ptrdiff_t)comm->rank * (ptrdiff_t)recv_count * cpi_type_extent(recv_type);
        a.send_count = recv_count, a.send_type = recv_type;
    }
    return run(CPI_COLL_ALLGATHER, &a, recv_count * recv_type->size * (size_t)comm->size,
               request_p);
}

int
cpi_coll_allgatherv(const void *send, size_t send_count, struct cpi_type *send_type, void *recv,
                    const int recv_counts[], const int places[], struct cpi_type *recv_type,
                    struct cpi_comm *comm, struct cpi_request **request_p)
{
    struct cpi_coll_args a = { .comm = comm, .send = send, .send_count = send_count,
                               .send_type = send_type, .recv = recv, .recv_counts = recv_counts,
                               .recv_places = places, .recv_type = recv_type,
                               .in_place = send == CPI_IN_PLACE };
    size_t total = 0;

    if (a.in_place) {
        a.send = (char *)recv + places[comm->rank] * cpi_type_extent(recv_type);
        a.send_count = (size_t)recv_counts[comm->rank], a.send_type = recv_type;
    }
    for (int i = 0; i < comm->size; i++)
        total += (size_t)recv_counts[i] * recv_type->size;
    return run(CPI_COLL_ALLGATHER, &a, total, request_p);
}

int
cpi_coll_alltoall(const void *send, size_t send_count, struct cpi_type *send_type, void *recv,
                  size_t recv_count, struct cpi_type *recv_type, struct cpi_comm *comm,
                  struct cpi_request **request_p)
{
    struct cpi_coll_args a = { .comm = comm, .send = send, .send_count = send_count,
                               .send_type = send_type, .recv = recv, .recv_count = recv_count,
                               .recv_type = recv_type, .in_place = send == CPI_IN_PLACE };

    if (a.in_place)
        a.send = recv, a.send_count = recv_count, a.send_type = recv_type;
    return run(CPI_COLL_ALLTOALL, &a, recv_count * recv_type->size, request_p);
}

int
cpi_coll_alltoallv(const void *send, const int send_counts[], const int send_places[],
                   struct cpi_type *send_type, void *recv, const int recv_counts[],
                   const int recv_places[], struct cpi_type *recv_type, struct cpi_comm *comm,
                   struct cpi_request **request_p)
{
    struct cpi_coll_args a = { .comm = comm, .recv = recv, .recv_counts = recv_counts,
                               .recv_places = recv_places, .recv_type = recv_type,
                               .in_place = send == CPI_IN_PLACE };

    if (!a.in_place) {
        a.send = send, a.send_type = send_type;
        a.send_counts = send_counts, a.send_places = send_places;
    }
    return run(CPI_COLL_ALLTOALLV, &a, 0, request_p);
}

int
cpi_coll_alltoallw(const void *send, const int send_counts[], const int send_places[],
                   struct cpi_type *const send_types[], void *recv, const int recv_counts[],
                   const int recv_places[], struct cpi_type *const recv_types[],
                   struct cpi_comm *comm, struct cpi_request **request_p)
{
    struct cpi_coll_args a = { .comm = comm, .recv = recv, .recv_counts = recv_counts,
                               .recv_places = recv_places, .recv_types = recv_types,
                               .in_place = send == CPI_IN_PLACE };

    if (!a.in_place) {
        a.send = send, a.send_types = send_types;
        a.send_counts = send_counts, a.send_places = send_places;
    }
    return run(CPI_COLL_ALLTOALLV, &a, 0, request_p);
}

static struct cpi_coll_args
reduction(const void *send, void *recv, size_t count, struct cpi_type *type, struct cpi_op *op,
          struct cpi_comm *comm)
{
    return (struct cpi_coll_args){ .comm = comm, .op = op, .recv = recv, .recv_type = type,
                                   .send = send == CPI_IN_PLACE ? recv : send,
                                   .send_count = count, .send_type = type };
}

int
cpi_coll_reduce(const void *send, void *recv, size_t count, struct cpi_type *type,
                struct cpi_op *op, int root, struct cpi_comm *comm, struct cpi_request **request_p)
{
    struct cpi_coll_args a = reduction(send, recv, count, type, op, comm);

    a.root = root;
    return run(CPI_COLL_REDUCE, &a, count * type->size, request_p);
}

int
cpi_coll_allreduce(const void *send, void *recv, size_t count, struct cpi_type *type,
                   struct cpi_op *op, struct cpi_comm *comm, struct cpi_request **request_p)
{
    struct cpi_coll_args a = reduction(send, recv, count, type, op, comm);

    return run(CPI_COLL_ALLREDUCE, &a, count * type->size, request_p);
}

int
cpi_coll_reduce_scatter(const void *send, void *recv, const int recv_counts[],
                        struct cpi_type *type, struct cpi_op *op, struct cpi_comm *comm,
                        struct cpi_request **request_p)
{
    struct cpi_coll_args a = reduction(send, recv, 0, type, op, comm);

    a.recv_counts = recv_counts;
    for (int i = 0; i < comm->size; i++)
        a.send_count += (size_t)recv_counts[i];
    return run(CPI_COLL_REDUCE_SCATTER, &a, a.send_count * type->size, request_p);
}

int
cpi_coll_reduce_scatter_block(const void *send, void *recv, size_t recv_count,
                              struct cpi_type *type, struct cpi_op *op, struct cpi_comm *comm,
                              struct cpi_request **request_p)
{
    struct cpi_coll_args a = reduction(send, recv, recv_count * (size_t)comm->size, type, op, comm);

    a.recv_count = recv_count;
    return run(CPI_COLL_REDUCE_SCATTER, &a, a.send_count * type->size, request_p);
}

int
cpi_coll_scan(const void *send, void *recv, size_t count, struct cpi_type *type, struct cpi_op *op,
              struct cpi_comm *comm, struct cpi_request **request_p)
{
    struct cpi_coll_args a = reduction(send, recv, count, type, op, comm);

    return run(CPI_COLL_SCAN, &a, count * type->size, request_p);
}

int
cpi_coll_exscan(const void *send, void *recv, size_t count, struct cpi_type *type,
                struct cpi_op *op, struct cpi_comm *comm, struct cpi_request **request_p)
{
    struct cpi_coll_args a = reduction(send, recv, count, type, op, comm);

    a.exclusive = true;
    return run(CPI_COLL_SCAN, &a, count * type->size, request_p);
}
