/* SPDX-License-Identifier: BSD-3-Clause */
#include "queue.h"

#include <stdlib.h>

#include "text/memory.h"

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

void sim_queue_put(struct sim_queue *queue, struct sim_event event)
{
    size_t at = queue->count++;

    if (at == queue->capacity) {
        queue->capacity = queue->capacity > 0 ? 2 * queue->capacity : 256;
        queue->events = memory_grow(queue->events, queue->capacity, sizeof *queue->events);
    }
    event.order = queue->order++;
    while (at > 0 && is_before(&event, &queue->events[(at - 1) / 2])) {
        queue->events[at] = queue->events[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    queue->events[at] = event;
}

bool sim_queue_take(struct sim_queue *queue, struct sim_event *event_p)
{
    struct sim_event last;
    size_t at = 0;

    if (queue->count == 0)
        return false;
    *event_p = queue->events[0];
    last = queue->events[--queue->count];
    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= queue->count)
            break;
        if (child + 1 < queue->count
            && is_before(&queue->events[child + 1], &queue->events[child]))
            child++;
        if (!is_before(&queue->events[child], &last))
            break;
        queue->events[at] = queue->events[child];
        at = child;
    }
    queue->events[at] = last;
    return true;
}

uint64_t sim_queue_next_us(const struct sim_queue *queue)
{
    return queue->count > 0 ? queue->events[0].at_us : UINT64_MAX;
}

void sim_queue_release(struct sim_queue *queue)
{
    free(queue->events);
    *queue = (struct sim_queue){ 0 };
}
