/* SPDX-License-Identifier: BSD-3-Clause */
#include "agents_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/fabric_state.h"

#define PATIENCE_US 20000000ull

struct agents_shared *peer_shared;

static void
on_up(void *arg, uint32_t peer)
{
    struct peer *self = arg;

    self->ups++;
    self->first.run_count = self->first.frames = 0;
    AGENTS_REQUIRE(fabric_send(self->fabric, peer, &self->first) == CPMP_OK);
    atomic_fetch_add(&peer_shared->words[W_UP], 1);
}

/* Bytes count up from batch to batch, so any that is lost, moved or changed shows. */
static int
on_received(void *arg, uint32_t peer, const struct cpi_batch *batch)
{
    struct peer *self = arg;
    const uint64_t *words = (const uint64_t *)(const void *)((const char *)batch + sizeof(*batch));

    (void)peer;
    AGENTS_REQUIRE(((uintptr_t)words & (CPI_FRAME_ALIGN - 1)) == 0);
    for (size_t i = 0; i < batch->bytes / sizeof(uint64_t); i++, self->bytes += sizeof(uint64_t))
        AGENTS_REQUIRE(words[i] == self->bytes);
    self->received += batch->bytes > 0;
    atomic_fetch_add(&peer_shared->words[W_RECEIVED], batch->bytes > 0);
    return self->answer;
}

static void
on_sent(void *arg, uint32_t peer, struct fabric_batch *batch)
{
    struct peer *self = arg;

    (void)peer;
    if (batch != &self->first) {
        self->sent++;
        atomic_fetch_add(&peer_shared->words[W_SENT], 1);
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
    atomic_fetch_add(&peer_shared->words[W_LOST], 1);
}

void
peer_open(struct peer *self, const struct peer_options *options)
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
        .encrypt = options->encrypt,
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
    snprintf(peer_shared->addresses[self->index], sizeof(peer_shared->addresses[0]), "%s",
             fabric_address(self->fabric));
    atomic_fetch_or(&peer_shared->ready, 1u << self->index);
}

void
peer_connect(struct peer *self, uint32_t other)
{
    uint64_t end_ns = cpi_clock_ns() + AGENTS_LIMIT_S * 1000000000ull;

    while ((atomic_load(&peer_shared->ready) >> other & 1) == 0) {
        AGENTS_REQUIRE(cpi_clock_ns() < end_ns);
        poll(NULL, 0, 1);
    }
    AGENTS_REQUIRE(fabric_connect(self->fabric, other, peer_shared->addresses[other]) == CPMP_OK);
}

void
peer_step(struct peer *self)
{
    struct fabric_counts counts;
    bool moved = fabric_poll(self->fabric);

    moved |= fabric_poll_slow(self->fabric);
    fabric_check(self->fabric);
    fabric_counts(self->fabric, &counts);
    if (self->index == 1)
        atomic_store(&peer_shared->words[W_STRANGERS], counts.strangers);
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

void
peer_close(struct peer *self)
{
    fabric_close(self->fabric);
}

void
peer_idler(const struct peer_options *options)
{
    struct peer self;

    peer_open(&self, options);
    peer_connect(&self, 1 - options->index);
    PEER_UNTIL(&self, false);
}

void
peer_host(const struct peer_options *options)
{
    struct peer self;
    uint32_t losses = 0;

    peer_open(&self, options);
    AGENTS_REQUIRE(fabric_connect(self.fabric, 0, "127.0.0.1:1") == CPMP_OK);  /* it comes to us */
    while (atomic_load(&peer_shared->words[W_GO]) == 0) {
        peer_step(&self);
        if (self.losses > losses) {
            losses = self.losses;
            if (self.fabric->links[0].state == LINK_LOST)
                AGENTS_REQUIRE(fabric_connect(self.fabric, 0, "127.0.0.1:1") == CPMP_OK);
        }
    }
    peer_close(&self);
}

/* --- the test's side --- */

pid_t
peer_start(peer_fn *fn, struct peer_options options)
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

void
peer_expect_success(pid_t pid)
{
    int status;

    assert_int_equal(pid, waitpid(pid, &status, 0));
    assert_int_equal(0, status);
}

void
peer_kill(pid_t pid)
{
    int status;

    assert_int_equal(0, kill(pid, SIGKILL));
    assert_int_equal(pid, waitpid(pid, &status, 0));
    assert_true(WIFSIGNALED(status));
}

void
peer_word_await(int word, uint64_t least)
{
    uint64_t end_ns = cpi_clock_ns() + AGENTS_LIMIT_S * 1000000000ull;

    while (atomic_load(&peer_shared->words[word]) < least) {
        assert_true(cpi_clock_ns() < end_ns);
        poll(NULL, 0, 1);
    }
}

void
peer_await_ready(uint32_t bits)
{
    uint64_t end_ns = cpi_clock_ns() + AGENTS_LIMIT_S * 1000000000ull;

    while ((atomic_load(&peer_shared->ready) & bits) != bits) {
        assert_true(cpi_clock_ns() < end_ns);
        poll(NULL, 0, 1);
    }
}

int
peer_setup(void **state)
{
    (void)state;
    peer_shared = agents_share(sizeof(*peer_shared));
    return 0;
}

int
peer_teardown(void **state)
{
    (void)state;
    return munmap(peer_shared, sizeof(*peer_shared));
}
