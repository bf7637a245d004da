/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent/router_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)64 << 10)

static struct router_chunk *
chunk_new(struct router_queue *queue, size_t bytes)
{
    size_t size = bytes < CHUNK_BYTES ? CHUNK_BYTES : bytes;
    struct router_chunk *chunk = malloc(sizeof(*chunk) + size);

    if (chunk == NULL)
        return NULL;
    chunk->next = NULL;
    chunk->used = chunk->taken = 0;
    chunk->bytes = size;
    if (queue->last != NULL)
        queue->last->next = chunk;
    else
        queue->first = chunk;
    queue->last = chunk;
    return chunk;
}

bool
router_queue_put(struct router_queue *queue, const struct router_entry *entry,
                 const struct cpi_frame *frame)
{
    struct router_chunk *chunk = queue->last;
    size_t bytes = sizeof(*entry) + entry->stride;

    assert(entry->stride == cpi_frame_stride(frame->size));
    if (chunk == NULL || chunk->bytes - chunk->used < bytes)
        chunk = chunk_new(queue, bytes);
    if (chunk == NULL)
        return false;
    memcpy(chunk->data + chunk->used, entry, sizeof(*entry));
    memcpy(chunk->data + chunk->used + sizeof(*entry), frame, frame->size);
    chunk->used += bytes;
    queue->bytes += entry->stride;
    return true;
}

const struct cpi_frame *
router_queue_first(const struct router_queue *queue, struct router_entry *entry)
{
    const struct router_chunk *chunk = queue->first;

    if (chunk == NULL)
        return NULL;
    assert(chunk->taken < chunk->used);
    memcpy(entry, chunk->data + chunk->taken, sizeof(*entry));
    return (const struct cpi_frame *)(const void *)(chunk->data + chunk->taken + sizeof(*entry));
}

void
router_queue_drop(struct router_queue *queue)
{
    struct router_chunk *chunk = queue->first;
    struct router_entry entry;

    memcpy(&entry, chunk->data + chunk->taken, sizeof(entry));
    chunk->taken += sizeof(entry) + entry.stride;
    queue->bytes -= entry.stride;
    if (chunk->taken < chunk->used)
        return;
    queue->first = chunk->next;
    if (queue->first == NULL)
        queue->last = NULL;
    free(chunk);
}

void
router_queue_release(struct router_queue *queue)
{
    while (queue->first != NULL) {
        struct router_chunk *chunk = queue->first;
        queue->first = chunk->next;
        free(chunk);
    }
    queue->last = NULL;
    queue->bytes = 0;
}
