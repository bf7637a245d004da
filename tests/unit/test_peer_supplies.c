/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Contents that are wanted here: from another peer's store in pieces, from a program of this
 * machine, from both; sources that are lost, lie, or have nothing; quotas and limits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cpmp.h>

#include "content/content.h"
#include "peer/supplies.h"
#include "peer_world.h"
#include "text/memory.h"

#define PIECE  CONTENT_PIECE_BYTES
#define BYTES  (3u * PIECE + 1000u)
#define PIECES 4u
#define QUOTA  (16ull << 20)

enum temper { HONEST, LIAR, SILENT, EMPTY };

/* A request that the other peers will answer, once the loop turns. */
struct request {
    struct request *next;
    uint32_t contact, piece;
};

static struct peer_world world;
static struct content_store *store;
static struct supplies *supplies;
static struct supply *supply;
static uint32_t sources[2];
static enum temper tempers[2];
static unsigned char bytes[BYTES];
static struct content_manifest manifest;
static Cpmp__Content content;
static ProtobufCBinaryData piece_names[PIECES];
static struct request *requests;
static unsigned asked, told;
static uint64_t shipped_bytes;
static char why[300];

static void
send_hook(void *arg, uint32_t contact, Cpmp__PeerMessage *message)
{
    struct request *request = memory_new(1, sizeof(*request));
    (void)arg;

    assert_int_equal(CPMP__PEER_MESSAGE__BODY_PIECE_REQUEST, message->body_case);
    request->contact = contact;
    request->piece = message->piece_request->piece;
    request->next = requests;
    requests = request;
    asked++;
}

static void
requests_answer(void)
{
    struct request *request;

    while ((request = requests) != NULL) {
        Cpmp__PieceReply reply = CPMP__PIECE_REPLY__INIT;
        enum temper temper = tempers[request->contact == sources[1]];
        size_t at = (size_t)request->piece * PIECE;
        unsigned char byte = bytes[at];

        requests = request->next;
        reply.name.data = manifest.name.bytes;
        reply.name.len = CONTENT_NAME_BYTES;
        reply.piece = request->piece;
        reply.data.data = bytes + at;
        reply.data.len = temper == EMPTY ? 0 : BYTES - at < PIECE ? BYTES - at : PIECE;
        bytes[at] ^= temper == LIAR;
        if (temper != SILENT)
            supplies_answered(supplies, request->contact, &reply);
        bytes[at] = byte;
        free(request);
    }
}

static const struct supplies_hooks hooks = {.send = send_hook};

static void
store_begin(uint64_t quota_bytes)
{
    struct text text = {0};
    char path[128];

    snprintf(path, sizeof(path), "%s/store", world.directory);
    assert_int_equal(CPMP_OK, content_open(path, quota_bytes, &store, &text));
    supplies = supplies_new(&world.loop, store, &world.book, world.overlay, &hooks, NULL);
}

static void
content_make(void)
{
    int fd = memfd_create("content", MFD_CLOEXEC);

    for (size_t i = 0; i < BYTES; i++)
        bytes[i] = (unsigned char)(i * 7 + i / 251);
    assert_int_equal(BYTES, write(fd, bytes, BYTES));
    assert_int_equal(0, lseek(fd, 0, SEEK_SET));
    assert_int_equal(CPMP_OK, content_describe(fd, true, &manifest));
    close(fd);
    cpmp__content__init(&content);
    content.name.data = manifest.name.bytes;
    content.name.len = CONTENT_NAME_BYTES;
    content.size = BYTES;
    content.executable = true;
    content.n_pieces = PIECES;
    content.pieces = piece_names;
    for (size_t i = 0; i < PIECES; i++)
        piece_names[i] = (ProtobufCBinaryData){.len = CONTENT_NAME_BYTES,
                                               .data = manifest.pieces[i].bytes};
}

static int
begin(void **state)
{
    uint8_t id[CHORD_ID_BYTES] = {1};
    (void)state;

    asked = told = 0;
    shipped_bytes = 0;
    why[0] = '\0';
    supply = NULL;
    tempers[0] = tempers[1] = HONEST;
    peer_world_init(&world, id);
    for (uint8_t i = 0; i < 2; i++) {
        struct book_peer peer = {.name = i == 0 ? "pc2" : "pc3",
                                 .id = {.bytes = {(uint8_t)(i + 2)}}};
        sources[i] = book_intern(&world.book, &peer, 1);
    }
    content_make();
    store_begin(QUOTA);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    if (supply != NULL)
        supplies_end(supply);
    supplies_close(supplies);
    content_close(store);
    content_manifest_release(&manifest);
    while (requests != NULL) {
        struct request *next = requests->next;
        free(requests);
        requests = next;
    }
    peer_world_end(&world);
    return 0;
}

static void
on_supplied(void *arg, const char *reason, uint64_t shipped)
{
    (void)arg;
    told++;
    shipped_bytes = shipped;
    snprintf(why, sizeof(why), "%s", reason != NULL ? reason : "");
}

static void
want(uint32_t source)
{
    Cpmp__Content *list[] = {&content, &content};

    supply = supplies_begin(supplies, list, 2, source, on_supplied, NULL);
}

static bool
is_told(void *arg)
{
    (void)arg;
    requests_answer();
    return told > 0;
}

static void
assert_here(void)
{
    int fd;

    assert_string_equal("", why);
    assert_int_equal(1, told);
    assert_int_equal(CPMP_OK, content_open_file(store, &manifest.name, &fd));
    assert_int_equal(BYTES, lseek(fd, 0, SEEK_END));
    close(fd);
}

static void
what_another_peer_has_comes_once(void **state)
{
    unsigned asked_first;
    (void)state;

    want(sources[0]);
    peer_world_run(&world.loop, is_told, NULL);
    assert_here();
    asked_first = asked;
    assert_true(asked_first >= PIECES);
    supplies_end(supply);
    told = 0;
    want(sources[0]);
    peer_world_run(&world.loop, is_told, NULL);
    assert_here();
    assert_int_equal(asked_first, asked);
    assert_int_equal(0, shipped_bytes);
}

static void
a_liar_is_found_out_and_another_one_serves(void **state)
{
    struct supply *second;
    Cpmp__Content *list[] = {&content};
    (void)state;

    tempers[0] = LIAR;
    want(sources[0]);
    requests_answer();
    second = supplies_begin(supplies, list, 1, sources[1], on_supplied, NULL);
    peer_world_run(&world.loop, is_told, NULL);
    assert_string_equal("", why);
    assert_true(content_has(store, &manifest.name));
    supplies_end(second);
}

static void
a_source_that_is_lost_comes_again(void **state)
{
    (void)state;
    tempers[0] = SILENT;
    want(sources[0]);
    requests_answer();
    supplies_lost(supplies, sources[0]);
    tempers[0] = HONEST;
    Cpmp__Content *list[] = {&content};
    struct supply *second = supplies_begin(supplies, list, 1, sources[0], on_supplied, NULL);
    peer_world_run(&world.loop, is_told, NULL);
    assert_string_equal("", why);
    supplies_end(second);
}

static void
what_nobody_waits_for_is_not_fetched_on(void **state)
{
    unsigned before;
    (void)state;

    tempers[0] = SILENT;
    want(sources[0]);
    supplies_end(supply);
    supply = NULL;
    before = asked;
    tempers[0] = HONEST;
    requests_answer();
    for (int i = 0; i < 50; i++)
        uv_run(&world.loop, UV_RUN_NOWAIT);
    assert_int_equal(before, asked);
    assert_int_equal(0, told);
    assert_false(content_has(store, &manifest.name));
}

static void
nonsense_and_too_much_are_refused(void **state)
{
    (void)state;
    content.size = BYTES + PIECE;
    want(sources[0]);
    peer_world_run(&world.loop, is_told, NULL);
    assert_non_null(strstr(why, "makes no sense"));
    supplies_end(supply);
    content.size = BYTES;
    content.name.len = 5;
    told = 0;
    want(sources[0]);
    peer_world_run(&world.loop, is_told, NULL);
    assert_non_null(strstr(why, "no name"));
    supplies_end(supply);
    supply = NULL;
    content.name.len = CONTENT_NAME_BYTES;
    supplies_close(supplies);
    content_close(store);
    store_begin(PIECE);
    told = 0;
    want(sources[0]);
    peer_world_run(&world.loop, is_told, NULL);
    assert_true(why[0] != '\0');
    assert_int_equal(0, asked);
}

/* --- handed in --- */

static bool
put(uint64_t session, uint32_t piece, bool *done_p, struct text *reason)
{
    Cpmp__ContentPut message = CPMP__CONTENT_PUT__INIT;
    size_t at = (size_t)piece * PIECE;

    message.name = content.name;
    message.piece = piece;
    message.data.data = bytes + at;
    message.data.len = BYTES - at < PIECE ? BYTES - at : PIECE;
    return supplies_put(supplies, session, &message, done_p, reason);
}

static void
a_program_hands_in_what_is_expected_of_it(void **state)
{
    struct text reason = {0};
    bool done = false;
    (void)state;

    assert_false(put(1, 0, &done, &reason));
    assert_true(supplies_expect(supplies, 1, &content, &reason));
    assert_true(supplies_expect(supplies, 1, &content, &reason));
    assert_true(supplies_expect(supplies, 2, &content, &reason));
    assert_true(put(1, 0, &done, &reason));
    assert_false(put(3, 1, &done, &reason));
    bytes[PIECE] ^= 1;
    assert_false(put(1, 1, &done, &reason));
    bytes[PIECE] ^= 1;
    assert_true(put(2, 1, &done, &reason) && put(1, 2, &done, &reason));
    supplies_session_gone(supplies, 1);
    assert_false(put(1, 3, &done, &reason));
    assert_false(done);
    assert_true(put(2, 3, &done, &reason));
    assert_true(done && content_has(store, &manifest.name));
    assert_true(put(2, 3, &done, &reason));
    assert_true(done);
    supplies_session_gone(supplies, 2);
    text_release(&reason);
}

static void
what_is_handed_in_serves_those_who_wait_for_it(void **state)
{
    struct text reason = {0};
    bool done = false;
    (void)state;

    assert_true(supplies_expect(supplies, 1, &content, &reason));
    assert_true(put(1, 0, &done, &reason) && put(1, 1, &done, &reason));
    tempers[0] = SILENT;
    want(sources[0]);
    requests_answer();
    assert_true(put(1, 2, &done, &reason) && !done && put(1, 3, &done, &reason) && done);
    peer_world_run(&world.loop, is_told, NULL);
    assert_here();
    assert_int_equal(0, reason.used);
}

static void
one_program_can_not_have_everything_expected(void **state)
{
    struct text reason = {0};
    unsigned char name[CONTENT_NAME_BYTES] = {0};
    Cpmp__Content empty = CPMP__CONTENT__INIT;
    size_t count = 0;
    (void)state;

    empty.name = (ProtobufCBinaryData){.len = sizeof(name), .data = name};
    for (uint64_t session = 1; session < 10; session++) {
        for (unsigned i = 0; i < 2 * SUPPLY_SESSION_MAX; i++) {
            name[0] = (unsigned char)i;
            name[1] = (unsigned char)(i >> 8);
            name[2] = (unsigned char)session;
            count += supplies_expect(supplies, session, &empty, &reason);
        }
        if (session == 1)
            assert_int_equal(SUPPLY_SESSION_MAX, count);
    }
    assert_int_equal(SUPPLY_EXPECTED_MAX, count);
    assert_true(reason.used > 0);
    text_release(&reason);
}

int
main(void)
{
#define HERE(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        HERE(what_another_peer_has_comes_once),
        HERE(a_liar_is_found_out_and_another_one_serves),
        HERE(a_source_that_is_lost_comes_again),
        HERE(what_nobody_waits_for_is_not_fetched_on),
        HERE(nonsense_and_too_much_are_refused),
        HERE(a_program_hands_in_what_is_expected_of_it),
        HERE(what_is_handed_in_serves_those_who_wait_for_it),
        HERE(one_program_can_not_have_everything_expected),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
