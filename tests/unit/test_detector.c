/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The failure detector in a small world (detector_world.h). Each test is a story with its times; it
 * begins at 1002 s, when all watch each other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <cpmp.h>

#include "detector_world.h"

static void
at_rest_two_peers_exchange_four_messages_a_second(void **state)
{
    struct detector_view view;
    uint32_t before, after;
    (void)state;

    world_start(2);
    before = world.peers[0].sent[DETECTOR_PING] + world.peers[1].sent[DETECTOR_PING];
    run(1102 * SECOND);
    after = world.peers[0].sent[DETECTOR_PING] + world.peers[1].sent[DETECTOR_PING];
    assert_in_range(after - before, 170, 200);  /* one ping a round for both of them */
    assert_int_equal(state_of(0, 1), DETECTOR_ALIVE);
    assert_int_equal(world.peers[0].said[1].changes, 1);  /* its incarnation became known */
    assert_int_equal(world.peers[0].said[1].incarnation, 10);
    assert_true(detector_find(world.peers[0].detector, 1, &view));
    assert_int_equal(view.round_trip_us, 2 * TRAVEL_US);
    world_end();
}

static void
a_silent_host_is_suspect_after_1_5_s_and_dead_after_3_s(void **state)
{
    (void)state;
    world_start(6);
    world.peers[5].up = false;
    world.peers[0].sent[DETECTOR_PROBE] = 0;
    run(1010 * SECOND);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(world.peers[i].said[5].state, DETECTOR_DEAD);
        /* Heard last between 1001.4 and 1002; round trips of 2 ms add a little. */
        assert_in_range(world.peers[i].said[5].suspected_at_us, 1002900 * MS, 1003520 * MS);
        assert_in_range(world.peers[i].said[5].dead_at_us -
                        world.peers[i].said[5].suspected_at_us, 1500 * MS, 1500 * MS);
        for (uint32_t j = 0; j < 5; j++)
            assert_int_equal(world.peers[i].said[j].deaths, 0);
    }
    assert_int_equal(world.peers[0].sent[DETECTOR_PROBE], 3);
    world_end();
}

static void
who_is_only_reached_by_others_lives(void **state)
{
    (void)state;
    world_start(5);
    cut_both(0, 1, true);
    run(1060 * SECOND);
    assert_int_equal(world.peers[0].said[1].deaths, 0);
    assert_int_equal(state_of(0, 1), DETECTOR_ALIVE);
    assert_true(world.peers[0].said[1].indirect);
    assert_true(world.peers[1].said[0].indirect);
    /* Suspected once, then vouched for in each round: no flapping. */
    assert_in_range(world.peers[0].said[1].changes, 1, 4);
    cut_both(0, 1, false);
    run(1062 * SECOND);
    assert_false(world.peers[0].said[1].indirect);
    world_end();
}

static void
messages_that_go_one_way_only_do_not_kill(void **state)
{
    (void)state;
    world_start(5);
    world.cut[0][1] = true;
    run(1060 * SECOND);
    assert_int_equal(world.peers[0].said[1].deaths + world.peers[1].said[0].deaths, 0);
    world_end();
}

static void
the_last_one_that_could_vouch_goes_too(void **state)
{
    (void)state;
    world_start(3);
    cut_both(0, 1, true);
    run(1030 * SECOND);
    assert_int_equal(state_of(0, 1), DETECTOR_ALIVE);
    world.peers[2].up = false;
    run(1040 * SECOND);
    assert_int_equal(state_of(0, 1), DETECTOR_DEAD);
    assert_int_equal(state_of(0, 2), DETECTOR_DEAD);
    world_end();
}

static void
who_slept_declares_nobody_dead(void **state)
{
    (void)state;
    world_start(4);
    world.peers[0].up = false;
    run(1600 * SECOND);
    for (uint32_t i = 1; i < 4; i++)
        assert_int_equal(state_of(i, 0), DETECTOR_DEAD);
    world.peers[0].up = true;
    run(1601 * SECOND);
    /* It woke, found nobody guilty, heard that it was held for dead, and refuted it. */
    for (uint32_t i = 1; i < 4; i++) {
        assert_int_equal(world.peers[0].said[i].deaths, 0);
        assert_int_equal(state_of(i, 0), DETECTOR_ALIVE);
    }
    assert_int_equal(detector_incarnation(world.peers[0].detector), 11);
    assert_int_equal(world.peers[0].own_incarnation, 11);
    /* And it still finds out who is gone. */
    world.peers[3].up = false;
    run(1606 * SECOND);
    assert_int_equal(state_of(0, 3), DETECTOR_DEAD);
    world_end();
}

static void
who_is_always_late_still_finds_the_dead(void **state)
{
    uint64_t late_us = 400 * MS;
    (void)state;

    world_start(2);
    world.peers[1].up = world.peers[0].up = false;
    for (int i = 0; i < 100 && state_of(0, 1) != DETECTOR_DEAD; i++) {
        world.now_us = detector_deadline_us(world.peers[0].detector) + late_us;
        simple(0, DETECTOR_EVENT_TIMEOUT, 0);
    }
    assert_int_equal(state_of(0, 1), DETECTOR_DEAD);
    assert_true(world.now_us > 1002 * SECOND + 3 * SECOND + 4 * late_us);
    world_end();
}

static void
suspended_is_not_dead_until_it_is_overdue(void **state)
{
    (void)state;
    world_start(4);
    step(3, (struct detector_event){.type = DETECTOR_EVENT_SUSPEND, .silent_us = 60 * SECOND});
    run(1003 * SECOND);
    world.peers[3].up = false;
    assert_int_equal(state_of(0, 3), DETECTOR_SUSPENDED);
    run(1055 * SECOND);
    assert_int_equal(state_of(0, 3), DETECTOR_SUSPENDED);
    assert_int_equal(simple(0, DETECTOR_EVENT_BROKEN, 3), CPMP_OK);  /* its link may break */
    assert_int_equal(state_of(0, 3), DETECTOR_SUSPENDED);
    run(1066 * SECOND);  /* 60 s are over at 1062, then 1.5 s as a suspect */
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(state_of(i, 3), DETECTOR_DEAD);
        assert_in_range(world.peers[i].said[3].suspected_at_us, 1062 * SECOND,
                        1062 * SECOND + 10 * MS);
    }
    world_end();
}

static void
who_resumes_in_time_is_alive_and_watched_again(void **state)
{
    (void)state;
    world_start(4);
    step(3, (struct detector_event){.type = DETECTOR_EVENT_SUSPEND, .silent_us = 60 * SECOND});
    run(1003 * SECOND);
    world.peers[3].up = false;
    run(1050 * SECOND);
    world.peers[3].up = true;
    simple(3, DETECTOR_EVENT_RESUME, 0);
    run(1051 * SECOND);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(state_of(i, 3), DETECTOR_ALIVE);
        assert_int_equal(world.peers[i].said[3].deaths, 0);
        assert_int_equal(world.peers[3].said[i].deaths, 0);
    }
    assert_int_equal(detector_incarnation(world.peers[3].detector), 12);
    world.peers[3].up = false;
    run(1055 * SECOND);
    assert_int_equal(state_of(0, 3), DETECTOR_DEAD);
    world_end();
}

static void
a_suspension_without_a_resume_ends_by_itself(void **state)
{
    (void)state;
    world_start(2);
    step(1, (struct detector_event){.type = DETECTOR_EVENT_SUSPEND, .silent_us = 5 * SECOND});
    run(1003 * SECOND);
    assert_int_equal(state_of(0, 1), DETECTOR_SUSPENDED);
    run(1008 * SECOND);
    assert_int_equal(state_of(0, 1), DETECTOR_ALIVE);
    world_end();
}

static void
who_did_not_hear_of_a_suspension_learns_it_from_others(void **state)
{
    (void)state;
    world_start(4);
    cut_both(0, 3, true);
    step(3, (struct detector_event){.type = DETECTOR_EVENT_SUSPEND, .silent_us = 100 * SECOND});
    run(1002 * SECOND + 500 * MS);
    world.peers[3].up = false;
    run(1020 * SECOND);
    assert_int_equal(world.peers[0].said[3].deaths, 0);
    assert_int_equal(state_of(0, 3), DETECTOR_SUSPENDED);
    world_end();
}

static void
after_a_partition_both_sides_refute(void **state)
{
    (void)state;
    world_start(6);
    for (uint32_t i = 0; i < 3; i++)
        for (uint32_t j = 3; j < 6; j++)
            cut_both(i, j, true);
    run(1020 * SECOND);
    assert_int_equal(state_of(0, 5), DETECTOR_DEAD);
    assert_int_equal(state_of(5, 0), DETECTOR_DEAD);
    assert_int_equal(state_of(0, 1), DETECTOR_ALIVE);
    memset(world.cut, 0, sizeof(world.cut));
    run(1025 * SECOND);  /* the dead are asked every 3 s */
    for (uint32_t i = 0; i < 6; i++)
        for (uint32_t j = 0; j < 6; j++)
            if (i != j)
                assert_int_equal(state_of(i, j), DETECTOR_ALIVE);
    world_end();
}

static void
a_restart_that_forgot_its_incarnation_gets_above_it(void **state)
{
    (void)state;
    world_start(3);
    world.peers[2].up = false;
    run(1010 * SECOND);
    assert_int_equal(state_of(0, 2), DETECTOR_DEAD);
    peer_start(2, 3);  /* had 10 */
    watch(2, 0);
    run(1011 * SECOND);
    assert_int_equal(state_of(0, 2), DETECTOR_ALIVE);
    assert_int_equal(world.peers[2].own_incarnation, 11);
    assert_int_equal(world.peers[0].said[2].incarnation, 11);
    world_end();
}

static void
a_message_from_an_earlier_life_is_no_life(void **state)
{
    struct detector_message old = {.kind = DETECTOR_ACK, .state = DETECTOR_ALIVE,
                                   .incarnation = 9};
    (void)state;

    world_start(2);
    world.peers[1].up = false;
    for (uint64_t at_us = world.now_us; at_us < 1008 * SECOND; at_us += 100 * MS) {
        run(at_us);
        step(0, (struct detector_event){.type = DETECTOR_EVENT_MESSAGE, .contact = 1,
                                        .id = id_of(1), .message = &old});
    }
    assert_int_equal(state_of(0, 1), DETECTOR_DEAD);
    world_end();
}

static void
a_refused_connection_is_death_in_0_2_s_and_a_broken_one_is_not(void **state)
{
    (void)state;
    world_start(4);
    world.peers[3].up = false;
    step(0, (struct detector_event){.type = DETECTOR_EVENT_BROKEN, .contact = 3, .refused = true});
    simple(0, DETECTOR_EVENT_BROKEN, 2);
    assert_int_equal(state_of(0, 3), DETECTOR_SUSPECT);
    assert_int_equal(state_of(0, 2), DETECTOR_SUSPECT);
    run(1002 * SECOND + 250 * MS);
    assert_int_equal(state_of(0, 3), DETECTOR_DEAD);
    assert_int_equal(world.peers[0].said[3].dead_at_us, 1002 * SECOND + 200 * MS);
    assert_int_equal(state_of(0, 2), DETECTOR_ALIVE);
    /* Others hear of it and look themselves. */
    assert_true(world.peers[1].said[3].deaths == 0);
    world_end();
}

static void
a_refusal_shortens_a_suspicion(void **state)
{
    (void)state;
    world_start(2);
    world.peers[1].up = false;
    simple(0, DETECTOR_EVENT_BROKEN, 1);
    run(1003 * SECOND);
    step(0, (struct detector_event){.type = DETECTOR_EVENT_BROKEN, .contact = 1, .refused = true});
    run(1004 * SECOND);
    assert_int_equal(world.peers[0].said[1].dead_at_us, 1003 * SECOND + 200 * MS);
    world_end();
}

static void
other_traffic_makes_pings_needless(void **state)
{
    uint32_t before;
    (void)state;

    world_start(2);
    before = world.peers[0].sent[DETECTOR_PING] + world.peers[1].sent[DETECTOR_PING];
    for (uint64_t at_us = world.now_us; at_us < 1060 * SECOND; at_us += 300 * MS) {
        run(at_us);
        assert_int_equal(simple(0, DETECTOR_EVENT_HEARD, 1), CPMP_OK);
        assert_int_equal(simple(1, DETECTOR_EVENT_HEARD, 0), CPMP_OK);
    }
    assert_int_equal(world.peers[0].sent[DETECTOR_PING] + world.peers[1].sent[DETECTOR_PING],
                     before);
    world_end();
}

static void
who_leaves_is_not_missed(void **state)
{
    (void)state;
    world_start(4);
    simple(3, DETECTOR_EVENT_LEAVE, 0);
    run(1002 * SECOND + 10 * MS);
    world.peers[3].up = false;
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(state_of(i, 3), DETECTOR_LEFT);
    run(1020 * SECOND);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(state_of(i, 3), DETECTOR_LEFT);
    peer_start(3, 11);  /* the incarnation it left with */
    watch(3, 0);
    run(1021 * SECOND);
    assert_int_equal(state_of(0, 3), DETECTOR_ALIVE);
    assert_int_equal(world.peers[3].own_incarnation, 12);
    world_end();
}

/* A liar tells of the deaths of everybody, in every message. */
static void
rumors_kill_nobody_and_do_not_silence_us(void **state)
{
    struct detector_message lies = {.kind = DETECTOR_NEWS, .state = DETECTOR_ALIVE,
                                    .incarnation = 10, .rumor_count = DETECTOR_RUMORS_MAX};
    (void)state;

    world_start(5);
    world.peers[4].up = false;
    for (uint64_t at_us = world.now_us; at_us < 1012 * SECOND; at_us += 20 * MS) {
        run(at_us);
        for (uint32_t i = 0; i < DETECTOR_RUMORS_MAX; i++)
            lies.rumors[i] = (struct detector_rumor){
                .id = id_of(i == 0 ? 1 : 50 + draw(200)), .state = DETECTOR_DEAD,
                .incarnation = DETECTOR_INCARNATION_MAX};
        step(0, (struct detector_event){.type = DETECTOR_EVENT_MESSAGE, .contact = 3,
                                        .id = id_of(3), .message = &lies});
    }
    assert_int_equal(world.peers[0].said[1].deaths, 0);
    assert_int_equal(world.peers[0].said[2].deaths, 0);
    assert_int_equal(state_of(0, 4), DETECTOR_DEAD);
    /* Peer 1 was driven to the top of its incarnations, and is believed all the same. */
    assert_int_equal(detector_incarnation(world.peers[1].detector), DETECTOR_INCARNATION_MAX);
    assert_int_equal(state_of(2, 1), DETECTOR_ALIVE);
    world.peers[1].up = false;
    run(1017 * SECOND);
    assert_int_equal(state_of(0, 1), DETECTOR_DEAD);
    world.peers[1].up = true;
    run(1022 * SECOND);
    assert_int_equal(state_of(0, 1), DETECTOR_ALIVE);
    /* A look of its own at each worry, but not more than four a round. */
    assert_true(world.peers[0].sent[DETECTOR_PING] < 8 * 30 * 4);
    world_end();
}

static void
what_can_not_be_is_refused(void **state)
{
    struct detector_message good = {.kind = DETECTOR_PING, .state = DETECTOR_ALIVE,
                                    .incarnation = 10};
    struct detector_message bad[7];
    struct detector_event event = {.type = DETECTOR_EVENT_MESSAGE, .contact = 1, .id = id_of(1)};
    (void)state;

    world_start(2);
    for (size_t i = 0; i < 7; i++)
        bad[i] = good;
    bad[0].kind = DETECTOR_NEWS + 1;
    bad[1].state = DETECTOR_DEAD;
    bad[2].incarnation = 0;
    bad[3].incarnation = DETECTOR_INCARNATION_MAX + 1;
    bad[4].rumor_count = DETECTOR_RUMORS_MAX + 1;
    bad[5].rumor_count = 1;  /* of incarnation 0 */
    bad[6].kind = DETECTOR_PROBED;
    for (size_t i = 0; i < 7; i++) {
        event.message = &bad[i];
        assert_int_equal(step(0, event), CPMP_EINVAL);
    }
    event.message = &good;
    assert_int_equal(step(0, event), CPMP_OK);
    event.id = id_of(0);  /* itself */
    assert_int_equal(step(0, event), CPMP_EINVAL);
    event.id = id_of(7);  /* contact 1 is another */
    assert_int_equal(step(0, event), CPMP_EINVAL);
    assert_int_equal(simple(0, DETECTOR_EVENT_HEARD, 33), CPMP_ENOENT);
    assert_int_equal(simple(0, DETECTOR_EVENT_WATCH, 33), CPMP_EINVAL);  /* for no purpose */
    assert_int_equal(state_of(0, 1), DETECTOR_ALIVE);
    world_end();
}

/* The owner keeps no contact for those that only ping. */
static void
the_number_of_one_that_only_pinged_may_be_given_to_another(void **state)
{
    struct detector_message ping = {.kind = DETECTOR_PING, .incarnation = 5};
    struct detector_event event = {.type = DETECTOR_EVENT_MESSAGE, .now_us = 2 * SECOND,
                                   .contact = 33, .message = &ping,
                                   .purpose = DETECTOR_FOR_RING};
    struct detector_settings settings = detector_settings_default();
    struct chord_id self = id_of(1);
    struct detector *detector = detector_new(&settings, &self, 1, 1, SECOND);
    struct detector_actions actions;

    (void)state;
    for (uint32_t id = 7; id <= 9; id++) {
        event.id = id_of(id);
        assert_int_equal(detector_step(detector, &event, &actions), CPMP_OK);
        detector_check(detector);
    }
    event.id = id_of(10);
    event.type = DETECTOR_EVENT_WATCH;
    assert_int_equal(detector_step(detector, &event, &actions), CPMP_OK);
    event.type = DETECTOR_EVENT_MESSAGE;
    assert_int_equal(detector_step(detector, &event, &actions), CPMP_OK);
    event.id = id_of(9);  /* 10 is watched under this number */
    assert_int_equal(detector_step(detector, &event, &actions), CPMP_EINVAL);
    event.type = DETECTOR_EVENT_WATCH;
    assert_int_equal(detector_step(detector, &event, &actions), CPMP_EINVAL);
    detector_free(detector);
}

static void
a_contact_is_watched_while_anyone_needs_it(void **state)
{
    struct detector_view view;
    struct detector_event event = {.type = DETECTOR_EVENT_WATCH, .contact = 1, .id = id_of(1),
                                   .purpose = DETECTOR_FOR_JOBS};
    (void)state;

    world_start(2);
    assert_int_equal(step(0, event), CPMP_OK);
    event.type = DETECTOR_EVENT_UNWATCH;
    event.purpose = DETECTOR_FOR_RING;
    assert_int_equal(step(0, event), CPMP_OK);
    assert_true(detector_at(world.peers[0].detector, 0, &view));
    assert_int_equal(view.purpose, DETECTOR_FOR_JOBS);
    event.purpose = DETECTOR_FOR_JOBS;
    assert_int_equal(step(0, event), CPMP_OK);
    assert_int_equal(step(0, event), CPMP_ENOENT);
    assert_false(detector_at(world.peers[0].detector, 0, &view));
    /* The other still watches it: a ping makes it known again, without being watched. */
    run(1004 * SECOND);
    assert_false(detector_find(world.peers[0].detector, 1, &view));
    assert_int_equal(state_of(1, 0), DETECTOR_ALIVE);
    world_end();
}

static void
a_second_watcher_of_a_dead_contact_is_told(void **state)
{
    uint32_t before;
    (void)state;

    world_start(2);
    world.peers[1].up = false;
    run(1008 * SECOND);
    before = world.peers[0].said[1].changes;
    watch(0, 1);
    assert_int_equal(world.peers[0].said[1].changes, before + 1);
    assert_int_equal(world.peers[0].said[1].state, DETECTOR_DEAD);
    world_end();
}

static void
a_probe_may_go_to_one_that_has_no_contact(void **state)
{
    static struct detector_actions actions;
    struct detector_message probe = {.kind = DETECTOR_PROBE, .state = DETECTOR_ALIVE,
                                     .incarnation = 10, .number = 77, .target = id_of(39)};
    struct detector_event event = {.type = DETECTOR_EVENT_MESSAGE, .contact = 1, .id = id_of(1),
                                   .message = &probe};
    struct detector_message ack = {.kind = DETECTOR_ACK, .state = DETECTOR_ALIVE,
                                   .incarnation = 5};
    struct chord_id target = id_of(39);
    (void)state;

    world_start(2);
    event.now_us = world.now_us;
    assert_int_equal(detector_step(world.peers[0].detector, &event, &actions), CPMP_OK);
    assert_int_equal(actions.count, 1);
    assert_int_equal(actions.list[0].contact, DETECTOR_NO_CONTACT);
    assert_memory_equal(&actions.list[0].id, &target, sizeof(target));
    assert_int_equal(actions.list[0].message.kind, DETECTOR_PING);
    /* The answer goes to the asker, with the asker's number; another's answer goes nowhere. */
    ack.number = actions.list[0].message.number;
    event.message = &ack;
    event.contact = 38;
    event.id = id_of(38);
    assert_int_equal(detector_step(world.peers[0].detector, &event, &actions), CPMP_OK);
    assert_int_equal(actions.count, 0);
    event.contact = 39;
    event.id = id_of(39);
    assert_int_equal(detector_step(world.peers[0].detector, &event, &actions), CPMP_OK);
    assert_int_equal(actions.count, 1);
    assert_int_equal(actions.list[0].contact, 1);
    assert_int_equal(actions.list[0].message.kind, DETECTOR_PROBED);
    assert_int_equal(actions.list[0].message.number, 77);
    assert_int_equal(actions.list[0].message.about.incarnation, 5);
    assert_int_equal(detector_step(world.peers[0].detector, &event, &actions), CPMP_OK);
    assert_int_equal(actions.count, 0);
    world_end();
}

static void
long_round_trips_widen_the_deadlines(void **state)
{
    static struct detector_actions actions;
    struct detector_message ack = {.kind = DETECTOR_ACK, .state = DETECTOR_ALIVE,
                                   .incarnation = 10};
    struct detector_event event = {.type = DETECTOR_EVENT_MESSAGE, .contact = 1, .id = id_of(1),
                                   .message = &ack};
    uint64_t heard_us = 0;
    (void)state;

    world_start(1);
    world.peer_count = 2;
    watch(0, 1);
    /* Each ping is answered after 400 ms. */
    for (int i = 0; i < 40; i++) {
        uint64_t deadline_us = detector_deadline_us(world.peers[0].detector);
        world.now_us = deadline_us;
        event.now_us = deadline_us;
        event.type = DETECTOR_EVENT_TIMEOUT;
        detector_step(world.peers[0].detector, &event, &actions);
        if (actions.count == 0 || actions.list[0].type != DETECTOR_ACTION_SEND)
            continue;
        ack.number = actions.list[0].message.number;
        heard_us = world.now_us += 400 * MS;
        event.type = DETECTOR_EVENT_MESSAGE;
        event.now_us = world.now_us;
        detector_step(world.peers[0].detector, &event, &actions);
    }
    run(heard_us + 20 * SECOND);
    assert_int_equal(world.peers[0].said[1].state, DETECTOR_DEAD);
    assert_in_range(world.peers[0].said[1].suspected_at_us - heard_us, 1900 * MS, 3500 * MS);
    world_end();
}

static void
two_hundred_contacts_fit_into_bounded_steps(void **state)
{
    static struct detector_actions actions;
    struct detector_event event = {.now_us = 1000 * SECOND, .type = DETECTOR_EVENT_WATCH,
                                   .purpose = DETECTOR_FOR_JOBS};
    struct detector_settings settings = detector_settings_default();
    struct chord_id self = id_of(250);
    struct detector *detector = detector_new(&settings, &self, 1, 1, event.now_us);
    uint32_t dead = 0, pings = 0;
    (void)state;

    for (uint32_t i = 0; i < 200; i++) {
        event.contact = 1000 - i;
        event.id = id_of(i);
        assert_int_equal(detector_step(detector, &event, &actions), CPMP_OK);
    }
    event.type = DETECTOR_EVENT_TIMEOUT;
    while (dead < 200) {
        event.now_us = detector_deadline_us(detector);
        assert_true(event.now_us <= 1005 * SECOND);
        detector_step(detector, &event, &actions);
        detector_check(detector);
        for (uint32_t i = 0; i < actions.count; i++) {
            pings += actions.list[i].type == DETECTOR_ACTION_SEND;
            dead += actions.list[i].type == DETECTOR_ACTION_CHANGED &&
                    actions.list[i].state == DETECTOR_DEAD;
        }
    }
    assert_in_range(pings, 200 * 4, 200 * 12);
    detector_free(detector);
}

static void
strangers_that_ping_take_bounded_memory_and_hear_of_a_leave(void **state)
{
    struct detector_message message = {.kind = DETECTOR_PING, .state = DETECTOR_ALIVE,
                                       .incarnation = 10};
    struct detector_view view;
    (void)state;

    world_start(1);
    for (uint32_t i = 1; i < 5000; i++)
        step(0, (struct detector_event){.type = DETECTOR_EVENT_MESSAGE, .contact = i,
                                        .id = id_of(i), .message = &message});
    assert_false(detector_at(world.peers[0].detector, 0, &view));
    simple(0, DETECTOR_EVENT_LEAVE, 0);
    run(1003 * SECOND);
    assert_int_equal(world.peers[0].sent[DETECTOR_NEWS], 64);
    world_end();
}

/* Loss, and peers that come and go: nobody who runs is dead at the end, everyone who doesn't is,
 * and the same seed tells the same story. */
static uint64_t
storm(uint64_t seed)
{
    world_start(12);
    world.seed = seed;
    world.loss_percent = 10;
    for (int round = 0; round < 30; round++) {
        uint32_t peer = draw(12);
        if (world.peers[peer].up) {
            world.peers[peer].up = false;
        } else {
            peer_start(peer, 10 + (uint64_t)draw(3));
            for (uint32_t i = 0; i < 12; i++)
                if (i != peer)
                    watch(peer, i);
        }
        if (draw(4) == 0)
            cut_off(draw(12), draw(2));
        run(world.now_us + (1 + draw(4000)) * MS);
    }
    memset(world.cut, 0, sizeof(world.cut));
    world.loss_percent = 0;
    run(world.now_us + 20 * SECOND);
    for (uint32_t i = 0; i < 12; i++)
        for (uint32_t j = 0; j < 12; j++)
            if (i != j && world.peers[i].up)
                assert_int_equal(state_of(i, j),
                                 world.peers[j].up ? DETECTOR_ALIVE : DETECTOR_DEAD);
    return world.hash;
}

static void
storms_pass_and_repeat(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        uint64_t hash = storm(seed);
        world_end();
        if (seed % 20 == 0) {
            assert_true(storm(seed) == hash);
            world_end();
        }
    }
}

static void
lost_messages_alone_kill_nobody(void **state)
{
    uint32_t deaths = 0;
    (void)state;

    world_start(8);
    world.loss_percent = 10;
    run(2000 * SECOND);
    for (uint32_t i = 0; i < 8; i++)
        for (uint32_t j = 0; j < 8; j++)
            deaths += world.peers[i].said[j].deaths;
    assert_int_equal(deaths, 0);
    world_end();
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_rest_two_peers_exchange_four_messages_a_second),
        cmocka_unit_test(a_silent_host_is_suspect_after_1_5_s_and_dead_after_3_s),
        cmocka_unit_test(who_is_only_reached_by_others_lives),
        cmocka_unit_test(messages_that_go_one_way_only_do_not_kill),
        cmocka_unit_test(the_last_one_that_could_vouch_goes_too),
        cmocka_unit_test(who_slept_declares_nobody_dead),
        cmocka_unit_test(who_is_always_late_still_finds_the_dead),
        cmocka_unit_test(suspended_is_not_dead_until_it_is_overdue),
        cmocka_unit_test(who_resumes_in_time_is_alive_and_watched_again),
        cmocka_unit_test(a_suspension_without_a_resume_ends_by_itself),
        cmocka_unit_test(who_did_not_hear_of_a_suspension_learns_it_from_others),
        cmocka_unit_test(after_a_partition_both_sides_refute),
        cmocka_unit_test(a_restart_that_forgot_its_incarnation_gets_above_it),
        cmocka_unit_test(a_message_from_an_earlier_life_is_no_life),
        cmocka_unit_test(a_refused_connection_is_death_in_0_2_s_and_a_broken_one_is_not),
        cmocka_unit_test(a_refusal_shortens_a_suspicion),
        cmocka_unit_test(other_traffic_makes_pings_needless),
        cmocka_unit_test(who_leaves_is_not_missed),
        cmocka_unit_test(rumors_kill_nobody_and_do_not_silence_us),
        cmocka_unit_test(what_can_not_be_is_refused),
        cmocka_unit_test(a_contact_is_watched_while_anyone_needs_it),
        cmocka_unit_test(a_second_watcher_of_a_dead_contact_is_told),
        cmocka_unit_test(a_probe_may_go_to_one_that_has_no_contact),
        cmocka_unit_test(long_round_trips_widen_the_deadlines),
        cmocka_unit_test(two_hundred_contacts_fit_into_bounded_steps),
        cmocka_unit_test(the_number_of_one_that_only_pinged_may_be_given_to_another),
        cmocka_unit_test(strangers_that_ping_take_bounded_memory_and_hear_of_a_leave),
        cmocka_unit_test(storms_pass_and_repeat),
        cmocka_unit_test(lost_messages_alone_kill_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
