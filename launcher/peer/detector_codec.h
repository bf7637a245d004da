/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_DETECTOR_CODEC_H
#define CPI_PEER_DETECTOR_CODEC_H

/* Messages of the failure detector as protobuf, to be sent as they are or within others. */

#include "proto/detector/detector.h"
#include "wire/detector.pb-c.h"

/* A protobuf message with all that it points to. It points into itself, so it must not be moved. */
struct detector_codec {
    Cpmp__DetectorMessage body;
    Cpmp__DetectorRumor about;
    Cpmp__DetectorRumor rumors[DETECTOR_RUMORS_MAX];
    Cpmp__DetectorRumor *rumor_list[DETECTOR_RUMORS_MAX];
    struct detector_message message;  /* a copy: ids are bytes of it */
};

/* Makes codec->body say what `message`, which must be valid (detector_message_valid), says. */
void detector_codec_fill(struct detector_codec *codec, const struct detector_message *message);

/* CPMP_OK, or CPMP_EPROTO when `body`, which came from outside, is no message that can be. */
int detector_codec_read(const Cpmp__DetectorMessage *body, struct detector_message *message_p);

#endif
