/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
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
directory_remove(void **state)
{
    char command[64] = "rm -rf ";
    (void)state;

    strncat(command, directory, sizeof(command) - 8);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
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
    assert_int_equal(0, state_write(".", "plain", "x", 1, 0600));
    assert_int_equal(-1, state_make("plain/d", &error));
    assert_non_null(strstr(text_string(&error), "plain/d"));
    text_release(&error);
}

static void
files_are_replaced_whole(void **state)
{
    struct text content = {0};
    struct stat status;
    (void)state;

    assert_int_equal(0, state_write(".", "file", "long text", 9, 0600));
    assert_int_equal(0, state_write(".", "file", "text", 4, 0600));
    assert_int_equal(0, stat("file", &status));
    assert_int_equal(0600, status.st_mode & 0777);
    assert_int_equal(0, state_read(&content, ".", "file", 100));
    assert_string_equal("text", text_string(&content));
    text_clear(&content);
    assert_int_equal(-1, state_read(&content, ".", "file", 3));
    assert_int_equal(EFBIG, errno);
    assert_int_equal(-1, state_read(&content, ".", "nothing", 3));
    assert_int_equal(ENOENT, errno);
    assert_int_equal(-1, state_write("nowhere", "file", "x", 1, 0600));
    assert_int_not_equal(0, access("file.new", F_OK));
    text_release(&content);
}

static void
a_socket_is_reached_however_long_its_path_is(void **state)
{
    char path[400] = "deep";
    struct text error = {0}, found = {0};
    char *nobody[] = {(char *)"HOME=/nowhere", NULL};
    int listener, client, server;
    (void)state;

    while (strlen(path) < 300)
        strcat(path, "/0123456789");  /* NOLINT: fits by the bound of the loop */
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
        cmocka_unit_test(files_are_replaced_whole),
        cmocka_unit_test(a_socket_is_reached_however_long_its_path_is),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, directory_make, directory_remove);
}
