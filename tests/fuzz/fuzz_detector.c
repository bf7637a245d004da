/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Detector messages from outside: what the codec lets through must survive being packed and read
 * again, and a detector that is fed it, between other events, must keep its invariants, its bounds,
 * and its trust in a peer that keeps answering.
 *
 * The first byte says who the sender is and how time passes; the rest is the message.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "peer/detector_codec.h"

#define CONTACTS 4u
#define STEPS    40u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct chord_id
id_of(uint32_t contact)
{
    struct chord_id id = {{(uint8_t)contact}};

    return id;
}

static void
survives_the_wire(const struct detector_message *message)
{
    static struct detector_codec codec;
    struct detector_message again;
    Cpmp__DetectorMessage *unpacked;
    uint8_t *packed;
    size_t size;

    detector_codec_fill(&codec, message);
    size = cpmp__detector_message__get_packed_size(&codec.body);
    packed = malloc(size);
    assert(packed);
    cpmp__detector_message__pack(&codec.body, packed);
    unpacked = cpmp__detector_message__unpack(NULL, size, packed);
    assert(unpacked && detector_codec_read(unpacked, &again) == CPMP_OK);
    assert(memcmp(message, &again, sizeof(again)) == 0);
    cpmp__detector_message__free_unpacked(unpacked, NULL);
    free(packed);
}

static void
step(struct detector *detector, const struct detector_event *event)
{
    static struct detector_actions actions;

    detector_step(detector, event, &actions);
    detector_check(detector);
    assert(actions.count <= DETECTOR_ACTIONS_MAX);
    for (uint32_t i = 0; i < actions.count; i++)
        if (actions.list[i].type == DETECTOR_ACTION_SEND)
            assert(detector_message_valid(&actions.list[i].message));
}

/* Contact 0 never sends the fuzzed message, and is heard in each step. */
static void
hears_it(const struct detector_message *message, uint8_t how)
{
    struct detector_settings settings = detector_settings_default();
    struct chord_id self = id_of(100);
    struct detector *detector = detector_new(&settings, &self, 5, how, 1000000);
    struct detector_event event = {.now_us = 1000000, .type = DETECTOR_EVENT_WATCH,
                                   .purpose = DETECTOR_FOR_RING};
    struct detector_view view;

    assert(detector);
    for (event.contact = 0; event.contact < CONTACTS; event.contact++) {
        event.id = id_of(event.contact);
        step(detector, &event);
    }
    for (uint32_t i = 0; i < STEPS; i++) {
        event.now_us += (uint64_t)(1 + how % 16) * 40000;
        event.type = DETECTOR_EVENT_HEARD;
        event.contact = 0;
        step(detector, &event);
        event.type = DETECTOR_EVENT_MESSAGE;
        event.contact = 1 + how / 16 % CONTACTS;  /* the last isn't watched */
        event.id = id_of(event.contact);
        event.message = message;
        step(detector, &event);
    }
    /* Rumors may make us doubt; dead it is only by our own finding. */
    assert(detector_find(detector, 0, &view));
    assert(view.state != DETECTOR_DEAD && view.state != DETECTOR_LEFT);
    detector_free(detector);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct detector_message message;
    Cpmp__DetectorMessage *body;

    if (bytes == 0)
        return 0;
    body = cpmp__detector_message__unpack(NULL, bytes - 1, data + 1);
    if (body == NULL)
        return 0;
    if (detector_codec_read(body, &message) == CPMP_OK) {
        survives_the_wire(&message);
        hears_it(&message, data[0]);
    }
    cpmp__detector_message__free_unpacked(body, NULL);
    return 0;
}
