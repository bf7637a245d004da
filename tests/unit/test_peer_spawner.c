/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemon's fork server: one that answers, one that dies with work, and programs that are none.
 * This program itself plays the server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cpmp.h>

#include "peer/spawner.h"
#include "peer_world.h"

#define NUMBER_TO_DIE 13u  /* a Spawn of this number kills the fork server */

/* --- the fork server --- */

static void
play_spawn(void *arg, const Cpmp__ForkServer *server)
{
    Cpmp__ForkServer answer = CPMP__FORK_SERVER__INIT;
    Cpmp__Spawned spawned = CPMP__SPAWNED__INIT;

    if (server->spawn->number == NUMBER_TO_DIE)
        _exit(0);
    spawned.number = server->spawn->number;
    spawned.pid = 1;
    spawned.port = 7712;
    answer.body_case = CPMP__FORK_SERVER__BODY_SPAWNED;
    answer.spawned = &spawned;
    control_fork_server_send(*(int *)arg, &answer);
    spawned.number = 999;  /* nobody asked for that */
    control_fork_server_send(*(int *)arg, &answer);
}

static int
play(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    int error;

    do {
        poll(&poll_fd, 1, -1);
        error = control_fork_server_receive(fd, play_spawn, &fd);
    } while (error == CPMP_OK || error == CPMP_EAGAIN);
    return 0;
}

/* --- the daemon's side --- */

static struct peer_world world;
static struct spawner spawner;
static unsigned spawned_count, failed_count, troubles;
static uint64_t last_number, last_again_ms;

static void
on_spawned(void *arg, const Cpmp__Spawned *spawned)
{
    (void)arg;
    last_number = spawned->number;
    if (spawned->error[0] == '\0')
        spawned_count++;
    else
        failed_count++;
}

static void
on_trouble(void *arg, const char *why, uint64_t again_ms)
{
    (void)arg;
    assert_true(why[0] != '\0');
    troubles++;
    last_again_ms = again_ms;
}

static const struct spawner_hooks hooks = {.spawned = on_spawned, .trouble = on_trouble};

static int
begin(void **state)
{
    (void)state;
    spawned_count = failed_count = troubles = 0;
    peer_world_init(&world, NULL);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    spawner_close(&spawner);
    peer_world_end(&world);
    spawner_release(&spawner);
    return 0;
}

static bool
reached(void *arg)
{
    return **(unsigned **)arg > 0;
}

static void
await(unsigned *counter)
{
    peer_world_run(&world.loop, reached, &counter);
}

static void
start(const char *program)
{
    struct text error = {0};

    assert_int_equal(0, spawner_init(&spawner, &world.loop, program, &hooks, NULL, &error));
}

static bool
spawn(uint64_t number)
{
    Cpmp__Spawn message = CPMP__SPAWN__INIT;

    message.number = number;
    return spawner_spawn(&spawner, &message);
}

static void
a_spawn_is_answered_once(void **state)
{
    (void)state;
    start("/proc/self/exe");
    assert_true(spawn(7));
    await(&spawned_count);
    assert_int_equal(7, last_number);
    for (int i = 0; i < 20; i++)
        uv_run(&world.loop, UV_RUN_NOWAIT);
    assert_int_equal(1, spawned_count);
    assert_int_equal(0, spawner.open_count);
}

static void
who_waits_for_a_fork_server_that_dies_hears_so_and_the_next_one_serves(void **state)
{
    pid_t first;
    (void)state;

    start("/proc/self/exe");
    first = spawner.pid;
    assert_true(spawn(NUMBER_TO_DIE));
    assert_true(spawn(8));
    await(&troubles);
    assert_int_equal(2, failed_count);
    assert_false(spawn(9));
    while (!spawn(10))
        uv_run(&world.loop, UV_RUN_ONCE);
    assert_int_not_equal(first, spawner.pid);
    await(&spawned_count);
    assert_int_equal(10, last_number);
}

static void
a_fork_server_that_never_serves_is_tried_less_and_less(void **state)
{
    (void)state;
    start("/bin/false");
    await(&troubles);
    assert_int_equal(SPAWNER_AGAIN_MS, last_again_ms);
    troubles = 0;
    await(&troubles);
    assert_int_equal(2 * SPAWNER_AGAIN_MS, last_again_ms);
    assert_true(spawner.again_ms <= SPAWNER_AGAIN_MAX_MS);
}

static void
what_waits_is_bounded(void **state)
{
    (void)state;
    start("/proc/self/exe");
    spawner.open_count = SPAWNER_OPEN_MAX;
    assert_false(spawn(1));
    spawner.open_count = 0;
    assert_true(spawn(2));
    await(&spawned_count);
}

int
main(int argc, char **argv)
{
#define HERE(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        HERE(a_spawn_is_answered_once),
        HERE(who_waits_for_a_fork_server_that_dies_hears_so_and_the_next_one_serves),
        HERE(a_fork_server_that_never_serves_is_tried_less_and_less),
        HERE(what_waits_is_bounded),
    };

    if (argc == 3 && strcmp(argv[1], "--fork-server") == 0)
        return play((int)strtol(argv[2], NULL, 10));
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
