/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdint.h>
#include <stdlib.h>

#include "base/list.h"
#include "mpi/error.h"
#include "mpi/request.h"
#include "p2p/engine.h"
#include "p2p/p2p.h"
#include "type/pack.h"
#include "type/payload.h"

/*
 * Buffered sends. The attached buffer holds blocks in order of address, each a head and the packed
 * bytes of one message; new ones go into the first gap that is large enough. Blocks whose message
 * has gone are taken out whenever room is needed.
 *
 * A block takes at most MPI_BSEND_OVERHEAD more than its message: its head, up to ALIGN - 1 bytes
 * of rounding, and as many to align the buffer.
 */

#define ALIGN 16u

struct block {
    struct cpi_list link;
    struct cpi_request *request;
    size_t stride; /* of this block, head included */
};

#define HEAD_BYTES ((sizeof(struct block) + ALIGN - 1) / ALIGN * ALIGN)

_Static_assert(HEAD_BYTES + 2 * ALIGN <= MPI_BSEND_OVERHEAD, "users count on this overhead");

static struct {
    bool attached;
    void *given; /* as the user gave it */
    int given_bytes;
    char *start, *end; /* aligned */
    struct cpi_list blocks;
} area;

static void
blocks_reclaim(void)
{
    CPI_LIST_FOR_SAFE(link, &area.blocks)
    {
        struct block *block = CPI_CONTAINER(link, struct block, link);
        if (!block->request->done)
            continue;
        cpi_list_remove(&block->link);
        cpi_request_free(block->request);
    }
}

/* The gap that a block of `stride` bytes fits in: after which link, and where; NULL for none. */
static struct cpi_list *
gap_find(size_t stride, char **at_p)
{
    struct cpi_list *after = &area.blocks;
    char *at = area.start;

    CPI_LIST_FOR(link, &area.blocks)
    {
        struct block *block = CPI_CONTAINER(link, struct block, link);
        if ((size_t)((char *)block - at) >= stride)
            break;
        at = (char *)block + block->stride;
        after = link;
    }
    *at_p = at;
    return (size_t)(area.end - at) >= stride ? after : NULL;
}

/* A block for `bytes` of message, in the list; NULL when there is no room, whatever has gone by
 * now. */
static struct block *
block_new(size_t bytes)
{
    size_t stride = HEAD_BYTES + (bytes + ALIGN - 1) / ALIGN * ALIGN;
    struct cpi_list *after;
    char *at;

    if (!area.attached)
        return NULL;
    blocks_reclaim();
    while ((after = gap_find(stride, &at)) == NULL) {
        if (!cpi_engine_progress())
            return NULL;
        blocks_reclaim();
    }
    struct block *block = (struct block *)at;
    block->stride = stride;
    cpi_list_append(after->next, &block->link);
    return block;
}

int
cpi_bsend(const struct cpi_bsend_call *call, struct cpi_comm *comm)
{
    const struct cpi_type *type = cpi_type_of(call->type);
    size_t bytes = (size_t)call->count * type->size;

    if (call->dest == MPI_PROC_NULL)
        return MPI_SUCCESS;
    struct block *block = block_new(bytes);
    if (block == NULL)
        return MPI_ERR_BUFFER;
    struct cpi_payload payload = {.base = (char *)block + HEAD_BYTES, .bytes = bytes};
    cpi_type_pack(type, call->buf, (size_t)call->count, 0, payload.base, bytes);
    int error = cpi_p2p_isend(&payload, cpi_comm_to_world(comm, call->dest), comm->context,
                              call->tag, CPI_SEND_STANDARD, &block->request);
    if (error != CPMP_OK)
        cpi_list_remove(&block->link);
    return cpi_error_class(error);
}

void
cpi_bsend_drain(void)
{
    unsigned round = 0;

    if (!area.attached)
        return;
    while (blocks_reclaim(), !cpi_list_empty(&area.blocks))
        cpi_engine_rest(&round);
}

CPI_ALIAS(Buffer_attach)
int
PMPI_Buffer_attach(void *buffer, int size)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, buffer != NULL && size >= 0, MPI_ERR_ARG);
    CPI_REQUIRE(MPI_COMM_NULL, !area.attached, MPI_ERR_BUFFER);
    uintptr_t start = ((uintptr_t)buffer + ALIGN - 1) / ALIGN * ALIGN;
    uintptr_t end = ((uintptr_t)buffer + (size_t)size) / ALIGN * ALIGN;
    area.attached = true;
    area.given = buffer;
    area.given_bytes = size;
    area.start = (char *)start;
    area.end = (char *)(end > start ? end : start);
    cpi_list_init(&area.blocks);
    return MPI_SUCCESS;
}

CPI_ALIAS(Buffer_detach)
int
PMPI_Buffer_detach(void *buffer_p, int *size)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, buffer_p != NULL && size != NULL, MPI_ERR_ARG);
    CPI_REQUIRE(MPI_COMM_NULL, area.attached, MPI_ERR_BUFFER);
    cpi_bsend_drain();
    area.attached = false;
    *(void **)buffer_p = area.given;
    *size = area.given_bytes;
    return MPI_SUCCESS;
}
