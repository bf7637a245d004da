/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "control/codec.h"

struct seen {
    size_t count;
    uint64_t taken_sum;
    size_t stop_after;  /* 0: never */
};

static int
on_message(void *arg, Cpmp__Control *message)
{
    struct seen *seen = arg;

    seen->count++;
    if (message->body_case == CPMP__CONTROL__BODY_OUTPUT_TAKEN)
        seen->taken_sum += message->output_taken->bytes;
    return seen->stop_after && seen->count >= seen->stop_after;
}

static size_t
put_taken(unsigned char *out, uint64_t bytes)
{
    Cpmp__Control message = CPMP__CONTROL__INIT;
    Cpmp__OutputTaken taken = CPMP__OUTPUT_TAKEN__INIT;

    taken.bytes = bytes;
    message.body_case = CPMP__CONTROL__BODY_OUTPUT_TAKEN;
    message.output_taken = &taken;
    control_message_pack(&message, out);
    return control_message_bytes(&message);
}

static void
put_length(unsigned char *out, uint32_t length)
{
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(length >> (8 * i));
}

static void
messages_arrive_whatever_the_pieces(void **state)
{
    unsigned char bytes[4096];
    size_t used = 0;

    (void)state;
    for (uint64_t i = 1; i <= 50; i++)
        used += put_taken(bytes + used, i << 20);
    for (size_t piece = 1; piece <= used; piece++) {
        struct control_decoder decoder;
        struct seen seen = {0};
        control_decoder_init(&decoder);
        for (size_t at = 0; at < used; at += piece)
            assert_int_equal(CPMP_OK, control_decoder_feed(&decoder, bytes + at,
                             used - at < piece ? used - at : piece, on_message, &seen));
        assert_int_equal(50, seen.count);
        assert_int_equal((50 * 51 / 2) << 20, seen.taken_sum);
        assert_false(control_decoder_in_message(&decoder));
        control_decoder_release(&decoder);
    }
}

static void
a_cut_message_is_known_as_such(void **state)
{
    unsigned char bytes[64];
    size_t used = put_taken(bytes, 77);
    struct control_decoder decoder;
    struct seen seen = {0};

    (void)state;
    for (size_t cut = 1; cut < used; cut++) {
        control_decoder_init(&decoder);
        assert_int_equal(CPMP_OK, control_decoder_feed(&decoder, bytes, cut, on_message, &seen));
        assert_true(control_decoder_in_message(&decoder));
        assert_int_equal(0, seen.count);
        control_decoder_release(&decoder);
    }
}

static void
expect_refusal(const unsigned char *bytes, size_t count)
{
    struct control_decoder decoder;
    struct seen seen = {0};
    unsigned char good[64];
    size_t good_bytes = put_taken(good, 1);

    control_decoder_init(&decoder);
    assert_int_equal(CPMP_EPROTO, control_decoder_feed(&decoder, bytes, count, on_message, &seen));
    assert_int_equal(0, seen.count);
    /* for good: a sound message behind it isn't looked at */
    assert_int_equal(CPMP_EPROTO, control_decoder_feed(&decoder, good, good_bytes, on_message,
                                                       &seen));
    assert_int_equal(0, seen.count);
    control_decoder_release(&decoder);
}

static void
lengths_out_of_range_are_refused(void **state)
{
    unsigned char bytes[8] = {0};

    (void)state;
    put_length(bytes, 0);
    expect_refusal(bytes, sizeof(bytes));
    put_length(bytes, CONTROL_BYTES_MAX + 1);
    expect_refusal(bytes, sizeof(bytes));
    put_length(bytes, UINT32_MAX);
    expect_refusal(bytes, sizeof(bytes));
}

static void
what_is_no_message_is_refused(void **state)
{
    unsigned char garbage[20];
    unsigned char unknown[] = {3, 0, 0, 0, 0x98, 0x3e, 0x01};  /* field 995: no body we know */

    (void)state;
    memset(garbage, 0xff, sizeof(garbage));
    put_length(garbage, 16);
    expect_refusal(garbage, sizeof(garbage));
    expect_refusal(unknown, sizeof(unknown));
}

static void
a_length_alone_takes_no_memory(void **state)
{
    struct control_decoder decoder;
    struct seen seen = {0};
    unsigned char bytes[5] = {0};

    (void)state;
    put_length(bytes, CONTROL_BYTES_MAX);
    control_decoder_init(&decoder);
    assert_int_equal(CPMP_OK, control_decoder_feed(&decoder, bytes, sizeof(bytes), on_message,
                                                   &seen));
    assert_in_range(decoder.capacity_bytes, 5, 65536);
    control_decoder_release(&decoder);
}

static void
the_largest_message_passes_and_a_larger_is_not_packed(void **state)
{
    Cpmp__Control message = CPMP__CONTROL__INIT;
    Cpmp__Output output = CPMP__OUTPUT__INIT;
    unsigned char *data = calloc(1, CONTROL_BYTES_MAX + 1);
    unsigned char *packed = malloc(CONTROL_BYTES_MAX + CONTROL_PREFIX_BYTES);
    struct control_decoder decoder;
    struct seen seen = {0};

    (void)state;
    assert_non_null(data);
    assert_non_null(packed);
    message.body_case = CPMP__CONTROL__BODY_OUTPUT;
    message.output = &output;
    output.data.data = data;
    output.data.len = CONTROL_BYTES_MAX - 8;  /* two tags and two lengths of 3 bytes */
    assert_int_equal(CONTROL_PREFIX_BYTES + CONTROL_BYTES_MAX, control_message_bytes(&message));
    control_message_pack(&message, packed);
    control_decoder_init(&decoder);
    assert_int_equal(CPMP_OK, control_decoder_feed(&decoder, packed,
                     CONTROL_PREFIX_BYTES + CONTROL_BYTES_MAX, on_message, &seen));
    assert_int_equal(1, seen.count);
    control_decoder_release(&decoder);
    output.data.len++;
    assert_int_equal(0, control_message_bytes(&message));
    free(packed);
    free(data);
}

static void
the_owner_can_stop_in_the_middle(void **state)
{
    unsigned char bytes[256];
    size_t used = 0;
    struct control_decoder decoder;
    struct seen seen = {.stop_after = 2};

    (void)state;
    for (uint64_t i = 0; i < 5; i++)
        used += put_taken(bytes + used, i);
    control_decoder_init(&decoder);
    assert_int_equal(CPMP_ECANCELED, control_decoder_feed(&decoder, bytes, used, on_message,
                                                          &seen));
    assert_int_equal(2, seen.count);
    control_decoder_release(&decoder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_arrive_whatever_the_pieces),
        cmocka_unit_test(a_cut_message_is_known_as_such),
        cmocka_unit_test(lengths_out_of_range_are_refused),
        cmocka_unit_test(what_is_no_message_is_refused),
        cmocka_unit_test(a_length_alone_takes_no_memory),
        cmocka_unit_test(the_largest_message_passes_and_a_larger_is_not_packed),
        cmocka_unit_test(the_owner_can_stop_in_the_middle),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
