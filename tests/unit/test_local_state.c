/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "local/state.h"

static char directory[] = "/tmp/cpmp-state-XXXXXX";

static int
directory_make(void **state)
{
    (void)state;
    return mkdtemp(directory) == NULL ? -1 : chdir(directory);
}

static int
entry_remove(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

static int
directory_remove(void **state)
{
    (void)state;
    return chdir("/") == 0 ? nftw(directory, entry_remove, 16, FTW_DEPTH | FTW_PHYS) : -1;
}

static void
who_names_a_directory_gets_it(void **state)
{
    char *environment[] = {(char *)"HOME=/h", (char *)"CPMP_STATE=/e", NULL};
    char *bare[] = {(char *)"HOME=/h", (char *)"XDG_STATE_HOME=/x", NULL};
    struct text path = {0}, error = {0};
    (void)state;

    assert_int_equal(0, state_directory(&path, "/o", environment, &error));
    assert_string_equal("/o", text_string(&path));
    text_clear(&path);
    assert_int_equal(0, state_directory(&path, NULL, environment, &error));
    assert_string_equal("/e", text_string(&path));
    text_clear(&path);
    assert_int_equal(0, state_directory(&path, NULL, bare, &error));
    assert_string_equal(geteuid() == 0 ? STATE_SYSTEM : "/x/cpmp", text_string(&path));
    assert_int_equal(-1, state_directory(&path, "", bare, &error));
    text_release(&path);
    text_release(&error);
}

static void
directories_are_made_and_locked_once(void **state)
{
    struct text error = {0};
    int lock;
    (void)state;

    assert_int_equal(0, state_make("a/b/c", &error));
    assert_int_equal(0, state_make("a/b/c", &error));
    lock = state_lock("a/b/c", &error);
    assert_true(lock >= 0);
    assert_int_equal(-1, state_lock("a/b/c", &error));
    assert_non_null(strstr(text_string(&error), "another cpmpd"));
    close(lock);
    lock = state_lock("a/b/c", &error);
    assert_true(lock >= 0);
    close(lock);
    text_clear(&error);
    assert_int_equal(-1, state_make("a/b/c/lock/d", &error));
    assert_non_null(strstr(text_string(&error), "lock/d"));
    text_release(&error);
}

static void
a_socket_is_reached_however_long_its_path_is(void **state)
{
    char path[400] = "deep";
    struct text error = {0}, found = {0};
    char *nobody[] = {(char *)"HOME=/nowhere", NULL};
    int listener, client, server;
    (void)state;

    for (size_t length = strlen(path); length < 300; length += 11)
        memcpy(path + length, "/0123456789", 12);
    assert_int_equal(0, state_make(path, &error));
    assert_int_equal(-1, state_connect(path));
    listener = state_listen(path);
    assert_true(listener >= 0);
    client = state_connect(path);
    server = accept(listener, NULL, NULL);
    assert_true(client >= 0 && server >= 0);
    assert_int_equal(0, state_find(&found, path, nobody, &error));
    assert_string_equal(path, text_string(&found));
    close(listener);
    close(server);
    close(client);
    assert_int_equal(-1, state_find(&found, path, nobody, &error));
    listener = state_listen(path);  /* the old socket is nobody's */
    assert_true(listener >= 0);
    close(listener);
    state_unlisten(path);
    text_release(&found);
    text_release(&error);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_names_a_directory_gets_it),
        cmocka_unit_test(directories_are_made_and_locked_once),
        cmocka_unit_test(a_socket_is_reached_however_long_its_path_is),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, directory_make, directory_remove);
}
