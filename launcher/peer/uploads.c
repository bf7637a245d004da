/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/uploads.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cpmp.h>

#include "text/memory.h"

void
uploads_init(struct uploads *uploads, struct content_store *store,
             const struct uploads_hooks *hooks, void *arg)
{
    *uploads = (struct uploads){.store = store, .hooks = hooks, .arg = arg};
}

void
uploads_release(struct uploads *uploads)
{
    free(uploads->list);
    uploads->list = NULL;
    uploads->count = 0;
}

static size_t
piece_read(const struct uploads *uploads, const struct uploads_one *one, uint8_t *bytes)
{
    int fd;
    ssize_t count;

    if (content_open_file(uploads->store, &one->name, &fd) != CPMP_OK)
        return 0;
    count = pread(fd, bytes, CONTENT_PIECE_BYTES, (off_t)one->piece * CONTENT_PIECE_BYTES);
    close(fd);
    return count > 0 ? (size_t)count : 0;
}

static void
piece_send(struct uploads *uploads, const struct uploads_one *one)
{
    Cpmp__PeerMessage message = CPMP__PEER_MESSAGE__INIT;
    Cpmp__PieceReply reply = CPMP__PIECE_REPLY__INIT;
    uint8_t *bytes = memory_new(1, CONTENT_PIECE_BYTES);

    reply.name.data = (uint8_t *)one->name.bytes;
    reply.name.len = CONTENT_NAME_BYTES;
    reply.piece = one->piece;
    reply.data.data = bytes;
    reply.data.len = piece_read(uploads, one, bytes);
    message.body_case = CPMP__PEER_MESSAGE__BODY_PIECE_REPLY;
    message.piece_reply = &reply;
    uploads->hooks->send(uploads->arg, one->contact, &message);
    free(bytes);
}

/* No room for it; or it was asked for already, since it takes its time, and is answered once. */
static bool
is_too_much(const struct uploads *uploads, const struct uploads_one *one)
{
    size_t of_one = 0;

    for (size_t i = 0; i < uploads->count; i++) {
        const struct uploads_one *other = &uploads->list[i];
        if (other->contact != one->contact)
            continue;
        if (other->piece == one->piece && content_name_equal(&other->name, &one->name))
            return true;
        of_one++;
    }
    return uploads->count == UPLOADS_MAX || of_one == UPLOADS_OF_ONE_MAX;
}

void
uploads_ask(struct uploads *uploads, uint32_t contact, const Cpmp__PieceRequest *request)
{
    struct uploads_one one = {.contact = contact, .piece = request->piece};

    if (request->name.len != CONTENT_NAME_BYTES)
        return;
    memcpy(one.name.bytes, request->name.data, CONTENT_NAME_BYTES);
    if (uploads->hooks->has_room(uploads->arg, contact)) {
        piece_send(uploads, &one);
        return;
    }
    if (is_too_much(uploads, &one))
        return;
    if (uploads->list == NULL)
        uploads->list = memory_new(UPLOADS_MAX, sizeof(*uploads->list));
    uploads->list[uploads->count++] = one;
}

static void
remove_at(struct uploads *uploads, size_t index)
{
    uploads->count--;
    memmove(&uploads->list[index], &uploads->list[index + 1],
            (uploads->count - index) * sizeof(*uploads->list));
}

void
uploads_room(struct uploads *uploads, uint32_t contact)
{
    for (size_t i = 0; i < uploads->count;) {
        struct uploads_one one = uploads->list[i];
        if (one.contact != contact) {
            i++;
            continue;
        }
        if (!uploads->hooks->has_room(uploads->arg, contact))
            return;
        remove_at(uploads, i);
        piece_send(uploads, &one);
    }
}

void
uploads_forget(struct uploads *uploads, uint32_t contact)
{
    for (size_t i = uploads->count; i-- > 0;)
        if (uploads->list[i].contact == contact)
            remove_at(uploads, i);
}
