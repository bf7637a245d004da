/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames for the services of an agent: calls on global variables, events, subscriptions, aborts,
 * from its own ranks and through other agents. The services run between a router and a launcher
 * that stand below, and are full or gone when the input says so. What must hold: an event is
 * acknowledged when it was told, not before; what goes out is made of right frames, its bodies of
 * parts in order; and all that was kept goes out once there is room.
 *
 * The input is a row of entries: struct entry, a frame, its payload. One that doesn't pass what the
 * router checks of a frame is left out.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "agent/report.h"
#include "agent/services.h"
#include "wire/var.h"

#define RANKS      6u        /* 0–3 live on peer 0, ours; 4 and 5 on peer 1 */
#define OWN_RANKS  4u
#define PEERS      2u
#define RING_BYTES 4096u     /* frames of at most 1024: bodies are sent in parts soon */

enum { KINDS_BELOW = CPI_FRAME_ABORT + 1 };

enum action {
    FORGET = 1,  /* the frame's source */
    WHOLE = 2,   /* the frame becomes the whole of a body, */
    LONG = 3     /* or the first of as many like it as make LONG_BYTES */
};

#define LONG_BYTES (CPMP_EVENT_BYTES_MAX + 1024)

struct entry {
    uint8_t full;    /* so many times the router takes nothing; 255: the other peer is lost */
    uint8_t room;    /* odd: the launcher's stream has no room */
    uint8_t action;  /* enum action; else none */
    uint8_t flush;   /* odd: the outside has moved on, afterwards */
};

/* What stands around the services. */
static struct {
    router_frame_fn *handlers[KINDS_BELOW];
    void *arg;
    unsigned full;
    bool lost, no_room;
    uint64_t told[RANKS];   /* events, */
    uint64_t acked[RANKS];
    struct cpi_assembly to_rank[RANKS][KINDS_BELOW];
} outside;

static struct cpi_segment_header header = {
    .world = RANKS, .local = OWN_RANKS, .peer = 0, .peers = PEERS, .ring_bytes = RING_BYTES};

/* The last rank stands behind so many others that rings are as small as they get. */
static struct cpi_place places[RANKS] = {{0, 0}, {0, 1}, {0, 2}, {0, 3}, {1, 0}, {1, 1022}};
static const struct cpi_segment segment = {.header = &header, .places = places};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void
must(bool holds)
{
    if (!holds)
        abort();
}

/* --- the router --- */

void
router_on(struct router *router, enum cpi_frame_kind kind, router_frame_fn *fn, void *arg)
{
    (void)router;
    outside.handlers[kind] = fn;
    outside.arg = arg;
}

void
router_counts(const struct router *router, struct router_counts *counts)
{
    (void)router;
    *counts = (struct router_counts){0};
}

static bool
router_is_full(void)
{
    if (outside.full == 0)
        return false;
    outside.full--;
    return true;
}

/* A body for a rank: whole when its last part came, and never with a part missing. */
static void
body_take(uint32_t rank, const struct cpi_frame *frame)
{
    struct cpi_assembly *body = &outside.to_rank[rank][frame->kind];
    struct cpi_var_reply reply;
    bool complete;

    must(cpi_assembly_add(body, frame, &complete) == CPMP_OK);
    if (!complete)
        return;
    if (frame->kind == CPI_FRAME_VAR_REPLY) {
        must(body->bytes >= sizeof(reply));
        memcpy(&reply, body->body, sizeof(reply));
        must(body->bytes == sizeof(reply) + reply.value_bytes);
        must(frame->tag <= 0 && reply.done <= 1);
    } else {
        must(body->bytes > (size_t)(unsigned char)body->body[0]);
    }
    cpi_assembly_release(body);
}

static void
ack_take(uint32_t rank, const struct cpi_frame *frame)
{
    must(cpi_frame_payload_bytes(frame) == 0);
    if (frame->tag == 1)
        return;  /* of a subscription */
    outside.acked[rank]++;
    must(outside.acked[rank] <= outside.told[rank]);
}

int
router_send_to_rank(struct router *router, uint32_t world_rank, const struct cpi_frame *frame)
{
    (void)router;
    must(world_rank < RANKS && frame->dest == world_rank);
    must(frame->size <= cpi_ring_frame_max(RING_BYTES));
    must(cpi_frame_check(frame, frame->size, RANKS) == CPMP_OK);
    if (router_is_full())
        return CPMP_EAGAIN;
    if (outside.lost && world_rank >= OWN_RANKS)
        return CPMP_EPEER;
    switch (frame->kind) {
    case CPI_FRAME_VAR_REPLY:
    case CPI_FRAME_EVENT: body_take(world_rank, frame); break;
    case CPI_FRAME_EVENT_ACK: ack_take(world_rank, frame); break;
    default: abort();
    }
    return CPMP_OK;
}

int
router_send_to_agent(struct router *router, uint32_t peer, const struct cpi_frame *frame)
{
    (void)router;
    must(peer != header.peer && peer < PEERS && frame->source < OWN_RANKS);
    must(frame->kind == CPI_FRAME_SUBSCRIBE ||
         (frame->kind == CPI_FRAME_VAR_CALL && frame->handle >> 32 == peer));
    if (router_is_full())
        return CPMP_EAGAIN;
    return outside.lost ? CPMP_EPEER : CPMP_OK;
}

/* --- the launcher --- */

int
control_stream_has_room(struct control_stream *stream)
{
    (void)stream;
    return !outside.no_room;
}

void
report_event(struct control_stream *stream, uint32_t rank, uint64_t sequence, const char *topic,
             const void *data, size_t bytes, bool is_text)
{
    volatile uint8_t touched = is_text;

    (void)stream;
    (void)sequence;
    must(rank < RANKS && !outside.no_room);
    must(strlen(topic) <= CPMP_NAME_MAX && bytes <= CPMP_EVENT_BYTES_MAX);
    for (size_t i = 0; i < bytes; i++)
        touched ^= ((const uint8_t *)data)[i];
    outside.told[rank]++;
}

void
report_abort(struct control_stream *stream, uint32_t rank, int code, const char *text)
{
    (void)stream;
    (void)code;
    must(rank < OWN_RANKS && strlen(text) < 1024);
}

void
report_trouble(struct control_stream *stream, enum control_trouble severity, const char *format,
               ...)
{
    (void)stream;
    must(severity == CONTROL_TROUBLE_FATAL && strlen(format) > 0);
}

/* --- the input --- */

static void
outside_begin(void)
{
    memset(&outside, 0, sizeof(outside));
}

static void
outside_end(void)
{
    for (unsigned rank = 0; rank < RANKS; rank++)
        for (unsigned kind = 0; kind < KINDS_BELOW; kind++)
            cpi_assembly_release(&outside.to_rank[rank][kind]);
}

/* What the router makes sure of before it calls a handler. */
static void
frame_deliver(const struct cpi_frame *frame)
{
    uint32_t peer = frame->source < OWN_RANKS ? 0 : 1;

    if (cpi_frame_check(frame, frame->size, RANKS) != CPMP_OK || frame->kind >= KINDS_BELOW ||
        outside.handlers[frame->kind] == NULL ||
        (peer == 0 && frame->size > cpi_ring_frame_max(RING_BYTES)))
        return;
    outside.handlers[frame->kind](outside.arg, peer, frame);
}

/* A body longer than an input, and longer than an event may be. */
static void
long_deliver(struct cpi_frame *frame)
{
    size_t part = cpi_frame_payload_bytes(frame);

    frame->length = LONG_BYTES;
    for (size_t at = 0; part > 0 && at < LONG_BYTES; at += part) {
        if (part > LONG_BYTES - at)
            part = LONG_BYTES - at;
        frame->size = (uint32_t)(sizeof(*frame) + part);
        frame->context = (uint32_t)at;
        frame_deliver(frame);
    }
}

static void
entry_run(struct services *services, const struct entry *entry, struct cpi_frame *frame)
{
    outside.lost = outside.lost || entry->full == 255;
    outside.full = entry->full == 255 ? 0 : entry->full;
    outside.no_room = entry->room % 2 == 1;
    if (entry->action == FORGET && frame->source < RANKS)
        services_forget(services, frame->source);
    if (entry->action == WHOLE) {
        frame->context = 0;
        frame->length = cpi_frame_payload_bytes(frame);
    }
    if (entry->action == LONG)
        long_deliver(frame);
    else
        frame_deliver(frame);
    if (entry->flush % 2 == 1)
        services_flush(services);
}

/* The entry at `at`; where the next one is, or 0 when the input ends before. */
static size_t
entry_read(const uint8_t *data, size_t bytes, size_t at, struct entry *entry,
           struct cpi_frame *frame)
{
    if (bytes - at < sizeof(*entry) + sizeof(*frame))
        return 0;
    memcpy(entry, data + at, sizeof(*entry));
    at += sizeof(*entry);
    memcpy(frame, data + at, sizeof(*frame));
    uint32_t size = frame->size;
    if (size < sizeof(*frame) || size > bytes - at || size > CPI_FRAME_MAX)
        size = sizeof(*frame);  /* a wrong size is fuzz_frame's; the rest may be of use */
    memcpy(frame, data + at, size);
    frame->size = size;
    return at + size;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    _Alignas(64) static char room[CPI_FRAME_MAX];
    struct cpi_frame *frame = (struct cpi_frame *)room;
    struct services *services;
    struct entry entry;
    size_t at = 0;

    outside_begin();
    must(services_open(&services, NULL, NULL, &segment) == CPMP_OK);
    while ((at = entry_read(data, bytes, at, &entry, frame)) != 0)
        entry_run(services, &entry, frame);

    if (bytes % 2 == 0) {  /* else it ends with what it has kept */
        outside.no_room = false;
        outside.full = 0;
        services_flush(services);
        services_flush(services);  /* acknowledgements of what the first one told */
        must(services_are_drained(services));
        for (unsigned rank = 0; rank < OWN_RANKS; rank++)
            must(outside.acked[rank] == outside.told[rank]);
    }
    services_close(services);
    outside_end();
    return 0;
}
