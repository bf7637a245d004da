/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Plays the daemon to a fork server and its agents, for tests: spawner CPMP-AGENT STATE-DIRECTORY.
 * Each line of its standard input spawns an agent:
 *
 *     NAME CORES LISTEN FIRST-PORT LAST-PORT
 *
 * and is answered by the agent's line for $CPMP_AGENTS (exec/remote.h), or "refused: WHY"; or it is
 * an order of the owner to all agents: "suspend REASON", "resume", "leave REASON". It says what
 * agents report when it changes, as "agent running", and "gone PID CODE" when one has exited. At
 * the end of its input it closes the fork server and exits. With SPAWNER_NOBODY set agents run as
 * nobody; with SPAWNER_CAGE, a directory, and SPAWNER_ACCEPTS, weaknesses, their ranks are caged.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cpmp.h>

#include "control/fork_server.h"
#include "peer/sessions.h"

static unsigned char key[32];
static char name[64], listen_at[64], state[64];
static const char *directory;
static unsigned cores;
static struct sessions sessions;
static int fork_server_fd;

static void
on_fork_server(void *arg, const Cpmp__ForkServer *server)
{
    (void)arg;
    if (server->body_case == CPMP__FORK_SERVER__BODY_GONE) {
        printf("gone %u %d\n", server->gone->pid, server->gone->code);
        return;
    }
    if (server->body_case != CPMP__FORK_SERVER__BODY_SPAWNED)
        exit(1);
    if (server->spawned->error[0] != '\0') {
        printf("refused: %s\n", server->spawned->error);
        return;
    }
    printf("%s %u ", name, cores);
    for (size_t i = 0; i < sizeof(key); i++)
        printf("%02x", key[i]);
    printf(strchr(listen_at, ':') ? " [%s]:%u # %u\n" : " %s:%u # %u\n", listen_at,
           server->spawned->port, server->spawned->pid);
}

/* --- what agents say --- */

static void
state_say(const char *now)
{
    if (strcmp(now, state) != 0)
        printf("agent %s\n", now);
    snprintf(state, sizeof(state), "%s", now);
}

static void
on_message(void *arg, struct session *session, const Cpmp__Local *message)
{
    (void)arg;
    (void)session;
    if (message->body_case == CPMP__LOCAL__BODY_AGENT_HELLO)
        state_say(message->agent_hello->state);
    else if (message->body_case == CPMP__LOCAL__BODY_AGENT_REPORT)
        state_say(*message->agent_report->ending != '\0' ? message->agent_report->ending
                                                         : message->agent_report->state);
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
    welcome->name = name;
}

static const struct sessions_hooks sessions_hooks = {
    .on_message = on_message, .on_gone = on_gone, .on_welcome = on_welcome,
};

static void
order_send(Cpmp__AgentOrder__What what, char *reason)
{
    struct session *next;

    for (struct session *session = sessions.first; session != NULL; session = next) {
        Cpmp__Local message = CPMP__LOCAL__INIT;
        Cpmp__AgentOrder order = CPMP__AGENT_ORDER__INIT;

        next = session->next;
        order.what = what;
        order.reason = reason;
        message.body_case = CPMP__LOCAL__BODY_AGENT_ORDER;
        message.agent_order = &order;
        sessions_answer(&sessions, session->id, 0, &message);
    }
}

/* --- what the test says --- */

static void
spawn(const char *line)
{
    static const char *const users[] = {"nobody"};
    Cpmp__ForkServer server = CPMP__FORK_SERVER__INIT;
    Cpmp__Spawn spawn = CPMP__SPAWN__INIT;
    Cpmp__Sandbox sandbox = CPMP__SANDBOX__INIT;
    char *listen = listen_at;
    unsigned first, last;

    if (sscanf(line, "%63s %u %63s %u %u", name, &cores, listen_at, &first, &last) != 5 ||
        getrandom(key, sizeof(key), 0) != sizeof(key))
        exit(1);
    spawn.number = 1;
    spawn.job = 1;
    spawn.key.data = key;
    spawn.key.len = sizeof(key);
    spawn.listen = &listen;
    spawn.n_listen = 1;
    spawn.port_first = first;
    spawn.port_last = last;
    spawn.state = (char *)(uintptr_t)directory;
    spawn.users = (char **)(uintptr_t)users;
    spawn.n_users = getenv("SPAWNER_NOBODY") != NULL;
    sandbox.directory = getenv("SPAWNER_CAGE");
    sandbox.accepted = getenv("SPAWNER_ACCEPTS");
    sandbox.suspends = true;
    if (sandbox.directory != NULL && sandbox.accepted != NULL)
        spawn.sandbox = &sandbox;
    server.body_case = CPMP__FORK_SERVER__BODY_SPAWN;
    server.spawn = &spawn;
    if (control_fork_server_send(fork_server_fd, &server) != CPMP_OK)
        exit(1);
}

static void
line_do(char *line)
{
    char *reason = strchr(line, ' ');

    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "suspend ", 8) == 0)
        order_send(CPMP__AGENT_ORDER__WHAT__SUSPEND, reason + 1);
    else if (strcmp(line, "resume") == 0)
        order_send(CPMP__AGENT_ORDER__WHAT__RESUME, line);
    else if (strncmp(line, "leave ", 6) == 0)
        order_send(CPMP__AGENT_ORDER__WHAT__LEAVE, reason + 1);
    else
        spawn(line);
}

static void
on_input(uv_poll_t *poll, int status, int events)
{
    char line[512];

    (void)status;
    (void)events;
    if (fgets(line, sizeof(line), stdin) == NULL)
        uv_stop(poll->loop);
    else
        line_do(line);
}

static void
on_fork_server_readable(uv_poll_t *poll, int status, int events)
{
    (void)poll;
    (void)status;
    (void)events;
    if (control_fork_server_receive(fork_server_fd, on_fork_server, NULL) == CPMP_EPEER)
        exit(3);
}

int
main(int argc, char **argv)
{
    static uv_loop_t loop;
    static uv_poll_t input, server;
    pid_t pid;
    int status;

    if (argc != 3 || (fork_server_fd = control_fork_server_start(argv[1], &pid)) < 0)
        return 2;
    directory = argv[2];
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    setvbuf(stdin, NULL, _IONBF, 0);
    uv_loop_init(&loop);
    if (sessions_init(&sessions, &loop, directory, &sessions_hooks, NULL) != 0)
        return 2;
    uv_poll_init(&loop, &input, STDIN_FILENO);
    uv_poll_start(&input, UV_READABLE, on_input);
    uv_poll_init(&loop, &server, fork_server_fd);
    uv_poll_start(&server, UV_READABLE, on_fork_server_readable);
    uv_run(&loop, UV_RUN_DEFAULT);
    close(fork_server_fd);
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
