/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static void
count_message(void *arg, uint32_t contact, Cpmp__PeerMessage *message)
{
    struct peer_world *world = arg;
    (void)contact;
    (void)message;

    world->messages++;
}

static void
no_status(void *arg, enum chord_status status)
{
    (void)arg;
    (void)status;
}

static void
no_contact(void *arg, uint32_t contact, enum detector_state state)
{
    (void)arg;
    (void)contact;
    (void)state;
}

static void
no_incarnation(void *arg, uint64_t incarnation)
{
    (void)arg;
    (void)incarnation;
}

static const struct overlay_hooks hooks = {
    .send = count_message, .status = no_status, .contact = no_contact,
    .incarnation = no_incarnation,
};

static void
mark(void *arg)
{
    struct peer_world *world = arg;

    overlay_hold(world->overlay);
}

static bool
is_member(void *arg)
{
    struct peer_world *world = arg;

    return chord_status(overlay_chord(world->overlay)) == CHORD_MEMBER;
}

void
peer_world_init(struct peer_world *world, const uint8_t *id)
{
    char *address[] = {(char *)"127.0.0.1:7711"};
    struct book_peer self = {.name = "pc1", .addresses = address, .address_count = 1,
                             .own_word = true};

    memset(world, 0, sizeof(*world));
    signal(SIGPIPE, SIG_IGN);
    snprintf(world->directory, sizeof(world->directory), "/tmp/cpmp-peer-XXXXXX");
    assert_non_null(mkdtemp(world->directory));
    assert_int_equal(0, uv_loop_init(&world->loop));
    if (id == NULL)
        return;
    book_init(&world->book, mark, world);
    memcpy(self.id.bytes, id, CHORD_ID_BYTES);
    assert_int_equal(BOOK_SELF, book_intern(&world->book, &self, 1));
    world->overlay = overlay_new(&world->loop, &world->book, 1, &hooks, world);
    overlay_join(world->overlay, NULL, 0, 0);
    peer_world_run(&world->loop, is_member, world);
}

static void
on_late(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

void
peer_world_run(uv_loop_t *loop, bool (*done)(void *arg), void *arg)
{
    bool late = false;
    uv_timer_t timer;

    uv_timer_init(loop, &timer);
    timer.data = &late;
    uv_timer_start(&timer, on_late, PEER_WORLD_WAIT_MS, 0);
    while (!done(arg) && !late)
        uv_run(loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
    assert_false(late);
}

static int
entry_remove(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

void
peer_world_end(struct peer_world *world)
{
    if (world->overlay != NULL)
        overlay_close(world->overlay);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(0, uv_loop_close(&world->loop));
    if (world->overlay != NULL)
        book_release(&world->book);
    nftw(world->directory, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
}

void
peer_world_write(const struct peer_world *world, const char *name, const char *text)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", world->directory, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(0, fclose(file));
}
