/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TESTS_AGENT_DRIVER_H
#define CPI_TESTS_AGENT_DRIVER_H

/*
 * Plays the launcher to a real cpmp-agent ($CPMP_AGENT): starts it, sends it messages, and keeps
 * what it answers. Everything waits for an event with a limit and fails the test when it doesn't
 * come. The test is a subreaper, so whatever an agent leaves behind becomes its child and is found.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "control/codec.h"
#include "control/rules.h"

#define DRIVER_RANKS_MAX 16

struct driver_rank {
    pid_t pid;
    bool exited, signaled;
    int code;
    int eofs;            /* of its two streams */
    char *out;           /* both streams; 0-terminated */
    size_t out_bytes;
};

struct driver {
    pid_t pid;           /* the agent; 0: reaped */
    int fd;              /* -1: closed */
    struct control_decoder decoder;
    struct driver_rank ranks[DRIVER_RANKS_MAX];
    int started, exited, failed;
    int failed_error;
    char failed_what[32], failed_program[256];
    uint64_t out_bytes;
    bool withhold;       /* output is not acknowledged */
    uint64_t stdin_sent, stdin_taken;
    bool stdin_closed;
    bool ready, done, ended;  /* ended: the stream is at its end */
    char litter[256], trouble[512];
};

/* Starts an agent and does Setup and Ready. */
struct driver *driver_new(void);

/* Kills what is left, fails when anything is, and frees. */
void driver_free(struct driver *driver);

void driver_send(struct driver *driver, const Cpmp__Control *message);

/* Start: `count` ranks of `sh -c script`, in `directory`. */
void driver_start_script(struct driver *driver, int count, int stdin_rank, const char *script);
void driver_start(struct driver *driver, int count, int stdin_rank, const char *directory,
                  char *const *argv);

void driver_stdin(struct driver *driver, int rank, const void *data, size_t bytes, bool eof);
void driver_signal(struct driver *driver, int number);
void driver_end(struct driver *driver, bool kill);
void driver_acknowledge(struct driver *driver);

/* Takes messages until *condition is at least `value` (or, for bools, true). */
void driver_wait_int(struct driver *driver, const int *value_p, int value);
void driver_wait_bool(struct driver *driver, const bool *value_p);
void driver_wait_u64(struct driver *driver, const uint64_t *value_p, uint64_t value);
/* … until rank's output holds `text`. */
void driver_wait_text(struct driver *driver, int rank, const char *text);

/* End, Done, close; the agent exits with 0 and leaves nothing. */
void driver_finish(struct driver *driver, bool kill);

/* The agent's wait status, once it has exited. */
int driver_agent_status(struct driver *driver);

/* Reaps every child of the test that is there or comes; fails when one doesn't end. */
void driver_expect_no_children(void);

#endif
