/* SPDX-License-Identifier: BSD-3-Clause */
#include "mpi/collective.h"

#include "coll/coll.h"

/* Collectives that move data, blocking and nonblocking. */

/* Elements for or from each rank. */
static int
check_blocks(const void *buf, const int *counts, const int *places, MPI_Datatype type, int size)
{
    if (counts == NULL || places == NULL)
        return MPI_ERR_ARG;
    for (int i = 0; i < size; i++) {
        int class = cpi_check_elements(buf, counts[i], type);
        if (class != MPI_SUCCESS)
            return class;
    }
    return MPI_SUCCESS;
}

/* The same with a datatype for each. */
static int
check_typed_blocks(const void *buf, const int *counts, const int *places,
                   const MPI_Datatype *types, int size)
{
    if (counts == NULL || places == NULL || types == NULL)
        return MPI_ERR_ARG;
    for (int i = 0; i < size; i++) {
        int class = cpi_check_elements(buf, counts[i], types[i]);
        if (class != MPI_SUCCESS)
            return class;
    }
    return MPI_SUCCESS;
}

/* --- barrier, broadcast --- */

static int
barrier(MPI_Comm comm, MPI_Request *handle, const char *function)
{
    CPI_COLLECTIVE(cpi_check_comm(comm), cpi_coll_barrier(cpi_comm_of(comm), request_p));
}

CPI_ALIAS(Barrier)
int
PMPI_Barrier(MPI_Comm comm)
{
    CPI_ENTER();
    return barrier(comm, NULL, CPI_FUNCTION);
}

CPI_ALIAS(Ibarrier)
int
PMPI_Ibarrier(MPI_Comm comm, MPI_Request *request)
{
    CPI_ENTER_NONBLOCKING();
    return barrier(comm, request, CPI_FUNCTION);
}

static int
check_bcast(const void *buf, int count, MPI_Datatype type, int root, MPI_Comm comm)
{
    int class = cpi_check_root(comm, root);

    return class != MPI_SUCCESS ? class : cpi_check_elements(buf, count, type);
}

static int
bcast(void *buf, int count, MPI_Datatype type, int root, MPI_Comm comm, MPI_Request *handle,
      const char *function)
{
    CPI_COLLECTIVE(check_bcast(buf, count, type, root, comm),
                   cpi_coll_bcast(buf, (size_t)count, cpi_type_of(type), root, cpi_comm_of(comm),
                                  request_p));
}

CPI_ALIAS(Bcast)
int
PMPI_Bcast(void *buf, int count, MPI_Datatype type, int root, MPI_Comm comm)
{
    CPI_ENTER();
    return bcast(buf, count, type, root, comm, NULL, CPI_FUNCTION);
}

CPI_ALIAS(Ibcast)
int
PMPI_Ibcast(void *buf, int count, MPI_Datatype type, int root, MPI_Comm comm,
            MPI_Request *request)
{
    CPI_ENTER_NONBLOCKING();
    return bcast(buf, count, type, root, comm, request, CPI_FUNCTION);
}

/* --- gather --- What a rank other than root gives for the receiving side means nothing, and
 * the other way round for scatter; only root may have its own part in place. */

static int
check_gather_send(const void *send, int send_count, MPI_Datatype send_type, int root,
                  MPI_Comm comm)
{
    if (send != MPI_IN_PLACE)
        return cpi_check_elements(send, send_count, send_type);
    return cpi_at_root(comm, root) ? MPI_SUCCESS : MPI_ERR_ARG;
}

static int
check_gather(const void *send, int send_count, MPI_Datatype send_type, const void *recv,
             int recv_count, MPI_Datatype recv_type, int root, MPI_Comm comm)
{
    int class = cpi_check_root(comm, root);

    if (class == MPI_SUCCESS)
        class = check_gather_send(send, send_count, send_type, root, comm);
    if (class == MPI_SUCCESS && cpi_at_root(comm, root))
        class = cpi_check_elements(recv, recv_count, recv_type);
    return class;
}

static int
gather(const void *send, int send_count, MPI_Datatype send_type, void *recv, int recv_count,
       MPI_Datatype recv_type, int root, MPI_Comm comm, MPI_Request *handle, const char *function)
{
    CPI_COLLECTIVE(
        check_gather(send, send_count, send_type, recv, recv_count, recv_type, root, comm),
        cpi_coll_gather(send, (size_t)send_count, cpi_type_of(send_type), recv,
                        (size_t)recv_count, cpi_type_of(recv_type), root, cpi_comm_of(comm),
                        request_p));
}

CPI_ALIAS(Gather)
int
PMPI_Gather(const void *send, int send_count, MPI_Datatype send_type, void *recv, int recv_count,
            MPI_Datatype recv_type, int root, MPI_Comm comm)
{
    CPI_ENTER();
    return gather(send, send_count, send_type, recv, recv_count, recv_type, root, comm, NULL,
                  CPI_FUNCTION);
}

CPI_ALIAS(Igather)
int
PMPI_Igather(const void *send, int send_count, MPI_Datatype send_type, void *recv, int recv_count,
             MPI_Datatype recv_type, int root, MPI_Comm comm, MPI_Request *request)
{
    CPI_ENTER_NONBLOCKING();
    return gather(send, send_count, send_type, recv, recv_count, recv_type, root, comm, request,
                  CPI_FUNCTION);
}

static int
check_gatherv(const void *send, int send_count, MPI_Datatype send_type, const void *recv,
              const int *recv_counts, const int *places, MPI_Datatype recv_type, int root,
              MPI_Comm comm)
{
    int class = cpi_check_root(comm, root);

    if (class == MPI_SUCCESS)
        class = check_gather_send(send, send_count, send_type, root, comm);
    if (class == MPI_SUCCESS && cpi_at_root(comm, root))
        class = check_blocks(recv, recv_counts, places, recv_type, cpi_comm_of(comm)->size);
    return class;
}

static int
gatherv(const void *send, int send_count, MPI_Datatype send_type, void *recv,
        const int recv_counts[], const int places[], MPI_Datatype recv_type, int root,
        MPI_Comm comm, MPI_Request *handle, const char *function)
{
    CPI_COLLECTIVE(check_gatherv(send, send_count, send_type, recv, recv_counts, places, recv_type,
                                 root, comm),
                   cpi_coll_gatherv(send, (size_t)send_count, cpi_type_of(send_type), recv,
                                    recv_counts, places, cpi_type_of(recv_type), root,
                                    cpi_comm_of(comm), request_p));
}

CPI_ALIAS(Gatherv)
int
PMPI_Gatherv(const void *send, int send_count, MPI_Datatype send_type, void *recv,
             const int recv_counts[], const int places[], MPI_Datatype recv_type, int root,
             MPI_Comm comm)
{
    CPI_ENTER();
    return gatherv(send, send_count, send_type, recv, recv_counts, places, recv_type, root, comm,
                   NULL, CPI_FUNCTION);
}

CPI_ALIAS(Igatherv)
int
PMPI_Igatherv(const void *send, int send_count, MPI_Datatype send_type, void *recv,
              const int recv_counts[], const int places[], MPI_Datatype recv_type, int root,
              MPI_Comm comm, MPI_Request *request)
{
    CPI_ENTER_NONBLOCKING();
    return gatherv(send, send_count, send_type, recv, recv_counts, places, recv_type, root, comm,
                   request, CPI_FUNCTION);
}

/* --- scatter --- */

static int
check_scatter_recv(const void *recv, int recv_count, MPI_Datatype recv_type, int root,
                   MPI_Comm comm)
{
    if (recv != MPI_IN_PLACE)
        return cpi_check_elements(recv, recv_count, recv_type);
    return cpi_at_root(comm, root) ? MPI_SUCCESS : MPI_ERR_ARG;
}

static int
check_scatter(const void *send, int send_count, MPI_Datatype send_type, const void *recv,
              int recv_count, MPI_Datatype recv_type, int root, MPI_Comm comm)
{
    int class = cpi_check_root(comm, root);

    if (class == MPI_SUCCESS)
        class = check_scatter_recv(recv, recv_count, recv_type, root, comm);
    if (class == MPI_SUCCESS && cpi_at_root(comm, root))
        class = cpi_check_elements(send, send_count, send_type);
    return class;
}

static int
scatter(const void *send, int send_count, MPI_Datatype send_type, void *recv, int recv_count,
        MPI_Datatype recv_type, int root, MPI_Comm comm, MPI_Request *handle, const char *function)
{
    CPI_COLLECTIVE(
        check_scatter(send, send_count, send_type, recv, recv_count, recv_type, root, comm),
        cpi_coll_scatter(send, (size_t)send_count, cpi_type_of(send_type), recv,
                         (size_t)recv_count, cpi_type_of(recv_type), root, cpi_comm_of(comm),
                         request_p));
}

CPI_ALIAS(Scatter)
int
PMPI_Scatter(const void *send, int send_count, MPI_Datatype send_type, void *recv, int recv_count,
             MPI_Datatype recv_type, int root, MPI_Comm comm)
{
    CPI_ENTER();
    return scatter(send, send_count, send_type, recv, recv_count, recv_type, root, comm, NULL,
                   CPI_FUNCTION);
}

CPI_ALIAS(Iscatter)
int
PMPI_Iscatter(const void *send, int send_count, MPI_Datatype send_type, void *recv, int recv_count,
              MPI_Datatype recv_type, int root, MPI_Comm comm, MPI_Request *request)
{
    CPI_ENTER_NONBLOCKING();
    return scatter(send, send_count, send_type, recv, recv_count, recv_type, root, comm, request,
                   CPI_FUNCTION);
}

static int
check_scatterv(const void *send, const int *send_counts, const int *places, MPI_Datatype send_type,
               const void *recv, int recv_count, MPI_Datatype recv_type, int root, MPI_Comm comm)
{
    int class = cpi_check_root(comm, root);

    if (class == MPI_SUCCESS)
        class = check_scatter_recv(recv, recv_count, recv_type, root, comm);
    if (class == MPI_SUCCESS && cpi_at_root(comm, root))
        class = check_blocks(send, send_counts, places, send_type, cpi_comm_of(comm)->size);
    return class;
}

static int
scatterv(const void *send, const int send_counts[], const int places[], MPI_Datatype send_type,
         void *recv, int recv_count, MPI_Datatype recv_type, int root, MPI_Comm comm,
         MPI_Request *handle, const char *function)
{
    CPI_COLLECTIVE(check_scatterv(send, send_counts, places, send_type, recv, recv_count,
                                  recv_type, root, comm),
                   cpi_coll_scatterv(send, send_counts, places, cpi_type_of(send_type), recv,
                                     (size_t)recv_count, cpi_type_of(recv_type), root,
                                     cpi_comm_of(comm), request_p));
}

CPI_ALIAS(Scatterv)
int
PMPI_Scatterv(const void *send, const int send_counts[], const int places[],
              MPI_Datatype send_type, void *recv, int recv_count, MPI_Datatype recv_type, int root,
              MPI_Comm comm)
{
    CPI_ENTER();
    return scatterv(send, send_counts, places, send_type, recv, recv_count, recv_type, root, comm,
                    NULL, CPI_FUNCTION);
}

CPI_ALIAS(Iscatterv)
int
PMPI_Iscatterv(const void *send, const int send_counts[], const int places[],
               MPI_Datatype send_type, void *recv, int recv_count, MPI_Datatype recv_type,
               int root, MPI_Comm comm, MPI_Request *request)
{
    CPI_ENTER_NONBLOCKING();
    return scatterv(send, send_counts, places, send_type, recv, recv_count, recv_type, root, comm,
                    request, CPI_FUNCTION);
}

/* --- allgather, alltoall --- */

/* Both sides alike everywhere; the sending one may be in place. */
static int
check_exchange(const void *send, int send_count, MPI_Datatype send_type, const void *recv,
               int recv_count, MPI_Datatype recv_type, MPI_Comm comm)
{
    int class = cpi_check_comm(comm);

    if (class == MPI_SUCCESS && send != MPI_IN_PLACE)
        class = cpi_check_elements(send, send_count, send_type);
    return class != MPI_SUCCESS ? class : cpi_check_elements(recv, recv_count, recv_type);
}

static int
allgather(const void *send, int send_count, MPI_Datatype send_type, void *recv, int recv_count,
          MPI_Datatype recv_type, MPI_Comm comm, MPI_Request *handle, const char *function)
{
    CPI_COLLECTIVE(check_exchange(send, send_count, send_type, recv, recv_count, recv_type, comm),
                   cpi_coll_allgather(send, (size_t)send_count, cpi_type_of(send_type), recv,
                                      (size_t)recv_count, cpi_type_of(recv_type),
                                      cpi_comm_of(comm), request_p));
}

CPI_ALIAS(Allgather)
int
PMPI_Allgather(const void *send, int send_count, MPI_Datatype send_type, void *recv,
               int recv_count, MPI_Datatype recv_type, MPI_Comm comm)
{
    CPI_ENTER();
    return allgather(send, send_count, send_type, recv, recv_count, recv_type, comm, NULL,
                     CPI_FUNCTION);
}

CPI_ALIAS(Iallgather)
int
PMPI_Iallgather(const void *send, int send_count, MPI_Datatype send_type, void *recv,
                int recv_count, MPI_Datatype recv_type, MPI_Comm comm, MPI_Request *request)
{
    CPI_ENTER_NONBLOCKING();
    return allgather(send, send_count, send_type, recv, recv_count, recv_type, comm, request,
                     CPI_FUNCTION);
}

static int
check_allgatherv(const void *send, int send_count, MPI_Datatype send_type, const void *recv,
                 const int *recv_counts, const int *places, MPI_Datatype recv_type, MPI_Comm comm)
{
    int class = cpi_check_comm(comm);

    if (class == MPI_SUCCESS && send != MPI_IN_PLACE)
        class = cpi_check_elements(send, send_count, send_type);
    return class != MPI_SUCCESS ? class : check_blocks(recv, recv_counts, places, recv_type,
                                                       cpi_comm_of(comm)->size);
}

static int
allgatherv(const void *send, int send_count, MPI_Datatype send_type, void *recv,
           const int recv_counts[], const int places[], MPI_Datatype recv_type, MPI_Comm comm,
           MPI_Request *handle, const char *function)
{
    CPI_COLLECTIVE(check_allgatherv(send, send_count, send_type, recv, recv_counts, places,
                                    recv_type, comm),
                   cpi_coll_allgatherv(send, (size_t)send_count, cpi_type_of(send_type), recv,
                                       recv_counts, places, cpi_type_of(recv_type),
                                       cpi_comm_of(comm), request_p));
}

CPI_ALIAS(Allgatherv)
int
PMPI_Allgatherv(const void *send, int send_count, MPI_Datatype send_type, void *recv,
                const int recv_counts[], const int places[], MPI_Datatype recv_type, MPI_Comm comm)
{
    CPI_ENTER();
    return allgatherv(send, send_count, send_type, recv, recv_counts, places, recv_type, comm,
                      NULL, CPI_FUNCTION);
}

CPI_ALIAS(Iallgatherv)
int
PMPI_Iallgatherv(const void *send, int send_count, MPI_Datatype send_type, void *recv,
                 const int recv_counts[], const int places[], MPI_Datatype recv_type,
                 MPI_Comm comm, MPI_Request *request)
{
    CPI_ENTER_NONBLOCKING();
    return allgatherv(send, send_count, send_type, recv, recv_counts, places, recv_type, comm,
                      request, CPI_FUNCTION);
}

static int
alltoall(const void *send, int send_count, MPI_Datatype send_type, void *recv, int recv_count,
         MPI_Datatype recv_type, MPI_Comm comm, MPI_Request *handle, const char *function)
{
    CPI_COLLECTIVE(check_exchange(send, send_count, send_type, recv, recv_count, recv_type, comm),
                   cpi_coll_alltoall(send, (size_t)send_count, cpi_type_of(send_type), recv,
                                     (size_t)recv_count, cpi_type_of(recv_type),
                                     cpi_comm_of(comm), request_p));
}

CPI_ALIAS(Alltoall)
int
PMPI_Alltoall(const void *send, int send_count, MPI_Datatype send_type, void *recv, int recv_count,
              MPI_Datatype recv_type, MPI_Comm comm)
{
    CPI_ENTER();
    return alltoall(send, send_count, send_type, recv, recv_count, recv_type, comm, NULL,
                    CPI_FUNCTION);
}

CPI_ALIAS(Ialltoall)
int
PMPI_Ialltoall(const void *send, int send_count, MPI_Datatype send_type, void *recv,
               int recv_count, MPI_Datatype recv_type, MPI_Comm comm, MPI_Request *request)
{
    CPI_ENTER_NONBLOCKING();
    return alltoall(send, send_count, send_type, recv, recv_count, recv_type, comm, request,
                    CPI_FUNCTION);
}

static int
check_alltoallv(const void *send, const int *send_counts, const int *send_places,
                MPI_Datatype send_type, const void *recv, const int *recv_counts,
                const int *recv_places, MPI_Datatype recv_type, MPI_Comm comm)
{
    int class = cpi_check_comm(comm);

    if (class == MPI_SUCCESS && send != MPI_IN_PLACE)
        class = check_blocks(send, send_counts, send_places, send_type, cpi_comm_of(comm)->size);
    return class != MPI_SUCCESS ? class : check_blocks(recv, recv_counts, recv_places, recv_type,
                                                       cpi_comm_of(comm)->size);
}

static int
alltoallv(const void *send, const int send_counts[], const int send_places[],
          MPI_Datatype send_type, void *recv, const int recv_counts[], const int recv_places[],
          MPI_Datatype recv_type, MPI_Comm comm, MPI_Request *handle, const char *function)
{
    CPI_COLLECTIVE(check_alltoallv(send, send_counts, send_places, send_type, recv, recv_counts,
                                   recv_places, recv_type, comm),
                   cpi_coll_alltoallv(send, send_counts, send_places, cpi_type_of(send_type), recv,
                                      recv_counts, recv_places, cpi_type_of(recv_type),
                                      cpi_comm_of(comm), request_p));
}

CPI_ALIAS(Alltoallv)
int
PMPI_Alltoallv(const void *send, const int send_counts[], const int send_places[],
               MPI_Datatype send_type, void *recv, const int recv_counts[],
               const int recv_places[], MPI_Datatype recv_type, MPI_Comm comm)
{
    CPI_ENTER();
    return alltoallv(send, send_counts, send_places, send_type, recv, recv_counts, recv_places,
                     recv_type, comm, NULL, CPI_FUNCTION);
}

CPI_ALIAS(Ialltoallv)
int
PMPI_Ialltoallv(const void *send, const int send_counts[], const int send_places[],
                MPI_Datatype send_type, void *recv, const int recv_counts[],
                const int recv_places[], MPI_Datatype recv_type, MPI_Comm comm,
                MPI_Request *request)
{
    CPI_ENTER_NONBLOCKING();
    return alltoallv(send, send_counts, send_places, send_type, recv, recv_counts, recv_places,
                     recv_type, comm, request, CPI_FUNCTION);
}

static int
check_alltoallw(const void *send, const int *send_counts, const int *send_places,
                const MPI_Datatype *send_types, const void *recv, const int *recv_counts,
                const int *recv_places, const MPI_Datatype *recv_types, MPI_Comm comm)
{
    int class = cpi_check_comm(comm);

    if (class == MPI_SUCCESS && send != MPI_IN_PLACE)
        class = check_typed_blocks(send, send_counts, send_places, send_types,
                                   cpi_comm_of(comm)->size);
    return class != MPI_SUCCESS ? class
                                : check_typed_blocks(recv, recv_counts, recv_places, recv_types,
                                                     cpi_comm_of(comm)->size);
}

static int
alltoallw(const void *send, const int send_counts[], const int send_places[],
          const MPI_Datatype send_types[], void *recv, const int recv_counts[],
          const int recv_places[], const MPI_Datatype recv_types[], MPI_Comm comm,
          MPI_Request *handle, const char *function)
{
    CPI_COLLECTIVE(check_alltoallw(send, send_counts, send_places, send_types, recv, recv_counts,
                                   recv_places, recv_types, comm),
                   cpi_coll_alltoallw(send, send_counts, send_places,
                                      (struct cpi_type *const *)send_types, recv, recv_counts,
                                      recv_places, (struct cpi_type *const *)recv_types,
                                      cpi_comm_of(comm), request_p));
}

CPI_ALIAS(Alltoallw)
int
PMPI_Alltoallw(const void *send, const int send_counts[], const int send_places[],
               const MPI_Datatype send_types[], void *recv, const int recv_counts[],
               const int recv_places[], const MPI_Datatype recv_types[], MPI_Comm comm)
{
    CPI_ENTER();
    return alltoallw(send, send_counts, send_places, send_types, recv, recv_counts, recv_places,
                     recv_types, comm, NULL, CPI_FUNCTION);
}

CPI_ALIAS(Ialltoallw)
int
PMPI_Ialltoallw(const void *send, const int send_counts[], const int send_places[],
                const MPI_Datatype send_types[], void *recv, const int recv_counts[],
                const int recv_places[], const MPI_Datatype recv_types[], MPI_Comm comm,
                MPI_Request *request)
{
    CPI_ENTER_NONBLOCKING();
    return alltoallw(send, send_counts, send_places, send_types, recv, recv_counts, recv_places,
                     recv_types, comm, request, CPI_FUNCTION);
}
