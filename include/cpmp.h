/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPMP_H
#define CPMP_H

/*
 * cpmp.h: the native interface of cpmp, whole.
 *
 * A job is a number of ranks, 0 to cpmp_size() - 1, each a process of its own on some peer
 * (machine). Ranks send each other messages of bytes, share global variables, and emit partial
 * results that the launcher shows while the job runs. Start a program with `cpexec -np 16 ./a.out`;
 * started alone it is a job of one rank.
 *
 * Every function returns CPMP_OK (0) or a negative error code from CPMP_ERROR_MAP unless it says
 * otherwise. Outputs are set on success only. Pointers handed in are not kept after the call
 * returns, except the buffers of cpmp_isend and cpmp_irecv, which belong to the library until the
 * request is done. Call from one thread at a time. A call that waits sleeps: it does not burn a
 * core.
 *
 * Terms (global variable, partial result) are those of PPP2P, section 2.2.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* Every error: name, number, text. One list for the library, the launcher and the tools. */
#define CPMP_ERROR_MAP(X)                                                                          \
    X(OK, 0, "success")                                                                            \
    X(EINVAL, -1, "an argument is out of range")                                                   \
    X(ENOMEM, -2, "out of memory")                                                                 \
    X(ESTATE, -3, "called before cpmp_init or after cpmp_end")                                     \
    X(ERANK, -4, "no such rank")                                                                   \
    X(ETAG, -5, "tag is negative or above CPMP_TAG_MAX")                                           \
    X(ETRUNC, -6, "the message is longer than the receive buffer")                                 \
    X(EPROTO, -7, "malformed or unexpected data from outside")                                     \
    X(EVERSION, -8, "the other side speaks another version of cpmp")                               \
    X(ESYS, -9, "a system call failed")                                                            \
    X(EPEER, -10, "a peer of the job was lost")                                                    \
    X(ECANCELED, -11, "the operation was cancelled")                                               \
    X(ESIZE, -12, "the sizes given do not agree")                                                  \
    X(ELIMIT, -13, "a limit of this build or machine was reached")                                 \
    X(ENOSUP, -14, "not supported")                                                                \
    X(EEXIST, -15, "exists already")                                                               \
    X(ENOENT, -16, "does not exist")                                                               \
    X(EAGAIN, -17, "not now; try again")                                                           \
    X(EKEY, -18, "the other side does not hold this job's key")                                    \
    X(ENOSPC, -19, "no space left")

enum cpmp_error {
#define CPMP_ERROR_ENUM(name, number, text) CPMP_##name = (number),
    CPMP_ERROR_MAP(CPMP_ERROR_ENUM)
#undef CPMP_ERROR_ENUM
};

#define CPMP_ANY_SOURCE (-1)        /* receive or probe from whichever rank sends first */
#define CPMP_ANY_TAG    (-1)        /* receive or probe whatever the tag */
#define CPMP_TAG_MAX    0x3fffffff  /* tags go from 0 to this */
#define CPMP_ALL        (-1)        /* as root of cpmp_reduce: every rank gets the result */
#define CPMP_NAME_MAX   255         /* longest name of a variable or topic, in bytes */

/* What is known of a message received, probed or tested for. */
typedef struct cpmp_status {
    int source;   /* rank that sent it */
    int tag;
    size_t bytes; /* its length */
} cpmp_status;

/* An operation under way. Made by cpmp_isend and cpmp_irecv, ended and freed by cpmp_wait or by the
 * cpmp_test that finds it done. */
typedef struct cpmp_request cpmp_request;

/* --- the job ----------------------------------------------------------------------------- */

/* Join the job this process was started for; alone, become a job of one rank. Once per process. */
int cpmp_init(void);

/* Leave the job, after everything this rank sent has gone out. No other call may follow. A rank
 * that exits without it is reported by the launcher as lost. */
int cpmp_end(void);

/* This rank's number, 0 … cpmp_size() - 1; CPMP_ESTATE outside init … end. */
int cpmp_rank(void);

/* How many ranks the job has. */
int cpmp_size(void);

/* The peer this rank runs on, 0 … cpmp_peers() - 1 in the order of --display-map. */
int cpmp_peer(void);

/* How many peers the job runs on. */
int cpmp_peers(void);

/* Capacity that this rank's peer gives the job, in cores (2.0: two whole cores; 0.5: half of
 * one). */
double cpmp_capacity(void);

/* Seconds since an arbitrary moment; monotonic on one peer. */
double cpmp_time(void);

/* Text of an error code; never NULL, static. */
const char *cpmp_strerror(int error);

/* End the whole job: every rank is stopped, the launcher prints `message` (may be NULL) and exits
 * with `exit_code` (1 … 255). Does not return. */
#if defined(__GNUC__)
__attribute__((noreturn))
#endif
void cpmp_abort(int exit_code, const char *message);

/* --- messages: bytes with a tag ----------------------------------------------------------------
 * Between two ranks messages arrive in the order sent; a receive takes the earliest that
 * matches. */

/* Send `bytes` bytes to rank `dest`; returns when `buf` may be used again (short messages: at once;
 * long ones: when the receiver has taken them). */
int cpmp_send(const void *buf, size_t bytes, int dest, int tag);

/* Receive into `buf`, which holds `capacity_bytes`. `source` may be CPMP_ANY_SOURCE, `tag`
 * CPMP_ANY_TAG. `status` may be NULL. A longer message is cut and gives CPMP_ETRUNC. */
int cpmp_recv(void *buf, size_t capacity_bytes, int source, int tag, cpmp_status *status);

/* As cpmp_send and cpmp_recv, but return at once with a request; leave `buf` alone until it is
 * done. */
int cpmp_isend(const void *buf, size_t bytes, int dest, int tag, cpmp_request **request_p);
int cpmp_irecv(void *buf, size_t capacity_bytes, int source, int tag, cpmp_request **request_p);

/* Wait until *request_p is done, free it and set it to NULL. NULL is done already. The result is
 * the operation's own. */
int cpmp_wait(cpmp_request **request_p, cpmp_status *status);

/* cpmp_wait for `count` requests. `statuses` is NULL or an array of `count`. The first error
 * counts. */
int cpmp_wait_all(int count, cpmp_request *requests[], cpmp_status *statuses);

/* Make progress; if *request_p is done, set *done_p to 1 and do as cpmp_wait does, else set it to
 * 0. */
int cpmp_test(cpmp_request **request_p, int *done_p, cpmp_status *status);

/* Wait until a message that matches could be received, and tell its length; it stays. */
int cpmp_probe(int source, int tag, cpmp_status *status);

/* As cpmp_probe without waiting: *found_p tells whether there is one. */
int cpmp_iprobe(int source, int tag, int *found_p, cpmp_status *status);

/* Let the library work for a moment (deliver long messages, run callbacks). Worth calling now and
 * then in a long computation. Never waits. */
int cpmp_poll(void);

/* --- collectives: every rank calls them, in the same order ------------------------------- */

/* Return when every rank has called it. */
int cpmp_barrier(void);

/* Copy `bytes` bytes from root's `buf` into everyone's. */
int cpmp_bcast(void *buf, size_t bytes, int root);

typedef enum cpmp_type {
    CPMP_INT32, CPMP_UINT32, CPMP_INT64, CPMP_UINT64, CPMP_FLOAT, CPMP_DOUBLE
} cpmp_type;

typedef enum cpmp_op { CPMP_SUM, CPMP_PROD, CPMP_MIN, CPMP_MAX } cpmp_op;

/* out[i] = in[i] of rank 0 op in[i] of rank 1 op …, in rank order (so the result is the same to the
 * bit on every run), for i < count. `out` is set at `root`, or everywhere with CPMP_ALL; elsewhere
 * it may be NULL. `in` and `out` are `count` elements each and may be the same. */
int cpmp_reduce(const void *in, void *out, size_t count, cpmp_type type, cpmp_op op, int root);

/* --- global variables ---------------------------------------------------------------------------
 * A named array of bytes with a version, one for the whole job. Reads, writes and updates are
 * linearizable: they take effect one after the other, at one moment between call and return. Each
 * change makes the version one higher; the initial value has version 1. A rank that dies leaves the
 * value of its last finished change, and holds up nobody. (PPP2P, section 2.2: mandatorily
 * synchronized access to global variables.) */
typedef struct cpmp_var cpmp_var;

#define CPMP_VAR_BYTES_MAX (1u << 20) /* the largest variable */

/* Open the variable `name`. The first rank to open it makes it, `bytes` long, with a copy of
 * `initial` (NULL: zeros); for later ones `bytes` must agree (CPMP_ESIZE) and `initial` is not
 * looked at. */
int cpmp_var_open(const char *name, size_t bytes, const void *initial, cpmp_var **var_p);

/* Free the handle; the variable lives as long as the job. NULL is allowed. */
void cpmp_var_close(cpmp_var *var);

/* Copy the value to `value`. `version_p` may be NULL in all of these. */
int cpmp_var_read(cpmp_var *var, void *value, uint64_t *version_p);

/* Replace the value. */
int cpmp_var_write(cpmp_var *var, const void *value, uint64_t *version_p);

/* Changes `value` (`bytes` long) in place. Returns 0 to commit, other than 0 to leave the variable
 * as it was. Runs again with the newer value when another rank was faster, so it may do nothing
 * else. */
typedef int cpmp_update_fn(void *value, size_t bytes, void *arg);

/* Atomic read, change by `update`, write. No rank ever holds a lock: the change is committed only
 * if the version is still the one that was read, else tried again. `value` (may be NULL) and
 * `version_p` get what is in force after the call. */
int cpmp_var_update(cpmp_var *var, cpmp_update_fn *update, void *arg, void *value,
                    uint64_t *version_p);

/* If the value equals `expected`, replace it by `desired`. `seen` (may be NULL) gets the value
 * before the call; *swapped_p tells whether it was replaced. */
int cpmp_var_compare_swap(cpmp_var *var, const void *expected, const void *desired, void *seen,
                          int *swapped_p);

/* Add to a variable of 8 bytes as a signed integer (wrapping). *before_p may be NULL. */
int cpmp_var_fetch_add(cpmp_var *var, int64_t add, int64_t *before_p);

/* Sleep until the version is above `newer_than`, then as cpmp_var_read. 0 never sleeps. */
int cpmp_var_wait(cpmp_var *var, uint64_t newer_than, void *value, uint64_t *version_p);

/* --- partial results ----------------------------------------------------------------------------
 * An event is bytes or text under a topic. The launcher gets each event once, those of one rank in
 * the order emitted, and prints it or writes it to `--events FILE`. (PPP2P, section 2.2: reporting
 * of partial results, event-driven.) */

typedef struct cpmp_event {
    int source;         /* rank that emitted it */
    uint64_t sequence;  /* 1, 2, … of that rank */
    const char *topic;  /* valid during the callback only, as is data */
    const void *data;
    size_t bytes;
    int is_text;
} cpmp_event;

#define CPMP_EVENT_BYTES_MAX (64u << 10)

/* Emit an event of up to CPMP_EVENT_BYTES_MAX bytes. Waits only when the launcher is far behind. */
int cpmp_emit(const char *topic, const void *data, size_t bytes);

/* The same for text, with printf's format. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
int cpmp_emit_text(const char *topic, const char *format, ...);

typedef void cpmp_event_fn(const cpmp_event *event, void *arg);

/* Have `callback` run for each event on `topic` (NULL: all) that any rank, this one too, emits
 * after the subscription is known to it; after a barrier it is. It runs inside a call of this
 * library (any that waits, cpmp_test or cpmp_poll), one after the other. It may emit and send, but
 * not wait; a variable called for while a call on one waits gives CPMP_ESTATE. A rank that never
 * looks ends the job when 256 MiB of events wait for it. CPMP_ELIMIT after 256 of them. */
int cpmp_subscribe(const char *topic, cpmp_event_fn *callback, void *arg);

/* Tell how far this rank is: `done` of `total` units (total 0: unknown). Feeds the launcher's
 * status line; cheap enough to call often. */
int cpmp_progress(uint64_t done, uint64_t total);

#ifdef __cplusplus
}
#endif
#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#endif
