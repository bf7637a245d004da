/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exec/cgroup.h"
#include "exec/hosts.h"
#include "exec/programs.h"
#include "text/environment.h"

/* --- hosts --- */

static void
hosts_expect(int expected, const char *list)
{
    struct text error = {0};

    assert_int_equal(expected, exec_hosts_check_list("--host", list, "node1.example.org", &error));
    assert_int_equal(expected != 0, error.used > 0);
    text_release(&error);
}

static void
names_of_this_machine_are_hosts_to_run_on(void **state)
{
    (void)state;
    hosts_expect(0, "localhost");
    hosts_expect(0, "localhost:4,127.0.0.1,::1,LocalHost");
    hosts_expect(0, "node1,node1:2,node1.example.org");
    hosts_expect(-1, "node2");
    hosts_expect(-1, "localhost,node11");
    hosts_expect(-1, "");
    hosts_expect(-1, "localhost,");
}

static void
a_hostfile_has_a_host_on_each_line(void **state)
{
    struct text error = {0};

    (void)state;
    assert_int_equal(
        0, exec_hosts_check_file("f", "# all\n\n localhost slots=4\nnode1#x\n", "node1", &error));
    assert_int_equal(0, exec_hosts_check_file("f", "", "node1", &error));
    assert_int_equal(-1, exec_hosts_check_file("f", "localhost\nfar away", "node1", &error));
    assert_non_null(strstr(text_string(&error), "f: host far"));
    text_release(&error);
}

/* --- control groups --- */

static void
cgroup_expect(int version, const char *directory, const char *mounts, const char *own)
{
    struct group_base base;

    assert_int_equal(version == 0 ? -1 : 0, group_base_parse(&base, mounts, own, "cpu"));
    assert_int_equal(version, base.version);
    if (version != 0)
        assert_string_equal(directory, base.directory);
    group_base_release(&base);
}

#define V1                                                                                         \
    "31 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
#define V1_OTHER "32 25 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
#define V2 "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"

static void
the_own_control_group_is_found(void **state)
{
    (void)state;
    cgroup_expect(2, "/sys/fs/cgroup/user.slice/a b", V2, "0::/user.slice/a b\n");
    cgroup_expect(2, "/sys/fs/cgroup", V2, "0::/\n");
    cgroup_expect(1, "/sys/fs/cgroup/cpu,cpuacct/x", V1, "4:cpu,cpuacct:/x\n3:cpuset:/y\n0::/z\n");
    cgroup_expect(1, "/sys/fs/cgroup/cpu,cpuacct", V2 V1_OTHER V1,
                  "3:cpuset:/y\n4:cpu,cpuacct:/\n0::/z");
    cgroup_expect(2, "/sys/fs/cgroup/z", V1_OTHER V2, "3:cpuset:/y\n0::/z\n");
    cgroup_expect(0, NULL, V1_OTHER, "3:cpuset:/y\n");
    cgroup_expect(0, NULL, V1, "3:cpuset:/y\n");
    cgroup_expect(0, NULL, "", "");
    cgroup_expect(0, NULL, "nonsense\n - \n", "::\nx\n");
}

static void
a_mount_that_shows_a_part_shortens_the_path(void **state)
{
    static const char part[] = "31 25 0:26 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup rw\n";

    (void)state;
    cgroup_expect(2, "/sys/fs/cgroup/x", part, "0::/docker/1/x\n");
    cgroup_expect(2, "/sys/fs/cgroup", part, "0::/docker/1\n");
    cgroup_expect(2, "/sys/fs/cgroup", part, "0::/elsewhere\n");
}

/* --- programs --- */

static char place[] = "/tmp/test_exec_local.XXXXXX";

static void
file_make(const char *name, mode_t mode)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", place, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("#!/bin/sh\n", file);
    fclose(file);
    assert_int_equal(0, chmod(path, mode));
}

static int
place_make(void **state)
{
    char path[256];

    (void)state;
    if (mkdtemp(place) == NULL)
        return -1;
    file_make("tool", 0755);
    file_make("data", 0644);
    snprintf(path, sizeof(path), "%s/bin", place);
    mkdir(path, 0755);
    file_make("bin/tool", 0755);
    file_make("bin/data", 0644);
    return 0;
}

static int
place_remove(void **state)
{
    static const char *const names[] = {"bin/tool", "bin/data", "bin", "tool", "data", ""};
    char path[256];

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", place, names[i]);
        remove(path);
    }
    return 0;
}

/* Runs the search for `name` in the directory `place`, with PATH=place/bin; the path found below
 * `place`, or the exit code. */
static void
program_expect(const char *name, int code, const char *found)
{
    char variable[256], path[256];
    char *environment[] = {variable, "HOME=/", NULL}, *argv[] = {(char *)name, NULL};
    struct exec_program program = {.argv = argv, .directory = place};
    struct exec_image image;
    struct text notes = {0}, error = {0};

    snprintf(variable, sizeof(variable), "PATH=/nowhere:%s/bin", place);
    snprintf(path, sizeof(path), "%s/%s", place, found);
    assert_int_equal(code, exec_image_init(&image, &program, environment, &notes, &error));
    if (code == 0)
        assert_string_equal(path, image.path);
    else
        assert_non_null(strstr(text_string(&error), "no rank was started"));
    exec_image_release(&image);
    text_release(&notes);
    text_release(&error);
}

static void
programs_are_found_as_mpirun_finds_them(void **state)
{
    (void)state;
    program_expect("tool", 0, "bin/tool");
    program_expect("./tool", 0, "./tool");
    program_expect("bin/tool", 0, "bin/tool");
    program_expect("data", EXEC_EXIT_NOT_RUNNABLE, "");
    program_expect("./data", EXEC_EXIT_NOT_RUNNABLE, "");
    program_expect("./bin", EXEC_EXIT_NOT_RUNNABLE, "");
    program_expect("absent", EXEC_EXIT_NOT_FOUND, "");
    program_expect("./absent", EXEC_EXIT_NOT_FOUND, "");
    program_expect("tool/x", EXEC_EXIT_NOT_FOUND, "");
    program_expect("/", EXEC_EXIT_NOT_RUNNABLE, "");
    program_expect("", EXEC_EXIT_NOT_FOUND, "");
}

static void
the_environment_is_the_launchers_and_what_x_adds(void **state)
{
    char *environment[] = {"PATH=/bin", "A=old", "B=b", NULL}, *argv[] = {"sh", NULL};
    const char *exports[] = {"A=new", "C=c=d", "B", "ABSENT"};
    struct exec_program program = {.argv = argv, .exports = exports, .exports_count = 4};
    struct exec_image image;
    struct text notes = {0}, error = {0};

    (void)state;
    assert_int_equal(0, exec_image_init(&image, &program, environment, &notes, &error));
    assert_int_equal(4, image.env_count);
    assert_string_equal("new", environment_get(image.env, "A"));
    assert_string_equal("b", environment_get(image.env, "B"));
    assert_string_equal("c=d", environment_get(image.env, "C"));
    assert_null(environment_get(image.env, "ABSENT"));
    assert_non_null(strstr(text_string(&notes), "-x ABSENT"));
    exec_image_release(&image);
    text_release(&notes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_this_machine_are_hosts_to_run_on),
        cmocka_unit_test(a_hostfile_has_a_host_on_each_line),
        cmocka_unit_test(the_own_control_group_is_found),
        cmocka_unit_test(a_mount_that_shows_a_part_shortens_the_path),
        cmocka_unit_test_setup_teardown(programs_are_found_as_mpirun_finds_them, place_make,
                                        place_remove),
        cmocka_unit_test(the_environment_is_the_launchers_and_what_x_adds),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
