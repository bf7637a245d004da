/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections between agents: real libfabric between real processes. How strangers fare is in
 * test_agent_fabric_door.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/fabric_state.h"
#include "agents_peer.h"

#define BATCH_BUFFER_BYTES (3 * CPI_BATCH_BYTES_MAX)

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
sender(const struct peer_options *options)
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
        AGENTS_REQUIRE(fabric_send(self.fabric, 1, &batches[place]) == CPMP_OK);
    }
    PEER_UNTIL(&self, self.sent == BATCHES);
    PEER_UNTIL(&self, self.losses == 1);  /* the receiver has all and leaves */
    AGENTS_REQUIRE(self.error == CPMP_EPEER);
    peer_close(&self);
    free(buffers);
}

static void
receiver(const struct peer_options *options)
{
    struct peer self;
    struct fabric_counts counts;

    peer_open(&self, options);
    peer_connect(&self, 0);
    PEER_UNTIL(&self, self.received == BATCHES * 3 / 4);
    fabric_counts(self.fabric, &counts);
    AGENTS_REQUIRE(counts.bytes_in == self.bytes && counts.strangers == 0);
    peer_close(&self);
}

static void
batches_arrive_whole_and_in_order(void **state)
{
    (void)state;
    pid_t first = peer_start(sender, (struct peer_options){.index = 0});
    pid_t second = peer_start(receiver, (struct peer_options){.index = 1});

    peer_expect_success(second);
    peer_expect_success(first);
}

static void
encrypted_batches_arrive_whole_and_in_order(void **state)
{
    (void)state;
    pid_t first = peer_start(sender, (struct peer_options){.index = 0, .encrypt = true});
    pid_t second = peer_start(receiver, (struct peer_options){.index = 1, .encrypt = true});

    peer_expect_success(second);
    peer_expect_success(first);
}

/* --- losses --- */

static void
expects_loss(const struct peer_options *options)
{
    struct peer self;

    peer_open(&self, options);
    peer_connect(&self, 1 - options->index);
    PEER_UNTIL(&self, self.losses == 1);
    AGENTS_REQUIRE(self.error == CPMP_EPEER);
    AGENTS_REQUIRE(strstr(self.why, options->index ? "peer 0" : "peer 1") != NULL);
    AGENTS_REQUIRE(fabric_deadline_us(self.fabric) == UINT64_MAX);
    peer_close(&self);
}

static void
a_killed_peer_is_lost(void **state)
{
    (void)state;
    for (uint32_t index = 0; index < 2; index++) {
        pid_t survivor = peer_start(expects_loss, (struct peer_options){.index = index});
        pid_t victim = peer_start(peer_idler, (struct peer_options){.index = 1 - index});
        peer_word_await(W_UP, 2 * (index + 1));
        peer_kill(victim);
        peer_expect_success(survivor);
        atomic_store(&peer_shared->ready, 0);
    }
}

/* With the other side stopped, batches pile up to the limit; all come back when it is killed. */
static void
fills_up(const struct peer_options *options)
{
    struct fabric_batch batches[FABRIC_IN_FLIGHT_MAX + 64] = {0};
    char *buffer = aligned_alloc(64, CPI_BATCH_BYTES_MAX);
    struct peer self;
    uint32_t sent = 0;

    memset(buffer, 0, CPI_BATCH_BYTES_MAX);
    peer_open(&self, options);
    peer_connect(&self, 1);
    PEER_UNTIL(&self, self.ups == 1 && atomic_load(&peer_shared->words[W_GO]) == 1);
    for (;;) {
        struct fabric_batch *batch = &batches[sent % (FABRIC_IN_FLIGHT_MAX + 64)];
        batch->runs[0] = (struct iovec){buffer, CPI_BATCH_FRAME_BYTES_MAX};
        batch->run_count = batch->frames = 1;
        int error = fabric_send(self.fabric, 1, batch);
        sent += error == CPMP_OK;
        uint32_t before = self.sent;
        AGENTS_REQUIRE(error == CPMP_OK || error == CPMP_EAGAIN);
        fabric_poll(self.fabric);
        for (int i = 0; error == CPMP_EAGAIN && i < 4 && self.sent == before; i++)
            peer_step(&self);
        if (error == CPMP_EAGAIN && self.sent == before)
            break;  /* the kernel's buffers are full too */
    }
    AGENTS_REQUIRE(fabric_in_flight(self.fabric, 1) == FABRIC_IN_FLIGHT_MAX);
    atomic_store(&peer_shared->words[W_GO], 2);
    PEER_UNTIL(&self, self.losses == 1 && self.sent == sent);
    AGENTS_REQUIRE(fabric_in_flight(self.fabric, 1) == 0);
    AGENTS_REQUIRE(fabric_send(self.fabric, 1, &batches[0]) == CPMP_EPEER);
    peer_close(&self);
    free(buffer);
}

static void
batches_under_way_come_back_when_the_peer_is_lost(void **state)
{
    (void)state;
    pid_t first = peer_start(fills_up, (struct peer_options){.index = 0});
    pid_t second = peer_start(peer_idler, (struct peer_options){.index = 1});

    peer_word_await(W_UP, 2);
    assert_int_equal(0, kill(second, SIGSTOP));
    atomic_store(&peer_shared->words[W_GO], 1);
    peer_word_await(W_GO, 2);
    peer_kill(second);
    peer_expect_success(first);
}

/* Two free ports that are neighbours. */
static uint16_t
ports_find(void)
{
    for (uint16_t port = 20000; port < 60000; port += 2) {
        int fds[2], good = 0;
        for (int i = 0; i < 2; i++) {
            struct sockaddr_in address = {.sin_family = AF_INET,
                                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                          .sin_port = htons((uint16_t)(port + i))};
            fds[i] = socket(AF_INET, SOCK_STREAM, 0);
            good += bind(fds[i], (struct sockaddr *)&address, sizeof(address)) == 0;
        }
        close(fds[0]);
        close(fds[1]);
        if (good == 2)
            return port;
    }
    return 0;
}

static void
listens_in_a_range(const struct peer_options *options)
{
    uint16_t first = ports_find();
    uint8_t key[CPI_KEY_BYTES] = {1};
    struct fabric_config config = {.port_first = first, .port_last = (uint16_t)(first + 1),
                                   .job = 1, .key = key, .peers = 2};
    struct fabric *fabrics[3];
    char why[FABRIC_WHY_MAX] = "", texts[2][ADDRESS_TEXT_MAX];

    (void)options;
    AGENTS_REQUIRE(first > 0);
    for (int i = 0; i < 2; i++) {
        AGENTS_REQUIRE(fabric_open(&fabrics[i], &config, why) == CPMP_OK);
        snprintf(texts[i], sizeof(texts[i]), "127.0.0.1:%u", first + i);
    }
    bool in_order = strcmp(fabric_address(fabrics[0]), texts[0]) == 0;
    AGENTS_REQUIRE(strcmp(fabric_address(fabrics[0]), texts[!in_order]) == 0);
    AGENTS_REQUIRE(strcmp(fabric_address(fabrics[1]), texts[in_order]) == 0);
    AGENTS_REQUIRE(fabric_open(&fabrics[2], &config, why) == CPMP_ESYS);
    AGENTS_REQUIRE(strstr(why, "already in use") != NULL);
    fabric_close(fabrics[0]);
    fabric_close(fabrics[1]);
}

static void
it_listens_on_the_ports_it_is_given(void **state)
{
    (void)state;
    peer_expect_success(peer_start(listens_in_a_range, (struct peer_options){.index = 0}));
}

static void
finds_nobody(const struct peer_options *options)
{
    struct peer self;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);
    char text[ADDRESS_TEXT_MAX];

    AGENTS_REQUIRE(bind(fd, (struct sockaddr *)&address, bytes) == 0);  /* no listen: refused */
    AGENTS_REQUIRE(getsockname(fd, (struct sockaddr *)&address, &bytes) == 0);
    AGENTS_REQUIRE(address_print_socket((struct sockaddr *)&address, text));
    peer_open(&self, options);
    AGENTS_REQUIRE(fabric_connect(self.fabric, 1, text) == CPMP_OK);
    AGENTS_REQUIRE(fabric_connect(self.fabric, 1, text) == CPMP_EEXIST);
    PEER_UNTIL(&self, self.losses == 1);
    AGENTS_REQUIRE(self.error == CPMP_EPEER && strstr(self.why, "efused") != NULL);
    AGENTS_REQUIRE(strstr(self.why, text) != NULL);
    peer_close(&self);
}

static void
a_dead_address_is_refused(void **state)
{
    (void)state;
    peer_expect_success(peer_start(finds_nobody, (struct peer_options){.index = 0}));
}

static void
waits_in_vain(const struct peer_options *options)
{
    struct peer self;

    peer_open(&self, options);
    AGENTS_REQUIRE(fabric_connect(self.fabric, 0, "127.0.0.1:9") == CPMP_OK);
    PEER_UNTIL(&self, self.losses == 1);
    AGENTS_REQUIRE(self.error == CPMP_EPEER && strstr(self.why, "in time") != NULL);
    peer_close(&self);
}

static void
a_peer_that_never_comes_is_lost(void **state)
{
    (void)state;
    peer_expect_success(
        peer_start(waits_in_vain, (struct peer_options){.index = 1, .patience_us = 200000}));
}

/* --- breaking the protocol --- */

/* Sends one batch with something wrong about it, and sees the connection go. */
static void
send_one(struct peer *self, struct fabric_batch *batch, uint64_t *words)
{
    words_fill(words, 64, 0);
    batch->runs[0] = (struct iovec){words, 64};
    batch->run_count = batch->frames = 1;
    AGENTS_REQUIRE(fabric_send(self->fabric, 1, batch) == CPMP_OK);
}

static void
skips_a_batch(const struct peer_options *options)
{
    struct fabric_batch batch = {0};
    uint64_t words[8];
    struct peer self;

    peer_open(&self, options);
    peer_connect(&self, 1);
    PEER_UNTIL(&self, self.ups == 1 && atomic_load(&peer_shared->words[W_UP]) == 2);
    self.fabric->links[1].sequence_out++;
    send_one(&self, &batch, words);
    PEER_UNTIL(&self, self.losses == 1 && self.sent == 1);
    peer_close(&self);
}

/* Encrypts with what the other side has not. */
static void
seals_wrongly(const struct peer_options *options)
{
    static const uint8_t other_key[CPI_KEY_BYTES] = {1};
    const struct cpi_hello hello = {0}, welcome = {0};
    struct fabric_batch batch = {0};
    uint64_t words[8];
    struct peer self;

    peer_open(&self, options);
    peer_connect(&self, 1);
    PEER_UNTIL(&self, self.ups == 1 && atomic_load(&peer_shared->words[W_UP]) == 2);
    seal_release(&self.fabric->links[1].seal);
    AGENTS_REQUIRE(seal_init(&self.fabric->links[1].seal, other_key, &hello, &welcome, false) ==
                   CPMP_OK);
    send_one(&self, &batch, words);
    PEER_UNTIL(&self, self.losses == 1 && self.sent == 1);
    peer_close(&self);
}

static void
sees_a_breach(const struct peer_options *options)
{
    struct peer self;

    peer_open(&self, options);
    peer_connect(&self, 0);
    PEER_UNTIL(&self, self.losses == 1);
    AGENTS_REQUIRE(self.error == CPMP_EPROTO && self.received == 0);
    peer_close(&self);
}

static void
an_altered_batch_ends_the_connection(void **state)
{
    (void)state;
    pid_t first = peer_start(seals_wrongly, (struct peer_options){.index = 0, .encrypt = true});
    pid_t second = peer_start(sees_a_breach, (struct peer_options){.index = 1, .encrypt = true});

    peer_expect_success(second);
    peer_expect_success(first);
}

static void
a_missing_batch_ends_the_connection(void **state)
{
    (void)state;
    pid_t first = peer_start(skips_a_batch, (struct peer_options){.index = 0});

    peer_expect_success(peer_start(sees_a_breach, (struct peer_options){.index = 1}));
    peer_expect_success(first);
}

static void
forges_a_tag(const struct peer_options *options)
{
    struct fabric_batch batch = {0};
    uint64_t words[8];
    struct peer self;

    peer_open(&self, options);
    peer_connect(&self, 1);
    PEER_UNTIL(&self, self.ups == 1 && atomic_load(&peer_shared->words[W_UP]) == 2);
    self.fabric->links[1].tag_out ^= 1;
    send_one(&self, &batch, words);
    PEER_UNTIL(&self, self.sent == 1 && atomic_load(&peer_shared->words[W_STRANGERS]) == 1);
    peer_close(&self);
}

static void
is_not_fooled(const struct peer_options *options)
{
    struct fabric_counts counts = {0};
    struct peer self;

    peer_open(&self, options);
    peer_connect(&self, 0);
    PEER_UNTIL(&self, (fabric_counts(self.fabric, &counts), counts.strangers == 1));
    AGENTS_REQUIRE(self.received == 0 && self.losses == 0);
    PEER_UNTIL(&self, self.losses == 1);
    peer_close(&self);
}

static void
a_batch_without_the_tag_is_a_strangers(void **state)
{
    (void)state;
    pid_t second = peer_start(is_not_fooled, (struct peer_options){.index = 1});

    peer_expect_success(peer_start(forges_a_tag, (struct peer_options){.index = 0}));
    peer_expect_success(second);
}

static void
refuses_what_comes(const struct peer_options *options)
{
    struct peer self;

    peer_open(&self, options);
    self.answer = CPMP_OK;
    peer_connect(&self, 0);
    PEER_UNTIL(&self, self.ups == 1);
    self.answer = CPMP_EPROTO;
    PEER_UNTIL(&self, self.losses == 1);
    AGENTS_REQUIRE(self.error == CPMP_EPROTO && self.received == 1);
    peer_close(&self);
}

static void
sends_nonsense(const struct peer_options *options)
{
    struct fabric_batch batch = {0};
    uint64_t words[8];
    struct peer self;

    peer_open(&self, options);
    peer_connect(&self, 1);
    PEER_UNTIL(&self, self.ups == 1 && atomic_load(&peer_shared->words[W_UP]) == 2);
    send_one(&self, &batch, words);
    PEER_UNTIL(&self, self.losses == 1 && self.error == CPMP_EPEER);
    peer_close(&self);
}

static void
what_the_router_refuses_ends_the_connection(void **state)
{
    (void)state;
    pid_t second = peer_start(refuses_what_comes, (struct peer_options){.index = 1});

    peer_expect_success(peer_start(sends_nonsense, (struct peer_options){.index = 0}));
    peer_expect_success(second);
}

/* --- what the process is left like --- */

static int
descriptors_open_to_children(void)
{
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;
    int count = 0;

    while ((entry = readdir(directory)) != NULL) {
        char *end;
        int fd = (int)strtol(entry->d_name, &end, 10);
        int flags = *end != 0 || fd == dirfd(directory) ? -1 : fcntl(fd, F_GETFD);
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
leaves_no_trace(const struct peer_options *options)
{
    struct sigaction before[NSIG] = {0}, after;
    int open_before = descriptors_open_to_children();
    int threads_before = threads();
    struct peer self;

    for (int number = 1; number < NSIG; number++)
        sigaction(number, NULL, &before[number]);
    peer_open(&self, options);
    peer_connect(&self, 1 - options->index);
    PEER_UNTIL(&self, self.ups == 1 && atomic_load(&peer_shared->words[W_UP]) == 2);
    AGENTS_REQUIRE(descriptors_open_to_children() == open_before);
    AGENTS_REQUIRE(threads() == threads_before);
    for (int number = 1; number < NSIG; number++)
        if (sigaction(number, NULL, &after) == 0)
            AGENTS_REQUIRE(after.sa_handler == before[number].sa_handler);
    atomic_fetch_add(&peer_shared->words[W_GO], 1);
    PEER_UNTIL(&self, atomic_load(&peer_shared->words[W_GO]) == 2);
    peer_close(&self);
}

static void
descriptors_are_close_on_exec_and_signals_as_before(void **state)
{
    (void)state;
    pid_t first = peer_start(leaves_no_trace, (struct peer_options){.index = 0});

    peer_expect_success(peer_start(leaves_no_trace, (struct peer_options){.index = 1}));
    peer_expect_success(first);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, peer_setup, peer_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(batches_arrive_whole_and_in_order),
        TEST(encrypted_batches_arrive_whole_and_in_order),
        TEST(an_altered_batch_ends_the_connection),
        TEST(a_killed_peer_is_lost),
        TEST(batches_under_way_come_back_when_the_peer_is_lost),
        TEST(it_listens_on_the_ports_it_is_given),
        TEST(a_dead_address_is_refused),
        TEST(a_peer_that_never_comes_is_lost),
        TEST(a_missing_batch_ends_the_connection),
        TEST(a_batch_without_the_tag_is_a_strangers),
        TEST(what_the_router_refuses_ends_the_connection),
        TEST(descriptors_are_close_on_exec_and_signals_as_before),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
