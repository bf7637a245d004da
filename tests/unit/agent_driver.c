/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent_driver.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cpmp.h>

#define LIMIT_MS 60000

/* --- what the agent says --- */

static void
on_output(struct driver *driver, const Cpmp__Output *output)
{
    struct driver_rank *rank;

    assert_in_range(output->rank, 0, DRIVER_RANKS_MAX - 1);
    rank = &driver->ranks[output->rank];
    rank->eofs += output->eof;
    rank->out = realloc(rank->out, rank->out_bytes + output->data.len + 1);
    assert_non_null(rank->out);
    if (output->data.len)
        memcpy(rank->out + rank->out_bytes, output->data.data, output->data.len);
    rank->out_bytes += output->data.len;
    rank->out[rank->out_bytes] = 0;
    driver->out_bytes += output->data.len;
    if (!driver->withhold && output->data.len)
        driver_acknowledge(driver);
}

static void
on_exited(struct driver *driver, const Cpmp__Exited *exited)
{
    struct driver_rank *rank;

    assert_in_range(exited->rank, 0, DRIVER_RANKS_MAX - 1);
    rank = &driver->ranks[exited->rank];
    assert_false(rank->exited);
    assert_int_equal(rank->pid, exited->pid);
    rank->exited = true;
    rank->signaled = exited->signaled;
    rank->code = exited->code;
    driver->exited++;
}

static int
on_message(void *arg, Cpmp__Control *message)
{
    struct driver *driver = arg;

    switch (message->body_case) {
    case CPMP__CONTROL__BODY_READY:
        assert_int_equal(CONTROL_VERSION, message->ready->version);
        assert_int_equal(driver->pid, message->ready->pid);
        driver->ready = true;
        break;
    case CPMP__CONTROL__BODY_STARTED:
        driver->ranks[message->started->rank].pid = (pid_t)message->started->pid;
        driver->started++;
        break;
    case CPMP__CONTROL__BODY_START_FAILED:
        driver->failed++;
        driver->failed_error = message->start_failed->error_number;
        snprintf(driver->failed_what, sizeof(driver->failed_what), "%s",
                 message->start_failed->what);
        snprintf(driver->failed_program, sizeof(driver->failed_program), "%s",
                 message->start_failed->program);
        break;
    case CPMP__CONTROL__BODY_OUTPUT:
        on_output(driver, message->output);
        break;
    case CPMP__CONTROL__BODY_STDIN_TAKEN:
        assert_true(message->stdin_taken->bytes >= driver->stdin_taken);
        driver->stdin_taken = message->stdin_taken->bytes;
        driver->stdin_closed = message->stdin_taken->closed;
        break;
    case CPMP__CONTROL__BODY_EXITED:
        on_exited(driver, message->exited);
        break;
    case CPMP__CONTROL__BODY_TROUBLE:
        snprintf(driver->trouble, sizeof(driver->trouble), "%s", message->trouble->text);
        break;
    case CPMP__CONTROL__BODY_DONE:
        driver->done = true;
        snprintf(driver->litter, sizeof(driver->litter), "%s", message->done->litter);
        break;
    default:
        fail_msg("the agent sent a message of kind %d", (int)message->body_case);
    }
    return 0;
}

/* --- waiting --- */

static void
messages_take(struct driver *driver)
{
    struct pollfd wait = {.fd = driver->fd, .events = POLLIN};
    char bytes[65536];
    ssize_t count;
    int ready;

    assert_false(driver->ended);
    do
        ready = poll(&wait, 1, LIMIT_MS);
    while (ready < 0 && errno == EINTR);
    assert_int_equal(1, ready);
    count = read(driver->fd, bytes, sizeof(bytes));
    if (count <= 0) {  /* ECONNRESET: the agent died with words of ours unread */
        driver->ended = true;
        return;
    }
    assert_int_equal(CPMP_OK, control_decoder_feed(&driver->decoder, bytes, (size_t)count,
                                                   on_message, driver));
}

void
driver_wait_int(struct driver *driver, const int *value_p, int value)
{
    while (*value_p < value)
        messages_take(driver);
}

void
driver_wait_bool(struct driver *driver, const bool *value_p)
{
    while (!*value_p)
        messages_take(driver);
}

void
driver_wait_u64(struct driver *driver, const uint64_t *value_p, uint64_t value)
{
    while (*value_p < value)
        messages_take(driver);
}

void
driver_wait_text(struct driver *driver, int rank, const char *text)
{
    while (driver->ranks[rank].out == NULL || strstr(driver->ranks[rank].out, text) == NULL)
        messages_take(driver);
}

/* waitpid with a limit (SIGALRM ends the test); 0 when there is no such child. */
static pid_t
child_wait(pid_t pid, int *status_p)
{
    pid_t found;

    alarm(LIMIT_MS / 1000);
    do
        found = waitpid(pid, status_p, 0);
    while (found < 0 && errno == EINTR);
    alarm(0);
    return found < 0 ? 0 : found;
}

void
driver_expect_no_children(void)
{
    int status;

    while (child_wait(-1, &status) > 0)
        continue;
}

int
driver_agent_status(struct driver *driver)
{
    int status = -1;

    assert_int_equal(driver->pid, child_wait(driver->pid, &status));
    driver->pid = 0;
    return status;
}

/* --- what the launcher says --- */

void
driver_send(struct driver *driver, const Cpmp__Control *message)
{
    size_t bytes = control_message_bytes(message);
    char *packed = malloc(bytes);
    size_t at = 0;

    assert_non_null(packed);
    control_message_pack(message, packed);
    while (at < bytes) {
        ssize_t written = send(driver->fd, packed + at, bytes - at, MSG_NOSIGNAL);
        assert_true(written > 0);
        at += (size_t)written;
    }
    free(packed);
}

void
driver_acknowledge(struct driver *driver)
{
    Cpmp__Control message = CPMP__CONTROL__INIT;
    Cpmp__OutputTaken taken = CPMP__OUTPUT_TAKEN__INIT;

    taken.bytes = driver->out_bytes;
    message.body_case = CPMP__CONTROL__BODY_OUTPUT_TAKEN;
    message.output_taken = &taken;
    driver_send(driver, &message);
}

void
driver_start(struct driver *driver, int count, int stdin_rank, const char *directory,
             char *const *argv)
{
    Cpmp__Control message = CPMP__CONTROL__INIT;
    Cpmp__Start start = CPMP__START__INIT;
    Cpmp__Program program = CPMP__PROGRAM__INIT, *programs[] = {&program};
    Cpmp__PeerInfo peer = CPMP__PEER_INFO__INIT, *peers[] = {&peer};
    Cpmp__RankPlace places[DRIVER_RANKS_MAX], *ranks[DRIVER_RANKS_MAX];
    char *env[] = {(char *)"PATH=/usr/local/bin:/usr/bin:/bin", (char *)"GREETING=hello",
                   (char *)"CPMP_RANK=forged"};

    assert_in_range(count, 1, DRIVER_RANKS_MAX);
    for (int i = 0; i < count; i++) {
        places[i] = (Cpmp__RankPlace)CPMP__RANK_PLACE__INIT;
        places[i].rank = (uint32_t)i;
        ranks[i] = &places[i];
    }
    while (argv[program.n_argv])
        program.n_argv++;
    program.argv = (char **)argv;
    program.env = env;
    program.n_env = 3;
    program.directory = (char *)directory;
    peer.name = (char *)"here";
    start.n_programs = start.n_peers = 1;
    start.programs = programs;
    start.peers = peers;
    start.n_ranks = (size_t)count;
    start.ranks = ranks;
    start.stdin_rank = stdin_rank;
    start.umask = 022;
    message.body_case = CPMP__CONTROL__BODY_START;
    message.start = &start;
    driver_send(driver, &message);
}

void
driver_start_script(struct driver *driver, int count, int stdin_rank, const char *script)
{
    char *argv[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};

    driver_start(driver, count, stdin_rank, "", argv);
}

void
driver_stdin(struct driver *driver, int rank, const void *data, size_t bytes, bool eof)
{
    Cpmp__Control message = CPMP__CONTROL__INIT;
    Cpmp__Stdin input = CPMP__STDIN__INIT;

    input.rank = rank;
    input.data.data = (uint8_t *)data;
    input.data.len = bytes;
    input.eof = eof;
    message.body_case = CPMP__CONTROL__BODY_STDIN;
    message.stdin = &input;
    driver->stdin_sent += bytes;
    driver_send(driver, &message);
}

void
driver_signal(struct driver *driver, int number)
{
    Cpmp__Control message = CPMP__CONTROL__INIT;
    Cpmp__Signal signal_body = CPMP__SIGNAL__INIT;

    signal_body.number = number;
    message.body_case = CPMP__CONTROL__BODY_SIGNAL;
    message.signal = &signal_body;
    driver_send(driver, &message);
}

void
driver_end(struct driver *driver, bool kill_now)
{
    Cpmp__Control message = CPMP__CONTROL__INIT;
    Cpmp__End end = CPMP__END__INIT;

    end.kill = kill_now;
    message.body_case = CPMP__CONTROL__BODY_END;
    message.end = &end;
    driver_send(driver, &message);
}

static void
driver_setup(struct driver *driver)
{
    static uint8_t key[32];
    Cpmp__Control message = CPMP__CONTROL__INIT;
    Cpmp__Setup setup = CPMP__SETUP__INIT;

    setup.version = CONTROL_VERSION;
    setup.job = 4711;
    setup.key.data = key;
    setup.key.len = sizeof(key);
    setup.peers = 1;
    setup.name = (char *)"here";
    message.body_case = CPMP__CONTROL__BODY_SETUP;
    message.setup = &setup;
    driver_send(driver, &message);
}

/* --- life --- */

static void
agent_exec(int fd)
{
    const char *agent = getenv("CPMP_AGENT");
    char number[16];

    if (agent == NULL)
        agent = "./cpmp-agent";
    fcntl(fd, F_SETFD, 0);
    snprintf(number, sizeof(number), "%d", fd);
    execl(agent, "cpmp-agent", number, (char *)NULL);
    perror(agent);
    _exit(127);
}

struct driver *
driver_new(void)
{
    struct driver *driver = calloc(1, sizeof(*driver));
    int fds[2];

    assert_non_null(driver);
    assert_int_equal(0, prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    driver->pid = fork();
    assert_true(driver->pid >= 0);
    if (driver->pid == 0)
        agent_exec(fds[1]);
    close(fds[1]);
    driver->fd = fds[0];
    control_decoder_init(&driver->decoder);
    driver_setup(driver);
    driver_wait_bool(driver, &driver->ready);
    return driver;
}

void
driver_finish(struct driver *driver, bool kill_now)
{
    driver_end(driver, kill_now);
    driver_wait_bool(driver, &driver->done);
    assert_string_equal("", driver->litter);
    close(driver->fd);
    driver->fd = -1;
    assert_int_equal(0, driver_agent_status(driver));
    assert_int_equal(-1, waitpid(-1, NULL, WNOHANG));  /* nothing was left to us */
    assert_int_equal(ECHILD, errno);
}

void
driver_free(struct driver *driver)
{
    if (driver->fd >= 0)
        close(driver->fd);
    if (driver->pid > 0)
        driver_agent_status(driver);
    driver_expect_no_children();
    control_decoder_release(&driver->decoder);
    for (int i = 0; i < DRIVER_RANKS_MAX; i++)
        free(driver->ranks[i].out);
    free(driver);
}
