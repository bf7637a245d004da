/* SPDX-License-Identifier: BSD-3-Clause */
#include "p2p/request.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SLAB_REQUESTS 256u
#define SLABS_MAX     65536u  /* 16 M requests under way in one rank */

static struct cpi_request *slabs[SLABS_MAX];
static uint32_t slab_count;
static struct cpi_list *free_requests;  /* by link.next */
static size_t in_use;

/* Adds a slab's requests to the free list; false without memory. */
static bool
slab_add(void)
{
    if (slab_count == SLABS_MAX)
        return false;
    struct cpi_request *slab = calloc(SLAB_REQUESTS, sizeof(*slab));
    if (slab == NULL)
        return false;
    for (uint32_t i = 0; i < SLAB_REQUESTS; i++) {
        slab[i].index = slab_count * SLAB_REQUESTS + i;
        slab[i].generation = 1;
        slab[i].link.next = free_requests;
        free_requests = &slab[i].link;
    }
    slabs[slab_count++] = slab;
    return true;
}

struct cpi_request *
cpi_request_new(void)
{
    if (free_requests == NULL && !slab_add())
        return NULL;
    struct cpi_request *request = CPI_CONTAINER(free_requests, struct cpi_request, link);

    free_requests = free_requests->next;
    cpi_list_init(&request->link);
    memset(request, 0, offsetof(struct cpi_request, payload));
    in_use++;
    return request;
}

void
cpi_request_free(struct cpi_request *request)
{
    assert(request->done || !request->active);
    if (request->shared)
        return;
    if (request->on_free != NULL)
        request->on_free(request);
    request->kind = CPI_REQUEST_NONE;
    request->generation++;
    in_use--;
    /* The next to be taken: its lines are still in the cache. */
    request->link.next = free_requests;
    free_requests = &request->link;
}

struct cpi_request *
cpi_request_find(uint64_t handle)
{
    uint32_t index = (uint32_t)handle;

    if (index / SLAB_REQUESTS >= slab_count)
        return NULL;
    struct cpi_request *request = &slabs[index / SLAB_REQUESTS][index % SLAB_REQUESTS];
    if (request->generation != (uint32_t)(handle >> 32) || request->kind == CPI_REQUEST_NONE)
        return NULL;
    return request;
}

size_t
cpi_request_count(void)
{
    return in_use;
}
