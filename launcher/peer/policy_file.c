/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/policy_file.h"

#include <string.h>

#include <cpmp.h>

#include "system/saved.h"

/* The whole file. A missing one is empty, and *there_p false. */
static int
file_read(const char *path, struct text *text, bool *there_p, struct text *why)
{
    struct text reason = {0};
    int error = saved_read(path, POLICY_FILE_BYTES_MAX, SAVED_FOR_ALL, text, &reason);

    *there_p = error != CPMP_ENOENT;
    if (error == CPMP_ENOENT)
        error = CPMP_OK;
    if (error == CPMP_ELIMIT ||
        (error == CPMP_OK && text->used > 0 && memchr(text->bytes, '\0', text->used) != NULL)) {
        text_print(why, "%s is no policy: it has bytes of value 0, or more than %u KiB", path,
                   POLICY_FILE_BYTES_MAX >> 10);
        error = CPMP_EINVAL;
    } else if (error != CPMP_OK) {
        text_add_string(why, text_string(&reason));
    }
    text_release(&reason);
    return error;
}

int
policy_file_load(const char *path, struct policy *policy, struct text *why)
{
    struct text text = {0};
    bool there;
    int error = file_read(path, &text, &there, why);

    if (!error)
        error = policy_parse(policy, path, text_string(&text), why);
    text_release(&text);
    return error;
}

/* Sets one key in the policy and in the file's text. */
static int
pair_apply(const char *pair, struct policy *policy, struct text *file, struct text *why)
{
    struct text value = {0};
    struct text next = {0};
    char key[POLICY_KEY_BYTES];
    int error = policy_set_pair(policy, pair, key, why);

    if (error)
        return error;
    policy_value(policy, key, &value);
    policy_edit(text_string(file), key, text_string(&value), &next);
    text_release(&value);
    text_release(file);
    *file = next;
    return CPMP_OK;
}

int
policy_file_set(const char *path, struct policy *policy, char *const *pairs, size_t count,
                struct text *why)
{
    struct text file = {0};
    struct policy changed;
    bool there;
    int error = file_read(path, &file, &there, why);

    policy_init(&changed);
    if (!error)
        error = policy_parse(&changed, path, text_string(&file), why);
    if (!error && !there)
        policy_template(&file);
    for (size_t i = 0; !error && i < count; i++)
        error = pair_apply(pairs[i], &changed, &file, why);
    if (!error)
        error = saved_write(path, text_string(&file), file.used, SAVED_AS_IT_WAS, why);
    if (!error)
        policy_move(policy, &changed);
    policy_release(&changed);
    text_release(&file);
    return error;
}
