/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_P2P_ENGINE_H
#define CPI_P2P_ENGINE_H

/*
 * The engine of a rank: its place in the job, its view of the segment, progress and waiting. There
 * is no progress thread; each call that may wait makes progress, and a rank with nothing to do
 * sleeps on its doorbell (messaging.md, Waiting).
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "ring/segment.h"

/* Work to be done in each round of progress, e.g. the schedules of nonblocking collectives. `run`
 * returns true when it moved something. It may start sends and receives, not wait. */
struct cpi_hook {
    struct cpi_list link;
    bool (*run)(struct cpi_hook *hook);
};

/* Frames of kinds that are not p2p's own (VAR_REPLY, EVENT, EVENT_ACK). `frame` is valid in the
 * call. */
typedef void cpi_frame_fn(const struct cpi_frame *frame, void *arg);

struct cpi_engine {
    int rank, size;           /* in the world */
    uint32_t local;           /* this rank's index in the segment */
    struct cpi_segment segment;
    struct cpi_host_page *host;
    int bell_fd;              /* rings the agent */
    bool alone;               /* a singleton: no agent, no other rank */
};

/* The one engine; valid between init and end. */
extern struct cpi_engine cpi_engine;

/* Joins the job that the environment names (CPMP_SEGMENT_FD, …), or makes a job of one rank.
 * Errors: CPMP_ESTATE when done before in this process or for this rank, CPMP_EPROTO,
 * CPMP_EVERSION, CPMP_ESYS. */
int cpi_engine_init(void);

/* This process's rank in the world, also before it has joined: the launcher has told it. 0 for a
 * process that nobody started as a rank. */
int cpi_engine_rank_told(void);

/* Why this process could not join, as far as it is known: a sentence, or NULL. */
const char *cpi_engine_join_fault(void);

/* Joins with a segment already mapped: for tests. The engine takes `segment` over; `host` may be
 * NULL. */
int cpi_engine_init_with(const struct cpi_segment *segment, struct cpi_host_page *host,
                         uint32_t local, int bell_fd);

/* Sends out what is queued and marks the rank as ended. */
void cpi_engine_end(void);

/* One round: frames taken in, queued frames sent, hooks run. True when anything moved. */
bool cpi_engine_progress(void);

/* Progress until *done is true; sleeps when there is nothing to do. */
void cpi_engine_wait(const volatile bool *done);

/* Progress until *word != expected (a word in the segment whose writer wakes its sleepers with
 * cpi_futex_wake when *sleepers_p > 0; this function counts itself there while asleep). */
void cpi_engine_wait_word(const _Atomic uint32_t *word, uint32_t expected,
                          _Atomic uint32_t *sleepers_p);

/* cpi_engine_wait_word needs futex_waitv (Linux 5.16); the same answer on all ranks of a host. */
bool cpi_engine_has_wait_word(void);

/* Progress once, then rest a moment the way waiting does; for loops with conditions of their own.
 * `round_p` starts at 0 and is reset to 0 by the caller when something it waits for has moved. */
void cpi_engine_rest(unsigned *round_p);

void cpi_engine_hook_add(struct cpi_hook *hook);
void cpi_engine_hook_remove(struct cpi_hook *hook);

/* Work for the end of each round of progress, which may make progress itself (callbacks of users);
 * NULL: none. One at most. */
void cpi_engine_set_after(bool (*run)(void));

/* Register the receiver of frames of one kind. */
void cpi_engine_on_frame(enum cpi_frame_kind kind, cpi_frame_fn *fn, void *arg);

/* A stretch of memory. */
struct cpi_piece {
    const void *base;
    size_t bytes;
};

/* Queue a body, made of `count` pieces, to this rank's agent (dest CPI_RANK_AGENT): copied, in
 * order, in as many frames as it needs (wire/var.h). Errors: CPMP_ENOMEM; CPMP_ENOSUP in a job of
 * one rank without an agent. */
int cpi_engine_agent_send(enum cpi_frame_kind kind, int32_t tag, uint64_t handle,
                          const struct cpi_piece *pieces, unsigned count);

/* Wakes the agent's eventfd whatever its state (it looks at the rank blocks, e.g. for progress). */
void cpi_engine_agent_wake(void);

/* Is `world_rank` on this rank's peer? Then *local_p is its index there. */
bool cpi_engine_is_local(int world_rank, uint32_t *local_p);

/* More ranks want a core on this host than there are cores. */
bool cpi_engine_oversubscribed(void);

/* Ends the job: tells the agent, then this process. */
_Noreturn void cpi_engine_abort(int exit_code, const char *text);

#endif
