/* SPDX-License-Identifier: BSD-3-Clause */

/* The parts of the sandbox that can be looked at one by one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/message.h"
#include "sandbox/probe.h"
#include "sandbox/sandbox.h"

/* --- places --- */

static void
place_expect(const char *expected, const char *path)
{
    char *place = sandbox_place(path);

    assert_string_equal(expected, place);
    free(place);
}

static void
files_lie_where_they_lay_unless_the_system_is_there(void **state)
{
    (void)state;
    place_expect("/srv/ann/tsp_ga", "/srv/ann/tsp_ga");
    place_expect("/usrlocal/tsp_ga", "/usrlocal/tsp_ga");
    place_expect("/run/cpmp/bin/tsp_ga", "/usr/local/bin/tsp_ga");
    place_expect("/run/cpmp/bin/sh", "/bin/sh");
    place_expect("/run/cpmp/bin/cage", "/run/cpmp/cage");
}

static void
names_that_could_mean_something_else_are_not_taken(void **state)
{
    static const char *const odd[] = {"/srv/../etc/passwd", "/srv/./x", "//etc/passwd", "x/y",
                                      "/srv/x/", "/", "", "/srv/.."};

    (void)state;
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        place_expect("/run/cpmp/bin/program", odd[i]);
}

static void
the_scratch_is_the_directory_unless_the_system_is_there(void **state)
{
    char *home = sandbox_scratch("/srv/ann/work"), *root = sandbox_scratch("/");
    char *system = sandbox_scratch("/usr/src");

    (void)state;
    assert_string_equal("/srv/ann/work", home);
    assert_string_equal("/run/cpmp/scratch", root);
    assert_string_equal("/run/cpmp/scratch", system);
    free(home);
    free(root);
    free(system);
}

/* --- messages --- */

static void
descriptors_come_with_a_message_and_are_closed_on_exec(void **state)
{
    struct sandbox_message sent = {.type = SANDBOX_RUN, .index = 7}, got;
    int pair[2], fds[SANDBOX_FDS_MAX];
    size_t count = 0;
    char *bytes;

    (void)state;
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
    int blob = sandbox_blob_make("what to run", 11);
    assert_int_equal(0, sandbox_message_send(pair[0], &sent, &blob, 1, true));
    assert_int_equal(1, sandbox_message_receive(pair[1], &got, fds, &count, true));
    assert_int_equal(1, count);
    assert_int_equal(7, got.index);
    assert_int_equal(FD_CLOEXEC, fcntl(fds[0], F_GETFD));
    bytes = sandbox_blob_read(fds[0], 11, &count);
    assert_string_equal("what to run", bytes);
    free(bytes);
    assert_null(sandbox_blob_read(fds[0], 10, &count));
    assert_int_equal(EFBIG, errno);
    sandbox_fds_close(fds, 1);
    close(blob);
    close(pair[0]);
    assert_int_equal(0, sandbox_message_receive(pair[1], &got, fds, &count, true));
    close(pair[1]);
}

/* What a hostile rank could send, had it the cage's socket. */
static void
what_is_no_message_is_refused_and_its_descriptors_are_closed(void **state)
{
    char odd[200] = {0};
    struct iovec piece = {odd, sizeof(odd)};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(16 * sizeof(int))];
    } control = {0};
    struct msghdr header = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes,
                            .msg_controllen = sizeof(control.bytes)};
    struct sandbox_message got;
    int pair[2], fds[SANDBOX_FDS_MAX], many[16];
    size_t count;

    (void)state;
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
    for (size_t i = 0; i < 16; i++)
        many[i] = pair[0];
    control.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
                                      .cmsg_len = CMSG_LEN(sizeof(many))};
    memcpy(CMSG_DATA(&control.header), many, sizeof(many));
    int before = dup(0);
    close(before);
    for (size_t bytes = 1; bytes <= sizeof(odd); bytes++) {
        piece.iov_len = bytes;
        assert_int_equal((int)bytes, (int)sendmsg(pair[0], &header, 0));
        assert_int_equal(-1, sandbox_message_receive(pair[1], &got, fds, &count, true));
        assert_int_equal(EPROTO, errno);
        assert_int_equal(0, count);
    }
    int after = dup(0);
    assert_int_equal(before, after);
    close(after);
    close(pair[0]);
    close(pair[1]);
}

static void
answers_are_believed_by_their_shape_only(void **state)
{
    struct sandbox_message message = {.type = SANDBOX_STARTED, .index = 3};
    size_t bytes = sizeof(message);

    (void)state;
    assert_true(sandbox_message_is_answer(&message, bytes, 1, 4));
    assert_false(sandbox_message_is_answer(&message, bytes, 0, 4));
    assert_false(sandbox_message_is_answer(&message, bytes - 1, 1, 4));
    assert_false(sandbox_message_is_answer(&message, bytes, 1, 3));
    message = (struct sandbox_message){.type = SANDBOX_EXITED, .max_rss_kib = UINT64_MAX};
    assert_false(sandbox_message_is_answer(&message, bytes, 0, 4));
    message = (struct sandbox_message){.type = SANDBOX_FAILED, .value = -1};
    assert_false(sandbox_message_is_answer(&message, bytes, 0, 4));
    message = (struct sandbox_message){.type = SANDBOX_KILL};
    assert_false(sandbox_message_is_answer(&message, bytes, 0, 4));
}

/* --- weaknesses --- */

static void
weaknesses_are_refused_unless_accepted_by_name(void **state)
{
    struct sandbox_probe probe = {.lacks = {false}};
    struct text why = {0};

    (void)state;
    assert_false(sandbox_probe_is_refusal(&probe, NULL, true, &why));
    probe.lacks[SANDBOX_LACKS_LANDLOCK] = probe.lacks[SANDBOX_LACKS_MEMORY] = true;
    assert_true(sandbox_probe_is_refusal(&probe, NULL, true, &why));
    assert_non_null(strstr(text_string(&why), "landlock: the kernel has no Landlock"));
    assert_null(strstr(text_string(&why), "memory"));
    assert_true(sandbox_probe_is_refusal(&probe, "landlock-net,cpu", true, NULL));
    assert_false(sandbox_probe_is_refusal(&probe, "cpu, landlock", true, NULL));
    probe.lacks[SANDBOX_LACKS_CPU] = true;
    assert_false(sandbox_probe_is_refusal(&probe, "landlock", false, NULL));
    assert_true(sandbox_probe_is_refusal(&probe, "landlock", true, NULL));
    probe.lacks[SANDBOX_LACKS_BWRAP] = true;
    assert_true(sandbox_probe_is_refusal(&probe, "landlock,cpu,bwrap", true, NULL));
    text_release(&why);
}

static void
each_weakness_has_a_name_and_a_sentence(void **state)
{
    (void)state;
    for (enum sandbox_weakness i = 0; i < SANDBOX_WEAKNESS_COUNT; i++) {
        const struct sandbox_weakness_info *info = sandbox_weakness_info(i);
        assert_true(strlen(info->name) > 0 && strlen(info->sentence) > 10);
        assert_true(sandbox_accepts(info->name, i));
        for (enum sandbox_weakness j = 0; j < i; j++)
            assert_false(sandbox_accepts(info->name, j));
    }
}

/* On a machine where the sandbox works nothing that is needed lacks, and the other way round. */
static void
the_probe_says_what_a_trial_says(void **state)
{
    struct sandbox_probe probe;

    (void)state;
    sandbox_probe(&probe);
    if (probe.lacks[SANDBOX_LACKS_NAMESPACES])
        assert_true(probe.detail[0] != '\0');
    else
        assert_string_equal("", probe.detail);
    assert_int_equal(0, setenv("CPMP_BWRAP", "/nothing", 1));
    sandbox_probe(&probe);
    assert_true(probe.lacks[SANDBOX_LACKS_BWRAP]);
    assert_int_equal(0, unsetenv("CPMP_BWRAP"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_lie_where_they_lay_unless_the_system_is_there),
        cmocka_unit_test(names_that_could_mean_something_else_are_not_taken),
        cmocka_unit_test(the_scratch_is_the_directory_unless_the_system_is_there),
        cmocka_unit_test(descriptors_come_with_a_message_and_are_closed_on_exec),
        cmocka_unit_test(what_is_no_message_is_refused_and_its_descriptors_are_closed),
        cmocka_unit_test(answers_are_believed_by_their_shape_only),
        cmocka_unit_test(weaknesses_are_refused_unless_accepted_by_name),
        cmocka_unit_test(each_weakness_has_a_name_and_a_sentence),
        cmocka_unit_test(the_probe_says_what_a_trial_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
