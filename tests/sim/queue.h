/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SIM_QUEUE_H
#define SIM_QUEUE_H

/*
 * The events that are still to come, earliest first: a binary heap by time. Events of one time come
 * in the order in which they were put, so that a run depends on its seed only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sim_event_kind {
    SIM_EVENT_WAKE,     /* a deadline of `peer` */
    SIM_EVENT_MESSAGE,  /* `message` arrives at `peer`; owned by the event */
    SIM_EVENT_TELL,     /* `peer` is told that peer `number` lives, with `flag` that it failed */
    SIM_EVENT_BROKEN,   /* the link of `peer` to peer `number` was refused */
    SIM_EVENT_FAULT,    /* fault item `number` begins, or with `flag` ends */
    SIM_EVENT_START,    /* `peer` is started for the first time */
    SIM_EVENT_WORK,     /* the scenario's own, `number` says which */
};

struct sim_message;

struct sim_event {
    uint64_t at_us;
    uint64_t order;
    enum sim_event_kind kind;
    uint32_t peer;
    uint32_t number;
    bool flag;
    struct sim_message *message;
};

/* Zeroed memory is an empty queue. */
struct sim_queue {
    struct sim_event *events;
    size_t count, capacity;
    uint64_t order;
};

void sim_queue_put(struct sim_queue *queue, struct sim_event event);

/* Takes the earliest event; false when there is none. */
bool sim_queue_take(struct sim_queue *queue, struct sim_event *event_p);

/* The time of the earliest event, UINT64_MAX when there is none. */
uint64_t sim_queue_next_us(const struct sim_queue *queue);

/* Frees the heap. Messages of events left have to be taken out before. */
void sim_queue_release(struct sim_queue *queue);

#endif
