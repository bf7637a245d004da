/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent/services.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "agent/report.h"
#include "base/list.h"
#include "wire/store.h"

#define PART_BYTES_MAX (8u << 10) /* of a body, in one frame */

/* A frame that the router didn't take yet. */
struct parcel {
    struct cpi_list link;
    bool to_agent;
    uint32_t target;          /* world rank, or peer */
    struct cpi_frame frame;   /* its payload follows */
};

/* An event of a local rank that the stream has no room for yet. */
struct kept_event {
    struct cpi_list link;
    uint32_t rank;
    uint64_t sequence;
    bool is_text;
    struct cpi_assembly body;
};

/* Those of one rank stand together. */
struct subscriber {
    struct cpi_list link;
    uint32_t rank;
    uint32_t topic_bytes;     /* 0: every topic */
    char topic[];
};

/* What one rank asks: bodies on their way in; whether a call of it waits for its reply here. */
struct incoming {
    struct cpi_assembly call, event;
    bool calling;
    uint32_t subscriptions;
};

struct services {
    struct router *router;
    struct control_stream *stream;
    const struct cpi_segment *segment;
    struct cpi_store *store;
    struct incoming *ranks;   /* [world] */
    struct cpi_list outbox, events, subscribers;
    size_t outbox_bytes;
    size_t part_max;          /* of a body, in one frame that every peer's rings can hold */
};

/* More than this waiting for ranks ends the job: memory is bounded, nothing is lost silently. */
#define WAITING_BYTES_MAX ((size_t)256 << 20)

/* --- frames out --- */

static int
router_try(struct services *services, bool to_agent, uint32_t target, const struct cpi_frame *frame)
{
    return to_agent ? router_send_to_agent(services->router, target, frame)
                    : router_send_to_rank(services->router, target, frame);
}

/* Sends a frame or keeps it; one for a lost peer or an unknown rank is of no use to anybody. */
static void
frame_send(struct services *services, bool to_agent, uint32_t target, const struct cpi_frame *frame)
{
    if (cpi_list_empty(&services->outbox) &&
        router_try(services, to_agent, target, frame) != CPMP_EAGAIN)
        return;
    struct parcel *parcel = malloc(offsetof(struct parcel, frame) + frame->size);
    if (parcel == NULL) {
        report_trouble(services->stream, CONTROL_TROUBLE_FATAL,
                       "an agent is out of memory for a message to rank or peer %u", target);
        return;
    }
    parcel->to_agent = to_agent;
    parcel->target = target;
    memcpy(&parcel->frame, frame, frame->size);
    cpi_list_append(&services->outbox, &parcel->link);
    services->outbox_bytes += frame->size;
}

static void
outbox_flush(struct services *services)
{
    CPI_LIST_FOR_SAFE(link, &services->outbox)
    {
        struct parcel *parcel = CPI_CONTAINER(link, struct parcel, link);
        if (router_try(services, parcel->to_agent, parcel->target, &parcel->frame) == CPMP_EAGAIN)
            return;
        cpi_list_remove(link);
        services->outbox_bytes -= parcel->frame.size;
        free(parcel);
    }
}

/* Sends a body in parts to a rank; `head` says from whom and what. */
static void
body_send(struct services *services, uint32_t rank, const struct cpi_frame *head, const char *body,
          size_t bytes)
{
    _Alignas(8) char room[sizeof(struct cpi_frame) + PART_BYTES_MAX];
    struct cpi_frame *frame = (struct cpi_frame *)room;
    size_t offset = 0;

    do {
        size_t part = bytes - offset < services->part_max ? bytes - offset : services->part_max;
        *frame = *head;
        frame->size = (uint32_t)(sizeof(*frame) + part);
        frame->dest = rank;
        frame->context = (uint32_t)offset;
        frame->length = bytes;
        memcpy(frame + 1, body + offset, part);
        frame_send(services, false, rank, frame);
        offset += part;
    } while (offset < bytes);
}

/* After what was sent to `rank`. */
static void
waiting_check(struct services *services, uint32_t rank)
{
    struct router_counts counts;

    router_counts(services->router, &counts);
    if (counts.backlog_bytes + services->outbox_bytes > WAITING_BYTES_MAX)
        report_trouble(services->stream, CONTROL_TROUBLE_FATAL,
                       "more than %zu MiB wait for ranks that do not look at what they asked for "
                       "(partial results, global variables), rank %u among them; let them call "
                       "cpmp_poll",
                       WAITING_BYTES_MAX >> 20, rank);
}

/* --- global variables --- */

static void
on_store_reply(void *arg, struct cpi_caller caller, int error, const struct cpi_var_reply *reply,
               const void *value)
{
    struct services *services = arg;
    struct incoming *rank = &services->ranks[caller.rank];
    struct cpi_frame head = {.kind = CPI_FRAME_VAR_REPLY, .source = CPI_RANK_AGENT, .tag = error,
                             .handle = caller.handle};
    size_t bytes = sizeof(*reply) + reply->value_bytes;
    char *body = malloc(bytes);

    rank->calling = false;
    if (body == NULL) {
        report_trouble(services->stream, CONTROL_TROUBLE_FATAL,
                       "an agent is out of memory for a global variable of %u bytes",
                       reply->value_bytes);
        return;
    }
    memcpy(body, reply, sizeof(*reply));
    if (reply->value_bytes > 0)
        memcpy(body + sizeof(*reply), value, reply->value_bytes);
    body_send(services, caller.rank, &head, body, bytes);
    free(body);
    waiting_check(services, caller.rank);
}

static void
malformed_report(struct services *services, const struct cpi_frame *frame, const char *what)
{
    report_trouble(services->stream, CONTROL_TROUBLE_FATAL, "rank %u sent %s that is malformed",
                   frame->source, what);
}

static void
on_call(void *arg, uint32_t peer, const struct cpi_frame *frame)
{
    struct services *services = arg;
    uint32_t home = (uint32_t)(frame->handle >> 32);
    struct cpi_var_request request;
    bool complete;

    if (frame->source >= services->segment->header->world ||
        home >= services->segment->header->peers) {
        malformed_report(services, frame, "a call on a global variable");
        return;
    }
    if (home != services->segment->header->peer) {
        if (peer == services->segment->header->peer)
            frame_send(services, true, home, frame);
        return;
    }
    struct incoming *rank = &services->ranks[frame->source];
    struct cpi_assembly *assembly = &rank->call;
    int error = rank->calling ? CPMP_EPROTO : cpi_assembly_add(assembly, frame, &complete);
    if (error == CPMP_OK && !complete)
        return;
    if (error == CPMP_OK)
        error = cpi_var_request_parse(&request, frame->tag, assembly->body, assembly->bytes);
    if (error == CPMP_OK) {
        rank->calling = true;
        struct cpi_caller caller = {.rank = frame->source, .handle = frame->handle};
        cpi_store_call(services->store, caller, &request);
    } else {
        malformed_report(services, frame, "a call on a global variable");
    }
    cpi_assembly_release(assembly);
}

/* --- partial results --- */

static bool
topic_matches(const struct subscriber *subscriber, const char *topic, uint32_t topic_bytes)
{
    return subscriber->topic_bytes == 0 || (subscriber->topic_bytes == topic_bytes &&
                                            memcmp(subscriber->topic, topic, topic_bytes) == 0);
}

static void
event_spread(struct services *services, const struct kept_event *event)
{
    struct cpi_frame head = {.kind = CPI_FRAME_EVENT, .source = event->rank,
                             .tag = event->is_text, .handle = event->sequence};
    uint32_t topic_bytes = (unsigned char)event->body.body[0];
    const char *topic = event->body.body + 1;
    uint32_t told = CPI_RANK_AGENT;

    CPI_LIST_FOR(link, &services->subscribers)
    {
        struct subscriber *subscriber = CPI_CONTAINER(link, struct subscriber, link);
        if (subscriber->rank == told || !topic_matches(subscriber, topic, topic_bytes))
            continue;
        told = subscriber->rank;  /* once, however many of its subscriptions match */
        body_send(services, told, &head, event->body.body, event->body.bytes);
        waiting_check(services, told);
    }
}

/* To the launcher, then the acknowledgement to the rank. */
static void
event_tell(struct services *services, struct kept_event *event)
{
    char topic[CPMP_NAME_MAX + 1];
    size_t topic_bytes = (unsigned char)event->body.body[0];
    struct cpi_frame ack = {.kind = CPI_FRAME_EVENT_ACK, .source = CPI_RANK_AGENT,
                            .size = sizeof(ack), .dest = event->rank, .handle = event->sequence};

    memcpy(topic, event->body.body + 1, topic_bytes);
    topic[topic_bytes] = '\0';
    report_event(services->stream, event->rank, event->sequence, topic,
                 event->body.body + 1 + topic_bytes, event->body.bytes - 1 - topic_bytes,
                 event->is_text);
    frame_send(services, false, event->rank, &ack);
    cpi_assembly_release(&event->body);
    free(event);
}

static void
events_flush(struct services *services)
{
    while (!cpi_list_empty(&services->events) && control_stream_has_room(services->stream)) {
        struct kept_event *event =
            CPI_CONTAINER(services->events.next, struct kept_event, link);
        cpi_list_remove(&event->link);
        event_tell(services, event);
    }
}

/* One beyond the limit might not fit a control message: then it would be acknowledged and lost. */
static bool
event_is_right(const struct cpi_assembly *body)
{
    size_t head = body->bytes == 0 ? 1 : 1 + (size_t)(unsigned char)body->body[0];

    return head <= body->bytes && body->bytes - head <= CPMP_EVENT_BYTES_MAX;
}

static void
on_event(void *arg, uint32_t peer, const struct cpi_frame *frame)
{
    struct services *services = arg;
    bool complete;

    (void)peer;
    if (frame->source >= services->segment->header->world)
        return;
    struct cpi_assembly *assembly = &services->ranks[frame->source].event;
    if (cpi_assembly_add(assembly, frame, &complete) != CPMP_OK) {
        malformed_report(services, frame, "an event");
        return;
    }
    if (!complete)
        return;
    struct kept_event *event = malloc(sizeof(*event));
    if (event == NULL || !event_is_right(assembly)) {
        malformed_report(services, frame, "an event");
        free(event);
        cpi_assembly_release(assembly);
        return;
    }
    event->rank = frame->source;
    event->sequence = frame->handle;
    event->is_text = frame->tag == 1;
    event->body = *assembly;
    *assembly = (struct cpi_assembly){0};
    event_spread(services, event);
    cpi_list_append(&services->events, &event->link);
    events_flush(services);
}

/* Before what a new subscription of `rank` goes: others of it, or the end. */
static struct cpi_list *
place_of(struct services *services, uint32_t rank)
{
    CPI_LIST_FOR(link, &services->subscribers)
        if (CPI_CONTAINER(link, struct subscriber, link)->rank == rank)
            return link;
    return &services->subscribers;
}

static void
on_subscribe(void *arg, uint32_t peer, const struct cpi_frame *frame)
{
    struct services *services = arg;
    const struct cpi_segment_header *header = services->segment->header;
    struct cpi_frame ack = {.kind = CPI_FRAME_EVENT_ACK, .source = CPI_RANK_AGENT,
                            .size = sizeof(ack), .dest = frame->source, .tag = 1,
                            .handle = frame->handle};
    size_t bytes = cpi_frame_payload_bytes(frame);
    struct subscriber *subscriber = malloc(sizeof(*subscriber) + bytes);

    if (subscriber == NULL || bytes > CPMP_NAME_MAX || frame->source >= header->world ||
        services->ranks[frame->source].subscriptions == CPI_SUBSCRIPTIONS_MAX) {
        malformed_report(services, frame, "a subscription");
        free(subscriber);
        return;
    }
    services->ranks[frame->source].subscriptions++;
    subscriber->rank = frame->source;
    subscriber->topic_bytes = (uint32_t)bytes;
    memcpy(subscriber->topic, frame + 1, bytes);
    cpi_list_append(place_of(services, frame->source), &subscriber->link);
    for (uint32_t other = 0; peer == header->peer && other < header->peers; other++)
        if (other != peer)
            frame_send(services, true, other, frame);
    frame_send(services, false, frame->source, &ack);
}

/* --- abort --- */

static void
on_abort(void *arg, uint32_t peer, const struct cpi_frame *frame)
{
    struct services *services = arg;
    char text[1024];
    size_t bytes = cpi_frame_payload_bytes(frame);

    if (peer != services->segment->header->peer)
        return;
    if (bytes >= sizeof(text))
        bytes = sizeof(text) - 1;
    memcpy(text, frame + 1, bytes);
    text[bytes] = '\0';
    report_abort(services->stream, frame->source, frame->tag, text);
}

/* --- the whole --- */

int
services_open(struct services **services_p, struct router *router, struct control_stream *stream,
              const struct cpi_segment *segment)
{
    struct services *services = calloc(1, sizeof(*services));

    if (services == NULL)
        return CPMP_ENOMEM;
    services->router = router;
    services->stream = stream;
    services->segment = segment;
    services->part_max = cpi_segment_frame_max(segment) - sizeof(struct cpi_frame);
    if (services->part_max > PART_BYTES_MAX)
        services->part_max = PART_BYTES_MAX;
    cpi_list_init(&services->outbox);
    cpi_list_init(&services->events);
    cpi_list_init(&services->subscribers);
    services->store = cpi_store_new(on_store_reply, services);
    services->ranks = calloc(segment->header->world, sizeof(struct incoming));
    if (services->store == NULL || services->ranks == NULL) {
        services_close(services);
        return CPMP_ENOMEM;
    }
    router_on(router, CPI_FRAME_VAR_CALL, on_call, services);
    router_on(router, CPI_FRAME_EVENT, on_event, services);
    router_on(router, CPI_FRAME_SUBSCRIBE, on_subscribe, services);
    router_on(router, CPI_FRAME_ABORT, on_abort, services);
    *services_p = services;
    return CPMP_OK;
}

void
services_close(struct services *services)
{
    if (services == NULL)
        return;
    cpi_store_free(services->store);
    for (uint32_t i = 0; services->ranks != NULL && i < services->segment->header->world; i++) {
        cpi_assembly_release(&services->ranks[i].call);
        cpi_assembly_release(&services->ranks[i].event);
    }
    free(services->ranks);
    CPI_LIST_FOR_SAFE(link, &services->outbox)
        free(CPI_CONTAINER(link, struct parcel, link));
    CPI_LIST_FOR_SAFE(link, &services->events)
    {
        struct kept_event *event = CPI_CONTAINER(link, struct kept_event, link);
        cpi_assembly_release(&event->body);
        free(event);
    }
    CPI_LIST_FOR_SAFE(link, &services->subscribers)
        free(CPI_CONTAINER(link, struct subscriber, link));
    free(services);
}

void
services_flush(struct services *services)
{
    outbox_flush(services);
    events_flush(services);
}

void
services_forget(struct services *services, uint32_t rank)
{
    cpi_store_forget(services->store, rank);
    services->ranks[rank].calling = false;
    services->ranks[rank].subscriptions = 0;
    CPI_LIST_FOR_SAFE(link, &services->subscribers)
    {
        struct subscriber *subscriber = CPI_CONTAINER(link, struct subscriber, link);
        if (subscriber->rank == rank) {
            cpi_list_remove(link);
            free(subscriber);
        }
    }
}

bool
services_are_drained(const struct services *services)
{
    return cpi_list_empty(&services->events);
}
