/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_OVERLAY_CODEC_H
#define CPI_PEER_OVERLAY_CODEC_H

/*
 * Messages of the ring and of its soft state as protobuf. Contacts become ids with names and
 * addresses, out of the address book, and come back as contacts of the receiver's book.
 */

#include <stdint.h>

#include "peer/book.h"
#include "proto/kv/message.h"
#include "wire/overlay.pb-c.h"

/* A peer as it is spoken of; borrows from the book. It points into itself, so it must not be
 * moved. */
struct overlay_codec_peer {
    Cpmp__OverlayPeer body;
    struct chord_id id;
    char *addresses[BOOK_ADDRESSES_MAX];
};

struct overlay_codec_chord {
    Cpmp__ChordMessage body;
    struct overlay_codec_peer origin, subject, peers[CHORD_PEERS_MAX];
    Cpmp__OverlayPeer *peer_list[CHORD_PEERS_MAX];
    struct chord_id key;
};

struct overlay_codec_kv {
    Cpmp__KvMessage body;
    Cpmp__KvRecord records[KV_BATCH_MAX];
    Cpmp__KvRecord *record_list[KV_BATCH_MAX];
};

/* Says of a peer what the book knows. */
void overlay_codec_describe(struct overlay_codec_peer *peer, const struct book *book,
                            const struct chord_peer *who);

/* Enters a peer that was spoken of into the book. CPMP_OK, or CPMP_EPROTO when it is none. */
int overlay_codec_intern(const Cpmp__OverlayPeer *body, bool own_word, struct book *book,
                         uint64_t now_us, struct chord_peer *peer_p);

/* Fills codec->body; valid as long as the codec, the message and the book stay as they are. */
void overlay_codec_chord_fill(struct overlay_codec_chord *codec, const struct book *book,
                              const struct chord_message *message);
void overlay_codec_kv_fill(struct overlay_codec_kv *codec, const struct kv_message *message);

/* What came from `from`. CPMP_OK, or CPMP_EPROTO when `body` is no message that can be. Values of
 * kv's records are borrowed from `body`. */
int overlay_codec_chord_read(const Cpmp__ChordMessage *body, const struct chord_peer *from,
                             struct book *book, uint64_t now_us, struct chord_message *message_p);
int overlay_codec_kv_read(const Cpmp__KvMessage *body, const struct chord_peer *from,
                          struct kv_message *message_p);

#endif
