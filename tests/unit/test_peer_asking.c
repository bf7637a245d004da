/* SPDX-License-Identifier: BSD-3-Clause */
/* Reservations asked of other peers: found by peer and nonce, taken by peer or session, bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "peer/asking.h"

static void
add(struct asking *asking, uint32_t contact, uint64_t nonce, uint64_t session)
{
    struct asking_one one = {.contact = contact, .nonce = nonce, .session = session,
                             .number = nonce + 1};

    assert_true(asking_add(asking, &one));
}

static void
an_answer_counts_from_whom_it_was_asked(void **state)
{
    struct asking asking = {0};
    struct asking_one one;
    (void)state;

    add(&asking, 1, 10, 100);
    add(&asking, 2, 10, 200);
    assert_null(asking_find(&asking, 3, 10));
    assert_null(asking_find(&asking, 1, 11));
    assert_int_equal(100, asking_find(&asking, 1, 10)->session);
    assert_false(asking_take(&asking, 3, 10, &one));
    assert_true(asking_take(&asking, 2, 10, &one));
    assert_int_equal(200, one.session);
    assert_int_equal(11, one.number);
    assert_false(asking_take(&asking, 2, 10, NULL));
    assert_true(asking_take(&asking, 1, 10, NULL));
    assert_int_equal(0, asking.count);
    asking_release(&asking);
}

static void
a_lost_peer_takes_what_is_not_answered(void **state)
{
    struct asking asking = {0};
    struct asking_one one;
    (void)state;

    add(&asking, 1, 10, 100);
    add(&asking, 1, 11, 100);
    add(&asking, 2, 12, 100);
    asking_find(&asking, 1, 11)->answered = true;
    assert_true(asking_take_any(&asking, 1, &one));
    assert_int_equal(10, one.nonce);
    assert_false(asking_take_any(&asking, 1, &one));
    assert_true(asking_take_session(&asking, 100, &one));
    assert_true(asking_take_session(&asking, 100, &one));
    assert_false(asking_take_session(&asking, 100, &one));
    asking_release(&asking);
}

static void
they_are_bounded(void **state)
{
    struct asking asking = {0};
    struct asking_one one = {.contact = 1};
    (void)state;

    for (uint64_t nonce = 0; nonce < ASKING_MAX; nonce++)
        add(&asking, 1, nonce, 1);
    assert_false(asking_add(&asking, &one));
    assert_true(asking_take(&asking, 1, 0, NULL));
    assert_true(asking_add(&asking, &one));
    asking_release(&asking);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_counts_from_whom_it_was_asked),
        cmocka_unit_test(a_lost_peer_takes_what_is_not_answered),
        cmocka_unit_test(they_are_bounded),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
