/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/detector_codec.h"

#include <assert.h>
#include <string.h>

#include <cpmp.h>

static ProtobufCBinaryData
id_bytes(struct chord_id *id)
{
    return (ProtobufCBinaryData){.len = sizeof(id->bytes), .data = id->bytes};
}

static bool
id_read(const ProtobufCBinaryData *bytes, struct chord_id *id_p)
{
    if (bytes->len != sizeof(id_p->bytes))
        return false;
    memcpy(id_p->bytes, bytes->data, sizeof(id_p->bytes));
    return true;
}

/* The states and kinds in both orders, one apart: 0 on the wire is none. */
static Cpmp__DetectorState
state_on_wire(enum detector_state state)
{
    return (Cpmp__DetectorState)(state + 1);
}

static bool
state_read(Cpmp__DetectorState state, enum detector_state *state_p)
{
    if ((int)state < CPMP__DETECTOR_STATE__DETECTOR_STATE_ALIVE ||
        (int)state > CPMP__DETECTOR_STATE__DETECTOR_STATE_LEFT)
        return false;
    *state_p = (enum detector_state)(state - 1);
    return true;
}

_Static_assert(DETECTOR_LEFT + 1 == CPMP__DETECTOR_STATE__DETECTOR_STATE_LEFT, "one apart");
_Static_assert(DETECTOR_NEWS + 1 == CPMP__DETECTOR_KIND__DETECTOR_KIND_NEWS, "one apart");

static void
rumor_fill(Cpmp__DetectorRumor *body, struct detector_rumor *rumor)
{
    cpmp__detector_rumor__init(body);
    body->id = id_bytes(&rumor->id);
    body->incarnation = rumor->incarnation;
    body->silent_us = rumor->silent_us;
    body->state = state_on_wire(rumor->state);
}

static bool
rumor_read(const Cpmp__DetectorRumor *body, struct detector_rumor *rumor_p)
{
    rumor_p->incarnation = body->incarnation;
    rumor_p->silent_us = body->silent_us;
    return id_read(&body->id, &rumor_p->id) && state_read(body->state, &rumor_p->state);
}

void
detector_codec_fill(struct detector_codec *codec, const struct detector_message *message)
{
    Cpmp__DetectorMessage *body = &codec->body;

    assert(detector_message_valid(message));
    codec->message = *message;
    cpmp__detector_message__init(body);
    body->kind = (Cpmp__DetectorKind)(message->kind + 1);
    body->state = state_on_wire(message->state);
    body->incarnation = message->incarnation;
    body->silent_us = message->silent_us;
    body->number = message->number;
    if (message->kind == DETECTOR_PROBE)
        body->target = id_bytes(&codec->message.target);
    if (message->kind == DETECTOR_PROBED) {
        rumor_fill(&codec->about, &codec->message.about);
        body->about = &codec->about;
    }
    for (uint32_t i = 0; i < message->rumor_count; i++) {
        rumor_fill(&codec->rumors[i], &codec->message.rumors[i]);
        codec->rumor_list[i] = &codec->rumors[i];
    }
    body->rumors = codec->rumor_list;
    body->n_rumors = message->rumor_count;
}

static bool
rumors_read(const Cpmp__DetectorMessage *body, struct detector_message *message)
{
    if (body->n_rumors > DETECTOR_RUMORS_MAX)
        return false;
    message->rumor_count = (uint32_t)body->n_rumors;
    for (size_t i = 0; i < body->n_rumors; i++)
        if (!rumor_read(body->rumors[i], &message->rumors[i]))
            return false;
    return true;
}

int
detector_codec_read(const Cpmp__DetectorMessage *body, struct detector_message *message_p)
{
    struct detector_message message = {0};

    if ((int)body->kind < CPMP__DETECTOR_KIND__DETECTOR_KIND_PING ||
        (int)body->kind > CPMP__DETECTOR_KIND__DETECTOR_KIND_NEWS ||
        !state_read(body->state, &message.state))
        return CPMP_EPROTO;
    message.kind = (enum detector_kind)(body->kind - 1);
    message.incarnation = body->incarnation;
    message.silent_us = body->silent_us;
    message.number = body->number;
    if (message.kind == DETECTOR_PROBE && !id_read(&body->target, &message.target))
        return CPMP_EPROTO;
    if (message.kind == DETECTOR_PROBED &&
        (body->about == NULL || !rumor_read(body->about, &message.about)))
        return CPMP_EPROTO;
    if (!rumors_read(body, &message) || !detector_message_valid(&message))
        return CPMP_EPROTO;
    *message_p = message;
    return CPMP_OK;
}
