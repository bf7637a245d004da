/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_JOB_H
#define CPI_EXEC_JOB_H

/*
 * The course of one job, as a pure state machine: exec_job_step takes one event with its time and
 * says what is to be done; exec_job_deadline_us says when to wake it. It does no I/O.
 *
 *   STARTING   agents come up             all ready: start the ranks -> RUNNING
 *   RUNNING    ranks run                  all over: end -> ENDING. Failure: TERM to all -> STOPPING
 *   LEAVING    a rank left the job as it should, but with an exit code: the others get a moment to
 *              leave too, since they are about to -> STOPPING
 *   STOPPING   told to go                 all over: end -> ENDING. Grace over -> KILLING
 *   KILLING    KILL was sent              agents that don't answer are killed themselves -> ENDING
 *   ENDING     no rank is left            every agent done or lost -> OVER
 *
 * The first failure is the one that people are told; what fails because of it is only counted. The
 * exit code is: 128 + n after signal n to the launcher; 110 after the time limit; the code of
 * MPI_Abort; else that of the lowest rank which failed before ranks were told to go; else 1 if
 * anything failed.
 */

#include <stdbool.h>
#include <stdint.h>

#include "exec/map.h"

#define EXEC_JOB_READY_US UINT64_C(30000000) /* an agent that hasn't begun after this is stuck */
#define EXEC_JOB_GRACE_US UINT64_C(2000000)  /* from TERM to KILL */
#define EXEC_JOB_LOST_US UINT64_C(1000000)   /* the same when a peer is lost: that took its time */
#define EXEC_JOB_ANSWER_US UINT64_C(5000000) /* a free agent answers in this */

#define EXEC_EXIT_TIMEOUT   110

enum exec_job_state {
    EXEC_JOB_STARTING, EXEC_JOB_RUNNING, EXEC_JOB_LEAVING, EXEC_JOB_STOPPING, EXEC_JOB_KILLING,
    EXEC_JOB_ENDING, EXEC_JOB_OVER
};

enum exec_rank_state {
    EXEC_RANK_WAITING,    /* not started yet */
    EXEC_RANK_RUNNING,
    EXEC_RANK_EXITED,
    EXEC_RANK_UNSTARTED,  /* could not be started, or no longer had to */
    EXEC_RANK_LOST        /* with its agent */
};

enum exec_peer_state { EXEC_PEER_STARTING, EXEC_PEER_READY, EXEC_PEER_DONE, EXEC_PEER_LOST };

enum exec_cause {
    EXEC_CAUSE_NONE,
    EXEC_CAUSE_EXIT,      /* a rank exited with a code */
    EXEC_CAUSE_SIGNALED,  /* a rank was killed by a signal */
    EXEC_CAUSE_LEFT,      /* a rank exited without leaving the job */
    EXEC_CAUSE_ABORT,
    EXEC_CAUSE_START,     /* a rank could not be started */
    EXEC_CAUSE_READY,     /* an agent didn't come up */
    EXEC_CAUSE_PEER,      /* an agent was lost */
    EXEC_CAUSE_TAKEN,     /* a peer's owner took it back */
    EXEC_CAUSE_TROUBLE,   /* an agent said that it can't go on */
    EXEC_CAUSE_OUTPUT,    /* output or events can't be written */
    EXEC_CAUSE_READER,    /* nobody reads standard output any more */
    EXEC_CAUSE_TIMEOUT,
    EXEC_CAUSE_INTERRUPT  /* a signal to the launcher */
};

struct exec_rank {
    enum exec_rank_state state;
    uint32_t pid;
    uint32_t stage;        /* enum cpi_rank_stage, when it exited */
    bool signaled;
    int32_t code;          /* exit code or signal */
    bool failed;           /* on its own, before ranks were told to go */
    int failed_code;       /* what the launcher would exit with for it */
    bool aborted;
    bool late;             /* ran when the time limit was over */
    uint64_t started_us, ended_us;  /* 0: it hasn't */
    uint64_t cpu_us, max_rss_kib;
    uint64_t progress_done, progress_total;
};

/* The first thing that went wrong. */
struct exec_failure {
    enum exec_cause cause;
    bool has_rank;
    uint32_t rank;
    uint32_t peer;
    int code;              /* exit code, signal, errno value or MPI error code, by cause */
    char what[16];         /* START: StartFailed.what */
    struct text text; /* words of the rank or agent; file name */
};

struct exec_job {
    enum exec_job_state state;
    const struct exec_map *map;
    struct exec_rank *ranks;
    enum exec_peer_state peers[EXEC_PEERS_MAX];
    uint32_t waiting, running;   /* ranks in these states */
    uint32_t unready, open;      /* peers that aren't ready yet; that are neither done nor lost */
    uint64_t started_us;         /* when the ranks were told to start */
    uint64_t limit_us;           /* time limit as a moment; UINT64_MAX: none */
    uint64_t deadline_us;        /* of the state */
    uint32_t failures;           /* ranks that failed on their own */
    uint32_t aborts;
    struct exec_failure first;
    int interrupted;             /* first signal to the launcher; 0: none */
};

enum exec_event_type {
    EXEC_EVENT_READY,         /* peer */
    EXEC_EVENT_STARTED,       /* rank, pid */
    EXEC_EVENT_START_FAILED,  /* rank, code: errno value, what, text: program or directory */
    EXEC_EVENT_EXITED,        /* rank, pid, signaled, code, stage, ended, cpu_us, max_rss_kib */
    EXEC_EVENT_ABORT,         /* rank, code, text */
    EXEC_EVENT_TROUBLE,       /* peer, text */
    EXEC_EVENT_TAKEN_AWAY,    /* peer, text: why */
    EXEC_EVENT_DONE,          /* peer */
    EXEC_EVENT_LOST,          /* peer, text: why; its control stream is gone */
    EXEC_EVENT_OUTPUT_FAILED, /* code: errno value, text: what couldn't be written */
    EXEC_EVENT_SIGNAL,        /* code: a signal that ends the launcher */
    EXEC_EVENT_TIME           /* the deadline is over; blocked: the reader of our output is slow */
};

struct exec_event {
    enum exec_event_type type;
    uint64_t now_us;
    uint32_t rank, peer, pid, stage;
    bool signaled, ended, blocked;
    int32_t code;
    const char *what, *text;
    uint64_t cpu_us, max_rss_kib;
};

/* What to do, in this order. Zeroed: nothing. */
struct exec_actions {
    bool start;        /* send Start to every agent */
    int signal;        /* send Signal to every agent */
    bool end;          /* send End to every agent */
    bool kill;         /* with kill */
    bool kill_agents;  /* SIGKILL agents that aren't done: they are taken for lost */
    bool over;         /* nothing more will come */
};

/* `limit_us`: the time limit, 0 for none. `map` must outlive the job. */
void exec_job_init(struct exec_job *job, const struct exec_map *map, uint64_t limit_us,
                   uint64_t now_us);

void exec_job_release(struct exec_job *job);

/* Events that make no sense (a rank that doesn't exist, twice the same) change nothing and return
 * -1: the agent that sent them isn't to be trusted any more. */
int exec_job_step(struct exec_job *job, const struct exec_event *event, struct exec_actions *out);

/* When EXEC_EVENT_TIME is due; UINT64_MAX: never. */
uint64_t exec_job_deadline_us(const struct exec_job *job);

/* What the launcher exits with, once the job is over. */
int exec_job_exit_code(const struct exec_job *job);

void exec_job_check(const struct exec_job *job);

#endif
