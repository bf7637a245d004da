/* SPDX-License-Identifier: BSD-3-Clause */
#include "text/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const unsigned char bytes[4] = {0x00, 0x9a, 0xbc, 0xff};

static void
bytes_read_as_they_print(void **state)
{
    char printed[HEX_BYTES(sizeof(bytes))];
    unsigned char back[sizeof(bytes)];
    struct text text = {0};

    (void)state;
    hex_print(bytes, sizeof(bytes), printed);
    assert_string_equal("009abcff", printed);
    hex_add(&text, bytes, sizeof(bytes));
    hex_add(&text, bytes, 1);
    assert_string_equal("009abcff00", text_string(&text));
    assert_true(hex_read(printed, back, sizeof(back)));
    assert_memory_equal(bytes, back, sizeof(back));
    assert_true(hex_read("009AbcFF", back, sizeof(back)));
    assert_memory_equal(bytes, back, sizeof(back));
    text_release(&text);
}

static void
what_is_no_number_of_that_length_is_refused(void **state)
{
    static const char *const bad[] = {"", "009abcf", "009abcff0", "009abcfg", "0x9abcff",
                                      "009abc f"};
    unsigned char back[4] = {1, 2, 3, 4};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(hex_read(bad[i], back, sizeof(back)));
    assert_memory_equal(((unsigned char[]){1, 2, 3, 4}), back, 4);
    assert_true(hex_read("", back, 0));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_read_as_they_print),
        cmocka_unit_test(what_is_no_number_of_that_length_is_refused),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
