/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "proto/chord/id.h"
#include "proto/chord/message.h"

static struct chord_id
id_of(uint8_t first, uint8_t last)
{
    struct chord_id id = {.bytes = {first}};

    id.bytes[CHORD_ID_BYTES - 1] = last;
    return id;
}

static void
distance_goes_round_the_ring(void **state)
{
    struct chord_id low = id_of(10, 5), high = id_of(200, 3), way, back;

    (void)state;
    way = chord_id_distance(&low, &high);
    assert_int_equal(189, way.bytes[0]);
    assert_int_equal(255, way.bytes[1]);
    assert_int_equal(254, way.bytes[CHORD_ID_BYTES - 1]);
    back = chord_id_distance(&high, &low);
    assert_int_equal(66, back.bytes[0]);
    assert_int_equal(2, back.bytes[CHORD_ID_BYTES - 1]);
    way = chord_id_distance(&low, &low);
    assert_int_equal(-1, chord_id_level(&way));
}

static void
powers_carry_and_wrap(void **state)
{
    struct chord_id id = id_of(0, 255), next = chord_id_add_power(&id, 0), top, way;

    (void)state;
    assert_int_equal(0, next.bytes[CHORD_ID_BYTES - 1]);
    assert_int_equal(1, next.bytes[CHORD_ID_BYTES - 2]);
    top = id_of(0x80, 0);
    next = chord_id_add_power(&top, CHORD_ID_BITS - 1);
    assert_int_equal(0, next.bytes[0]);
    for (unsigned bit = 0; bit < CHORD_ID_BITS; bit++) {
        next = chord_id_add_power(&top, bit);
        way = chord_id_distance(&top, &next);
        assert_int_equal((int)bit, chord_id_level(&way));
    }
}

static void
between_is_strict_and_wraps(void **state)
{
    struct chord_id a = id_of(10, 0), b = id_of(20, 0), c = id_of(30, 0);

    (void)state;
    assert_true(chord_id_between(&a, &b, &c));
    assert_false(chord_id_between(&c, &b, &a));
    assert_true(chord_id_between(&c, &a, &b));
    assert_false(chord_id_between(&a, &a, &c));
    assert_false(chord_id_between(&a, &c, &c));
    assert_true(chord_id_between(&a, &b, &a));
    assert_false(chord_id_between(&a, &a, &a));
    assert_true(chord_id_owned(&a, &c, &c));
    assert_false(chord_id_owned(&a, &a, &c));
    assert_true(chord_id_owned(&a, &b, &a));
    assert_true(chord_id_nearer(&b, &c, &a));
}

static void
a_message_that_breaks_the_rules_is_refused(void **state)
{
    struct chord_message good = {.kind = CHORD_MEET, .flags = CHORD_FLAG_SUBJECT}, bad;

    (void)state;
    assert_true(chord_message_valid(&good));
    bad = good;
    bad.kind = CHORD_KIND_END;
    assert_false(chord_message_valid(&bad));
    bad = good;
    bad.flags |= CHORD_FLAGS_ALL + 1;
    assert_false(chord_message_valid(&bad));
    bad = good;
    bad.flags = 0;
    assert_false(chord_message_valid(&bad));
    bad = good;
    bad.peer_count = CHORD_PEERS_MAX + 1;
    assert_false(chord_message_valid(&bad));
    bad = good;
    bad.hops = CHORD_HOPS_MAX + 1;
    assert_false(chord_message_valid(&bad));
    bad = good;
    bad.from.contact = CHORD_NO_CONTACT;
    assert_false(chord_message_valid(&bad));
    bad = good;
    bad.kind = CHORD_LOOKUP;
    bad.origin.contact = CHORD_NO_CONTACT;
    assert_false(chord_message_valid(&bad));
}

static void
parameters_scale_and_are_checked(void **state)
{
    struct chord_params params = chord_params_default();

    (void)state;
    assert_null(chord_params_wrong(&params));
    chord_params_scale(&params, 1, 100);
    assert_int_equal(100000, params.tick_min_us);
    assert_int_equal(16, params.successors);
    assert_null(chord_params_wrong(&params));
    params.successors = CHORD_SUCCESSORS_MAX + 1;
    assert_non_null(chord_params_wrong(&params));
    params = chord_params_default();
    params.merge_us = 0;
    assert_string_equal("merge_us must be more than 0", chord_params_wrong(&params));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distance_goes_round_the_ring),
        cmocka_unit_test(powers_carry_and_wrap),
        cmocka_unit_test(between_is_strict_and_wraps),
        cmocka_unit_test(a_message_that_breaks_the_rules_is_refused),
        cmocka_unit_test(parameters_scale_and_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
