/* SPDX-License-Identifier: BSD-3-Clause */

/* Lists of agents that somebody else has started. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "exec/remote.h"

#define KEY "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"

static void
a_list_is_read_in_order(void **state)
{
    struct exec_remotes remotes = {0};
    struct text error = {0};

    (void)state;
    assert_int_equal(0, exec_remotes_parse(&remotes, "list",
                                           "# two peers\n\n"
                                           "near 2 " KEY " 10.77.0.1:7712 [fd77::1]:7712 # first\n"
                                           "far\t64\t" KEY "\t10.77.0.2:7713", &error));
    assert_int_equal(2, remotes.count);
    assert_string_equal("near", remotes.list[0].name);
    assert_int_equal(2000, remotes.list[0].millicores);
    assert_int_equal(2, remotes.list[0].addresses_count);
    assert_string_equal("[fd77::1]:7712", remotes.list[0].addresses[1]);
    assert_int_equal(64000, remotes.list[1].millicores);
    for (unsigned i = 0; i < sizeof(remotes.list[1].key); i++)
        assert_int_equal(i, remotes.list[1].key[i]);
    exec_remotes_release(&remotes);
}

static void
what_is_wrong_is_said_with_its_line(void **state)
{
    static const char *const wrong[][2] = {
        {"", "it names no agent"},
        {"near 2", "a line is NAME"},
        {"near 0 " KEY " 10.77.0.1:1", "number of cores"},
        {"near -1 " KEY " 10.77.0.1:1", "number of cores"},
        {"near 70000 " KEY " 10.77.0.1:1", "number of cores"},
        {"near 2 00 10.77.0.1:1", "64 hexadecimal"},
        {"near 2 " KEY "0 10.77.0.1:1", "64 hexadecimal"},
        {"near 2 " KEY, "has an address"},
        {"near 2 " KEY " localhost:1", "numeric"},
        {"near 2 " KEY " 10.77.0.1", "numeric"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct exec_remotes remotes = {0};
        struct text error = {0};
        assert_int_equal(-1, exec_remotes_parse(&remotes, "list", wrong[i][0], &error));
        assert_non_null(strstr(error.bytes, wrong[i][1]));
        assert_non_null(strstr(error.bytes, "list, line 1"));
        exec_remotes_release(&remotes);
        text_release(&error);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_read_in_order),
        cmocka_unit_test(what_is_wrong_is_said_with_its_line),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
