/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cpmp.h>
#include <string.h>

#include "proto/computer/require.h"

static const struct seller lab3 = {
    .id = {0xab, 0xcd},
    .name = "lab3",
    .arch = "x86_64",
    .os = "Linux",
    .kernel = "6.1.0-18-amd64",
    .version = "0.10.1",
    .cores = 8,
    .ranks_max = 8,
    .ranks_free = 6,
    .millicores_free = 6000,
    .memory_bytes = UINT64_C(16) << 30,
    .memory_free_bytes = UINT64_C(4) << 30,
    .scratch_bytes = UINT64_C(1) << 30,
    .weaknesses = "no-landlock,no-cgroup",
    .distance_us = 1500,
};

static void
holds(const char *text, bool expected)
{
    struct require require = {0};
    char why[REQUIRE_WHY_BYTES] = "";

    if (require_parse(text, &require, why) != CPMP_OK)
        fail_msg("%s: %s", text, why);
    if (require_match(&require, &lab3, why) != expected)
        fail_msg("%s should%s hold: %s", text, expected ? "" : " not", why);
    assert_true(expected || why[0] != '\0');
}

static void
words_are_patterns(void **state)
{
    (void)state;
    holds("arch=x86_64", true);
    holds("ARCH=X86_64", true);
    holds("arch=aarch64", false);
    holds("arch=aarch64|x86*", true);
    holds("arch!=aarch64|riscv*", true);
    holds("name=lab*", true);
    holds("name=l?b3", true);
    holds("name=*b*3", true);
    holds("name=lab", false);
    holds("name=*4", false);
    holds("name!=lab*", false);
    holds("id=abcd0000*", true);
    holds("id=abcd000000000000000000000000000000000000", true);
    holds("os=linux", true);
    holds("weakness=no-cgroup", true);
    holds("weakness!=no-seccomp", true);
    holds("weakness!=no-*", false);
    holds("weakness=no", false);
}

static void
numbers_have_units(void **state)
{
    (void)state;
    holds("memory>=4G", true);
    holds("memory>4G", false);
    holds("memory>=4097m", false);
    holds("memory=4GiB", true);
    holds("memory-total>15GB", true);
    holds("scratch<=1024M", true);
    holds("cores=8", true);
    holds("cores!=8", false);
    holds("free<6", false);
    holds("free>=6", true);
    holds("distance<2ms", true);
    holds("distance<=1500us", true);
    holds("distance<1ms", false);
}

static void
versions_count_number_by_number(void **state)
{
    (void)state;
    holds("kernel>=5.13", true);
    holds("kernel>=6.1", true);
    holds("kernel>6.1", false);
    holds("kernel=6.1.0", true);
    holds("kernel<6.10", true);
    holds("version>=0.9", true);
    holds("version>0.10", true);
    holds("version<0.10.1", false);
}

static void
all_terms_must_hold(void **state)
{
    (void)state;
    holds("arch=x86_64, memory>=4G,name=lab*", true);
    holds("arch=x86_64,memory>=8G,name=lab*", false);
}

static void
what_is_missing_is_said(void **state)
{
    struct require require = {0};
    char why[REQUIRE_WHY_BYTES];

    (void)state;
    assert_int_equal(require_parse("arch=x86_64", &require, why), CPMP_OK);
    assert_int_equal(require_parse("memory>=8G", &require, why), CPMP_OK);
    assert_int_equal(require.count, 2);
    assert_false(require_match(&require, &lab3, why));
    assert_string_equal(why, "its memory for jobs is 4096M but should be >= 8G");
    require = (struct require){0};
    assert_int_equal(require_parse("arch=aarch64", &require, why), CPMP_OK);
    assert_false(require_match(&require, &lab3, why));
    assert_string_equal(why, "its arch is x86_64, not aarch64");
    require = (struct require){0};
    assert_int_equal(require_parse("weakness!=no-c*", &require, why), CPMP_OK);
    assert_false(require_match(&require, &lab3, why));
    assert_string_equal(why, "its sandbox has the weakness no-c*");
}

static void
a_distance_that_isnt_known_is_long(void **state)
{
    struct require require = {0};
    struct seller far = lab3;
    char why[REQUIRE_WHY_BYTES];

    (void)state;
    far.distance_us = SELLER_DISTANCE_UNKNOWN;
    assert_int_equal(require_parse("distance<1s", &require, why), CPMP_OK);
    assert_false(require_match(&require, &far, why));
    assert_string_equal(why, "its distance is not known but should be < 1s");
}

static void
nonsense_is_refused_with_words(void **state)
{
    static const char *const wrong[][2] = {
        {"", "nothing is called \"\""},
        {"memroy>=4G", "there are name, id, arch"},
        {"memory", "wants a comparison"},
        {"memory>=", "wants a comparison"},
        {"memory>=lots", "size like 512M"},
        {"memory>=4X", "size like 512M"},
        {"memory>=99999999999999999999", "size like"},
        {"memory>=99999999999T", "size like"},
        {"cores>=4G", "whole number"},
        {"arch>=x86_64", "compare it with = or !="},
        {"kernel>=new", "no version"},
        {"distance<5", "time like"},
        {"arch=x86_64,", "nothing is called"},
    };
    struct require require = {0};
    char why[REQUIRE_WHY_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (require_parse(wrong[i][0], &require, why) != CPMP_EINVAL ||
            strstr(why, wrong[i][1]) == NULL)
            fail_msg("%s: %s", wrong[i][0], why);
    }
    assert_int_equal(require.count, 0);
    for (int i = 0; i < 16; i++)
        assert_int_equal(require_parse("cores>0", &require, why), CPMP_OK);
    assert_int_equal(require_parse("cores>0", &require, why), CPMP_ELIMIT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_patterns),
        cmocka_unit_test(numbers_have_units),
        cmocka_unit_test(versions_count_number_by_number),
        cmocka_unit_test(all_terms_must_hold),
        cmocka_unit_test(what_is_missing_is_said),
        cmocka_unit_test(a_distance_that_isnt_known_is_long),
        cmocka_unit_test(nonsense_is_refused_with_words),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
