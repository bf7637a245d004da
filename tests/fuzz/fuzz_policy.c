/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * policy.conf as anybody may have written it. Whatever it says, a policy comes out or an error with
 * words; a policy that came out is written key by key into an empty file and read back the same;
 * and changing one key of the original text changes that key only.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "peer/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void
assert_same(const struct policy *a, const struct policy *b, const char *except)
{
    struct policy_row row;
    struct text one = {0};
    struct text other = {0};

    for (size_t i = 0; policy_row(a, i, &row, &one, NULL); i++) {
        policy_row(b, i, &row, &other, NULL);
        if (except == NULL || strcmp(row.key, except) != 0)
            assert(strcmp(text_string(&one), text_string(&other)) == 0);
        text_clear(&one);
        text_clear(&other);
    }
    text_release(&one);
    text_release(&other);
}

static void
file_set(struct text *file, const char *key, const char *value)
{
    struct text next = {0};

    policy_edit(text_string(file), key, value, &next);
    text_release(file);
    *file = next;
}

static void
policy_survives(const struct policy *policy, const char *original)
{
    struct text file = {0};
    struct text why = {0};
    struct text value = {0};
    struct policy back;
    struct policy_row row;
    int error;

    for (size_t i = 0; policy_row(policy, i, &row, &value, NULL); i++) {
        file_set(&file, row.key, text_string(&value));
        text_clear(&value);
    }
    text_release(&value);
    policy_init(&back);
    error = policy_parse(&back, "f", text_string(&file), &why);
    assert(error == CPMP_OK);
    assert_same(policy, &back, NULL);

    text_clear(&file);
    text_add_string(&file, original);
    file_set(&file, "cpu", "17%");
    error = policy_parse(&back, "f", text_string(&file), &why);
    assert(error == CPMP_OK);
    assert(back.cpu_percent == 17);
    assert_same(policy, &back, "cpu");
    policy_release(&back);
    text_release(&file);
    text_release(&why);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text = malloc(bytes + 1);
    struct text why = {0};
    struct policy policy;

    assert(text);
    memcpy(text, data, bytes);
    text[bytes] = '\0';
    policy_init(&policy);
    if (policy_parse(&policy, "f", text, &why) == CPMP_OK)
        policy_survives(&policy, text);
    else
        assert(why.used > 0);
    policy_release(&policy);
    text_release(&why);
    free(text);
    return 0;
}
