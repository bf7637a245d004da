/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What agent and cage read of each other: messages by their shape, and the block that says what to
 * run. Whatever the bytes are, nothing is read beyond them; and a block that is taken, packed
 * again, is taken again and says the same.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void
answer_try(const uint8_t *data, size_t bytes)
{
    struct sandbox_message message = {0};
    size_t some = bytes < sizeof(message) ? bytes : sizeof(message);

    memcpy(&message, data, some);
    for (size_t fds = 0; fds <= SANDBOX_FDS_MAX; fds++) {
        if (!sandbox_message_is_answer(&message, some, fds, 4))
            continue;
        assert(some == sizeof(message) && message.index <= 4);
        assert(message.type >= SANDBOX_HELLO && message.type <= SANDBOX_EXITED);
    }
}

static size_t
list_same(char *const *one, char *const *other)
{
    size_t count = 0;

    for (; one[count] != NULL; count++)
        assert(other[count] != NULL && strcmp(one[count], other[count]) == 0);
    assert(other[count] == NULL);
    return count;
}

static void
block_again(const struct spawn_request *request)
{
    struct spawn_request again = {0};
    struct rlimit files;
    char **list = NULL;
    size_t bytes = 0;
    char *block = sandbox_run_pack(request, &bytes);

    assert(block != NULL);
    assert(sandbox_run_unpack(&again, &files, block, bytes, &list) == 0);
    assert(list_same(request->argv, again.argv) > 0);
    list_same(request->env, again.env);
    assert(strcmp(request->directory, again.directory) == 0);
    assert((request->file == NULL) == (again.file == NULL) && request->umask == again.umask);
    free(list);
    free(block);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct spawn_request request = {0};
    struct rlimit files;
    char **list = NULL;
    char *block = malloc(bytes ? bytes : 1);  /* so that a sanitizer sees its end */

    if (block == NULL)
        return 0;
    memcpy(block, data, bytes);
    answer_try(data, bytes);
    if (sandbox_run_unpack(&request, &files, block, bytes, &list) == 0)
        block_again(&request);
    free(list);
    free(block);
    return 0;
}
