/* SPDX-License-Identifier: BSD-3-Clause */
/* Pieces for other peers: sent while there is room, else kept in mind, within bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cpmp.h>

#include "peer/uploads.h"
#include "peer_world.h"

static struct peer_world world;
static struct content_store *store;
static struct content_name name;
static struct uploads uploads;
static unsigned sent;
static size_t last_bytes;
static uint32_t last_contact, room_left;

static void
send_hook(void *arg, uint32_t contact, Cpmp__PeerMessage *message)
{
    (void)arg;
    assert_int_equal(CPMP__PEER_MESSAGE__BODY_PIECE_REPLY, message->body_case);
    sent++;
    last_contact = contact;
    last_bytes = message->piece_reply->data.len;
    room_left -= room_left > 0;
}

static bool
room_hook(void *arg, uint32_t contact)
{
    (void)arg;
    (void)contact;
    return room_left > 0;
}

static const struct uploads_hooks hooks = {.send = send_hook, .has_room = room_hook};

static int
begin(void **state)
{
    struct text why = {0};
    struct content_manifest manifest;
    char path[128];
    int fd = memfd_create("content", MFD_CLOEXEC);
    (void)state;

    sent = room_left = 0;
    peer_world_init(&world, NULL);
    snprintf(path, sizeof(path), "%s/store", world.directory);
    assert_int_equal(CPMP_OK, content_open(path, 1 << 24, &store, &why));
    assert_int_equal(0, ftruncate(fd, CONTENT_PIECE_BYTES + 100));
    assert_int_equal(CPMP_OK, content_insert(store, fd, false, &manifest));
    name = manifest.name;
    content_manifest_release(&manifest);
    close(fd);
    uploads_init(&uploads, store, &hooks, NULL);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    uploads_release(&uploads);
    content_close(store);
    peer_world_end(&world);
    return 0;
}

static void
ask(uint32_t contact, uint32_t piece)
{
    Cpmp__PieceRequest request = CPMP__PIECE_REQUEST__INIT;

    request.name.data = name.bytes;
    request.name.len = sizeof(name.bytes);
    request.piece = piece;
    uploads_ask(&uploads, contact, &request);
}

static void
pieces_go_while_there_is_room(void **state)
{
    (void)state;
    room_left = 10;
    ask(1, 0);
    assert_int_equal(CONTENT_PIECE_BYTES, last_bytes);
    ask(1, 1);
    assert_int_equal(100, last_bytes);
    ask(1, 2);
    ask(1, UINT32_MAX);
    assert_int_equal(0, last_bytes);
    name.bytes[0] ^= 1;
    ask(1, 0);
    assert_int_equal(0, last_bytes);
    assert_int_equal(5, sent);
    assert_int_equal(0, uploads.count);
}

static void
without_room_they_wait_in_order(void **state)
{
    (void)state;
    for (uint32_t piece = 0; piece < 3; piece++) {
        ask(1, piece);
        ask(2, piece);
        ask(2, piece);
    }
    assert_int_equal(0, sent);
    assert_int_equal(6, uploads.count);
    room_left = 2;
    uploads_room(&uploads, 2);
    assert_int_equal(2, sent);
    assert_int_equal(2, last_contact);
    assert_int_equal(100, last_bytes);
    assert_int_equal(4, uploads.count);
    uploads_forget(&uploads, 2);
    room_left = 10;
    uploads_room(&uploads, 2);
    assert_int_equal(2, sent);
    uploads_room(&uploads, 1);
    assert_int_equal(5, sent);
    assert_int_equal(0, uploads.count);
}

static void
who_asks_for_everything_gets_a_bounded_line(void **state)
{
    (void)state;
    for (uint32_t piece = 0; piece < 2 * UPLOADS_MAX; piece++)
        ask(1, piece);
    assert_int_equal(UPLOADS_OF_ONE_MAX, uploads.count);
    ask(2, 0);
    assert_int_equal(UPLOADS_OF_ONE_MAX + 1, uploads.count);
    for (uint32_t contact = 3; contact < 20; contact++)
        for (uint32_t piece = 0; piece < UPLOADS_OF_ONE_MAX; piece++)
            ask(contact, piece);
    assert_int_equal(UPLOADS_MAX, uploads.count);
    assert_int_equal(0, sent);
}

int
main(void)
{
#define HERE(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        HERE(pieces_go_while_there_is_room),
        HERE(without_room_they_wait_in_order),
        HERE(who_asks_for_everything_gets_a_bounded_line),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
