/* SPDX-License-Identifier: BSD-3-Clause */
#include "event/event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "p2p/engine.h"
#include "wire/var.h"

#define EVENT_WINDOW_BYTES (256u << 10)
#define WINDOW_EVENTS      1024u

struct subscription {
    struct cpi_list link;
    cpmp_event_fn *callback;
    void *arg;
    bool all;
    char topic[CPMP_NAME_MAX + 1];
};

/* An event that is whole and waits for the callbacks. */
struct arrival {
    struct cpi_list link;
    uint32_t source;
    uint64_t sequence;
    bool is_text;
    struct cpi_assembly whole;
};

/* One rank's events as their parts come in. */
struct sender {
    struct cpi_list link;
    uint32_t rank;
    struct cpi_assembly assembly;
};

static struct {
    uint64_t emitted, acked;           /* sequences */
    uint32_t sizes[WINDOW_EVENTS];     /* of those under way, by sequence */
    size_t under_way_bytes;
    uint64_t subscriptions_asked;
    uint32_t acks;                     /* agents that know the last subscription */
    bool delivering;
    struct cpi_list subscriptions, senders, arrivals;
} events;


/* Callbacks for an event of `source`; `body` as on the wire. False when it is malformed. */
static bool
deliver(uint32_t source, uint64_t sequence, bool is_text, const char *body, size_t bytes)
{
    char topic[CPMP_NAME_MAX + 1];
    size_t topic_bytes = bytes == 0 ? 0 : (unsigned char)body[0];

    if (bytes < 1 + topic_bytes)
        return false;
    memcpy(topic, body + 1, topic_bytes);
    topic[topic_bytes] = '\0';
    cpmp_event event = {.source = (int)source, .sequence = sequence, .topic = topic,
                        .data = body + 1 + topic_bytes, .bytes = bytes - 1 - topic_bytes,
                        .is_text = is_text};
    CPI_LIST_FOR(link, &events.subscriptions)
    {
        struct subscription *subscription = CPI_CONTAINER(link, struct subscription, link);
        if (subscription->all || strcmp(subscription->topic, topic) == 0)
            subscription->callback(&event, subscription->arg);
    }
    return true;
}

static struct sender *
sender_of(uint32_t rank)
{
    CPI_LIST_FOR(link, &events.senders)
    {
        struct sender *sender = CPI_CONTAINER(link, struct sender, link);
        if (sender->rank == rank)
            return sender;
    }
    struct sender *sender = calloc(1, sizeof(*sender));
    if (sender == NULL)
        return NULL;
    sender->rank = rank;
    cpi_list_append(&events.senders, &sender->link);
    return sender;
}

/* Callbacks run after frames were taken in, and never inside each other: one may emit, and with it
 * wait for progress, which must go on reading the rings. */
static bool
arrivals_deliver(void)
{
    if (events.delivering)
        return false;
    events.delivering = true;
    while (!cpi_list_empty(&events.arrivals)) {
        struct arrival *arrival = CPI_CONTAINER(events.arrivals.next, struct arrival, link);
        deliver(arrival->source, arrival->sequence, arrival->is_text, arrival->whole.body,
                arrival->whole.bytes);
        cpi_list_remove(&arrival->link);
        cpi_assembly_release(&arrival->whole);
        free(arrival);
    }
    cpi_engine_set_after(NULL);
    events.delivering = false;
    return true;
}

static void
on_event(const struct cpi_frame *frame, void *arg)
{
    struct sender *sender = sender_of(frame->source);
    bool complete;

    (void)arg;
    if (sender == NULL || cpi_assembly_add(&sender->assembly, frame, &complete) != CPMP_OK)
        return;
    if (!complete)
        return;
    struct arrival *arrival = malloc(sizeof(*arrival));
    if (arrival == NULL) {
        cpi_engine_abort(1, "out of memory for an event");
        return;
    }
    *arrival = (struct arrival){.source = frame->source, .sequence = frame->handle,
                                .is_text = frame->tag == 1, .whole = sender->assembly};
    sender->assembly = (struct cpi_assembly){0};
    cpi_list_append(&events.arrivals, &arrival->link);
    cpi_engine_set_after(arrivals_deliver);
}

static void
on_ack(const struct cpi_frame *frame, void *arg)
{
    (void)arg;
    if (frame->tag == 1) {
        events.acks += frame->handle == events.subscriptions_asked;
        return;
    }
    for (; events.acked < frame->handle && events.acked < events.emitted; events.acked++)
        events.under_way_bytes -= events.sizes[(events.acked + 1) % WINDOW_EVENTS];
}

int
cpi_event_init(void)
{
    memset(&events, 0, sizeof(events));
    cpi_list_init(&events.subscriptions);
    cpi_list_init(&events.senders);
    cpi_list_init(&events.arrivals);
    cpi_engine_on_frame(CPI_FRAME_EVENT, on_event, NULL);
    cpi_engine_on_frame(CPI_FRAME_EVENT_ACK, on_ack, NULL);
    return CPMP_OK;
}

void
cpi_event_end(void)
{
    cpi_engine_set_after(NULL);
    CPI_LIST_FOR_SAFE(link, &events.arrivals)
    {
        struct arrival *arrival = CPI_CONTAINER(link, struct arrival, link);
        cpi_assembly_release(&arrival->whole);
        free(arrival);
    }
    CPI_LIST_FOR_SAFE(link, &events.subscriptions)
        free(CPI_CONTAINER(link, struct subscription, link));
    CPI_LIST_FOR_SAFE(link, &events.senders)
    {
        struct sender *sender = CPI_CONTAINER(link, struct sender, link);
        cpi_assembly_release(&sender->assembly);
        free(sender);
    }
    cpi_list_init(&events.subscriptions);
    cpi_list_init(&events.senders);
}

static void
show(const char *topic, const char *text, size_t bytes)
{
    fprintf(stdout, "[0] %s: %.*s\n", topic, (int)bytes, text);
    fflush(stdout);
}

/* A rank that is alone has no launcher: it shows its text itself, and is its own subscriber. */
static int
emit_alone(const char *topic, const void *data, size_t bytes, bool is_text)
{
    size_t topic_bytes = strlen(topic);
    char *body = malloc(1 + topic_bytes + bytes);

    if (body == NULL)
        return CPMP_ENOMEM;
    body[0] = (char)topic_bytes;
    memcpy(body + 1, topic, topic_bytes);
    memcpy(body + 1 + topic_bytes, data, bytes);
    if (is_text)
        show(topic, data, bytes);
    deliver(0, ++events.emitted, is_text, body, 1 + topic_bytes + bytes);
    free(body);
    return CPMP_OK;
}

int
cpi_event_emit(const char *topic, const void *data, size_t bytes, bool is_text)
{
    size_t topic_bytes = strnlen(topic, CPMP_NAME_MAX + 1);
    unsigned round = 0;

    if (topic_bytes == 0 || topic_bytes > CPMP_NAME_MAX || bytes > CPMP_EVENT_BYTES_MAX)
        return CPMP_EINVAL;
    if (cpi_engine.alone)
        return emit_alone(topic, data, bytes, is_text);
    while (events.under_way_bytes > EVENT_WINDOW_BYTES ||
           events.emitted - events.acked >= WINDOW_EVENTS - 1)
        cpi_engine_rest(&round);
    char length = (char)topic_bytes;
    struct cpi_piece pieces[] = {{&length, 1}, {topic, topic_bytes}, {data, bytes}};
    int error = cpi_engine_agent_send(CPI_FRAME_EVENT, is_text, events.emitted + 1, pieces, 3);
    if (error != CPMP_OK)
        return error;
    events.emitted++;
    events.sizes[events.emitted % WINDOW_EVENTS] = (uint32_t)(1 + topic_bytes + bytes);
    events.under_way_bytes += 1 + topic_bytes + bytes;
    return CPMP_OK;
}

/* Tells all agents, through the own one, and waits until they know. */
static int
announce(const char *topic)
{
    struct cpi_piece piece = {topic, topic == NULL ? 0 : strlen(topic)};
    unsigned round = 0;

    events.acks = 0;
    int error =
        cpi_engine_agent_send(CPI_FRAME_SUBSCRIBE, 0, events.subscriptions_asked, &piece, 1);
    while (error == CPMP_OK && events.acks < cpi_engine.segment.header->peers)
        cpi_engine_rest(&round);
    return error;
}

int
cpi_event_subscribe(const char *topic, cpmp_event_fn *callback, void *arg)
{
    size_t topic_bytes = topic == NULL ? 0 : strnlen(topic, CPMP_NAME_MAX + 1);

    if (callback == NULL || topic_bytes > CPMP_NAME_MAX || (topic != NULL && topic_bytes == 0))
        return CPMP_EINVAL;
    if (events.subscriptions_asked == CPI_SUBSCRIPTIONS_MAX)
        return CPMP_ELIMIT;
    struct subscription *subscription = calloc(1, sizeof(*subscription));
    if (subscription == NULL)
        return CPMP_ENOMEM;
    subscription->callback = callback;
    subscription->arg = arg;
    subscription->all = topic == NULL;
    if (topic != NULL)
        memcpy(subscription->topic, topic, topic_bytes + 1);
    cpi_list_append(&events.subscriptions, &subscription->link);
    events.subscriptions_asked++;
    int error = cpi_engine.alone ? CPMP_OK : announce(topic);
    if (error != CPMP_OK) {
        cpi_list_remove(&subscription->link);
        free(subscription);
    }
    return error;
}

void
cpi_event_progress(uint64_t done, uint64_t total)
{
    struct cpi_rank_block *block = &cpi_engine.segment.ranks[cpi_engine.local];

    atomic_store_explicit(&block->done, done, memory_order_relaxed);
    atomic_store_explicit(&block->total, total, memory_order_relaxed);
    /* The agent takes the mark away before it looks: what comes after rings it again. */
    if (atomic_exchange(&block->progress_new, 1) == 0)
        cpi_engine_agent_wake();
}
