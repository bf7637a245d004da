/* SPDX-License-Identifier: BSD-3-Clause */

/* A real sandbox, as the supervisor sees it: suspended, resumed, broken, ended. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cpmp.h>

#include "process/descendants.h"
#include "sandbox/probe.h"
#include "sandbox/sandbox.h"

#define LIMIT_MS 20000

struct cage_test {
    uv_loop_t loop;
    uv_timer_t limit;
    struct sandbox sandbox;
    pid_t pid;
    int out;                /* of the rank */
    int exited, status;
    char broken[200];
};

static void
on_exited(void *arg, uint32_t index, int status, const struct rusage *usage)
{
    struct cage_test *test = arg;

    assert_int_equal(0, index);
    assert_true(usage->ru_maxrss >= 0);
    test->exited++;
    test->status = status;
}

static void
on_broken(void *arg, const char *why)
{
    struct cage_test *test = arg;

    snprintf(test->broken, sizeof(test->broken), "%s", why);
    sandbox_kill(&test->sandbox);
}

static const struct sandbox_hooks hooks = {.on_exited = on_exited, .on_broken = on_broken};

static void
on_limit(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("nothing came in %d ms", LIMIT_MS);
}

static int
nothing_open(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    assert_true(fd > 2);
    return fd;
}

static void
rank_run(struct cage_test *test, char *script)
{
    char *argv[] = {(char *)"/bin/sh", (char *)"-c", script, NULL};
    char *env[] = {(char *)"PATH=/usr/bin:/bin", NULL};
    int ends[2], nothing = nothing_open();
    enum spawn_step step;

    assert_int_equal(0, pipe2(ends, O_CLOEXEC));
    struct spawn_request request = {
        .argv = argv, .env = env, .directory = "/srv/work", .stdio = {nothing, ends[1], nothing},
        .handed = {nothing, nothing, nothing}, .handed_as = {100, 101, 102}};
    assert_int_equal(0, sandbox_run(&test->sandbox, 0, &request, &test->pid, &step));
    close(nothing);
    close(ends[1]);
    test->out = ends[0];
}

static void
cage_open(struct cage_test *test, const struct sandbox_limits *limits)
{
    struct sandbox_config config = {.name = "unit-test", .directory = "/srv/work",
                                    .limits = *limits, .accepted = "landlock,processes"};
    struct text why = {0};

    memset(test, 0, sizeof(*test));
    test->out = -1;
    uv_loop_init(&test->loop);
    uv_timer_init(&test->loop, &test->limit);
    uv_timer_start(&test->limit, on_limit, LIMIT_MS, 0);
    int error = sandbox_start(&test->sandbox, &test->loop, &config, &hooks, test, &why);
    if (error == CPMP_OK)
        error = sandbox_await(&test->sandbox, 1, &why);
    if (error != CPMP_OK)
        fail_msg("%s", text_string(&why));
}

static void
handle_close(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* As the supervisor does it. */
static void
cage_close(struct cage_test *test)
{
    sandbox_kill(&test->sandbox);
    sandbox_end(&test->sandbox);
    while (descendants_signal(SIGKILL, 0, NULL, 0) > 0 || waitpid(-1, NULL, 0) > 0)
        continue;
    sandbox_finish(&test->sandbox);
    uv_walk(&test->loop, handle_close, NULL);
    uv_run(&test->loop, UV_RUN_DEFAULT);
    assert_int_equal(0, uv_loop_close(&test->loop));
    sandbox_release(&test->sandbox);
    if (test->out >= 0)
        close(test->out);
    assert_int_equal(1, test->exited);
}

static void
exit_await(struct cage_test *test)
{
    while (test->exited == 0)
        uv_run(&test->loop, UV_RUN_ONCE);
}

/* --- --- */

static void
a_rank_runs_and_its_end_is_told(void **state)
{
    struct sandbox_limits limits = {0};
    struct cage_test test;
    char word[16] = {0};

    (void)state;
    cage_open(&test, &limits);
    rank_run(&test, (char *)"pwd; exit 5");
    exit_await(&test);
    assert_int_equal(10, (int)read(test.out, word, sizeof(word)));
    assert_string_equal("/srv/work\n", word);
    assert_true(WIFEXITED(test.status) && WEXITSTATUS(test.status) == 5);
    cage_close(&test);
    assert_string_equal("", test.broken);
}

static char
state_of(pid_t pid)
{
    char path[64], text[512] = {0}, state = '?';
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (file != NULL && fgets(text, sizeof(text), file) != NULL && strrchr(text, ')') != NULL)
        state = strrchr(text, ')')[2];
    if (file != NULL)
        fclose(file);
    return state;
}

/* How many bytes come of a rank that writes without end, until enough did or none for so long. */
static int
bytes_in(struct cage_test *test, int ms)
{
    struct pollfd ask = {.fd = test->out, .events = POLLIN};
    char bytes[4096];
    int sum = 0;

    uv_run(&test->loop, UV_RUN_NOWAIT);
    while (poll(&ask, 1, ms) > 0 && sum < 100000)
        sum += (int)read(test->out, bytes, sizeof(bytes));
    return sum;
}

static void
suspends(bool freezer)
{
    struct sandbox_limits limits = {.suspends = freezer};
    struct cage_test test;

    cage_open(&test, &limits);
    sandbox_suspend(&test.sandbox);
    rank_run(&test, (char *)"while :; do echo on; done");
    assert_true(descendants_have(test.pid));
    sandbox_resume(&test.sandbox);
    assert_true(bytes_in(&test, LIMIT_MS) > 0);
    sandbox_suspend(&test.sandbox);
    /* What is in the pipe or under way comes, then nothing any more. */
    while (bytes_in(&test, 50) > 0)
        continue;
    for (int i = 0; i < LIMIT_MS && state_of(test.pid) != 'T' &&
                    test.sandbox.groups.version[SANDBOX_GROUP_FREEZER] == 0; i++)
        poll(NULL, 0, 1);
    if (test.sandbox.groups.version[SANDBOX_GROUP_FREEZER] == 0)
        assert_int_equal('T', state_of(test.pid));
    sandbox_resume(&test.sandbox);
    assert_true(bytes_in(&test, LIMIT_MS) > 0);
    sandbox_suspend(&test.sandbox);
    cage_close(&test);
    assert_true(WIFSIGNALED(test.status) && WTERMSIG(test.status) == SIGKILL);
}

static void
all_can_be_suspended_and_resumed_and_killed_meanwhile(void **state)
{
    (void)state;
    suspends(false);
    suspends(true);
}

static void
memory_is_watched_where_no_group_counts_it(void **state)
{
    struct sandbox_limits limits = {0};
    struct cage_test test;

    (void)state;
    cage_open(&test, &limits);
    rank_run(&test, (char *)"head -c 30000000 /dev/zero >file; echo done; sleep 100");
    assert_true(bytes_in(&test, 1000) > 0);
    uint64_t closely = sandbox_watch_memory(&test.sandbox.watch, true);
    assert_in_range(closely, 30000000, 80000000);
    assert_true(sandbox_watch_memory(&test.sandbox.watch, false) >= 30000000);
    cage_close(&test);
}

static void
a_cage_that_ends_takes_its_ranks_along(void **state)
{
    struct sandbox_limits limits = {0};
    struct cage_test test;

    (void)state;
    cage_open(&test, &limits);
    rank_run(&test, (char *)"sleep 100");
    assert_true(descendants_signal(SIGKILL, test.pid, NULL, 0) > 0);
    exit_await(&test);
    assert_true(WIFSIGNALED(test.status) && WTERMSIG(test.status) == SIGKILL);
    assert_non_null(strstr(test.broken, "its sandbox has ended"));
    cage_close(&test);
}

static int
setup(void **state)
{
    struct sandbox_probe probe;

    (void)state;
    sandbox_probe(&probe);
    if (probe.lacks[SANDBOX_LACKS_NAMESPACES] || probe.lacks[SANDBOX_LACKS_BWRAP]) {
        printf("1..0 # SKIP no sandbox here: %s\n", probe.detail);
        exit(0);
    }
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

/* bwrap would make the file in this machine's directory, not in the cage's. */
static void
no_path_leads_out(void **state)
{
    static const char *const paths[] = {"/../oldroot/srv/x", "/files/../../oldroot/x", "files",
                                        "/files/./x", "//x", "/", "/..", ""};
    uv_loop_t loop;
    (void)state;

    uv_loop_init(&loop);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct sandbox_bind bind = {.host = "/dev/null", .inside = paths[i]};
        struct sandbox_config config = {.name = "unit-test", .directory = "/srv/work",
                                        .binds = &bind, .binds_count = 1,
                                        .accepted = "landlock,processes"};
        struct sandbox sandbox;
        struct text why = {0};
        assert_int_equal(CPMP_ESYS, sandbox_start(&sandbox, &loop, &config, &hooks, NULL, &why));
        assert_non_null(strstr(text_string(&why), "no places"));
        text_release(&why);
    }
    uv_loop_close(&loop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rank_runs_and_its_end_is_told),
        cmocka_unit_test(all_can_be_suspended_and_resumed_and_killed_meanwhile),
        cmocka_unit_test(memory_is_watched_where_no_group_counts_it),
        cmocka_unit_test(a_cage_that_ends_takes_its_ranks_along),
        cmocka_unit_test(no_path_leads_out),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
