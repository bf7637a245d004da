/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_SANDBOX_WATCH_H
#define CPI_SANDBOX_WATCH_H

/*
 * Looks after limits that the kernel doesn't hold for us: the longest run time, and the memory of
 * everything inside where there is no control group for it, so that no control group is no hole.
 *
 * Memory is what processes have for themselves or swapped out, what they share (counted once,
 * smaps_rollup), and what lies in the scratch. The first look adds up what is cheap to read and
 * counts shared pages in each process; only when that is too much is it looked at closely.
 */

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

struct sandbox_watch {
    uv_timer_t timer;
    bool open;
    uint64_t memory_bytes, run_time_ms, began_ms;  /* 0: no limit */
    uint64_t patience_ms;                          /* until the next close look */
    int procs_fd;                                  /* /proc of the pid namespace; owned */
    int scratch_fds[2];                            /* file systems in memory; owned */
    void (*on_passed)(void *arg, const char *why);
    void *arg;
};

void sandbox_watch_init(struct sandbox_watch *watch, uv_loop_t *loop,
                        void (*on_passed)(void *arg, const char *why), void *arg);

/* Begins: takes the three descriptors over. Limits of 0 aren't watched. */
void sandbox_watch_start(struct sandbox_watch *watch, const int fds[3], uint64_t memory_bytes,
                         uint32_t run_time_s);

void sandbox_watch_stop(struct sandbox_watch *watch);

/* What is used now, in bytes; `closely`: shared memory counted once. */
uint64_t sandbox_watch_memory(const struct sandbox_watch *watch, bool closely);

#endif
