/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What other peers say over a link: whatever the bytes, a peer that takes them keeps its
 * invariants, and what its codec lets through comes out the same when it is coded again.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "peer/detector_codec.h"
#include "peer/overlay_codec.h"
#include "proto/chord/chord.h"
#include "proto/detector/detector.h"
#include "proto/kv/kv.h"
#include "wire/peer.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* A peer in the middle of a ring of three, with a record of each. */
static struct world {
    struct book book;
    struct chord_params chord_params;
    struct kv_params kv_params;
    struct chord *chord;
    struct kv *kv;
    struct detector *detector;
    struct chord_peer peers[3];
    uint64_t now_us;
} world;

static union {
    struct chord_actions chord;
    struct kv_actions kv;
    struct detector_actions detector;
} actions;

static void
mark_nothing(void *arg)
{
    (void)arg;
}

static void
ring_make(void)
{
    struct chord_peer successors[2] = {world.peers[2], world.peers[1]};
    struct kv_event ring = {.kind = KV_EVENT_RING, .member = true, .successors = successors,
                            .successor_count = 2, .predecessor = &world.peers[1]};

    chord_place(world.chord, 0, &world.peers[1], successors, 2, NULL, 0);
    ring.now_us = ++world.now_us;
    kv_step(world.kv, &ring, &actions.kv);
    for (uint32_t i = 1; i < 3; i++) {
        struct detector_event watch = {.type = DETECTOR_EVENT_WATCH, .contact = i,
                                       .id = world.peers[i].id, .purpose = DETECTOR_FOR_RING,
                                       .now_us = world.now_us};
        detector_step(world.detector, &watch, &actions.detector);
    }
}

static void
world_begin(void)
{
    struct detector_settings settings = detector_settings_default();

    world.now_us = 1000;
    world.chord_params = chord_params_default();
    world.kv_params = kv_params_default();
    book_init(&world.book, mark_nothing, NULL);
    for (uint32_t i = 0; i < 3; i++) {
        struct book_peer peer = {.name = "peer", .own_word = true};
        memset(peer.id.bytes, (int)(0x50 * ((i * 2 + 1) % 3) + 8), sizeof(peer.id.bytes));
        world.peers[i] = (struct chord_peer){.id = peer.id,
                                             .contact = book_intern(&world.book, &peer, 1)};
    }
    world.chord = chord_new(&world.chord_params, &world.peers[0].id, 0, 7);
    world.kv = kv_new(&world.kv_params, &world.peers[0]);
    world.detector = detector_new(&settings, &world.peers[0].id, 1, 7, world.now_us);
    assert(world.chord != NULL && world.kv != NULL && world.detector != NULL);
    ring_make();
}

static void
world_end(void)
{
    chord_free(world.chord);
    kv_free(world.kv);
    detector_free(world.detector);
    book_release(&world.book);
}

static void
chord_take(const Cpmp__ChordMessage *body)
{
    static struct chord_message message, again;
    static struct overlay_codec_chord codec;
    struct chord_event event = {.kind = CHORD_EVENT_MESSAGE, .now_us = ++world.now_us,
                                .message = &message};

    if (overlay_codec_chord_read(body, &world.peers[1], &world.book, world.now_us, &message) !=
        CPMP_OK)
        return;
    overlay_codec_chord_fill(&codec, &world.book, &message);
    assert(overlay_codec_chord_read(&codec.body, &world.peers[1], &world.book, world.now_us,
                                    &again) == CPMP_OK);
    assert(again.kind == message.kind && again.peer_count == message.peer_count &&
           chord_id_equal(&again.key, &message.key));
    chord_step(world.chord, &event, &actions.chord);
    chord_check(world.chord);
    for (int i = 0; i < 8; i++) {
        uint64_t due_us = chord_deadline_us(world.chord);
        event = (struct chord_event){.kind = CHORD_EVENT_TIME};
        event.now_us = world.now_us = due_us > world.now_us ? due_us : world.now_us;
        chord_step(world.chord, &event, &actions.chord);
        chord_check(world.chord);
    }
}

static void
kv_take(const Cpmp__KvMessage *body)
{
    static struct kv_message message, again;
    static struct overlay_codec_kv codec;
    struct kv_event event = {.kind = KV_EVENT_MESSAGE, .message = &message};

    if (overlay_codec_kv_read(body, &world.peers[1], &message) != CPMP_OK)
        return;
    overlay_codec_kv_fill(&codec, &message);
    assert(overlay_codec_kv_read(&codec.body, &world.peers[1], &again) == CPMP_OK);
    assert(again.kind == message.kind && again.record_count == message.record_count);
    event.now_us = ++world.now_us;
    kv_step(world.kv, &event, &actions.kv);
    kv_check(world.kv);
    event = (struct kv_event){.kind = KV_EVENT_TIME, .now_us = ++world.now_us};
    kv_step(world.kv, &event, &actions.kv);
    kv_check(world.kv);
}

static void
detector_take(const Cpmp__DetectorMessage *body)
{
    static struct detector_message message;
    struct detector_event event = {.type = DETECTOR_EVENT_MESSAGE, .contact = 1,
                                   .id = world.peers[1].id, .message = &message};

    if (detector_codec_read(body, &message) != CPMP_OK)
        return;
    event.now_us = ++world.now_us;
    detector_step(world.detector, &event, &actions.detector);
    detector_check(world.detector);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    Cpmp__PeerMessage *message = cpmp__peer_message__unpack(NULL, bytes, data);

    if (message == NULL)
        return 0;
    world_begin();
    if (message->body_case == CPMP__PEER_MESSAGE__BODY_CHORD)
        chord_take(message->chord);
    else if (message->body_case == CPMP__PEER_MESSAGE__BODY_KV)
        kv_take(message->kv);
    else if (message->body_case == CPMP__PEER_MESSAGE__BODY_DETECTOR)
        detector_take(message->detector);
    world_end();
    cpmp__peer_message__free_unpacked(message, NULL);
    return 0;
}
