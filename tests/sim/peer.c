/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer.h"

#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "text/memory.h"

#define IDLE_WAKES_MAX 10000  /* more wakes without time passing are an endless loop */

uint64_t sim_peer_clock_us(const struct sim_world *world, uint32_t peer)
{
    const struct sim_peer *own = &world->peers[peer];

    return own->clock_offset_us + world->now_us / 1000000 * own->clock_rate
           + world->now_us % 1000000 * own->clock_rate / 1000000;
}

/* When the peer's clock will show local_us; at least 1 us from now when that is to come. */
static uint64_t real_us(const struct sim_world *world, uint32_t peer, uint64_t local_us)
{
    const struct sim_peer *own = &world->peers[peer];
    uint64_t clock_us = sim_peer_clock_us(world, peer);
    uint64_t left_us = local_us > clock_us ? local_us - clock_us : 0;

    if (left_us > UINT64_MAX / 2000000)
        return UINT64_MAX;
    return world->now_us + (left_us * 1000000 + own->clock_rate - 1) / own->clock_rate;
}

void sim_peer_schedule(struct sim_world *world, uint32_t peer)
{
    struct sim_peer *own = &world->peers[peer];
    uint64_t local_us, at_us;

    if (own->chord == NULL)
        return;
    local_us = chord_deadline_us(own->chord);
    if (own->detector != NULL && detector_deadline_us(own->detector) < local_us)
        local_us = detector_deadline_us(own->detector);
    if (own->kv != NULL && kv_deadline_us(own->kv) < local_us)
        local_us = kv_deadline_us(own->kv);
    if (local_us == CHORD_NEVER)
        return;
    at_us = real_us(world, peer, local_us);
    if (at_us >= own->wake_us)
        return;
    own->wake_us = at_us;
    sim_queue_put(&world->queue, (struct sim_event){ .at_us = at_us, .kind = SIM_EVENT_WAKE,
                                                     .peer = peer });
}

static void note(struct sim_world *world, uint32_t peer, const char *what, const char *detail,
                 uint32_t other, uint64_t value)
{
    if (world->trace.events != NULL || world->trace.is_loud)
        sim_trace_add(&world->trace, peer, &(struct sim_trace_event){ world->now_us, what, detail,
                                                                      other, value });
}

/* --- messages --- */

static const char *chord_name(enum chord_kind kind)
{
    static const char *const names[CHORD_KIND_END] = {
        [CHORD_STATE] = "STATE", [CHORD_STATE_REPLY] = "STATE_REPLY", [CHORD_BUSY] = "BUSY",
        [CHORD_NOT_MEMBER] = "NOT_MEMBER", [CHORD_NOTIFY] = "NOTIFY", [CHORD_PING] = "PING",
        [CHORD_PONG] = "PONG", [CHORD_NUDGE] = "NUDGE", [CHORD_LOOKUP] = "LOOKUP",
        [CHORD_TAKEN] = "TAKEN", [CHORD_LOOKUP_REPLY] = "LOOKUP_REPLY", [CHORD_STEP] = "STEP",
        [CHORD_STEP_REPLY] = "STEP_REPLY", [CHORD_MEET] = "MEET", [CHORD_LEAVE] = "LEAVE",
    };

    return kind < CHORD_KIND_END ? names[kind] : "?";
}

static const char *detector_name(enum detector_kind kind)
{
    static const char *const names[] = {
        [DETECTOR_PING] = "ping", [DETECTOR_ACK] = "ack", [DETECTOR_PROBE] = "probe",
        [DETECTOR_PROBED] = "probed", [DETECTOR_NEWS] = "news",
    };

    return kind <= DETECTOR_NEWS ? names[kind] : "?";
}

static const char *kv_name(enum kv_kind kind)
{
    static const char *const names[KV_KIND_END] = {
        [KV_STORE] = "Store", [KV_STORED] = "Stored", [KV_ASK] = "Ask", [KV_RECORDS] = "Records",
    };

    return kind < KV_KIND_END ? names[kind] : "?";
}

static const char *message_name(const struct sim_message *message)
{
    if (message->module == SIM_KV)
        return kv_name(message->kv.kind);
    return message->module == SIM_CHORD ? chord_name(message->chord.kind)
                                        : detector_name(message->detector.kind);
}

static size_t message_bytes(const struct sim_message *message)
{
    size_t head = offsetof(struct sim_message, chord);

    if (message->module == SIM_KV)
        return head + offsetof(struct kv_message, records)
               + message->kv.record_count * sizeof message->kv.records[0];
    if (message->module == SIM_DETECTOR)
        return head + offsetof(struct detector_message, rumors)
               + message->detector.rumor_count * sizeof message->detector.rumors[0];
    return head + offsetof(struct chord_message, peers)
           + message->chord.peer_count * sizeof message->chord.peers[0];
}

static uint64_t message_token(const struct sim_message *message)
{
    if (message->module == SIM_KV)
        return message->kv.token;
    return message->module == SIM_CHORD ? message->chord.token : message->detector.number;
}

/* A copy of the message, with the values that its records borrow behind it. */
static struct sim_message *message_copy(const struct sim_message *message)
{
    uint32_t records = message->module == SIM_KV ? message->kv.record_count : 0;
    struct sim_message *copy = memory_grow(NULL, 1, message->bytes + records * SIM_VALUE_BYTES);

    memcpy(copy, message, message->bytes);
    for (uint32_t i = 0; i < records; i++)
        if (message->kv.records[i].bytes == SIM_VALUE_BYTES)
            memcpy((uint8_t *)copy + message->bytes + i * SIM_VALUE_BYTES,
                   message->kv.records[i].value, SIM_VALUE_BYTES);
    return copy;
}

/* Hands world->outgoing to the network. */
static void post(struct sim_world *world, uint32_t from, uint32_t to)
{
    struct sim_message *message = &world->outgoing;
    uint64_t at_us[2];
    size_t copies;

    if (to >= world->peer_count) {
        sim_world_break(world, "messages go to peers that there are", from, SIM_NOBODY);
        return;
    }
    message->from = from;
    message->is_forged = false;
    if (world->mutant != SIM_MUTANT_NONE && !sim_mutant_sends(world, from, to, message))
        return;
    message->bytes = (uint32_t)message_bytes(message);
    copies = sim_network_send(&world->network, world->now_us, from % world->places,
                              to % world->places, at_us);
    world->messages[message->module]++;
    for (size_t i = 0; i < copies; i++)
        sim_queue_put(&world->queue, (struct sim_event){ .at_us = at_us[i],
                                                         .kind = SIM_EVENT_MESSAGE, .peer = to,
                                                         .message = message_copy(message) });
    note(world, from, copies > 0 ? "sends" : "sends, lost:", message_name(message), to,
         message_token(message));
}

static void post_chord(struct sim_world *world, uint32_t from, const struct chord_send *send)
{
    world->outgoing.module = SIM_CHORD;
    memcpy(&world->outgoing.chord, &send->message,
           offsetof(struct chord_message, peers)
               + send->message.peer_count * sizeof send->message.peers[0]);
    post(world, from, send->contact);
}

static void post_detector(struct sim_world *world, uint32_t from, uint32_t to,
                          const struct detector_message *message)
{
    world->outgoing.module = SIM_DETECTOR;
    world->outgoing.detector = *message;
    post(world, from, to);
}

static void post_kv(struct sim_world *world, uint32_t from, const struct kv_send *send)
{
    world->outgoing.module = SIM_KV;
    memcpy(&world->outgoing.kv, &send->message,
           offsetof(struct kv_message, records)
               + send->message.record_count * sizeof send->message.records[0]);
    post(world, from, send->contact);
}

/* --- what a peer knows, for those above --- */

void sim_peer_show(struct sim_world *world, uint32_t peer)
{
    struct sim_ring_peer *shown = &world->ring.peers[peer];
    const struct sim_peer *own = &world->peers[peer];
    const struct chord_peer *successors, *predecessor;
    size_t count = 0;

    shown->is_up = own->chord != NULL;
    shown->is_member = shown->is_up && chord_status(own->chord) == CHORD_MEMBER;
    shown->successor_count = 0;
    shown->predecessor = SIM_NOBODY;
    if (!shown->is_member)
        return;
    predecessor = chord_predecessor(own->chord);
    if (predecessor != NULL)
        shown->predecessor = predecessor->contact;
    successors = chord_successors(own->chord, &count);
    shown->successor_count = (uint32_t)(count < SIM_SUCCESSORS_MAX ? count : SIM_SUCCESSORS_MAX);
    for (uint32_t i = 0; i < shown->successor_count; i++)
        shown->successors[i] = successors[i].contact;
}

static void ring_check(struct sim_world *world)
{
    struct sim_broken found = sim_ring_check(&world->ring);

    if (found.what != NULL)
        sim_world_break(world, found.what, found.peer, found.other);
}

/* --- the detector watches the neighbours --- */

static void detector_do(struct sim_world *world, uint32_t peer, struct detector_event *event);

static bool is_neighbour(const struct sim_ring_peer *shown, uint32_t other)
{
    if (shown->predecessor == other)
        return true;
    for (uint32_t i = 0; i < shown->successor_count; i++)
        if (shown->successors[i] == other)
            return true;
    return false;
}

static void watch(struct sim_world *world, uint32_t peer, uint32_t other)
{
    struct detector_view view;

    if (other == SIM_NOBODY || (detector_find(world->peers[peer].detector, other, &view)
                                && view.purpose & DETECTOR_FOR_RING))
        return;
    detector_do(world, peer, &(struct detector_event){
        .type = DETECTOR_EVENT_WATCH, .contact = other, .id = world->peers[other].id,
        .purpose = DETECTOR_FOR_RING, .far = true });
}

static void watch_neighbours(struct sim_world *world, uint32_t peer)
{
    const struct sim_ring_peer *shown = &world->ring.peers[peer];
    struct detector_view view;
    uint32_t index = 0;

    while (detector_at(world->peers[peer].detector, index, &view)) {
        if (is_neighbour(shown, view.contact) || !(view.purpose & DETECTOR_FOR_RING)) {
            index++;
            continue;
        }
        index += view.purpose != DETECTOR_FOR_RING;
        detector_do(world, peer, &(struct detector_event){ .type = DETECTOR_EVENT_UNWATCH,
                                                           .contact = view.contact,
                                                           .purpose = DETECTOR_FOR_RING });
    }
    watch(world, peer, shown->predecessor);
    for (uint32_t i = 0; i < shown->successor_count; i++)
        watch(world, peer, shown->successors[i]);
}

/* Its chord hears of it in an event of its own: this may be in the middle of a step. */
static void tell_later(struct sim_world *world, uint32_t peer, uint32_t other, bool has_failed)
{
    sim_queue_put(&world->queue, (struct sim_event){ .at_us = world->now_us,
                                                     .kind = SIM_EVENT_TELL, .peer = peer,
                                                     .number = other, .flag = has_failed });
}

static void detector_act(struct sim_world *world, uint32_t peer,
                         const struct detector_action *action)
{
    uint32_t to = action->contact;

    switch (action->type) {
    case DETECTOR_ACTION_SEND:
        if (to == DETECTOR_NO_CONTACT)
            to = sim_world_by_id(world, &action->id);
        if (to != SIM_NOBODY)
            post_detector(world, peer, to, &action->message);
        break;
    case DETECTOR_ACTION_CHANGED:
        note(world, peer, action->state == DETECTOR_DEAD ? "calls dead" : "changes its mind of",
             NULL, to, 0);
        if (world->mutant == SIM_MUTANT_MUTE)
            break;
        if (action->state == DETECTOR_DEAD || action->state == DETECTOR_LEFT)
            tell_later(world, peer, to, true);
        else if (action->state == DETECTOR_ALIVE)
            tell_later(world, peer, to, false);
        break;
    case DETECTOR_ACTION_SELF:
        if (world->peers[peer].disk != NULL)
            world->peers[peer].disk->incarnation = action->incarnation;
        break;
    }
}

static void detector_do(struct sim_world *world, uint32_t peer, struct detector_event *event)
{
    struct detector *detector = world->peers[peer].detector;

    event->now_us = sim_peer_clock_us(world, peer);
    detector_step(detector, event, &world->detector_actions);
    detector_check(detector);
    for (uint32_t i = 0; i < world->detector_actions.count; i++)
        detector_act(world, peer, &world->detector_actions.list[i]);
}

/* --- chord, and the store above it --- */

#define KV_TOKENS (UINT64_C(1) << 63)  /* this bit is set in lookups for the store */

static void chord_do(struct sim_world *world, uint32_t peer, struct chord_event *event);

/* What the actions point to lives until the next step of the store, and a lookup may end in one at
 * once: so lookups come last. */
static void kv_do(struct sim_world *world, uint32_t peer, struct kv_event *event)
{
    struct kv_actions *out = &world->kv_actions;
    struct kv_lookup lookups[KV_LOOKUPS_MAX];
    size_t lookup_count;

    event->now_us = sim_peer_clock_us(world, peer);
    kv_step(world->peers[peer].kv, event, out);
    kv_check(world->peers[peer].kv);
    for (size_t i = 0; i < out->send_count; i++)
        post_kv(world, peer, &out->sends[i]);
    for (size_t i = 0; i < out->result_count; i++)
        world->hooks.stored(world->hooks.arg, peer, &out->results[i]);
    lookup_count = out->lookup_count;
    memcpy(lookups, out->lookups, sizeof lookups);
    for (size_t i = 0; i < lookup_count; i++)
        chord_do(world, peer, &(struct chord_event){ .kind = CHORD_EVENT_LOOKUP,
                                                     .key = lookups[i].key,
                                                     .token = lookups[i].token | KV_TOKENS });
}

static void kv_ring(struct sim_world *world, uint32_t peer)
{
    struct chord *chord = world->peers[peer].chord;
    struct kv_event event = { .kind = KV_EVENT_RING, .predecessor = chord_predecessor(chord),
                              .member = chord_status(chord) == CHORD_MEMBER };

    event.successors = chord_successors(chord, &event.successor_count);
    kv_do(world, peer, &event);
}

static void result_give(struct sim_world *world, uint32_t peer, struct chord_result *result)
{
    if (world->peers[peer].kv != NULL && result->token & KV_TOKENS) {
        result->token &= ~KV_TOKENS;
        kv_do(world, peer, &(struct kv_event){ .kind = KV_EVENT_FOUND, .lookup = result,
                                               .token = result->token });
    } else if (world->hooks.result != NULL) {
        world->hooks.result(world->hooks.arg, peer, result);
    }
}

void sim_peer_put(struct sim_world *world, uint32_t peer, const struct chord_id *key,
                  uint64_t token, uint64_t lifetime_us, const uint8_t *value)
{
    note(world, peer, "puts", NULL, SIM_NOBODY, token);
    kv_do(world, peer, &(struct kv_event){ .kind = KV_EVENT_PUT, .key = *key, .token = token,
                                           .sequence = world->now_us, .value = value,
                                           .bytes = SIM_VALUE_BYTES,
                                           .lifetime_us = lifetime_us });
    sim_peer_schedule(world, peer);
}

void sim_peer_get(struct sim_world *world, uint32_t peer, const struct chord_id *key,
                  uint64_t token)
{
    note(world, peer, "gets", NULL, SIM_NOBODY, token);
    kv_do(world, peer, &(struct kv_event){ .kind = KV_EVENT_GET, .key = *key, .token = token });
    sim_peer_schedule(world, peer);
}

static bool has_heard(const struct sim_peer *own, uint32_t other)
{
    return own->heard[other / 64] >> other % 64 & 1;
}

/* The first of the rules that Zave's Chord adds: a pointer is adopted only after its peer was
 * heard. Who moves up since the head of the list died was adopted before. */
static void adoption_check(struct sim_world *world, uint32_t peer,
                           const struct sim_ring_peer *before)
{
    const struct sim_ring_peer *shown = &world->ring.peers[peer];
    uint32_t head = shown->successor_count > 0 ? shown->successors[0] : SIM_NOBODY;

    for (uint32_t i = 0; i < before->successor_count; i++)
        if (before->successors[i] == head)
            head = SIM_NOBODY;
    if (head != SIM_NOBODY && !has_heard(&world->peers[peer], head))
        sim_world_break(world, "a successor is adopted only after it was heard", peer, head);
    if (shown->predecessor != SIM_NOBODY && shown->predecessor != before->predecessor
        && !has_heard(&world->peers[peer], shown->predecessor))
        sim_world_break(world, "a predecessor is adopted only after it was heard", peer,
                        shown->predecessor);
}

static void changes_follow(struct sim_world *world, uint32_t peer)
{
    struct sim_ring_peer before = world->ring.peers[peer];

    sim_peer_show(world, peer);
    adoption_check(world, peer, &before);
    if (world->peers[peer].detector != NULL)
        watch_neighbours(world, peer);
    if (world->peers[peer].kv != NULL)
        kv_ring(world, peer);
    if (world->is_ring_watched)
        ring_check(world);
}

/* Results are given last, from a copy: who gets one may start another step. */
static void chord_do(struct sim_world *world, uint32_t peer, struct chord_event *event)
{
    struct chord_actions *out = &world->chord_actions;
    struct chord *chord = world->peers[peer].chord;
    struct chord_result results[CHORD_RESULTS_MAX];
    size_t result_count;
    bool has_changed;

    event->now_us = sim_peer_clock_us(world, peer);
    chord_step(chord, event, out);
    if (!world->are_checks_off)
        chord_check(chord);
    for (size_t i = 0; i < out->send_count; i++)
        post_chord(world, peer, &out->sends[i]);
    has_changed = out->changed != 0;
    result_count = out->result_count;
    memcpy(results, out->results, result_count * sizeof results[0]);
    if (has_changed && !world->are_checks_off)
        changes_follow(world, peer);
    for (size_t i = 0; i < result_count; i++)
        result_give(world, peer, &results[i]);
}

void sim_peer_tell(struct sim_world *world, uint32_t peer, uint32_t other, bool has_failed)
{
    if (!sim_peer_is_up(world, peer))
        return;
    note(world, peer, has_failed ? "is told of the death of" : "is told of the life of", NULL,
         other, 0);
    chord_do(world, peer, &(struct chord_event){
        .kind = has_failed ? CHORD_EVENT_FAILED : CHORD_EVENT_ALIVE, .contact = other });
    /* Who was called dead and lives may have been in a ring of others meanwhile. */
    if (!has_failed)
        chord_do(world, peer, &(struct chord_event){
            .kind = CHORD_EVENT_MET, .peer = { world->peers[other].id, other } });
    sim_peer_schedule(world, peer);
}

void sim_peer_lookup(struct sim_world *world, uint32_t peer, const struct chord_id *key,
                     uint64_t token, enum chord_mode mode)
{
    note(world, peer, "looks up", NULL, SIM_NOBODY, token);
    chord_do(world, peer, &(struct chord_event){ .kind = CHORD_EVENT_LOOKUP, .key = *key,
                                                 .token = token, .mode = mode });
    sim_peer_schedule(world, peer);
}

/* --- its life --- */

void sim_peer_start(struct sim_world *world, uint32_t peer)
{
    struct sim_peer *own = &world->peers[peer];
    uint64_t seed = sim_hash(world->seed, SIM_FOR_MODULES, peer, ++own->starts);

    own->chord = chord_new(&world->params, &own->id, peer, seed);
    if (own->chord == NULL)
        abort();
    if (world->has_detector) {
        own->disk->incarnation++;
        own->detector = detector_new(&world->detector_settings, &own->id, own->disk->incarnation,
                                     seed, sim_peer_clock_us(world, peer));
        if (own->detector == NULL)
            abort();
    }
    if (world->has_kv) {
        own->kv = kv_new(&world->kv_params, &(struct chord_peer){ own->id, peer });
        if (own->kv == NULL)
            abort();
    }
    own->wake_us = UINT64_MAX;
    memset(own->heard, 0, sizeof own->heard);
    sim_peer_show(world, peer);
    note(world, peer, "starts", NULL, SIM_NOBODY, own->starts);
}

/* The peers of its token, or of its file, are what it knows until it is a member. */
static void disk_keep(struct sim_disk *disk, const uint32_t *known, uint32_t count)
{
    disk->known_count = count;
    for (uint32_t i = 0; i < count; i++)
        disk->known[i] = known[i];
}

void sim_peer_join(struct sim_world *world, uint32_t peer, const uint32_t *known, size_t count,
                   uint64_t alone_us)
{
    struct chord_peer peers[SIM_KNOWN_MAX];

    if (count > SIM_KNOWN_MAX)
        count = SIM_KNOWN_MAX;
    for (size_t i = 0; i < count; i++)
        peers[i] = (struct chord_peer){ world->peers[known[i]].id, known[i] };
    if (world->peers[peer].disk != NULL)
        disk_keep(world->peers[peer].disk, known, (uint32_t)count);
    note(world, peer, "joins", NULL, count > 0 ? known[0] : SIM_NOBODY, 0);
    chord_do(world, peer, &(struct chord_event){ .kind = CHORD_EVENT_JOIN, .known = peers,
                                                 .known_count = count, .alone_us = alone_us });
    sim_peer_schedule(world, peer);
}

void sim_peer_meet(struct sim_world *world, uint32_t peer, uint32_t other)
{
    note(world, peer, "is introduced to", NULL, other, 0);
    chord_do(world, peer, &(struct chord_event){ .kind = CHORD_EVENT_MET,
                                                 .peer = { world->peers[other].id, other } });
    sim_peer_schedule(world, peer);
}

void sim_peer_watch_for_job(struct sim_world *world, uint32_t peer, uint32_t other)
{
    detector_do(world, peer, &(struct detector_event){
        .type = DETECTOR_EVENT_WATCH, .contact = other, .id = world->peers[other].id,
        .purpose = DETECTOR_FOR_JOBS, .far = true });
    sim_peer_schedule(world, peer);
}

static void disk_add(void *arg, uint32_t contact)
{
    struct sim_disk *disk = arg;

    for (uint32_t i = 0; i < disk->known_count; i++)
        if (disk->known[i] == contact)
            return;
    if (disk->known_count < SIM_KNOWN_MAX)
        disk->known[disk->known_count++] = contact;
}

/* The file of known peers is written whenever they change: those it has now, then older ones. */
static void disk_write(struct sim_peer *own, uint32_t peer)
{
    struct sim_disk old = *own->disk;

    own->disk->known_count = 0;
    chord_each_contact(own->chord, disk_add, own->disk);
    for (uint32_t i = 0; i < old.known_count; i++)
        disk_add(own->disk, old.known[i]);
    for (uint32_t i = 0; i < own->disk->known_count; i++)
        if (own->disk->known[i] == peer)
            own->disk->known[i] = own->disk->known[--own->disk->known_count];
}

void sim_peer_stop(struct sim_world *world, uint32_t peer)
{
    struct sim_peer *own = &world->peers[peer];

    if (own->disk != NULL)
        disk_write(own, peer);
    chord_free(own->chord);
    own->chord = NULL;
    detector_free(own->detector);
    own->detector = NULL;
    kv_free(own->kv);
    own->kv = NULL;
    own->stopped_us = world->now_us;
    sim_peer_show(world, peer);
    note(world, peer, "stops", NULL, SIM_NOBODY, 0);
    if (world->is_ring_watched && world->broken.what == NULL)
        ring_check(world);
}

void sim_peer_leave(struct sim_world *world, uint32_t peer)
{
    struct sim_peer *own = &world->peers[peer];

    note(world, peer, "leaves", NULL, SIM_NOBODY, 0);
    if (own->detector != NULL)
        detector_do(world, peer, &(struct detector_event){ .type = DETECTOR_EVENT_LEAVE });
    chord_do(world, peer, &(struct chord_event){ .kind = CHORD_EVENT_LEAVE });
    sim_peer_stop(world, peer);
}

/* A message came to a peer that doesn't run. At every other place only the daemon is gone, and the
 * machine says so; at the others the machine is off. */
static void refuse(struct sim_world *world, uint32_t peer, uint32_t sender)
{
    if (world->has_detector && sim_hash(world->seed, SIM_FOR_PLACES, peer % world->places, 2) & 1)
        sim_queue_put(&world->queue, (struct sim_event){
            .at_us = world->now_us + sim_network_distance_us(&world->network,
                                                             peer % world->places,
                                                             sender % world->places),
            .kind = SIM_EVENT_BROKEN, .peer = sender, .number = peer });
}

void sim_peer_break(struct sim_world *world, uint32_t peer, uint32_t other)
{
    if (world->peers[peer].detector == NULL)
        return;
    detector_do(world, peer, &(struct detector_event){ .type = DETECTOR_EVENT_BROKEN,
                                                       .contact = other, .refused = true });
    sim_peer_schedule(world, peer);
}

void sim_peer_hear(struct sim_world *world, uint32_t peer, const struct sim_message *arrived)
{
    struct sim_peer *own = &world->peers[peer];
    struct sim_message *message = &world->incoming;

    if (own->chord == NULL) {
        if (world->hooks.in_vain != NULL && arrived->module == SIM_CHORD)
            world->hooks.in_vain(world->hooks.arg, &arrived->chord);
        refuse(world, peer, arrived->from);
        return;
    }
    memcpy(message, arrived, arrived->bytes);
    if (!world->are_checks_off && !message->is_forged)
        own->heard[message->from / 64] |= UINT64_C(1) << message->from % 64;
    note(world, peer, "hears", message_name(message), message->from, message_token(message));
    if (world->mutant != SIM_MUTANT_NONE && !sim_mutant_hears(world, peer, message))
        return;
    if (message->module == SIM_KV) {
        for (uint32_t i = 0; i < message->kv.record_count; i++)
            message->kv.records[i].value = message->kv.records[i].bytes == 0 ? NULL
                : (const uint8_t *)arrived + arrived->bytes + i * SIM_VALUE_BYTES;
        if (own->kv != NULL)
            kv_do(world, peer, &(struct kv_event){ .kind = KV_EVENT_MESSAGE,
                                                   .message = &message->kv });
    } else if (message->module == SIM_CHORD) {
        if (own->detector != NULL)
            detector_do(world, peer, &(struct detector_event){ .type = DETECTOR_EVENT_HEARD,
                                                               .contact = message->from });
        chord_do(world, peer, &(struct chord_event){ .kind = CHORD_EVENT_MESSAGE,
                                                     .message = &message->chord });
    } else if (own->detector != NULL) {
        detector_do(world, peer, &(struct detector_event){
            .type = DETECTOR_EVENT_MESSAGE, .contact = message->from,
            .id = world->peers[message->from].id, .message = &message->detector });
    }
    sim_peer_schedule(world, peer);
}

static void endless_check(struct sim_world *world, uint32_t peer)
{
    struct sim_peer *own = &world->peers[peer];

    if (++own->idle_wakes > IDLE_WAKES_MAX)
        sim_world_break(world, "a peer that was woken sleeps until there is something to do",
                        peer, SIM_NOBODY);
}

static void trust_all(struct sim_world *world, uint32_t peer)
{
    struct detector_view view;

    for (uint32_t i = 0; detector_at(world->peers[peer].detector, i, &view); i++)
        detector_do(world, peer, &(struct detector_event){ .type = DETECTOR_EVENT_HEARD,
                                                           .contact = view.contact });
}

void sim_peer_wake(struct sim_world *world, uint32_t peer)
{
    struct sim_peer *own = &world->peers[peer];

    if (own->chord == NULL || own->wake_us != world->now_us)
        return;
    own->wake_us = UINT64_MAX;
    if (chord_deadline_us(own->chord) <= sim_peer_clock_us(world, peer))
        chord_do(world, peer, &(struct chord_event){ .kind = CHORD_EVENT_TIME });
    if (world->mutant == SIM_MUTANT_TRUSTING)
        trust_all(world, peer);
    if (own->detector != NULL
        && detector_deadline_us(own->detector) <= sim_peer_clock_us(world, peer))
        detector_do(world, peer, &(struct detector_event){ .type = DETECTOR_EVENT_TIMEOUT });
    if (own->kv != NULL && kv_deadline_us(own->kv) <= sim_peer_clock_us(world, peer))
        kv_do(world, peer, &(struct kv_event){ .kind = KV_EVENT_TIME });
    sim_peer_schedule(world, peer);
    if (own->wake_us == world->now_us)
        endless_check(world, peer);
    else
        own->idle_wakes = 0;
}
