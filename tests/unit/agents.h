/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TESTS_UNIT_AGENTS_H
#define CPI_TESTS_UNIT_AGENTS_H

/*
 * A job without a launcher: processes that are agents with a real router and fabric, and processes
 * that are ranks with real rings, all children of the test. What they tell each other lies in
 * shared memory. The test process itself never opens a fabric: endpoints don't survive a fork.
 */

#include <stdatomic.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

#include "agent/fabric.h"
#include "agent/router.h"
#include "ring/segment.h"

#define AGENTS_MAX     4u
#define AGENTS_LIMIT_S 60  /* for anything; a child that waits longer has failed */
#define AGENTS_JOB     0x1122334455667788ull

/* What children share. */
struct agents_shared {
    _Atomic uint32_t ready;  /* one bit for each agent whose address stands */
    _Atomic uint32_t stop;   /* agents end */
    _Atomic uint32_t up;     /* agents whose handlers are registered, and links asked for */
    _Atomic uint32_t lost[AGENTS_MAX];       /* by agent: how many connections it lost */
    _Atomic int32_t lost_error[AGENTS_MAX];  /* the last one's error */
    _Atomic uint32_t faulty[AGENTS_MAX];
    _Atomic uint64_t wakes[AGENTS_MAX];      /* how often it got up to work */
    _Atomic uint64_t backlog[AGENTS_MAX];    /* bytes, when it last lay down */
    _Atomic uint64_t words[16];              /* for tests */
    struct router_counts counts[AGENTS_MAX];
    struct fabric_counts fabric_counts[AGENTS_MAX];
    char addresses[AGENTS_MAX][80];
    char why[AGENTS_MAX][FABRIC_WHY_MAX];
    struct cpi_host_page host;
};

struct agents {
    uint32_t peers, local;
    struct agents_shared *shared;
    struct cpi_segment segments[AGENTS_MAX];
    int segment_fds[AGENTS_MAX], bells[AGENTS_MAX];
    pid_t pids[AGENTS_MAX];
    uint8_t key[CPI_KEY_BYTES];
    void (*agent_setup)(struct agents *agents, uint32_t peer, struct router *router);
};

#define AGENTS_REQUIRE(condition)                                                                 \
    do {                                                                                          \
        if (!(condition)) {                                                                       \
            fprintf(stderr, "# %s:%d: in process %d: not true: %s\n", __FILE__, __LINE__,         \
                    (int)getpid(), #condition);                                                   \
            _exit(99);                                                                            \
        }                                                                                         \
    } while (0)

/* Zeroed memory that children share. */
void *agents_share(size_t bytes);

/* A child that dies with the test, and in twice the limit. */
pid_t agents_fork(void);

/* `peers` agents with `local` ranks each; rank r lives on peer r / local. */
void agents_make(struct agents *agents, uint32_t peers, uint32_t local);
void agents_free(struct agents *agents);

/* Starts the agents, each a child that runs router and fabric until agents_stop. */
void agents_start(struct agents *agents);

/* Ends the agents; what they return, 0 when all is well, is the first that isn't. */
int agents_stop(struct agents *agents);

/* Yields until *word is at least `least`, with the limit. */
void agents_await(const _Atomic uint32_t *word, uint32_t least);

/* --- a rank --- */

struct agents_rank {
    struct agents *agents;
    struct cpi_segment *segment;
    uint32_t rank, local, peer;
    uint64_t position, released;
    uint64_t sent[AGENTS_MAX * 64];  /* sequence numbers by destination */
};

void agents_rank_init(struct agents_rank *rank, struct agents *agents, uint32_t world_rank);

/* The next frame from the agent, or NULL; agents_next waits for one. Then agents_take it. */
struct cpi_frame *agents_peek(struct agents_rank *rank);
struct cpi_frame *agents_next(struct agents_rank *rank);
void agents_take(struct agents_rank *rank, const struct cpi_frame *frame);

/* Room for a frame of `bytes` of payload to `dest`, header filled, NULL when the ring is full;
 * agents_begin waits for it, without taking frames in. agents_push sends it. */
struct cpi_frame *agents_try(struct agents_rank *rank, uint32_t dest, enum cpi_frame_kind kind,
                             size_t bytes);
struct cpi_frame *agents_begin(struct agents_rank *rank, uint32_t dest, enum cpi_frame_kind kind,
                               size_t bytes);
/* Sleeps until the agent has something, or, with `size`, room for a frame of it; perhaps less. */
void agents_rest(struct agents_rank *rank, size_t size);
void agents_push(struct agents_rank *rank, struct cpi_frame *frame, size_t bytes);

#endif
