/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections between agents: real libfabric between real processes, with strangers at the door.
 * The peers are children of the test; a failed check in one ends it with 99 and shows here as its
 * status.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "agent/fabric_state.h"
#include "agents.h"

#define REQUIRE AGENTS_REQUIRE
#define PATIENCE_US 20000000ull
#define BATCH_BUFFER_BYTES (3 * CPI_BATCH_BYTES_MAX)

/* The words that children and test share, by name. */
enum { W_STRANGERS, W_UP, W_RECEIVED, W_LOST, W_GO, W_SENT };

static struct agents_shared *shared;

/* --- a peer --- */

struct peer {
    struct fabric *fabric;
    uint32_t index;
    uint32_t ups, losses, sent, received;
    uint64_t bytes;
    int error;       /* of the last loss */
    int answer;      /* what `received` returns */
    char why[FABRIC_WHY_MAX];
    struct fabric_batch first;  /* sent on `up`, as the fabric asks for */
};

struct options {
    uint32_t index, peers;
    uint64_t incarnation, patience_us;
    uint8_t key;
};

static void
on_up(void *arg, uint32_t peer)
{
    struct peer *self = arg;

    self->ups++;
    self->first.run_count = self->first.frames = 0;
    REQUIRE(fabric_send(self->fabric, peer, &self->first) == CPMP_OK);
    atomic_fetch_add(&shared->words[W_UP], 1);
}

/* Bytes count up from batch to batch, so any that is lost, moved or changed shows. */
static int
on_received(void *arg, uint32_t peer, const struct cpi_batch *batch)
{
    struct peer *self = arg;
    const uint64_t *words = (const uint64_t *)(const void *)((const char *)batch + sizeof(*batch));

    (void)peer;
    REQUIRE(((uintptr_t)words & (CPI_FRAME_ALIGN - 1)) == 0);
    for (size_t i = 0; i < batch->bytes / sizeof(uint64_t); i++, self->bytes += sizeof(uint64_t))
        REQUIRE(words[i] == self->bytes);
    self->received += batch->bytes > 0;
    atomic_fetch_add(&shared->words[W_RECEIVED], batch->bytes > 0);
    return self->answer;
}

static void
on_sent(void *arg, uint32_t peer, struct fabric_batch *batch)
{
    struct peer *self = arg;

    (void)peer;
    if (batch != &self->first) {
        self->sent++;
        atomic_fetch_add(&shared->words[W_SENT], 1);
    }
}

static void
on_lost(void *arg, uint32_t peer, int error, const char *why)
{
    struct peer *self = arg;

    (void)peer;
    self->losses++;
    self->error = error;
    snprintf(self->why, sizeof(self->why), "%s", why);
    atomic_fetch_add(&shared->words[W_LOST], 1);
}

static void
peer_open(struct peer *self, const struct options *options)
{
    static const struct fabric_events events = {on_up, on_received, on_sent, on_lost};
    uint8_t key[CPI_KEY_BYTES];
    char why[FABRIC_WHY_MAX] = "";
    struct fabric_config config = {
        .job = AGENTS_JOB,
        .key = key,
        .peer = options->index,
        .peers = options->peers ? options->peers : 2,
        .incarnation = options->incarnation,
        .patience_us = options->patience_us ? options->patience_us : PATIENCE_US,
    };

    memset(self, 0, sizeof(*self));
    memset(key, 0x5a ^ options->key, sizeof(key));
    self->index = options->index;
    if (fabric_open(&self->fabric, &config, why) != CPMP_OK) {
        fprintf(stderr, "# %s\n", why);
        _exit(97);
    }
    fabric_on(self->fabric, &events, self);
    snprintf(shared->addresses[self->index], sizeof(shared->addresses[0]), "%s",
             fabric_address(self->fabric));
    atomic_fetch_or(&shared->ready, 1u << self->index);
}

/* Waits until peers `bits` have told their addresses, and connects to (or expects) `other`. */
static void
peer_connect(struct peer *self, uint32_t other)
{
    uint64_t end_ns = cpi_clock_ns() + AGENTS_LIMIT_S * 1000000000ull;

    while ((atomic_load(&shared->ready) >> other & 1) == 0) {
        REQUIRE(cpi_clock_ns() < end_ns);
        poll(NULL, 0, 1);
    }
    REQUIRE(fabric_connect(self->fabric, other, shared->addresses[other]) == CPMP_OK);
}

/* One round, asleep for at most 100 ms so that conditions outside of the fabric are seen. */
static void
peer_step(struct peer *self)
{
    struct fabric_counts counts;
    bool moved = fabric_poll(self->fabric);

    moved |= fabric_poll_slow(self->fabric);
    fabric_check(self->fabric);
    fabric_counts(self->fabric, &counts);
    if (self->index == 1)
        atomic_store(&shared->words[W_STRANGERS], counts.strangers);
    if (moved || !fabric_may_sleep(self->fabric))
        return;
    int fds[2], limit_ms = 100;
    uint64_t deadline_us = fabric_deadline_us(self->fabric), now_us = cpi_clock_ns() / 1000;
    fabric_fds(self->fabric, fds);
    struct pollfd polls[2] = {{.fd = fds[0], .events = POLLIN}, {.fd = fds[1], .events = POLLIN}};
    if (deadline_us < now_us + 100000)
        limit_ms = deadline_us <= now_us ? 0 : (int)((deadline_us - now_us) / 1000 + 1);
    poll(polls, 2, limit_ms);
}

#define PEER_UNTIL(self, condition)                                             \
    for (uint64_t end_ns_ = cpi_clock_ns() + AGENTS_LIMIT_S * 1000000000ull;    \
         !(condition);) {                                                       \
        peer_step(self);                                                        \
        REQUIRE(cpi_clock_ns() < end_ns_);                                      \
    }

static void
peer_close(struct peer *self)
{
    fabric_close(self->fabric);
}

/* --- the test's side --- */

typedef void child_fn(const struct options *options);

static pid_t
child_start(child_fn *fn, struct options options)
{
    pid_t pid = agents_fork();

    if (pid == 0) {
        close_range(3, ~0u, 0);  /* the test's sockets end when the test closes them */
        fn(&options);
        exit(0);
    }
    assert_true(pid > 0);
    return pid;
}

static void
child_expect_success(pid_t pid)
{
    int status;

    assert_int_equal(pid, waitpid(pid, &status, 0));
    assert_int_equal(0, status);
}

static void
child_kill(pid_t pid)
{
    int status;

    assert_int_equal(0, kill(pid, SIGKILL));
    assert_int_equal(pid, waitpid(pid, &status, 0));
    assert_true(WIFSIGNALED(status));
}

static void
word_await(int word, uint64_t least)
{
    uint64_t end_ns = cpi_clock_ns() + AGENTS_LIMIT_S * 1000000000ull;

    while (atomic_load(&shared->words[word]) < least) {
        assert_true(cpi_clock_ns() < end_ns);
        poll(NULL, 0, 1);
    }
}

static int
setup(void **state)
{
    (void)state;
    shared = agents_share(sizeof(*shared));
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    return munmap(shared, sizeof(*shared));
}

/* --- batches --- */

static uint64_t
words_fill(uint64_t *words, size_t bytes, uint64_t count)
{
    for (size_t i = 0; i < bytes / sizeof(uint64_t); i++, count += sizeof(uint64_t))
        words[i] = count;
    return count;
}

/* Batches of all shapes: 0 to 3 runs, 64 bytes to the most that fits. */
static void
batch_shape(struct fabric_batch *batch, char *buffer, uint32_t number, uint64_t *count)
{
    static const size_t sizes[] = {64, 128, 4096, 16384, 65536, CPI_BATCH_FRAME_BYTES_MAX};
    size_t left = CPI_BATCH_FRAME_BYTES_MAX;

    batch->run_count = number % (FABRIC_RUNS_MAX + 1);
    batch->frames = batch->run_count;
    for (uint32_t run = 0; run < batch->run_count; run++) {
        size_t bytes = sizes[(number / 4 + run) % 6];
        size_t keep = (batch->run_count - run - 1) * CPI_FRAME_ALIGN;
        bytes = bytes > left - keep ? left - keep : bytes;
        left -= bytes;
        *count = words_fill((uint64_t *)(void *)buffer, bytes, *count);
        batch->runs[run] = (struct iovec){buffer, bytes};
        buffer += bytes;
    }
}

#define BATCHES 400u

static void
sender(const struct options *options)
{
    struct fabric_batch batches[FABRIC_IN_FLIGHT_MAX] = {0};
    char *buffers = aligned_alloc(64, FABRIC_IN_FLIGHT_MAX * BATCH_BUFFER_BYTES);
    struct peer self;
    uint64_t count = 0;

    peer_open(&self, options);
    peer_connect(&self, 1);
    PEER_UNTIL(&self, self.ups == 1);
    for (uint32_t i = 0; i < BATCHES; i++) {
        uint32_t place = i % FABRIC_IN_FLIGHT_MAX;
        PEER_UNTIL(&self, self.sent + FABRIC_IN_FLIGHT_MAX > i && self.first.link != NULL &&
                              fabric_in_flight(self.fabric, 1) < FABRIC_IN_FLIGHT_MAX);
        batch_shape(&batches[place], buffers + place * BATCH_BUFFER_BYTES, i, &count);
        REQUIRE(fabric_send(self.fabric, 1, &batches[place]) == CPMP_OK);
    }
    PEER_UNTIL(&self, self.sent == BATCHES);
    PEER_UNTIL(&self, self.losses == 1);  /* the receiver has all and leaves */
    REQUIRE(self.error == CPMP_EPEER);
    peer_close(&self);
    free(buffers);
}

static void
receiver(const struct options *options)
{
    struct peer self;
    struct fabric_counts counts;

    peer_open(&self, options);
    peer_connect(&self, 0);
    PEER_UNTIL(&self, self.received == BATCHES * 3 / 4);
    fabric_counts(self.fabric, &counts);
    REQUIRE(counts.bytes_in == self.bytes && counts.strangers == 0);
    peer_close(&self);
}

static void
batches_arrive_whole_and_in_order(void **state)
{
    (void)state;
    pid_t first = child_start(sender, (struct options){.index = 0});
    pid_t second = child_start(receiver, (struct options){.index = 1});

    child_expect_success(second);
    child_expect_success(first);
}

/* --- losses --- */

static void
idler(const struct options *options)
{
    struct peer self;

    peer_open(&self, options);
    peer_connect(&self, 1 - options->index);
    PEER_UNTIL(&self, false);
}

static void
expects_loss(const struct options *options)
{
    struct peer self;

    peer_open(&self, options);
    peer_connect(&self, 1 - options->index);
    PEER_UNTIL(&self, self.losses == 1);
    REQUIRE(self.error == CPMP_EPEER);
    REQUIRE(strstr(self.why, options->index ? "peer 0" : "peer 1") != NULL);
    REQUIRE(fabric_deadline_us(self.fabric) == UINT64_MAX);
    peer_close(&self);
}

static void
a_killed_peer_is_lost(void **state)
{
    (void)state;
    for (uint32_t index = 0; index < 2; index++) {
        pid_t survivor = child_start(expects_loss, (struct options){.index = index});
        pid_t victim = child_start(idler, (struct options){.index = 1 - index});
        word_await(W_UP, 2 * (index + 1));
        child_kill(victim);
        child_expect_success(survivor);
        atomic_store(&shared->ready, 0);
    }
}

/* With the other side stopped, batches pile up to the limit; all come back when it is killed. */
static void
fills_up(const struct options *options)
{
    struct fabric_batch batches[FABRIC_IN_FLIGHT_MAX + 64] = {0};
    char *buffer = aligned_alloc(64, CPI_BATCH_BYTES_MAX);
    struct peer self;
    uint32_t sent = 0;

    memset(buffer, 0, CPI_BATCH_BYTES_MAX);
    peer_open(&self, options);
    peer_connect(&self, 1);
    PEER_UNTIL(&self, self.ups == 1 && atomic_load(&shared->words[W_GO]) == 1);
    for (;;) {
        struct fabric_batch *batch = &batches[sent % (FABRIC_IN_FLIGHT_MAX + 64)];
        batch->runs[0] = (struct iovec){buffer, CPI_BATCH_FRAME_BYTES_MAX};
        batch->run_count = batch->frames = 1;
        int error = fabric_send(self.fabric, 1, batch);
        sent += error == CPMP_OK;
        uint32_t before = self.sent;
        REQUIRE(error == CPMP_OK || error == CPMP_EAGAIN);
        fabric_poll(self.fabric);
        for (int i = 0; error == CPMP_EAGAIN && i < 4 && self.sent == before; i++)
            peer_step(&self);
        if (error == CPMP_EAGAIN && self.sent == before)
            break;  /* the kernel's buffers are full too */
    }
    REQUIRE(fabric_in_flight(self.fabric, 1) == FABRIC_IN_FLIGHT_MAX);
    atomic_store(&shared->words[W_GO], 2);
    PEER_UNTIL(&self, self.losses == 1 && self.sent == sent);
    REQUIRE(fabric_in_flight(self.fabric, 1) == 0);
    REQUIRE(fabric_send(self.fabric, 1, &batches[0]) == CPMP_EPEER);
    peer_close(&self);
    free(buffer);
}

static void
batches_under_way_come_back_when_the_peer_is_lost(void **state)
{
    (void)state;
    pid_t first = child_start(fills_up, (struct options){.index = 0});
    pid_t second = child_start(idler, (struct options){.index = 1});

    word_await(W_UP, 2);
    assert_int_equal(0, kill(second, SIGSTOP));
    atomic_store(&shared->words[W_GO], 1);
    word_await(W_GO, 2);
    child_kill(second);
    child_expect_success(first);
}

static void
finds_nobody(const struct options *options)
{
    struct peer self;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);
    char text[FABRIC_ADDRESS_MAX];

    REQUIRE(bind(fd, (struct sockaddr *)&address, bytes) == 0);  /* no listen: refused */
    REQUIRE(getsockname(fd, (struct sockaddr *)&address, &bytes) == 0);
    REQUIRE(fabric_address_print((struct sockaddr *)&address, text));
    peer_open(&self, options);
    REQUIRE(fabric_connect(self.fabric, 1, text) == CPMP_OK);
    REQUIRE(fabric_connect(self.fabric, 1, text) == CPMP_EEXIST);
    PEER_UNTIL(&self, self.losses == 1);
    REQUIRE(self.error == CPMP_EPEER && strstr(self.why, "efused") != NULL);
    REQUIRE(strstr(self.why, text) != NULL);
    peer_close(&self);
}

static void
a_dead_address_is_refused(void **state)
{
    (void)state;
    child_expect_success(child_start(finds_nobody, (struct options){.index = 0}));
}

static void
waits_in_vain(const struct options *options)
{
    struct peer self;

    peer_open(&self, options);
    REQUIRE(fabric_connect(self.fabric, 0, "127.0.0.1:9") == CPMP_OK);
    PEER_UNTIL(&self, self.losses == 1);
    REQUIRE(self.error == CPMP_EPEER && strstr(self.why, "in time") != NULL);
    peer_close(&self);
}

static void
a_peer_that_never_comes_is_lost(void **state)
{
    (void)state;
    child_expect_success(
        child_start(waits_in_vain, (struct options){.index = 1, .patience_us = 200000}));
}

/* --- who gets in --- */

static void
is_refused(const struct options *options)
{
    struct peer self;

    peer_open(&self, options);
    peer_connect(&self, 1);
    PEER_UNTIL(&self, self.losses == 1);
    REQUIRE(self.error == CPMP_EPEER && self.ups == 0);
    peer_close(&self);
}

/* Serves any number of incarnations of peer 0 until told to end. */
static void
host(const struct options *options)
{
    struct peer self;
    uint32_t losses = 0;

    peer_open(&self, options);
    REQUIRE(fabric_connect(self.fabric, 0, "127.0.0.1:1") == CPMP_OK);  /* it comes to us */
    while (atomic_load(&shared->words[W_GO]) == 0) {
        peer_step(&self);
        if (self.losses > losses) {
            losses = self.losses;
            if (self.fabric->links[0].state == LINK_LOST)
                REQUIRE(fabric_connect(self.fabric, 0, "127.0.0.1:1") == CPMP_OK);
        }
    }
    peer_close(&self);
}

static void
who_lacks_the_key_is_refused_and_counted(void **state)
{
    (void)state;
    pid_t server = child_start(host, (struct options){.index = 1});

    child_expect_success(child_start(is_refused, (struct options){.index = 0, .key = 1}));
    word_await(W_STRANGERS, 1);
    assert_int_equal(0, atomic_load(&shared->words[W_UP]));
    atomic_store(&shared->ready, 2);
    pid_t friend = child_start(idler, (struct options){.index = 0});
    word_await(W_UP, 2);
    atomic_store(&shared->words[W_GO], 1);
    child_expect_success(server);
    child_kill(friend);
}

static void
an_old_incarnation_is_refused(void **state)
{
    (void)state;
    pid_t server = child_start(host, (struct options){.index = 1});
    pid_t second = child_start(idler, (struct options){.index = 0, .incarnation = 2});

    word_await(W_UP, 2);
    child_kill(second);
    word_await(W_LOST, 1);
    child_expect_success(child_start(is_refused, (struct options){.index = 0, .incarnation = 1}));
    word_await(W_STRANGERS, 1);
    pid_t third = child_start(idler, (struct options){.index = 0, .incarnation = 3});
    word_await(W_UP, 4);
    atomic_store(&shared->words[W_GO], 1);
    child_expect_success(server);
    child_kill(third);
}

static void
a_newer_incarnation_takes_the_place_of_one_that_hangs(void **state)
{
    (void)state;
    pid_t server = child_start(host, (struct options){.index = 1});
    pid_t old = child_start(idler, (struct options){.index = 0, .incarnation = 1});

    word_await(W_UP, 2);
    assert_int_equal(0, kill(old, SIGSTOP));
    pid_t young = child_start(idler, (struct options){.index = 0, .incarnation = 2});
    word_await(W_UP, 4);
    assert_int_equal(1, atomic_load(&shared->words[W_LOST]));
    atomic_store(&shared->words[W_GO], 1);
    child_expect_success(server);
    child_kill(old);
    child_kill(young);
}

/* --- strangers --- */

static int
door_connect(void)
{
    struct sockaddr_storage address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fabric_address_parse(shared->addresses[1], &address));
    assert_int_equal(0, connect(fd, (struct sockaddr *)&address, sizeof(struct sockaddr_in)));
    return fd;
}

static void
await_ready(uint32_t bits)
{
    uint64_t end_ns = cpi_clock_ns() + AGENTS_LIMIT_S * 1000000000ull;

    while ((atomic_load(&shared->ready) & bits) != bits) {
        assert_true(cpi_clock_ns() < end_ns);
        poll(NULL, 0, 1);
    }
}

#define SILENT 150

/* A request of the tcp provider that announces 96 bytes and doesn't bring them: read blockingly, it
 * would stop the agent. */
static void
send_announcement(int fd)
{
    const unsigned char request[32] = {[0] = 3, [3] = 96, [24] = 1};

    assert_int_equal(sizeof(request), write(fd, request, sizeof(request)));
}

static void
strangers_are_dropped_and_counted_and_hold_nobody_up(void **state)
{
    int silent[SILENT];
    pid_t server = child_start(host, (struct options){.index = 1, .patience_us = 10000000});

    (void)state;
    await_ready(2);
    int announcer = door_connect();
    send_announcement(announcer);
    int babbler = door_connect();
    assert_int_equal(10, write(babbler, "GET / HTTP", 10));
    close(door_connect());
    for (int i = 0; i < SILENT; i++)
        silent[i] = door_connect();
    /* the friend comes while all of them are there */
    pid_t friend = child_start(idler, (struct options){.index = 0});
    word_await(W_UP, 2);
    word_await(W_STRANGERS, SILENT + 2 - DOOR_WAITING_MAX);  /* the rest may stay for a while */
    for (int i = 0; i < SILENT; i++)
        close(silent[i]);
    close(announcer);
    close(babbler);
    word_await(W_STRANGERS, SILENT + 3);
    atomic_store(&shared->words[W_GO], 1);
    child_expect_success(server);
    child_kill(friend);
}

static void
who_stays_silent_is_shut_out_in_time(void **state)
{
    char byte;
    pid_t server = child_start(host, (struct options){.index = 1, .patience_us = 300000});

    (void)state;
    await_ready(2);
    int silent = door_connect();
    assert_true(read(silent, &byte, 1) <= 0);  /* returns when the other side closes */
    word_await(W_STRANGERS, 1);
    atomic_store(&shared->words[W_GO], 1);
    child_expect_success(server);
    close(silent);
}

static int
listen_as_peer_one(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(0, bind(fd, (struct sockaddr *)&address, bytes));
    assert_int_equal(0, listen(fd, 8));
    assert_int_equal(0, getsockname(fd, (struct sockaddr *)&address, &bytes));
    assert_true(fabric_address_print((struct sockaddr *)&address, shared->addresses[1]));
    atomic_fetch_or(&shared->ready, 2);
    return fd;
}

/* A hello overheard on its way opens the door once at most, and then only as far as the proof. */
static void
a_replayed_hello_gets_nowhere(void **state)
{
    char request[1024], address[80];
    pid_t server = child_start(host, (struct options){.index = 1, .patience_us = 1500000});

    (void)state;
    await_ready(2);
    memcpy(address, shared->addresses[1], sizeof(address));
    int ear = listen_as_peer_one();
    pid_t victim = child_start(idler, (struct options){.index = 0});
    int overheard = accept(ear, NULL, NULL);
    ssize_t bytes = recv(overheard, request, sizeof(request), 0);
    assert_true(bytes > (ssize_t)sizeof(struct cpi_hello));
    child_kill(victim);
    close(overheard);
    close(ear);
    memcpy(shared->addresses[1], address, sizeof(address));
    int first = door_connect(), second;
    assert_int_equal(bytes, write(first, request, (size_t)bytes));
    assert_true(recv(first, request + 512, 1, 0) == 1);  /* let in, as far as it goes */
    second = door_connect();
    assert_int_equal(bytes, write(second, request, (size_t)bytes));
    word_await(W_STRANGERS, 1);
    assert_int_equal(0, atomic_load(&shared->words[W_UP]));
    pid_t friend = child_start(idler, (struct options){.index = 0});
    word_await(W_UP, 2);
    atomic_store(&shared->words[W_GO], 1);
    child_expect_success(server);
    child_kill(friend);
    close(first);
    close(second);
}

/* --- breaking the protocol --- */

/* Sends one batch with something wrong about it, and sees the connection go. */
static void
send_one(struct peer *self, struct fabric_batch *batch, uint64_t *words)
{
    words_fill(words, 64, 0);
    batch->runs[0] = (struct iovec){words, 64};
    batch->run_count = batch->frames = 1;
    REQUIRE(fabric_send(self->fabric, 1, batch) == CPMP_OK);
}

static void
skips_a_batch(const struct options *options)
{
    struct fabric_batch batch = {0};
    uint64_t words[8];
    struct peer self;

    peer_open(&self, options);
    peer_connect(&self, 1);
    PEER_UNTIL(&self, self.ups == 1 && atomic_load(&shared->words[W_UP]) == 2);
    self.fabric->links[1].sequence_out++;
    send_one(&self, &batch, words);
    PEER_UNTIL(&self, self.losses == 1 && self.sent == 1);
    peer_close(&self);
}

static void
sees_a_breach(const struct options *options)
{
    struct peer self;

    peer_open(&self, options);
    peer_connect(&self, 0);
    PEER_UNTIL(&self, self.losses == 1);
    REQUIRE(self.error == CPMP_EPROTO && self.received == 0);
    peer_close(&self);
}

static void
a_missing_batch_ends_the_connection(void **state)
{
    (void)state;
    pid_t first = child_start(skips_a_batch, (struct options){.index = 0});

    child_expect_success(child_start(sees_a_breach, (struct options){.index = 1}));
    child_expect_success(first);
}

static void
forges_a_tag(const struct options *options)
{
    struct fabric_batch batch = {0};
    uint64_t words[8];
    struct peer self;

    peer_open(&self, options);
    peer_connect(&self, 1);
    PEER_UNTIL(&self, self.ups == 1 && atomic_load(&shared->words[W_UP]) == 2);
    self.fabric->links[1].tag_out ^= 1;
    send_one(&self, &batch, words);
    PEER_UNTIL(&self, self.sent == 1 && atomic_load(&shared->words[W_STRANGERS]) == 1);
    peer_close(&self);
}

static void
is_not_fooled(const struct options *options)
{
    struct fabric_counts counts = {0};
    struct peer self;

    peer_open(&self, options);
    peer_connect(&self, 0);
    PEER_UNTIL(&self, (fabric_counts(self.fabric, &counts), counts.strangers == 1));
    REQUIRE(self.received == 0 && self.losses == 0);
    PEER_UNTIL(&self, self.losses == 1);
    peer_close(&self);
}

static void
a_batch_without_the_tag_is_a_strangers(void **state)
{
    (void)state;
    pid_t second = child_start(is_not_fooled, (struct options){.index = 1});

    child_expect_success(child_start(forges_a_tag, (struct options){.index = 0}));
    child_expect_success(second);
}

static void
refuses_what_comes(const struct options *options)
{
    struct peer self;

    peer_open(&self, options);
    self.answer = CPMP_OK;
    peer_connect(&self, 0);
    PEER_UNTIL(&self, self.ups == 1);
    self.answer = CPMP_EPROTO;
    PEER_UNTIL(&self, self.losses == 1);
    REQUIRE(self.error == CPMP_EPROTO && self.received == 1);
    peer_close(&self);
}

static void
sends_nonsense(const struct options *options)
{
    struct fabric_batch batch = {0};
    uint64_t words[8];
    struct peer self;

    peer_open(&self, options);
    peer_connect(&self, 1);
    PEER_UNTIL(&self, self.ups == 1 && atomic_load(&shared->words[W_UP]) == 2);
    send_one(&self, &batch, words);
    PEER_UNTIL(&self, self.losses == 1 && self.error == CPMP_EPEER);
    peer_close(&self);
}

static void
what_the_router_refuses_ends_the_connection(void **state)
{
    (void)state;
    pid_t second = child_start(refuses_what_comes, (struct options){.index = 1});

    child_expect_success(child_start(sends_nonsense, (struct options){.index = 0}));
    child_expect_success(second);
}

/* --- what the process is left like --- */

static int
descriptors_open_to_children(void)
{
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;
    int count = 0;

    while ((entry = readdir(directory)) != NULL) {
        int fd = atoi(entry->d_name);
        int flags = entry->d_name[0] == '.' || fd == dirfd(directory) ? -1 : fcntl(fd, F_GETFD);
        count += flags >= 0 && (flags & FD_CLOEXEC) == 0;
    }
    closedir(directory);
    return count;
}

static int
threads(void)
{
    DIR *directory = opendir("/proc/self/task");
    int count = 0;

    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static void
leaves_no_trace(const struct options *options)
{
    struct sigaction before[NSIG] = {0}, after;
    int open_before = descriptors_open_to_children();
    int threads_before = threads();
    struct peer self;

    for (int number = 1; number < NSIG; number++)
        sigaction(number, NULL, &before[number]);
    peer_open(&self, options);
    peer_connect(&self, 1 - options->index);
    PEER_UNTIL(&self, self.ups == 1 && atomic_load(&shared->words[W_UP]) == 2);
    REQUIRE(descriptors_open_to_children() == open_before);
    REQUIRE(threads() == threads_before);
    for (int number = 1; number < NSIG; number++)
        if (sigaction(number, NULL, &after) == 0)
            REQUIRE(after.sa_handler == before[number].sa_handler);
    atomic_fetch_add(&shared->words[W_GO], 1);
    PEER_UNTIL(&self, atomic_load(&shared->words[W_GO]) == 2);
    peer_close(&self);
}

static void
descriptors_are_close_on_exec_and_signals_as_before(void **state)
{
    (void)state;
    pid_t first = child_start(leaves_no_trace, (struct options){.index = 0});

    child_expect_success(child_start(leaves_no_trace, (struct options){.index = 1}));
    child_expect_success(first);
}

/* --- parts --- */

static void
greets(const struct options *options)
{
    char why[FABRIC_WHY_MAX];
    const struct fabric_library *library = fabric_library_get(why, sizeof(why));
    uint8_t key[CPI_KEY_BYTES] = {1}, other_key[CPI_KEY_BYTES] = {2};
    struct cpi_hello hello = {.from = 0, .to = 1, .job = 5}, welcome = {.from = 1, .job = 5};
    struct hello_tags tags, again;

    (void)options;
    REQUIRE(library != NULL);
    REQUIRE(hello_make(library, key, NULL, &hello) == CPMP_OK);
    REQUIRE(hello_make(library, key, &hello, &welcome) == CPMP_OK);
    REQUIRE(cpi_hello_check(&hello, sizeof(hello), CPI_ROLE_HELLO) == CPMP_OK);
    REQUIRE(cpi_hello_check(&welcome, sizeof(welcome), CPI_ROLE_WELCOME) == CPMP_OK);
    REQUIRE(cpi_hello_check(&hello, sizeof(hello), CPI_ROLE_WELCOME) == CPMP_EPROTO);
    REQUIRE(cpi_hello_check(&hello, sizeof(hello) - 1, CPI_ROLE_HELLO) == CPMP_EPROTO);
    REQUIRE(hello_code_right(library, key, NULL, &hello));
    REQUIRE(hello_code_right(library, key, &hello, &welcome));
    REQUIRE(!hello_code_right(library, other_key, NULL, &hello));
    REQUIRE(!hello_code_right(library, key, NULL, &welcome));
    REQUIRE(hello_tags(library, key, &hello, &welcome, &tags) == CPMP_OK);
    REQUIRE(hello_tags(library, other_key, &hello, &welcome, &again) == CPMP_OK);
    REQUIRE(tags.to_acceptor != tags.to_connector && tags.to_acceptor != again.to_acceptor);
    for (size_t i = 0; i < offsetof(struct cpi_hello, code); i++) {  /* every byte counts */
        struct cpi_hello changed = hello;
        ((uint8_t *)&changed)[i] ^= 1;
        REQUIRE(!hello_code_right(library, key, NULL, &changed));
    }
    hello.nonce[3] ^= 1;
    REQUIRE(!hello_code_right(library, key, &hello, &welcome));
    hello.version++;
    REQUIRE(cpi_hello_check(&hello, sizeof(hello), CPI_ROLE_HELLO) == CPMP_EVERSION);
}

static void
a_greeting_is_bound_to_key_fields_and_nonce(void **state)
{
    (void)state;
    child_expect_success(child_start(greets, (struct options){.index = 0}));
}

static void
addresses_are_numeric_text(void **state)
{
    static const char *const good[] = {"127.0.0.1:0", "10.77.0.1:65535", "[::1]:4711",
                                       "[fe80::1%lo]:1"};
    static const char *const bad[] = {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x",
                                      "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1: 1", "host:1",
                                      "::1:80", "[::1]", "[127.0.0.1]:1", "127.0.0.1:1 "};
    struct sockaddr_storage address;
    char text[FABRIC_ADDRESS_MAX], longer[200];

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(fabric_address_parse(good[i], &address));
        assert_true(fabric_address_print((struct sockaddr *)&address, text));
        assert_string_equal(good[i], text);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(fabric_address_parse(bad[i], &address));
    memset(longer, '1', sizeof(longer));
    memcpy(longer + sizeof(longer) - 3, ":1", 3);
    assert_false(fabric_address_parse(longer, &address));
}

static void
listens_badly(const struct options *options)
{
    static const char *const addresses[] = {"0.0.0.0", "::", "localhost", "192.0.2.1"};
    static const uint8_t key[CPI_KEY_BYTES];

    (void)options;
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        struct fabric_config config = {.listen = addresses[i], .key = key, .peers = 2};
        struct fabric *fabric = NULL;
        char why[FABRIC_WHY_MAX] = "";
        REQUIRE(fabric_open(&fabric, &config, why) < 0 && fabric == NULL);
        REQUIRE(strstr(why, addresses[i]) != NULL);
    }
}

static void
an_address_that_is_not_ours_is_named(void **state)
{
    (void)state;
    child_expect_success(child_start(listens_badly, (struct options){.index = 0}));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(addresses_are_numeric_text),
        TEST(an_address_that_is_not_ours_is_named),
        TEST(a_greeting_is_bound_to_key_fields_and_nonce),
        TEST(batches_arrive_whole_and_in_order),
        TEST(a_killed_peer_is_lost),
        TEST(batches_under_way_come_back_when_the_peer_is_lost),
        TEST(a_dead_address_is_refused),
        TEST(a_peer_that_never_comes_is_lost),
        TEST(who_lacks_the_key_is_refused_and_counted),
        TEST(an_old_incarnation_is_refused),
        TEST(a_newer_incarnation_takes_the_place_of_one_that_hangs),
        TEST(strangers_are_dropped_and_counted_and_hold_nobody_up),
        TEST(who_stays_silent_is_shut_out_in_time),
        TEST(a_replayed_hello_gets_nowhere),
        TEST(a_missing_batch_ends_the_connection),
        TEST(a_batch_without_the_tag_is_a_strangers),
        TEST(what_the_router_refuses_ends_the_connection),
        TEST(descriptors_are_close_on_exec_and_signals_as_before),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
