/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/select.h"

#include <assert.h>

#include "p2p/engine.h"

#define KIB ((size_t)1 << 10)
#define ANY SIZE_MAX

/* CROWDED: one host, and more ranks of the job on it than cores. Then ranks take turns, and a
 * message more costs more than a byte more. */
enum where { ANYWHERE, CROWDED, HOSTS };

/* A row holds for communicators of at least `ranks_min` ranks and data of at most `bytes_max`. The
 * first row of a kind that holds is taken; the last row of each kind holds always. Short data in
 * blocking collectives does not come here, but for a few kinds on several hosts: slots.h. */
struct row {
    enum cpi_coll_kind kind;
    enum where where;
    int ranks_min;
    size_t bytes_max;
    cpi_coll_fn *build;
};

static const struct row rows[] = {
    { CPI_COLL_BARRIER, ANYWHERE, 1, ANY, cpi_barrier_dissemination },

    { CPI_COLL_BCAST, ANYWHERE, 1, 64 * KIB, cpi_bcast_binomial },
    { CPI_COLL_BCAST, CROWDED, 1, ANY, cpi_bcast_binomial },
    { CPI_COLL_BCAST, HOSTS, 8, 512 * KIB, cpi_bcast_scatter_ring },
    { CPI_COLL_BCAST, ANYWHERE, 1, ANY, cpi_bcast_chain },

    { CPI_COLL_GATHER, ANYWHERE, 1, 4 * KIB, cpi_gather_binomial },
    { CPI_COLL_GATHER, ANYWHERE, 1, ANY, cpi_gather_linear },
    { CPI_COLL_GATHERV, ANYWHERE, 1, ANY, cpi_gather_linear },
    { CPI_COLL_SCATTER, ANYWHERE, 1, 4 * KIB, cpi_scatter_binomial },
    { CPI_COLL_SCATTER, ANYWHERE, 1, ANY, cpi_scatter_linear },
    { CPI_COLL_SCATTERV, ANYWHERE, 1, ANY, cpi_scatter_linear },

    { CPI_COLL_ALLGATHER, ANYWHERE, 1, 64 * KIB, cpi_allgather_bruck },
    { CPI_COLL_ALLGATHER, ANYWHERE, 1, ANY, cpi_allgather_ring },

    { CPI_COLL_ALLTOALL, HOSTS, 8, 256, cpi_alltoall_bruck },
    { CPI_COLL_ALLTOALL, ANYWHERE, 1, ANY, cpi_alltoall_pairwise },
    { CPI_COLL_ALLTOALLV, ANYWHERE, 1, ANY, cpi_alltoall_pairwise },

    { CPI_COLL_REDUCE, ANYWHERE, 1, 4 * KIB, cpi_reduce_gather },
    { CPI_COLL_REDUCE, ANYWHERE, 1, ANY, cpi_reduce_slices },
    { CPI_COLL_ALLREDUCE, ANYWHERE, 1, 4 * KIB, cpi_allreduce_gather },
    { CPI_COLL_ALLREDUCE, ANYWHERE, 1, ANY, cpi_allreduce_slices },
    { CPI_COLL_REDUCE_SCATTER, ANYWHERE, 1, 1 * KIB, cpi_reduce_scatter_gather },
    { CPI_COLL_REDUCE_SCATTER, ANYWHERE, 1, ANY, cpi_reduce_scatter_pairwise },

    { CPI_COLL_SCAN, ANYWHERE, 1, 4 * KIB, cpi_scan_gather },
    { CPI_COLL_SCAN, ANYWHERE, 1, ANY, cpi_scan_chain },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static cpi_coll_fn *forced[CPI_COLL_KINDS];

static bool
row_holds(const struct row *row, const struct cpi_comm *comm, size_t bytes)
{
    const struct cpi_segment_header *here = cpi_engine.segment.header;

    if (row->where == CROWDED && (comm->hosts != 1 || here->local <= here->cores))
        return false;
    if (row->where == HOSTS && comm->hosts == 1)
        return false;
    return comm->size >= row->ranks_min && bytes <= row->bytes_max;
}

cpi_coll_fn *
cpi_coll_select(enum cpi_coll_kind kind, const struct cpi_comm *comm, size_t bytes)
{
    if (forced[kind])
        return forced[kind];
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].kind == kind && row_holds(&rows[i], comm, bytes))
            return rows[i].build;
    assert(!"the last row of a kind holds always");
    return NULL;
}

bool
cpi_coll_force(enum cpi_coll_kind kind, int index)
{
    forced[kind] = NULL;
    for (size_t i = 0; i < ROWS && index >= 0; i++)
        if (rows[i].kind == kind && index-- == 0)
            forced[kind] = rows[i].build;
    return forced[kind] != NULL;
}

bool
cpi_coll_forced(enum cpi_coll_kind kind)
{
    return forced[kind] != NULL;
}
