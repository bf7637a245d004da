/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_SANDBOX_MESSAGE_H
#define CPI_SANDBOX_MESSAGE_H

/*
 * What agent and cage say to each other: messages of one size over a SOCK_SEQPACKET socket pair,
 * with descriptors. What is long (arguments, environment) comes as a memfd.
 *
 *   CONFIGURE {rules} -> HELLO {/proc, scratch, /dev/shm} or FAILED
 *   RUN {what, stdin, stdout, stderr, segment, doorbell, host page} -> STARTED {pidfd} -> SEEN,
 *   or FAILED
 *   SIGNAL, STOP, CONTINUE, KILL; EXITED once for each that was STARTED
 *
 * The agent believes nothing of what it reads: the cage lives among foreign processes. Whatever
 * breaks the rules ends the cage.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "process/spawn.h"

enum sandbox_message_type {
    /* agent -> cage */
    SANDBOX_CONFIGURE = 1,
    SANDBOX_RUN,       /* index */
    SANDBOX_SEEN,      /* after STARTED: the rank may be reaped now, its pid is known */
    SANDBOX_SIGNAL,    /* value: number; to the process group of every rank */
    SANDBOX_STOP,      /* everything in the cage, until CONTINUE */
    SANDBOX_CONTINUE,
    SANDBOX_KILL,      /* everything in the cage; the cage stays and tells how ranks went */
    /* cage -> agent */
    SANDBOX_HELLO = 16,
    SANDBOX_STARTED,   /* index */
    SANDBOX_FAILED,    /* index; value: errno; step: enum spawn_step */
    SANDBOX_EXITED     /* index; value: as wait4 gives it; times and memory */
};

struct sandbox_message {
    uint32_t type;
    uint32_t index;
    int32_t value;
    uint32_t step;
    uint64_t user_us, system_us, max_rss_kib;
};

#define SANDBOX_FDS_MAX 8
#define SANDBOX_RUN_FDS 7
#define SANDBOX_HELLO_FDS 3
#define SANDBOX_RUN_BYTES_MAX (16u << 20)

/* Sends, with `count` descriptors, which stay the caller's; waits for room or not. 0, or -1 with
 * errno. */
int sandbox_message_send(int fd, const struct sandbox_message *message, const int *fds,
                         size_t count, bool wait);

/* Receives one. `fds` (room for SANDBOX_FDS_MAX) get close-on-exec descriptors, the caller's from
 * then on. 1; 0 at the end; -1 with errno: EAGAIN, EPROTO for what is no message. */
int sandbox_message_receive(int fd, struct sandbox_message *message, int *fds, size_t *count_p,
                            bool wait);

/* Whether the agent may get this from a cage with `ranks` ranks, with so many descriptors. Pure. */
bool sandbox_message_is_answer(const struct sandbox_message *message, size_t bytes, size_t fds,
                               uint32_t ranks);

/* What to run, as bytes: one block to be freed; NULL when memory is short. */
char *sandbox_run_pack(const struct spawn_request *request, size_t *bytes_p);

/* And back: pointers of `request` go into `bytes` and into the block *list_p, which the caller
 * frees. `files` gets the limit that request->files points to. 0, or -1 when it makes no sense. */
int sandbox_run_unpack(struct spawn_request *request, struct rlimit *files, char *bytes,
                       size_t count, char ***list_p);

/* A memfd with the bytes, close-on-exec; -1 with errno. */
int sandbox_blob_make(const void *bytes, size_t count);

/* All bytes of `fd` in a block with a 0 behind; NULL with errno when there are more than `most`. */
char *sandbox_blob_read(int fd, size_t most, size_t *count_p);

void sandbox_fds_close(int *fds, size_t count);

#endif
