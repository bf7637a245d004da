/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemon's nest: one that answers, one that dies with work, and programs that are none. This
 * program itself plays the nest.
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

#include "peer/nursery.h"
#include "peer_world.h"

#define NUMBER_TO_DIE 13u  /* a Hatch of this number kills the nest */

/* --- the nest --- */

static void
play_hatch(void *arg, const Cpmp__Nest *nest)
{
    Cpmp__Nest answer = CPMP__NEST__INIT;
    Cpmp__Hatched hatched = CPMP__HATCHED__INIT;

    if (nest->hatch->number == NUMBER_TO_DIE)
        _exit(0);
    hatched.number = nest->hatch->number;
    hatched.pid = 1;
    hatched.port = 7712;
    answer.body_case = CPMP__NEST__BODY_HATCHED;
    answer.hatched = &hatched;
    control_nest_send(*(int *)arg, &answer);
    hatched.number = 999;  /* nobody asked for that */
    control_nest_send(*(int *)arg, &answer);
}

static int
play(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    int error;

    do {
        poll(&poll_fd, 1, -1);
        error = control_nest_receive(fd, play_hatch, &fd);
    } while (error == CPMP_OK || error == CPMP_EAGAIN);
    return 0;
}

/* --- the daemon's side --- */

static struct peer_world world;
static struct nursery nursery;
static unsigned hatched_count, failed_count, troubles;
static uint64_t last_number, last_again_ms;

static void
on_hatched(void *arg, const Cpmp__Hatched *hatched)
{
    (void)arg;
    last_number = hatched->number;
    if (hatched->error[0] == '\0')
        hatched_count++;
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

static const struct nursery_hooks hooks = {.hatched = on_hatched, .trouble = on_trouble};

static int
begin(void **state)
{
    (void)state;
    hatched_count = failed_count = troubles = 0;
    peer_world_init(&world, NULL);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    nursery_close(&nursery);
    peer_world_end(&world);
    nursery_release(&nursery);
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

    assert_int_equal(0, nursery_init(&nursery, &world.loop, program, &hooks, NULL, &error));
}

static bool
hatch(uint64_t number)
{
    Cpmp__Hatch message = CPMP__HATCH__INIT;

    message.number = number;
    return nursery_hatch(&nursery, &message);
}

static void
a_hatch_is_answered_once(void **state)
{
    (void)state;
    start("/proc/self/exe");
    assert_true(hatch(7));
    await(&hatched_count);
    assert_int_equal(7, last_number);
    for (int i = 0; i < 20; i++)
        uv_run(&world.loop, UV_RUN_NOWAIT);
    assert_int_equal(1, hatched_count);
    assert_int_equal(0, nursery.open_count);
}

static void
who_waits_for_a_nest_that_dies_hears_so_and_the_next_one_serves(void **state)
{
    pid_t first;
    (void)state;

    start("/proc/self/exe");
    first = nursery.pid;
    assert_true(hatch(NUMBER_TO_DIE));
    assert_true(hatch(8));
    await(&troubles);
    assert_int_equal(2, failed_count);
    assert_false(hatch(9));
    while (!hatch(10))
        uv_run(&world.loop, UV_RUN_ONCE);
    assert_int_not_equal(first, nursery.pid);
    await(&hatched_count);
    assert_int_equal(10, last_number);
}

static void
a_nest_that_never_serves_is_tried_less_and_less(void **state)
{
    (void)state;
    start("/bin/false");
    await(&troubles);
    assert_int_equal(NURSERY_AGAIN_MS, last_again_ms);
    troubles = 0;
    await(&troubles);
    assert_int_equal(2 * NURSERY_AGAIN_MS, last_again_ms);
    assert_true(nursery.again_ms <= NURSERY_AGAIN_MAX_MS);
}

static void
what_waits_is_bounded(void **state)
{
    (void)state;
    start("/proc/self/exe");
    nursery.open_count = NURSERY_OPEN_MAX;
    assert_false(hatch(1));
    nursery.open_count = 0;
    assert_true(hatch(2));
    await(&hatched_count);
}

int
main(int argc, char **argv)
{
#define HERE(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        HERE(a_hatch_is_answered_once),
        HERE(who_waits_for_a_nest_that_dies_hears_so_and_the_next_one_serves),
        HERE(a_nest_that_never_serves_is_tried_less_and_less),
        HERE(what_waits_is_bounded),
    };

    if (argc == 3 && strcmp(argv[1], "--nest") == 0)
        return play((int)strtol(argv[2], NULL, 10));
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
