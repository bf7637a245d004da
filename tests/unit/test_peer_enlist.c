/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ranks for others, from the asking to the end: requests that make no sense, too many of them, a
 * fork server that fails, agents that say hello early, late, falsely, or to the daemon after this
 * one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cpmp.h>

#include "content/content.h"
#include "peer/enlist.h"
#include "peer_world.h"

static struct peer_world world;
static struct content_store *store;
static struct supplies *supplies;
static struct sessions sessions;
static struct spawner spawner;
static struct enlist enlist;
static int server;                     /* the other end of the spawner's socket */
static pid_t agent;             /* a process that plays one */

static struct {
    unsigned refused, enlisted, began, greeted, ended, spawns;
    bool admits, inspects;
    char why[200], ending[200];
    bool adopted;
    uint32_t port;
} seen;

static bool
admit(void *arg, struct enlist_one *one, struct text *why, uint32_t *ranks_free_p)
{
    (void)arg;
    *ranks_free_p = 1;
    one->millicores = 1000 * one->ranks;
    if (!seen.admits)
        text_add_string(why, "the owner says no");
    return seen.admits;
}

static bool
inspect(void *arg, const struct enlist_one *one, struct text *why)
{
    (void)arg;
    (void)one;
    if (!seen.inspects)
        text_add_string(why, "libx.so.1 is missing");
    return seen.inspects;
}

static void
spawn(void *arg, struct enlist_one *one, Cpmp__Spawn *message)
{
    (void)arg;
    (void)one;
    (void)message;
}

static void
spawn_done(void *arg, Cpmp__Spawn *message)
{
    (void)arg;
    (void)message;
}

static void
answer(void *arg, const struct enlist_asker *asker, Cpmp__Enlisted *enlisted,
       Cpmp__Refused *refused)
{
    (void)arg;
    (void)asker;
    seen.enlisted += enlisted != NULL;
    seen.refused += refused != NULL;
    if (enlisted != NULL)
        seen.port = enlisted->port;
    if (refused != NULL)
        snprintf(seen.why, sizeof(seen.why), "%s", refused->reason);
}

static bool
progress(void *arg, const struct enlist_one *one, uint64_t had_bytes, uint64_t bytes)
{
    (void)arg;
    (void)one;
    assert_true(had_bytes <= bytes);
    return true;
}

static void
greeted(void *arg, struct enlist_one *one)
{
    (void)arg;
    (void)one;
    seen.greeted++;
}

static void
began(void *arg, struct enlist_one *one)
{
    (void)arg;
    seen.began++;
    seen.adopted = one->adopted;
}

static void
ended(void *arg, struct enlist_one *one)
{
    (void)arg;
    seen.ended++;
    snprintf(seen.ending, sizeof(seen.ending), "%s", one->ending);
}

static const struct enlist_hooks hooks = {
    .admit = admit, .inspect = inspect, .spawn = spawn, .spawn_done = spawn_done,
    .answer = answer, .progress = progress, .greeted = greeted, .began = began, .ended = ended,
};

static const struct supplies_hooks supplies_hooks;

static int
begin(void **state)
{
    unsigned char secret_key[ENLIST_SECRET_BYTES] = {42};
    uint8_t id[CHORD_ID_BYTES] = {1};
    struct text why = {0};
    char path[128];
    int ends[2];
    (void)state;

    memset(&seen, 0, sizeof(seen));
    seen.admits = seen.inspects = true;
    peer_world_init(&world, id);
    snprintf(path, sizeof(path), "%s/store", world.directory);
    assert_int_equal(CPMP_OK, content_open(path, 1 << 20, &store, &why));
    supplies = supplies_new(&world.loop, store, &world.book, world.overlay, &supplies_hooks, NULL);
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                                   ends));
    memset(&spawner, 0, sizeof(spawner));
    memset(&sessions, 0, sizeof(sessions));
    spawner.fd = ends[0];
    server = ends[1];
    enlist_init(&enlist, &world.loop, world.directory, &spawner, supplies, &sessions, secret_key,
                &hooks, NULL);
    agent = fork();
    assert_true(agent >= 0);
    if (agent == 0) {
        close(ends[0]);
        close(ends[1]);
        pause();
        _exit(0);
    }
    return 0;
}

static void
agent_kill(void)
{
    if (agent > 0) {
        kill(agent, SIGKILL);
        assert_int_equal(agent, waitpid(agent, NULL, 0));
    }
    agent = 0;
}

static int
end(void **state)
{
    (void)state;
    agent_kill();
    enlist_close(&enlist);
    assert_int_equal(0, enlist.count);
    supplies_close(supplies);
    content_close(store);
    close(server);
    close(spawner.fd);
    peer_world_end(&world);
    return 0;
}

/* --- what is asked --- */

static unsigned char key[32];

static void
ask_as(uint8_t peer, uint64_t nonce, void (*change)(Cpmp__Enlist *request))
{
    struct enlist_asker asker = {.peer = {peer}, .name = "pc2", .contact = 5};
    Cpmp__Enlist request = CPMP__ENLIST__INIT;

    request.nonce = nonce;
    request.job = 77;
    request.user = (char *)"ann";
    request.program = (char *)"./a.out";
    request.ranks = 2;
    request.key = (ProtobufCBinaryData){.len = sizeof(key), .data = key};
    request.directory = (char *)"/work";
    if (change != NULL)
        change(&request);
    enlist_ask(&enlist, &asker, &request);
}

static void
no_ranks(Cpmp__Enlist *request)
{
    request->ranks = 0;
}

static void
many_ranks(Cpmp__Enlist *request)
{
    request->ranks = UINT32_MAX;
}

static void
no_key(Cpmp__Enlist *request)
{
    request->key.len = 31;
}

static void
no_directory(Cpmp__Enlist *request)
{
    request->directory = (char *)"home";
}

static void
long_directory(Cpmp__Enlist *request)
{
    static char path[100000];

    memset(path, '/', sizeof(path) - 1);
    request->directory = path;
}

static void
many_files(Cpmp__Enlist *request)
{
    static Cpmp__JobFile body;
    static Cpmp__JobFile *files[ENLIST_FILES_MAX + 1];

    cpmp__job_file__init(&body);
    for (size_t i = 0; i <= ENLIST_FILES_MAX; i++)
        files[i] = &body;
    request->files = files;
    request->n_files = ENLIST_FILES_MAX + 1;
}

static void
empty_file(Cpmp__Enlist *request)
{
    many_files(request);
    request->n_files = 1;
}

static void
what_makes_no_sense_is_refused(void **state)
{
    void (*const changes[])(Cpmp__Enlist *) = {no_ranks, many_ranks, no_key, no_directory,
                                               long_directory, many_files, empty_file};
    unsigned count = sizeof(changes) / sizeof(changes[0]);
    (void)state;

    for (unsigned i = 0; i < count; i++) {
        ask_as(2, i + 1, changes[i]);
        assert_int_equal(i + 1, seen.refused);
    }
    ask_as(2, 0, NULL);
    assert_int_equal(count + 1, seen.refused);
    assert_int_equal(0, enlist.count);
    assert_int_equal(0, seen.ended);
}

static void
the_owner_s_word_counts(void **state)
{
    (void)state;
    seen.admits = false;
    ask_as(2, 1, NULL);
    assert_int_equal(1, seen.refused);
    assert_string_equal("the owner says no", seen.why);
    assert_int_equal(0, enlist.count);
}

static void
a_flood_of_one_peer_leaves_room_for_others(void **state)
{
    (void)state;
    for (uint64_t nonce = 1; nonce <= 2 * ENLIST_PENDING_MAX; nonce++)
        ask_as(2, nonce, NULL);
    assert_int_equal(ENLIST_PENDING_MAX, enlist.count);
    assert_int_equal(ENLIST_PENDING_MAX, seen.refused);
    ask_as(3, 1, NULL);
    assert_int_equal(ENLIST_PENDING_MAX + 1, enlist.count);
    ask_as(3, 1, NULL);  /* twice the same: one */
    assert_int_equal(ENLIST_PENDING_MAX + 1, enlist.count);
}

/* --- to the fork server and back --- */

static struct {
    uint64_t number, job, nonce;
    uint32_t ranks, millicores;
    unsigned char secret[ENLIST_SECRET_BYTES];
} spawned;

static void
on_spawn(void *arg, const Cpmp__ForkServer *message)
{
    const Cpmp__Spawn *one = message->spawn;
    (void)arg;

    assert_int_equal(CPMP__FORK_SERVER__BODY_SPAWN, message->body_case);
    assert_int_equal(ENLIST_SECRET_BYTES, one->secret.len);
    seen.spawns++;
    spawned.number = one->number;
    spawned.job = one->job;
    spawned.nonce = one->nonce;
    spawned.ranks = one->ranks;
    spawned.millicores = one->millicores;
    memcpy(spawned.secret, one->secret.data, ENLIST_SECRET_BYTES);
}

static bool
is_spawning(void *arg)
{
    (void)arg;
    control_fork_server_receive(server, on_spawn, NULL);
    return seen.spawns > 0 || seen.refused > 0;
}

static void
fork_server_says(const char *error)
{
    Cpmp__Spawned message = CPMP__SPAWNED__INIT;

    message.number = spawned.number;
    message.pid = (uint32_t)agent;
    message.port = 7712;
    message.error = (char *)error;
    enlist_spawned(&enlist, &message);
}

static struct session session;

static void
hello(uint64_t number)
{
    Cpmp__AgentHello message = CPMP__AGENT_HELLO__INIT;

    memset(&session, 0, sizeof(session));
    session.id = number;
    session.pid = agent;
    session.stream.closing = 1;  /* there is no socket: closing it is nothing */
    message.job = spawned.job;
    message.nonce = spawned.nonce;
    message.ranks = spawned.ranks;
    message.millicores = spawned.millicores;
    message.secret = (ProtobufCBinaryData){.len = ENLIST_SECRET_BYTES, .data = spawned.secret};
    enlist_hello(&enlist, &session, &message);
}

static bool
is_over(void *arg)
{
    (void)arg;
    return seen.ended > 0;
}

static void
report(const char *ending)
{
    Cpmp__AgentReport message = CPMP__AGENT_REPORT__INIT;

    message.cpu_us = 1234;
    message.ending = (char *)ending;
    enlist_report(&enlist, &session, &message);
}

static void
an_agent_lives_and_ends(void **state)
{
    uint32_t ranks, millicores;
    uint64_t memory_bytes;
    (void)state;

    ask_as(2, 9, NULL);
    enlist_sum(&enlist, &ranks, &millicores, &memory_bytes);
    assert_int_equal(2, ranks);
    peer_world_run(&world.loop, is_spawning, NULL);
    fork_server_says("");
    assert_int_equal(1, seen.enlisted);
    assert_int_equal(7712, seen.port);
    hello(1);
    assert_int_equal(1, seen.began);
    assert_int_equal(1, seen.greeted);
    assert_false(seen.adopted);
    report("done");
    enlist_session_gone(&enlist, &session);
    report("nobody's");
    hello(2);
    assert_int_equal(1, seen.began);
    assert_int_equal(2, seen.greeted);
    agent_kill();
    peer_world_run(&world.loop, is_over, NULL);
    assert_string_equal("done", seen.ending);
    assert_int_equal(0, enlist.count);
}

static void
an_agent_may_be_faster_than_its_fork_server(void **state)
{
    (void)state;
    ask_as(2, 9, NULL);
    peer_world_run(&world.loop, is_spawning, NULL);
    hello(1);
    assert_int_equal(1, enlist.count);
    assert_false(seen.adopted);
    fork_server_says("");
    assert_int_equal(1, seen.enlisted);
    assert_int_equal(1, enlist.count);
}

static void
who_lacks_the_secret_is_no_agent(void **state)
{
    (void)state;
    ask_as(2, 9, NULL);
    peer_world_run(&world.loop, is_spawning, NULL);
    fork_server_says("");
    spawned.secret[3] ^= 1;
    hello(1);
    assert_int_equal(0, seen.began);
    spawned.secret[3] ^= 1;
    spawned.ranks++;
    hello(2);
    assert_int_equal(0, seen.began);
    spawned.ranks--;
    hello(3);
    assert_int_equal(1, seen.began);
    hello(4);  /* it has a session already */
    assert_int_equal(1, seen.began);
    assert_int_equal(3, enlist.first->session);
}

static void
the_next_daemon_takes_it_up(void **state)
{
    (void)state;
    ask_as(2, 9, NULL);
    peer_world_run(&world.loop, is_spawning, NULL);
    fork_server_says("");
    enlist_close(&enlist);  /* that one has died */
    assert_int_equal(1, seen.ended);
    hello(1);
    assert_int_equal(1, seen.began);
    assert_true(seen.adopted);
    assert_int_equal(77, enlist.first->job);
    /* Another one's request with the same nonce has nothing to do with it. */
    ask_as(4, 9, NULL);
    assert_int_equal(2, enlist.count);
}

static void
failures_on_the_way_are_told(void **state)
{
    (void)state;
    seen.inspects = false;
    ask_as(2, 1, NULL);
    peer_world_run(&world.loop, is_spawning, NULL);
    assert_string_equal("libx.so.1 is missing", seen.why);
    seen.inspects = true;
    seen.refused = seen.spawns = 0;
    ask_as(2, 2, NULL);
    peer_world_run(&world.loop, is_spawning, NULL);
    fork_server_says("no port is free");
    assert_string_equal("no port is free", seen.why);
    seen.refused = seen.spawns = 0;
    close(server);
    ask_as(2, 3, NULL);
    peer_world_run(&world.loop, is_spawning, NULL);
    assert_int_equal(1, seen.refused);
    assert_int_equal(0, enlist.count);
    server = dup(0);
}

int
main(void)
{
#define HERE(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        HERE(what_makes_no_sense_is_refused),
        HERE(the_owner_s_word_counts),
        HERE(a_flood_of_one_peer_leaves_room_for_others),
        HERE(an_agent_lives_and_ends),
        HERE(an_agent_may_be_faster_than_its_fork_server),
        HERE(who_lacks_the_secret_is_no_agent),
        HERE(the_next_daemon_takes_it_up),
        HERE(failures_on_the_way_are_told),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
