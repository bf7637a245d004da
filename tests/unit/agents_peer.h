/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TESTS_UNIT_AGENTS_PEER_H
#define CPI_TESTS_UNIT_AGENTS_PEER_H

/*
 * A peer in a process of its own: a real fabric without a router, driven by a test. A failed check
 * in one ends it with 99 and shows in peer_expect_success. Peer 0 connects, peer 1 is connected to.
 */

#include "agents.h"
#include "plat/plat.h"

/* What children and test count in `peer_shared->words`. */
enum { W_STRANGERS, W_UP, W_RECEIVED, W_LOST, W_GO, W_SENT };

extern struct agents_shared *peer_shared;

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

struct peer_options {
    uint32_t index, peers;
    uint64_t incarnation, patience_us;
    uint8_t key;
    bool encrypt;
};

typedef void peer_fn(const struct peer_options *options);

#define PEER_UNTIL(self, condition)                                             \
    for (uint64_t end_ns_ = cpi_clock_ns() + AGENTS_LIMIT_S * 1000000000ull;    \
         !(condition);) {                                                       \
        peer_step(self);                                                        \
        AGENTS_REQUIRE(cpi_clock_ns() < end_ns_);                                      \
    }

/* --- in a child --- */

/* Opens the fabric and tells its address. */
void peer_open(struct peer *self, const struct peer_options *options);
void peer_close(struct peer *self);

/* Waits until `other` has told its address, and connects to (or expects) it. */
void peer_connect(struct peer *self, uint32_t other);

/* One round, asleep for at most 100 ms so that conditions outside of the fabric are seen. */
void peer_step(struct peer *self);

/* Connects to the other one, and then does nothing until it is killed. */
peer_fn peer_idler;

/* Serves any number of incarnations of peer 0 until W_GO is set. */
peer_fn peer_host;

/* --- in the test --- */

pid_t peer_start(peer_fn *fn, struct peer_options options);
void peer_expect_success(pid_t pid);
void peer_kill(pid_t pid);

/* Waits until a word is at least `least`, until the peers of these bits have told addresses. */
void peer_word_await(int word, uint64_t least);
void peer_await_ready(uint32_t bits);

/* Of cmocka. */
int peer_setup(void **state);
int peer_teardown(void **state);

#endif
