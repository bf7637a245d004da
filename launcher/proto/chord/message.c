/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/chord/message.h"

static bool
message_needs_subject(const struct chord_message *message)
{
    return message->kind == CHORD_MEET;
}

bool
chord_message_valid(const struct chord_message *message)
{
    if (message->kind < CHORD_STATE || message->kind >= CHORD_KIND_END)
        return false;
    if (message->flags & ~(uint32_t)CHORD_FLAGS_ALL)
        return false;
    if (message->peer_count > CHORD_PEERS_MAX || message->hops > CHORD_HOPS_MAX)
        return false;
    if (message->from.contact == CHORD_NO_CONTACT)
        return false;
    if (message->kind == CHORD_LOOKUP && message->origin.contact == CHORD_NO_CONTACT)
        return false;
    if (message->flags & CHORD_FLAG_SUBJECT)
        return message->subject.contact != CHORD_NO_CONTACT;
    return !message_needs_subject(message);
}
