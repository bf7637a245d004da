/* SPDX-License-Identifier: BSD-3-Clause */
/* cpmp against a daemon's socket: the real sessions (peer/sessions.h) in a process of their own,
 * which answers with what each test wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "local/state.h"
#include "peer/sessions.h"
#include "tool/tool.h"

#define WAIT_MS 60000

/* --- the daemon --- */

enum manner { ANSWERS, REFUSES, BABBLES, LEAVES };

static enum manner manner;
static struct sessions sessions;
static uint8_t own_id[20] = {0xab, 1, 2, 3};

static void
answer_fill(Cpmp__Local *answer, const Cpmp__Local *message)
{
    static Cpmp__PeerRow row, *rows[] = {&row};
    static Cpmp__PeersReply peers;
    static Cpmp__JobsReply jobs;
    static Cpmp__LookupReply lookup;
    static Cpmp__RingPeer owner;
    static Cpmp__JobRow job, *job_rows[] = {&job};
    static Cpmp__JobPeer place, *places[] = {&place};

    cpmp__peers_reply__init(&peers);
    cpmp__peer_row__init(&row);
    cpmp__jobs_reply__init(&jobs);
    cpmp__lookup_reply__init(&lookup);
    cpmp__ring_peer__init(&owner);
    row.name = owner.name = "zoe";
    row.id = owner.id = (ProtobufCBinaryData){sizeof(own_id), own_id};
    row.cores = 4;
    cpmp__job_row__init(&job);
    cpmp__job_peer__init(&place);
    job.job = 0xabcdef;
    place.name = "place-of-ranks";
    job.peers = places;
    peers.rows = rows;
    peers.n_rows = 1;
    lookup.owner = &owner;
    lookup.hops = 2;
    if (message->body_case == CPMP__LOCAL__BODY_PEERS) {
        answer->body_case = CPMP__LOCAL__BODY_PEERS_REPLY;
        answer->peers_reply = &peers;
    } else if (message->body_case == CPMP__LOCAL__BODY_LOOKUP) {
        answer->body_case = CPMP__LOCAL__BODY_LOOKUP_REPLY;
        answer->lookup_reply = &lookup;
    } else {
        job.n_peers = message->jobs->job == job.job;
        jobs.rows = job_rows;
        jobs.n_rows = 1;
        answer->body_case = CPMP__LOCAL__BODY_JOBS_REPLY;
        answer->jobs_reply = &jobs;
    }
}

/* Of the lookups every tenth fails, by its key. */
static void
on_message(void *arg, struct session *session, const Cpmp__Local *message)
{
    Cpmp__Local answer = CPMP__LOCAL__INIT;
    (void)arg;

    if (manner == LEAVES)
        _exit(0);
    if (manner == REFUSES) {
        sessions_fail(&sessions, session->id, message->number, LOCAL_FAILURE_WRONG,
                      "no, \x1b[2J %d", 42);
        return;
    }
    if (message->body_case == CPMP__LOCAL__BODY_LOOKUP && message->lookup->key.data[0] < 26) {
        sessions_fail(&sessions, session->id, message->number, LOCAL_FAILURE_BROKEN, "too far");
        return;
    }
    answer_fill(&answer, message);
    if (manner == BABBLES) {
        static Cpmp__RevokeReply other;
        cpmp__revoke_reply__init(&other);
        answer.body_case = CPMP__LOCAL__BODY_REVOKED;
        answer.revoked = &other;
    }
    sessions_answer(&sessions, session->id, message->number, &answer);
}

static void
on_gone(void *arg, struct session *session)
{
    (void)arg;
    (void)session;
}

static void
on_welcome(void *arg, Cpmp__LocalWelcome *welcome)
{
    (void)arg;
    welcome->pool = "lab";
    welcome->name = "zoe";
}

static const struct sessions_hooks hooks = {on_message, on_gone, on_welcome};

/* A process that ends when the test's does. */
static void
daemon_be(const char *directory, int up_fd)
{
    uv_loop_t loop;

    signal(SIGPIPE, SIG_IGN);
    alarm(WAIT_MS / 1000);
    uv_loop_init(&loop);
    if (sessions_init(&sessions, &loop, directory, &hooks, NULL) != 0 ||
        write(up_fd, "", 1) != 1)
        _exit(1);
    close(up_fd);
    uv_run(&loop, UV_RUN_DEFAULT);
    _exit(1);
}

static char directory[] = "/tmp/test_tool_daemon.XXXXXX";
static pid_t daemon_pid;

static void
daemon_start(enum manner as)
{
    int up[2];
    char byte;

    manner = as;
    assert_int_equal(0, pipe(up));
    daemon_pid = fork();
    assert_true(daemon_pid >= 0);
    if (daemon_pid == 0) {
        close(up[0]);
        daemon_be(directory, up[1]);
    }
    close(up[1]);
    assert_int_equal(1, read(up[0], &byte, 1));
    close(up[0]);
}

static void
daemon_stop(void)
{
    kill(daemon_pid, SIGKILL);
    assert_int_equal(daemon_pid, waitpid(daemon_pid, NULL, 0));
}

/* --- the tool --- */

static struct tool tool;
static char *environment[] = {NULL};

static int
tool_run(int count, char **line)
{
    static char *words[8];

    assert_true(count < 8);
    memcpy(words, line, (size_t)count * sizeof(*words));
    tool_release(&tool);
    memset(&tool, 0, sizeof(tool));
    tool.environment = environment;
    assert_int_equal(0, tool_parse(&tool, count, words));
    tool.options.state = directory;
    return tool.command->run(&tool);
}

static int
run(const char *word)
{
    char *words[] = {(char *)word, NULL};

    return tool_run(1, words);
}

static void
has(const struct text *text, const char *part)
{
    if (strstr(text_string(text), part) == NULL)
        fail_msg("no \"%s\" in: %s", part, text_string(text));
}

static void
a_request_is_answered(void **state)
{
    (void)state;
    daemon_start(ANSWERS);
    assert_int_equal(TOOL_OK, run("peers"));
    has(&tool.out, "zoe ");
    assert_int_equal(0, tool.error.used);
    assert_int_equal(TOOL_OK, run("pool"));
    has(&tool.out, "lab");
    daemon_stop();
}

/* A list has jobs without their peers, so two requests are made. */
static void
a_job_is_asked_for_by_the_beginning_of_its_id(void **state)
{
    char *words[] = {"job", "0000", NULL};

    (void)state;
    daemon_start(ANSWERS);
    assert_int_equal(TOOL_OK, tool_run(2, words));
    has(&tool.out, "0000000000abcdef");
    has(&tool.out, "place-of-ranks");
    words[1] = "0000000000abcdef";
    assert_int_equal(TOOL_OK, tool_run(2, words));
    has(&tool.out, "place-of-ranks");
    words[1] = "1";
    assert_int_equal(TOOL_FAILED, tool_run(2, words));
    has(&tool.error, "no job 1 runs");
    daemon_stop();
}

static void
top_looks_once_for_programs(void **state)
{
    char *words[] = {"top", "--json", NULL};

    (void)state;
    daemon_start(ANSWERS);
    assert_int_equal(TOOL_OK, tool_run(2, words));
    has(&tool.out, "{\"pool\":\"lab\",\"peer\":\"zoe\",\"peers\":[{\"id\":\"ab010203");
    has(&tool.out, "}],\"unanswered\":0,\"jobs\":[{\"job\":\"0000000000abcdef\",");
    daemon_stop();
}

static void
many_lookups_are_all_counted(void **state)
{
    char *words[] = {"ring", "--count", "1000", NULL};

    (void)state;
    daemon_start(ANSWERS);
    assert_int_equal(TOOL_FAILED, tool_run(3, words));
    has(&tool.out, "1000 lookups, ");
    has(&tool.out, "hops: 2.00 in the mean, 2 at most");
    has(&tool.out, "none: too far");
    has(&tool.error, "of 1000 lookups failed");
    daemon_stop();
}

static void
a_refusal_is_told_in_the_words_of_the_daemon(void **state)
{
    (void)state;
    daemon_start(REFUSES);
    assert_int_equal(TOOL_USAGE, run("peers"));
    assert_string_equal("no, \\x1b[2J 42", text_string(&tool.error));
    assert_int_equal(0, tool.out.used);
    daemon_stop();
}

static void
an_answer_to_something_else_is_an_error(void **state)
{
    (void)state;
    daemon_start(BABBLES);
    assert_int_equal(TOOL_FAILED, run("peers"));
    has(&tool.error, "install the same version for both");
    daemon_stop();
}

static void
a_daemon_that_ends_meanwhile_is_an_error(void **state)
{
    char *words[] = {"ring", "--count", "100", NULL};

    (void)state;
    daemon_start(LEAVES);
    assert_int_equal(TOOL_FAILED, run("jobs"));
    has(&tool.error, "has ended the connection");
    daemon_stop();
    daemon_start(LEAVES);
    assert_int_equal(TOOL_FAILED, tool_run(3, words));
    has(&tool.error, "has ended the connection");
    daemon_stop();
}

static void
without_a_daemon_it_is_told_how_to_start_one(void **state)
{
    (void)state;
    state_unlisten(directory);
    assert_int_equal(TOOL_FAILED, run("peers"));
    has(&tool.error, "no cpmpd answers in /tmp/");
    has(&tool.error, "cpmpd --state ");
    has(&tool.error, "--create NAME");
    assert_int_equal(TOOL_OK, run("info"));
    has(&tool.out, "doesn't run");
    assert_int_equal(TOOL_FAILED, run("top"));
    has(&tool.error, "top needs a terminal");
    tool_release(&tool);
}

/* --- cpmp top on a terminal --- */

static char screen[1 << 16];
static size_t screen_used;

/* Reads what comes on the terminal until `part` is in it. */
static void
await(int fd, const char *part)
{
    while (screen_used + 1 < sizeof(screen)) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        ssize_t count;

        if (memmem(screen, screen_used, part, strlen(part)) != NULL)
            return;
        assert_int_equal(1, poll(&ready, 1, WAIT_MS));
        count = read(fd, screen + screen_used, sizeof(screen) - 1 - screen_used);
        if (count <= 0)
            break;
        screen_used += (size_t)count;
    }
    fail_msg("\"%s\" never came", part);
}

static pid_t
top_start(int *fd_p)
{
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    pid_t pid = forkpty(fd_p, NULL, NULL, &size);

    assert_true(pid >= 0);
    screen_used = 0;
    if (pid == 0) {
        setenv("TERM", "xterm", 1);
        alarm(WAIT_MS / 1000);
        signal(SIGPIPE, SIG_IGN);
        int code = run("top");
        /* The shell goes on with this terminal. */
        _exit((fcntl(STDIN_FILENO, F_GETFL) & O_NONBLOCK) != 0 ? 99 : code);
    }
    await(*fd_p, "zoe ");
    return pid;
}

static int
code_of(pid_t pid)
{
    int status;

    assert_int_equal(pid, waitpid(pid, &status, 0));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

#define RESTORED "\x1b[?1049l" /* xterm's way back from the alternate screen */

static void
top_is_left_by_a_key_and_restores_the_terminal(void **state)
{
    struct winsize small = {.ws_row = 10, .ws_col = 40};
    pid_t pid;
    int fd;

    (void)state;
    daemon_start(ANSWERS);
    pid = top_start(&fd);
    await(fd, "pool lab, peer zoe");
    await(fd, "q quit");
    assert_int_equal(1, write(fd, "f", 1));
    await(fd, "free cores)");
    screen_used = 0;
    assert_int_equal(0, ioctl(fd, TIOCSWINSZ, &small));
    await(fd, "pool lab");
    assert_int_equal(1, write(fd, "q", 1));
    await(fd, RESTORED);
    assert_int_equal(TOOL_OK, code_of(pid));
    close(fd);
    daemon_stop();
}

static void
top_restores_the_terminal_when_it_is_killed_or_left_alone(void **state)
{
    pid_t pid;
    int fd;

    (void)state;
    daemon_start(ANSWERS);
    pid = top_start(&fd);
    kill(pid, SIGTERM);
    await(fd, RESTORED);
    assert_int_equal(128 + SIGTERM, code_of(pid));
    close(fd);
    pid = top_start(&fd);
    assert_int_equal(1, write(fd, "\003", 1));
    await(fd, RESTORED);
    assert_int_equal(TOOL_OK, code_of(pid));
    close(fd);
    pid = top_start(&fd);
    daemon_stop();
    await(fd, RESTORED);
    assert_int_equal(TOOL_FAILED, code_of(pid));
    close(fd);
}

static int
directory_make(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    return mkdtemp(directory) != NULL ? 0 : -1;
}

static int
directory_remove(void **state)
{
    (void)state;
    tool_release(&tool);
    state_unlisten(directory);
    return rmdir(directory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered),
        cmocka_unit_test(a_job_is_asked_for_by_the_beginning_of_its_id),
        cmocka_unit_test(top_looks_once_for_programs),
        cmocka_unit_test(many_lookups_are_all_counted),
        cmocka_unit_test(a_refusal_is_told_in_the_words_of_the_daemon),
        cmocka_unit_test(an_answer_to_something_else_is_an_error),
        cmocka_unit_test(a_daemon_that_ends_meanwhile_is_an_error),
        cmocka_unit_test(top_is_left_by_a_key_and_restores_the_terminal),
        cmocka_unit_test(top_restores_the_terminal_when_it_is_killed_or_left_alone),
        cmocka_unit_test(without_a_daemon_it_is_told_how_to_start_one),
    };
    return cmocka_run_group_tests(tests, directory_make, directory_remove);
}
